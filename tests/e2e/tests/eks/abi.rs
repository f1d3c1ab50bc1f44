//! The fields through the C ABI, as libscap asks for them and otherwise; and the plugin under several threads.

use std::path::Path;

use e2e::{PATIENCE, beside, plugin};
use emulators::cloudwatch::{Config, Generated};
use plugin_host::{EventBuffer, Extracted, Library, Plugin, Request, Value as FieldValue};
use serde_json::{Value, json};

use crate::setup::{GROUP, emulator, host};

const SETS: [&str; 4] = ["attack", "odd", "ordinary", "spelling"];

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/audit");
    std::fs::read_to_string(folder.join(name)).expect(name)
}

fn events(set: &str) -> Vec<EventBuffer> {
    let buffer = |line: &str| EventBuffer::new(9, "k8s_audit", 1, line.as_bytes()).expect("an event");
    fixture(&format!("{set}.events.jsonl")).lines().map(buffer).collect()
}

fn eks() -> (Library, Plugin) {
    let library = Library::load(plugin("k8saudit-eks")).unwrap();
    let plugin = library.init("{}", |_, _| {}).unwrap();
    (library, plugin)
}

fn requests(library: &Library) -> Vec<Request> {
    fixture("requests.txt").lines().map(|line| library.request(line).expect(line)).collect()
}

fn texts(extracted: &[FieldValue]) -> Vec<&str> {
    extracted.iter().map(|value| value.as_str().expect("text")).collect()
}

/// The fixtures' expected answers, one field per call as Falco asks.
#[test]
fn one_field_per_call_gives_what_the_fixtures_expect() {
    let (library, plugin) = eks();
    let names = fixture("requests.txt");
    let mut answers = 0;
    for set in SETS {
        let expected = fixture(&format!("{set}.expected.jsonl"));
        for (number, (buffer, expected)) in events(set).iter().zip(expected.lines()).enumerate() {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let event = buffer.event(number as u64 + 1);
            for (name, request) in names.lines().zip(requests(&library)) {
                let values = plugin.extract_one(&event, &request).expect(name);
                let wanted = match expected.get(name) {
                    None => Vec::new(),
                    Some(Value::Array(values)) => {
                        values.iter().map(|value| value.as_str().unwrap()).collect()
                    }
                    Some(value) => vec![value.as_str().unwrap()],
                };
                // A C string ends at NUL.
                let wanted: Vec<_> = wanted.iter().map(|text| text.split('\0').next().unwrap()).collect();
                assert_eq!(texts(&values), wanted, "{name} of {set} {number}");
                answers += values.len();
            }
        }
    }
    assert!(answers > 500, "{answers}");
}

/// Other hosts may ask for several fields in one call; and with offsets, each points at its value.
#[test]
fn several_fields_per_call_give_the_same() {
    let (library, plugin) = eks();
    let requests = requests(&library);
    let all: Vec<&Request> = requests.iter().collect();
    let mut located = 0;
    for set in SETS {
        for (number, buffer) in events(set).iter().enumerate() {
            let event = buffer.event(number as u64 + 1);
            let together = plugin.extract(&event, &all).unwrap();
            for (request, together) in requests.iter().zip(together) {
                assert_eq!(plugin.extract_one(&event, request).unwrap(), together.values);
                let with_offsets = plugin.extract_offsets(&event, &[request]).unwrap();
                let [Extracted { values, offsets: Some(offsets) }] = with_offsets.as_slice() else {
                    continue;
                };
                for (value, offset) in values.iter().zip(offsets).filter(|(_, offset)| offset.length > 0) {
                    let (start, length) = (offset.start as usize, offset.length as usize);
                    let bytes = &event.bytes()[start..start + length];
                    let text = value.as_str().unwrap();
                    // Escapes and spaces stand in the event as they were written.
                    let same_json = || {
                        let parsed: Option<Value> = serde_json::from_slice(bytes).ok();
                        parsed.is_some() && parsed == serde_json::from_str(text).ok()
                    };
                    assert!(bytes == text.as_bytes() || bytes.contains(&b'\\') || same_json(), "{text}");
                    located += 1;
                }
            }
        }
    }
    assert!(located > 100, "{located}");
}

/// Falco reads metrics from its HTTP thread while events flow; and ends while they still do.
#[test]
fn metrics_from_four_threads_and_a_close_under_load() {
    // More than any machine gets through before it hears that it is to end.
    const COUNT: u64 = 3_000_000;
    let _beside = beside();
    let emulator = emulator(Config::default());
    let start = emulator.clock().now_ms() - 3_600_000;
    emulator.generate(GROUP, Generated { message_bytes: 600, ..Generated::backlog(COUNT, start) });
    let mut host = host(&emulator, json!({ "start_position": "beginning" }));
    host.order("watch");
    host.wait(PATIENCE, "some of the events", |state| state.events.len() >= 50_000);
    host.quit();
    let state = host.state();
    assert!((state.events.len() as u64) < COUNT, "it was to be closed under load");
    assert!(state.closed_ms.unwrap() < 5000);
    assert!(state.metrics["metrics_read_by_watchers"] > 1000.0);
    drop(state);
}
