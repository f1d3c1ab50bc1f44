//! Real hosts: sysdig, made of the same libraries as Falco, and Falco itself where there is one.

use e2e::{beside, plugin};
use emulators::cloudwatch::{Config, Emulator, Generated};
use serde_json::{Value, json};
use xtask::sysdig::Capture;

use crate::real_hosts::{MARK, expect_seen, falco, falco_command, sysdig};
use crate::setup::{CLUSTER, GROUP, emulator};

const CONDITION: &str = "ka.verb in (create,delete)";
const OUTPUT: &str = "%ka.auditid %ka.verb %ka.user.name";

/// Fills the group, and tells which events pass `ka.verb in (create, delete)`: who did what, by id.
fn story(emulator: &Emulator) -> Vec<String> {
    let plan = Generated::backlog(2000, emulator.clock().now_ms() - 60_000);
    emulator.generate(GROUP, plan.clone());
    let messages = (0..plan.count).map(|index| serde_json::from_str::<Value>(&plan.message(index)).unwrap());
    let wanted = messages.filter(|event| matches!(event["verb"].as_str(), Some("create" | "delete")));
    let text = |value: &Value| value.as_str().unwrap_or("<NA>").to_owned();
    let line = |event: Value| {
        format!("{} {} {}", text(&event["auditID"]), text(&event["verb"]), text(&event["user"]["username"]))
    };
    let mut lines: Vec<String> = wanted.map(line).collect();
    assert!(lines.len() > 100, "{}", lines.len());
    lines.sort();
    lines
}

#[test]
fn sysdig_filters_by_the_fields() {
    let _beside = beside();
    let Some(sysdig) = sysdig() else { return };
    let emulator = emulator(Config::default());
    let expected = story(&emulator);
    let config = crate::setup::config(&emulator, json!({ "start_position": "beginning" })).to_string();
    let command = sysdig.command(&Capture {
        library: &plugin("k8saudit-eks"),
        plugin: "k8saudit-eks",
        extractors: &[],
        config: &config,
        open: CLUSTER,
        filter: CONDITION,
        format: &format!("{MARK}{OUTPUT}"),
        count: None,
    });
    expect_seen(&mut command.expect("a command"), &expected);
}

#[test]
fn falco_alerts_by_the_rule() {
    let _beside = beside();
    let Some(falco) = falco() else { return };
    let emulator = emulator(Config::default());
    let expected = story(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let plugins = [json!({
        "name": "k8saudit-eks", "library_path": plugin("k8saudit-eks"),
        "init_config": crate::setup::config(&emulator, json!({ "start_position": "beginning" })),
        "open_params": CLUSTER,
    })];
    expect_seen(&mut falco_command(falco, folder.path(), &plugins, CONDITION, OUTPUT), &expected);
}
