//! What the Go plugin answers, and what this project's own fixtures expect, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/host.rs"]
mod host;

use std::path::{Path, PathBuf};

use host::compare;

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect(name)
}

#[test]
fn the_go_plugin_s_answers() {
    let Some(shared) = std::env::var_os("AUDIT_SHARED_DIR").map(PathBuf::from) else {
        println!("test-tier skipped: json parity: AUDIT_SHARED_DIR is not set");
        return;
    };
    let folder = shared.join("parity");
    let (mut equal, mut values) = (0, 0);
    for (name, events) in [("json-traces", "falco-traces"), ("json-document", "json-document")] {
        // The time is the one that the harness gave the event.
        let not_time = |request: &str| !request.ends_with(".rawtime");
        let (events, answers) = compare(
            &read(&folder, &format!("{name}.fields.txt")),
            &read(&folder, &format!("{events}.events.jsonl")),
            &read(&folder, &format!("{name}.expected.jsonl")),
            not_time,
        );
        (equal, values) = (equal + events, values + answers);
    }
    println!("json parity: {equal} equal with {values} values, 0 skipped");
    assert_eq!(equal, 53);
}

#[test]
fn the_fixtures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/json");
    let (events, values) = compare(
        &read(&folder, "requests.txt"),
        &read(&folder, "documents.events.jsonl"),
        &read(&folder, "documents.expected.jsonl"),
        |_| true,
    );
    assert!(events > 15 && values > 100, "{events} {values}");
}
