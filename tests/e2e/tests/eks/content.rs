//! What reaches the host is the event, whatever became of it on the way.

use std::time::Instant;

use e2e::{PATIENCE, SECRET, beside, plugin};
use emulators::cloudwatch::{Config, Emulator, Event};
use serde_json::{Value, json};
use xtask::process::Running;

use crate::setup::{GROUP, emulator, start};

const STREAM: &str = "kube-apiserver-audit-0123456789abcdef0123456789abcdef";

/// In the API server's order of keys: it decides what a cut leaves.
fn audit_event(id: &str) -> String {
    let padding = "x".repeat(3000);
    [
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":""#,
        id,
        r#"","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/secrets/db","verb":"delete","#,
        r#""user":{"username":"jane","groups":["system:authenticated"]},"sourceIPs":["203.0.113.7"],"#,
        r#""objectRef":{"resource":"secrets","namespace":"default","name":"db","apiVersion":"v1"},"#,
        r#""responseStatus":{"code":200},"requestObject":{"padding":""#,
        &padding,
        r#""},"stageTimestamp":"2026-01-31T09:00:00.123456Z","#,
        r#""annotations":{"authorization.k8s.io/decision":"allow"}}"#,
    ]
    .concat()
}

/// An audit event that happens now.
pub(crate) fn event(emulator: &Emulator, id: &str) -> Event {
    Event::new(emulator.clock().now_ms(), audit_event(id))
}

/// What the program `k8saudit` prints of each event, as JSON.
fn printed(emulator: &Emulator, count: usize, fields: &str, config: Value) -> Vec<Value> {
    let program = std::env::var_os("K8SAUDIT").map_or_else(
        || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/release/k8saudit"),
        Into::into,
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, crate::setup::config(emulator, config).to_string()).unwrap();
    let mut command = std::process::Command::new(program);
    command
        .args(["run", "--config", file.to_str().unwrap(), "--open", "prod", "--fields", fields, "--json"])
        .args(["--count", &count.to_string()])
        .arg(plugin("k8saudit-eks"))
        .env_clear()
        .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")])
        .envs([("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_CONFIG_FILE", "/nonexistent")]);
    let mut running =
        Running::start(&mut command).expect("k8saudit is built: `cargo build --release --package cli`");
    let (mut events, mut rest) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while let Some(line) = running.next_line(deadline) {
        match serde_json::from_str(&line) {
            Ok(event) => events.push(event),
            Err(_) => rest.push(line),
        }
    }
    let status = running.wait(PATIENCE).unwrap_or_else(|why| panic!("{why}: {rest:#?}"));
    assert!(status.success(), "{rest:#?}");
    events
}

/// The command that users run to see whether credentials, group and events are right.
#[test]
fn the_cli_shows_what_falco_would_see() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let cut = audit_event("cut");
    let messages = [
        audit_event("whole"),
        format!("{}[Truncated...]", &cut[..cut.len() - 1500]),
        "I0131 09:00:00.000000 1 not an audit event".to_owned(),
    ];
    let now = emulator.clock().now_ms();
    let events = messages.into_iter().map(|message| Event::new(now, message)).collect();
    emulator.put(GROUP, STREAM, events);
    let fields =
        "ka.auditid,ka.user.name,ka.verb,ka.target.name,ka.auth.decision,ka.cluster.name,ka.sourceips[0]";
    let seen = printed(&emulator, 2, fields, json!({ "start_position": "beginning" }));
    assert_eq!(seen.len(), 2);
    let whole = seen.iter().find(|event| event.to_string().contains("whole")).expect("the whole one");
    let cut = seen.iter().find(|event| event.to_string().contains("cut")).expect("the one cut off");
    for event in [whole, cut] {
        for value in ["jane", "delete", "db", "prod", "203.0.113.7"] {
            assert!(event.to_string().contains(value), "{value} in {event}");
        }
    }
    assert!(whole.to_string().contains("allow"));
    assert!(!cut.to_string().contains("allow"), "the decision was cut off: {cut}");
}

/// What is no audit event is counted, and told once.
#[test]
fn lines_of_other_logs_are_counted() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let now = emulator.clock().now_ms();
    let noise = (0..500).map(|i| Event::new(now, format!("I0131 line {i} of another log"))).collect();
    emulator.put(GROUP, STREAM, noise);
    emulator.put(GROUP, STREAM, vec![event(&emulator, "one")]);
    let mut host = start(&crate::setup::options(&emulator, json!({ "start_position": "beginning" })));
    host.wait(PATIENCE, "the event", |state| state.events.len() == 1);
    let metrics = host.metrics();
    assert_eq!(metrics["rejected_not_json"], 500.0);
    let state = host.state();
    assert_eq!(state.logged("warning").iter().filter(|line| line.contains("not_json")).count(), 1);
    drop(state);
    host.quit();
}
