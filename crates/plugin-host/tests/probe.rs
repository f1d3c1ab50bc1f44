//! The host against the plugin of `examples/probe.rs`, which is plain C ABI.
#![allow(unsafe_code, reason = "one symbol of the probe is called by name")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says no by panicking"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use plugin_host::{
    Batch, Error, EventBuffer, Level, Library, MetricKind, MetricValue, Offset, Source, Value,
};

/// Cargo builds a package's examples before it runs the tests, beside them.
fn probe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/libprobe.so")
}

fn quiet(_: Level, _: &str) {}

/// What the source gives until it ends, in one line.
fn drain(source: &mut Source<'_>) -> String {
    let mut story = Vec::new();
    loop {
        let plugin = source.plugin();
        match source.next_batch() {
            Batch::Events(events) => {
                for event in events {
                    assert!(event.timestamp() < u64::MAX && event.plugin_id() == 999);
                    let payload =
                        plugin.extract_one(&event, &plugin.request("probe.payload").unwrap()).unwrap();
                    story.push(format!("{}:{}", event.number(), payload[0].as_str().unwrap()));
                }
            }
            Batch::Timeout => story.push("timeout".to_owned()),
            Batch::Eof => return story.join(" ") + " eof",
            Batch::Failure(why) => return story.join(" ") + " failure: " + &why,
        }
    }
}

#[track_caller]
fn check(params: &str, expect: &str) {
    let plugin = Library::load(probe()).unwrap().init("", quiet).unwrap();
    let mut source = plugin.open(params).unwrap();
    assert_eq!(drain(&mut source).trim_start(), expect);
}

#[test]
fn batches_come_as_libscap_takes_them() {
    check("events=2", r#"1:{"n": 1} 2:{"n": 2} eof"#);
    check("events=1,timeout,events=1", r#"1:{"n": 1} timeout 2:{"n": 2} eof"#);
    check("fail", "failure: told to fail");
    check("empty", "failure: unexpected 0 size event returned by the plugin");
    check("events=1+fail,events=1", r#"1:{"n": 1} failure: told to fail"#);
    check("alien", "failure: unexpected plugin ID in plugin event: expected_id=999, actual_id=1000");
}

#[test]
fn numbers_start_again_with_each_open() {
    let plugin = Library::load(probe()).unwrap().init("", quiet).unwrap();
    for _ in 0..2 {
        assert_eq!(drain(&mut plugin.open("events=1").unwrap()), r#"1:{"n": 1} eof"#);
    }
}

#[test]
fn the_library_tells_what_the_plugin_says_of_itself() {
    let library = Library::load(probe()).unwrap();
    assert_eq!((library.name(), library.version().to_string()), ("probe", "0.1.0".to_owned()));
    assert_eq!((library.id(), library.event_source()), (999, "probe_source"));
    assert_eq!(library.extract_sources(), ["probe_source"]);
    assert_eq!(library.fields().len(), 4);
    assert_eq!(library.init_schema().as_deref(), Some(r#"{"type": "object"}"#));
}

#[test]
fn a_file_that_is_no_plugin_is_refused_by_name() {
    let missing = Library::load("/nonexistent/libx.so").unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/libx.so") && missing.contains("No such file"), "{missing}");
    let Err(Error::MissingSymbol { symbol, .. }) = Library::load("libc.so.6") else { panic!() };
    assert_eq!(symbol, "plugin_get_required_api_version");
}

#[test]
fn failures_keep_the_plugin_s_words() {
    let library = Library::load(probe()).unwrap();
    let init = library.init(r#"{"fail": true}"#, quiet).unwrap_err();
    assert_eq!(init.to_string(), "could not initialize plugin: told to fail");
    assert!(matches!(library.init("{", quiet), Err(Error::Config(_))));
    let plugin = library.init("", quiet).unwrap();
    assert_eq!(plugin.open("").unwrap_err().to_string(), "nothing to open, for example `events=3`");
}

#[test]
fn log_lines_carry_the_plugin_s_name_and_end_with_it() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let library = Library::load(probe()).unwrap();
    let sink = Arc::clone(&lines);
    let plugin =
        library.init("", move |level, line| sink.lock().unwrap().push(format!("{level} {line}"))).unwrap();
    plugin.open("").unwrap_err();
    plugin.open("timeout").unwrap().close();
    drop(plugin);
    let expect = [
        "info probe: init with {}",
        "info probe: closed nothing",
        "info probe: closed",
        "info probe: destroyed",
    ];
    assert_eq!(*lines.lock().unwrap(), expect);
    assert_eq!(library.log_lines_after_destroy(), 0);
    // SAFETY: the symbol is a function without parameters, and dlopen of a loaded file gives
    // the same code.
    unsafe {
        let again = libloading::Library::new(probe()).unwrap();
        again.get::<extern "C" fn()>(b"probe_log_after_destroy\0").unwrap()();
    }
    assert_eq!((library.log_lines_after_destroy(), lines.lock().unwrap().len()), (1, 4));
}

#[test]
fn several_fields_come_from_one_call() {
    let library = Library::load(probe()).unwrap();
    let plugin = library.init("", quiet).unwrap();
    let buffer = EventBuffer::new(999, "probe_source", 5, b"{}").unwrap();
    let event = buffer.event(7);
    let texts =
        |values: &[Value]| values.iter().map(|it| it.as_str().unwrap_or("?").to_owned()).collect::<Vec<_>>();
    let names = [
        "probe.args",
        "probe.payload",
        "probe.args[key]",
        "probe.index[18446744073709551615]",
        "probe.index",
    ];
    let requests: Vec<_> = names.iter().map(|name| library.request(name).unwrap()).collect();
    let requests: Vec<_> = requests.iter().collect();
    let got = plugin.extract_offsets(&event, &requests).unwrap();
    assert_eq!(texts(&got[0].values), ["a", "b", "c"]);
    assert_eq!(got[0].offsets, None);
    assert_eq!(texts(&got[1].values), ["{}"]);
    assert_eq!(got[1].offsets, Some(vec![Offset { start: 38, length: 2 }]));
    assert_eq!(texts(&got[2].values), ["key"]);
    assert_eq!(got[3].values, [Value::Number(u64::MAX)]);
    assert_eq!(got[4].values, []);
    assert_eq!(plugin.extract(&event, &requests).unwrap()[1].offsets, None);
    let fails = library.request("probe.fails").unwrap();
    assert_eq!(
        plugin.extract_one(&event, &fails).unwrap_err().to_string(),
        "extraction failed: told to fail"
    );
    assert_eq!(plugin.event_to_string(&event), "event 7 of probe_source");
}

#[test]
fn metrics_are_read_by_other_threads_while_events_flow() {
    let plugin = Library::load(probe()).unwrap().init("", quiet).unwrap();
    let steps = vec!["events=3"; 200].join(",");
    let mut source = plugin.open(&steps).unwrap();
    let meter = plugin.meter();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut last = 0;
                    for _ in 0..1000 {
                        let MetricValue::Unsigned(now) = meter.read()[0].value else { panic!() };
                        assert!(now >= last);
                        last = now;
                    }
                })
            })
            .collect();
        while !matches!(source.next_batch(), Batch::Eof) {}
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    let metrics = plugin.metrics();
    assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("batches", MetricValue::Unsigned(201)));
    assert_eq!((metrics[1].kind, metrics[1].value), (MetricKind::NonMonotonic, MetricValue::Float(-1.5)));
}

#[test]
fn prepared_requests_are_asked_of_event_after_event() {
    let library = Library::load(probe()).unwrap();
    let plugin = library.init("", quiet).unwrap();
    let buffer = EventBuffer::new(999, "probe_source", 5, b"{}").unwrap();
    let requests = ["probe.args", "probe.payload", "probe.args[key]", "probe.index"];
    let requests = requests.map(|name| library.request(name).unwrap());
    let mut prepared = plugin.prepare(&requests).unwrap();
    assert_eq!(prepared.len(), 4);
    for number in 1..=3 {
        let event = buffer.event(number);
        assert_eq!(prepared.ask_each(&event).unwrap(), 3 + 1 + 1);
        assert_eq!(prepared.ask_together(&event).unwrap(), 3 + 1 + 1);
    }
    let mut nothing = plugin.prepare(&[]).unwrap();
    assert_eq!((nothing.is_empty(), nothing.ask_together(&buffer.event(4)).unwrap()), (true, 0));
    let mut failing = plugin.prepare(&[library.request("probe.fails").unwrap()]).unwrap();
    assert!(failing.ask_each(&buffer.event(5)).is_err());
}
