//! The plugin in a host, for these tests.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

use std::cell::Cell;
use std::path::PathBuf;

use plugin_host::{EventBuffer, Library, Plugin};
use serde_json::Value;

/// The plugin as cargo built it for these tests, beside them.
pub fn library_path() -> PathBuf {
    let test = std::env::current_exe().expect("this program's path");
    let path = test.ancestors().nth(2).expect("the target folder").join("examples/libtested.so");
    assert!(path.exists(), "`{}` is not there: run `cargo build -p json --examples`", path.display());
    path
}

/// The plugin, and the number of the next event: a host never gives one twice.
pub struct Host {
    pub library: Library,
    pub plugin: Plugin,
    number: Cell<u64>,
}

impl Host {
    pub fn new() -> Self {
        let library = Library::load(library_path()).expect("the plugin loads");
        let plugin = library.init("", |_, _| {}).expect("it can be initialised");
        Self { library, plugin, number: Cell::new(0) }
    }

    /// What a field says of an event, if anything; asked for alone, as Falco asks.
    #[track_caller]
    pub fn ask(&self, payload: &[u8], timestamp: u64, request: &str) -> Option<String> {
        self.ask_all(payload, timestamp, [request]).pop().flatten()
    }

    /// What fields say of one event, each in a call of its own.
    #[track_caller]
    pub fn ask_all<'r>(
        &self,
        payload: &[u8],
        timestamp: u64,
        requests: impl IntoIterator<Item = &'r str>,
    ) -> Vec<Option<String>> {
        let buffer = EventBuffer::new(1, "some_source", timestamp, payload).expect("an event");
        self.number.set(self.number.get() + 1);
        let event = buffer.event(self.number.get());
        let ask = |request: &str| {
            let request = self.library.request(request).expect(request);
            let mut values = self.plugin.extract_one(&event, &request).expect("no error, whatever the data");
            assert!(values.len() <= 1);
            values.pop().map(|value| value.as_str().expect("text").to_owned())
        };
        requests.into_iter().map(ask).collect()
    }
}

/// Asks for every request of `requests`, of every event of `events` (a line each), what `expected` has on the
/// same line; the number of events, and of values.
pub fn compare(requests: &str, events: &str, expected: &str, compared: fn(&str) -> bool) -> (usize, usize) {
    let host = Host::new();
    let requests: Vec<&str> = requests.lines().filter(|request| compared(request)).collect();
    assert_eq!(events.lines().count(), expected.lines().count());
    let (mut lines, mut values) = (0, 0);
    for (event, expected) in events.lines().zip(expected.lines()) {
        let expected: Value = serde_json::from_str(expected).expect(expected);
        lines += 1;
        let answers = host.ask_all(event.as_bytes(), 7, requests.iter().copied());
        for (request, answer) in requests.iter().zip(answers) {
            let wanted = expected.get(*request).map(|text| text.as_str().expect("a text"));
            assert_eq!(answer.as_deref(), wanted, "line {lines}, {request}");
            values += usize::from(wanted.is_some());
        }
        let asked = |request: &String| requests.contains(&request.as_str()) || !compared(request);
        assert!(expected.as_object().expect("an object").keys().all(asked), "line {lines}: never asked");
    }
    (lines, values)
}
