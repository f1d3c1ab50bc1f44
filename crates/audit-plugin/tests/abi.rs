//! The C ABI, driven as libscap drives it: identity, init, source, metrics, logs.
//!
//! "Defect" names what the SDK's own wrappers (0.5.1) do there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "abi/host.rs"]
mod host;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use falco_plugin::source::PluginEvent;
use host::{Batch, Loaded, Plugin, call_with_nulls};
use object::{Object, ObjectSymbol};

const SECRET: &str = "hunter2";

#[test]
fn a_plugin_says_what_it_is() {
    let loaded = Loaded::new();
    assert_eq!(loaded.text("plugin_get_required_api_version"), "3.11.0");
    assert_eq!(loaded.text("plugin_get_name"), "scripted");
    assert_eq!(loaded.text("plugin_get_version"), "0.1.0");
    assert_eq!(loaded.text("plugin_get_description"), "Does what it is told to");
    assert_eq!(loaded.text("plugin_get_contact"), "the tests of audit-plugin");
    assert_eq!(loaded.number("plugin_get_id"), 999);
    assert_eq!(loaded.text("plugin_get_event_source"), "k8s_audit");
    assert_eq!(loaded.text("plugin_get_extract_event_sources"), r#"["k8s_audit"]"#);
    assert_eq!(loaded.event_types(), [322]);
    assert_eq!(loaded.text("plugin_get_fields"), audit_core::fields::render::falco_json());
}

#[test]
fn nothing_but_plugin_symbols_is_exported() {
    let bytes = std::fs::read(host::library_path()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut exported: Vec<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| symbol.name().unwrap())
        .collect();
    exported.retain(|name| !name.starts_with("plugin_"));
    assert_eq!(exported, [""; 0]);
}

#[test]
fn a_confused_host_gets_errors_and_no_crash() {
    call_with_nulls(&Loaded::new());
}

#[test]
fn the_library_stays_mapped() {
    let plugin = Plugin::alone("");
    let loaded = plugin.loaded.clone();
    drop(plugin);
    let file = loaded.unload();
    let mapped = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(mapped.contains(file.to_str().unwrap()));
}

/// The error of `init` with that configuration.
#[track_caller]
fn init_fails(config: &str, expect: &str) {
    match Plugin::new(&Loaded::new(), config) {
        Ok(_) => panic!("`{config}` is good"),
        Err(error) => assert_eq!(error, expect),
    }
}

/// The error of `open` with these parameters; a good `open` works after it.
#[track_caller]
fn open_fails(parameters: &str, expect: &str) {
    let plugin = Plugin::alone("");
    match plugin.open(parameters) {
        Ok(_) => panic!("`{parameters}` is good"),
        Err(error) => assert_eq!(error, expect),
    }
    assert_eq!(plugin.open(r#"{"events":1}"#).unwrap().events().len(), 1);
}

/// What ends a source with that script, after `events` events.
#[track_caller]
fn ends_after(events: usize, script: &str, expect: &str) {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(script).unwrap();
    let mut seen = 0;
    let mut end = || loop {
        match opening.ready() {
            Batch::Events(events) => seen += events.len(),
            Batch::End => return "end".to_owned(),
            Batch::Failed(error) => return error,
            Batch::Timeout => unreachable!("not ready"),
        }
    };
    assert_eq!(end(), expect);
    assert_eq!(end(), expect, "the same when asked again");
    assert_eq!(seen, events);
}

/// Defect 5: only the outermost error is told.
#[test]
fn an_error_is_told_with_all_its_causes() {
    init_fails(r#"{"fault":"error_in_new"}"#, "outermost: middle: innermost");
    init_fails(
        r#"{"polling_interval":"5"}"#,
        "`polling_interval`: expected a number of seconds from 0 to 31536000, found a string",
    );
    init_fails("[", "`init_config` is no valid JSON: EOF while parsing a list at line 1 column 1");
    open_fails(r#"{"open":"error"}"#, "told to fail: cause");
    open_fails("{", "no script: EOF while parsing an object at line 1 column 1");
    ends_after(0, r#"{"then":"error"}"#, "told to fail: cause");
}

/// libscap keeps 255 bytes of an error.
#[test]
fn a_long_error_is_in_the_log_too() {
    let plugin = Plugin::alone("");
    let Err(error) = plugin.open(r#"{"open":"long_error"}"#) else { panic!("good") };
    assert!(error.len() > 255);
    assert!(plugin.log.lines().contains(&format!("3 {error}")));
}

/// Defect 3: a panic crosses the C ABI and ends the process.
#[test]
fn a_panic_becomes_an_error() {
    let told = |during: &str, said: &str| {
        format!("panic while {during}: {said}; this is a defect, please report it")
    };
    init_fails(r#"{"fault":"panic_in_new"}"#, &told("initialising the plugin", "in new"));
    open_fails(
        r#"{"open":"panic_at_once"}"#,
        &told(
            "opening the source",
            "assertion `left != right` failed: told to, at once left: PanicAtOnce right: PanicAtOnce",
        ),
    );
    // On the pump's thread, it is the pump that tells.
    open_fails(
        r#"{"open":"panic"}"#,
        "the source panicked while opening: told to panic; this is a defect, please report it",
    );

    let plugin = Plugin::alone("");
    let mut opening = plugin.open(r#"{"events":10,"then":"panic"}"#).unwrap();
    assert_eq!(opening.events().len(), 10);
    let Batch::Failed(error) = opening.ready() else { panic!("no error") };
    assert_eq!(error, "the source panicked while reading: told to panic; this is a defect, please report it");

    let plugin = Plugin::alone(r#"{"fault":"panic_in_metrics"}"#);
    assert_eq!(plugin.metrics(), []);
    drop(plugin);

    drop(Plugin::alone(r#"{"fault":"panic_in_drop"}"#));
}

/// Defect 4: an empty batch ends the host (the driver checks each), and events that come with an error are lost.
#[test]
fn an_end_comes_after_all_events() {
    ends_after(0, r#"{"then":"end"}"#, "end");
    ends_after(25, r#"{"events":25,"then":"end"}"#, "end");
    ends_after(25, r#"{"events":25,"then":"error"}"#, "told to fail: cause");
    ends_after(5, r#"{"events":5,"empty_batches":30,"then":"end"}"#, "end");
    ends_after(5000, r#"{"events":5000,"batch":5000,"then":"error"}"#, "told to fail: cause");
}

#[test]
fn events_come_once_and_in_order() {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(r#"{"events":5000,"batch":7,"then":"end"}"#).unwrap();
    let mut seen = 0;
    while let Batch::Events(events) = opening.ready() {
        for event in events {
            assert!(event.payload().contains(&format!("user-{seen:06}")), "{}", event.payload());
            seen += 1;
        }
    }
    assert_eq!(seen, 5000);
    assert_eq!(plugin.metric("events"), 5000);
}

/// An event is laid out as the SDK lays it out.
#[test]
fn an_event_is_encoded_as_by_the_sdk() {
    use falco_plugin::event::events::{Event, EventMetadata, EventToBytes};
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(r#"{"payloads":["{}"]}"#).unwrap();
    let metadata = EventMetadata { ts: 1_700_000_000_000_000_000, tid: -1 };
    let params = PluginEvent { plugin_id: 999, event_data: b"{}".as_slice() };
    let mut expect = Vec::new();
    Event { metadata, params }.write(&mut expect).unwrap();
    assert_eq!(opening.events()[0].bytes(), expect);
}

/// How many events the source was told to be evaluated, when the host read that many batches, all events of
/// them or `ready` calls more, and closed.
#[track_caller]
fn acknowledged(script: &str, batches: usize, expect: u64) {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(script).unwrap();
    for _ in 0..batches {
        opening.events();
    }
    drop(opening);
    // Closing has joined the reader: whatever was told is told.
    assert_eq!(plugin.metric("script_closed"), 1);
    assert_eq!(plugin.metric("script_acknowledged"), expect);
    assert_eq!(plugin.metric("acknowledged"), expect);
}

/// Invariant 2: acknowledged means evaluated.
#[test]
fn only_the_next_call_acknowledges_a_batch() {
    // The reader may fill the queue faster than it is asked, so batches are as large as the queue.
    acknowledged(r#"{"events":1000,"batch":200}"#, 0, 0);
    acknowledged(r#"{"events":1000,"batch":200}"#, 1, 0);
    acknowledged(r#"{"events":1000,"batch":200}"#, 2, 200);
    acknowledged(r#"{"events":1000,"batch":200}"#, 5, 800);
    // One batch of the source in three of the host: evaluated when all three are.
    acknowledged(r#"{"events":6000,"batch":3000}"#, 3, 0);
    acknowledged(r#"{"events":6000,"batch":3000}"#, 4, 3000);
}

#[test]
fn what_was_evaluated_is_acknowledged_while_the_source_idles() {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(r#"{"events":10}"#).unwrap();
    opening.events();
    assert!(matches!(opening.next(), Batch::Timeout));
    plugin.wait_for("script_acknowledged", 10);
}

/// Bytes of the largest batch.
#[track_caller]
fn largest_batch(script: &str, expect: std::ops::RangeInclusive<usize>) {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(script).unwrap();
    let mut largest = 0;
    while let Batch::Events(events) = opening.ready() {
        largest = largest.max(events.iter().map(|event| event.bytes().len()).sum());
    }
    assert!(expect.contains(&largest), "{largest}");
}

/// Invariant 5: memory is bounded.
#[test]
fn a_batch_is_bounded_but_passes_a_giant() {
    largest_batch(r#"{"events":30,"batch":30,"padding":300000,"then":"end"}"#, 900_000..=1 << 20);
    largest_batch(r#"{"events":2,"batch":2,"padding":5000000,"then":"end"}"#, 5_000_000..=5_001_000);
}

/// Invariant 4: a call blocks for at most 100 ms.
#[test]
fn a_call_without_events_waits_a_little_and_not_long() {
    for script in [r#"{"then":"idle"}"#, r#"{"then":"hang"}"#] {
        let plugin = Plugin::alone("");
        let mut opening = plugin.open(script).unwrap();
        let mut call = || {
            let start = Instant::now();
            assert!(matches!(opening.next(), Batch::Timeout));
            start.elapsed()
        };
        // The fastest of some: the machine may be busy, but the call must not be.
        let fastest = (0..5).map(|_| call()).min().unwrap();
        assert!(fastest <= Duration::from_millis(100), "{fastest:?}");
        assert!(fastest >= Duration::from_millis(50), "{fastest:?} is a busy loop");
    }
}

/// Defect 2: metrics are asked for from other threads while events flow.
#[test]
fn metrics_are_told_at_any_time_from_any_thread() {
    let plugin = Plugin::alone("");
    let names: Vec<_> = plugin.metrics().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"events".to_owned()) && names.contains(&"script_closed".to_owned()), "{names:?}");
    assert_eq!(plugin.metric("events"), 0, "before open");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Relaxed) {
                    let metrics = plugin.metrics();
                    assert!(metrics.iter().map(|(name, _)| name).eq(&names));
                    let events = metrics[0].1;
                    assert!(events >= last);
                    last = events;
                }
            });
        }
        for _ in 0..3 {
            let mut opening = plugin.open(r#"{"events":20000,"batch":100,"then":"end"}"#).unwrap();
            while let Batch::Events(_) = opening.ready() {}
        }
        done.store(true, Relaxed);
    });
    assert_eq!(plugin.metric("events"), 60_000, "after close, over all openings");
    assert_eq!(plugin.metric("script_closed"), 3);
}

/// Lines of the log at that level of the configuration.
#[track_caller]
fn log_at(level: &str, expect: &[&str]) {
    let plugin = Plugin::alone(&format!(r#"{{"log_level":"{level}","say":["it"]}}"#));
    let mut lines = plugin.log.lines();
    lines.retain(|line| line.contains("it"));
    lines.retain(|line| !line.contains("Config"));
    assert_eq!(lines, expect, "{level}");
}

#[test]
fn the_log_has_what_the_level_allows() {
    let failed = "3 sdk::call: it failed elsewhere";
    log_at("debug", &["6 it", "7 it in detail", "6 it from the transport", failed]);
    log_at("info", &["6 it", "6 it from the transport", failed]);
    log_at("error", &[failed]);
    log_at("off", &[]);
}

#[test]
fn a_line_with_nul_is_a_line() {
    let plugin = Plugin::alone(r#"{"say":["a\u0000b"]}"#);
    assert!(plugin.log.lines().contains(&"6 ab".to_owned()), "{:?}", plugin.log.lines());
}

/// Defect 6: the logger outlives the host.
#[test]
fn nothing_is_logged_after_destroy() {
    let plugin = Plugin::alone(r#"{"fault":"log_in_drop"}"#);
    let log = plugin.log;
    drop(plugin);
    let lines = log.lines();
    assert!(lines.contains(&"6 the last words".to_owned()));
    // The thread of the plugin goes on to log all this time; this is to prove a negative.
    let end = Instant::now() + Duration::from_millis(200);
    while Instant::now() < end {
        assert_eq!(log.lines().len(), lines.len());
    }
}

/// Falco initialises a plugin once per event source.
#[test]
fn several_in_one_process_do_not_disturb_each_other() {
    let loaded = Loaded::new();
    let first = Plugin::new(&loaded, "").unwrap();
    let second = Plugin::new(&loaded, "").unwrap();
    let mut opening = first.open(r#"{"events":3}"#).unwrap();
    assert_eq!(opening.events().len(), 3);
    assert_eq!(second.metric("events"), 0);
    assert!(second.open("nonsense").is_err());
    assert_eq!(first.last_error(), "");
    drop(second);
    assert!(matches!(opening.next(), Batch::Timeout));
    drop(opening);
    assert_eq!(first.metric("events"), 3);
    assert!(Plugin::new(&loaded, r#"{"fault":"error_in_new"}"#).is_err());
    assert!(first.open(r#"{"open":"long_error"}"#).is_err());
    assert_eq!(first.log.lines().len(), 1, "the one that is left is told");
}

#[test]
fn a_configuration_is_checked_and_warned_about() {
    let plugin =
        Plugin::alone(r#"{"regoin":"x","polling_intervall":1,"maxEventSize":2048,"log_level":"warn"}"#);
    let mut lines = plugin.log.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "4 unknown key `polling_intervall` is ignored, did you mean `polling_interval`?",
            "4 unknown key `regoin` is ignored",
        ]
    );
}

#[test]
fn the_schema_knows_every_key_and_spelling() {
    let schema = Loaded::new().schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "scripted");
    assert!(schema.get("additionalProperties").is_none());
    let properties = schema["properties"].as_object().unwrap();
    let mut keys: Vec<_> = properties.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "api_key",
            "checkpoint_interval",
            "fault",
            "give_up_after",
            "log_level",
            "maxEventSize",
            "max_event_size",
            "max_queue_bytes",
            "pollingInterval",
            "polling_interval",
            "say",
        ]
    );
    assert_eq!(properties["max_event_size"]["default"], 262_144);
    assert_eq!(properties["checkpoint_interval"]["default"], 5);
    assert_eq!(properties["log_level"]["default"], "info");
    assert_eq!(properties["maxEventSize"]["type"], properties["max_event_size"]["type"]);
    assert_eq!(
        properties["pollingInterval"]["type"],
        serde_json::json!(["number", "null"]),
        "null is as good as no key"
    );
    assert_eq!(properties["polling_interval"]["minimum"], 0);
    assert!(!schema.to_string().contains("$ref"));
}

/// Invariant 8: whatever goes wrong, a secret does not show.
#[test]
fn a_secret_never_shows() {
    for broken in [
        r#""polling_interval":"hunter2""#,
        r#""fault":"hunter2""#,
        r#""log_level":"hunter2""#,
        r#""max_event_size":"hunter2, expected hunter2""#,
        r#""api_key":["hunter2"]"#,
        r#""api_key":"hunter2${NO_SUCH_VARIABLE}""#,
        r#""api_key":"hunter2${""#,
        r#""api_key":"hunter2","say":"hunter2""#,
    ] {
        match Plugin::new(&Loaded::new(), &format!("{{{broken}}}")) {
            Ok(_) => panic!("{broken} is good"),
            Err(error) => assert!(!error.contains(SECRET), "{error}"),
        }
    }
    let plugin = Plugin::alone(r#"{"api_key":"hunter2","log_level":"trace","api_kye":"hunter2"}"#);
    let lines = plugin.log.lines().join("\n");
    assert!(lines.contains("Config {"), "{lines}");
    assert!(lines.contains("did you mean `api_key`"), "{lines}");
    assert!(!lines.contains(SECRET), "{lines}");
}
