//! What reaches the host is the event, whatever became of it on the way.

use std::time::Instant;

use e2e::{PATIENCE, beside, plugin};
use emulators::event_hubs::Event;
use plugin_host::Library;
use serde_json::{Value, json};
use xtask::process::Running;

use crate::setup::{Azure, HUB};

const RESOURCE: &str =
    "/SUBSCRIPTIONS/0A1B/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD-1";

fn audit_event(id: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id,
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/default/secrets/db", "verb": "delete",
        "user": { "username": "jane" }, "objectRef": { "resource": "secrets", "namespace": "default", "name": "db" },
        "responseStatus": { "code": 200 }, "stageTimestamp": "2026-01-31T09:00:00.123456Z",
    })
}

fn record(log: Value, resource: Option<&str>) -> Value {
    json!({
        "category": "kube-audit", "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "resourceId": resource, "time": "2026-01-31T09:00:01.123456789Z",
        "properties": { "log": log, "stream": "stdout", "pod": "kube-apiserver-0" },
    })
}

/// What the program `k8saudit` prints of each event, as JSON.
fn printed(azure: &Azure, count: usize, fields: &str) -> Vec<Value> {
    let program = std::env::var_os("K8SAUDIT").map_or_else(
        || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/release/k8saudit"),
        Into::into,
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, azure.config(json!({})).to_string()).unwrap();
    let mut command = std::process::Command::new(program);
    command
        .args(["run", "--config", file.to_str().unwrap(), "--open", "fallback", "--fields", fields, "--json"])
        .args(["--count", &count.to_string()])
        .arg(plugin("k8saudit-aks"))
        .env_clear();
    let mut running =
        Running::start(&mut command).expect("k8saudit is built: `cargo build --release --package cli`");
    let deadline = Instant::now() + PATIENCE;
    let lines = std::iter::from_fn(|| running.next_line(deadline));
    lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

#[test]
fn records_of_all_shapes_become_events() {
    let _beside = beside();
    let azure = Azure::new();
    let text = |id| Value::String(audit_event(id).to_string() + "\n");
    // In the order of the alphabet, so the verb is among what is lost.
    let mut cut = audit_event("cut").to_string();
    cut.truncate(cut.find("responseStatus").unwrap());
    let whole = json!({ "records": [
        record(text("text"), Some(RESOURCE)),
        record(audit_event("object"), Some(RESOURCE)),
        record(Value::String(cut), Some(RESOURCE)),
        record(text("nowhere"), None),
        { "category": "guard", "resourceId": RESOURCE, "properties": { "log": "I0131 a line of another log" } },
    ]});
    let marked = format!("\u{feff}{}", json!({ "records": [record(text("marked"), Some(RESOURCE))] }));
    let broken = whole.to_string().replacen("\"category\":\"kube-audit\"", "\"category\":'kube-audit'", 1);
    let broken = broken.replace("\"text\"", "\"mended\"").replace("\\\"text\\\"", "\\\"mended\\\"");
    azure.hubs.put(HUB, Some(0), vec![Event::new(whole.to_string()), Event::new(marked), Event::new(broken)]);
    let fields = "ka.auditid,ka.cluster.name,ka.verb,ka.target.name,ka.response.code,evt.plugininfo";
    let events = printed(&azure, 6, fields);
    let of = |id: &str| {
        let found = events.iter().find(|event| event["ka.auditid"] == id);
        found.unwrap_or_else(|| panic!("no event `{id}` in {events:#?}"))
    };
    for (id, cluster) in [
        ("text", "prod-1"),
        ("object", "prod-1"),
        ("marked", "prod-1"),
        ("mended", "prod-1"),
        ("nowhere", "fallback"),
    ] {
        let event = of(id);
        assert_eq!(
            (&event["ka.cluster.name"], &event["ka.verb"], &event["ka.target.name"]),
            (&json!(cluster), &json!("delete"), &json!("db")),
            "{id}"
        );
        assert!(event["ka.response.code"] == "200" || event["ka.response.code"] == 200, "{id}: {event}");
    }
    let (cut, text) = (of("cut"), of("text"));
    assert_eq!(cut["ka.target.name"], "db");
    assert!(cut["ka.response.code"].is_null() && cut["ka.verb"].is_null(), "{cut}");
    assert!(cut["evt.plugininfo"].as_str().unwrap().contains(r#""k8saudit/truncated":"true""#));
    let whole = text["evt.plugininfo"].as_str().unwrap();
    assert!(whole.contains(&format!(r#""cluster_resource_id":"{RESOURCE}""#)), "{whole}");
    assert!(whole.contains(r#""cluster_account":"0A1B""#), "{whole}");
}

#[test]
fn the_library_is_what_the_go_plugin_was() {
    let library = Library::load(plugin("k8saudit-aks")).unwrap();
    assert_eq!((library.name(), library.id(), library.event_source()), ("k8saudit-aks", 21, "k8s_audit"));
    assert_eq!(library.version().to_string(), "0.7.0");
}
