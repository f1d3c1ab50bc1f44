//! Real hosts: sysdig, made of the same libraries as Falco, and Falco itself where there is one.

use std::path::Path;
use std::time::{Duration, Instant};

use e2e::{beside, plugin, skip};
use emulators::cloudwatch::{Config, Emulator, Generated};
use serde_json::{Value, json};
use xtask::demo::isolate;
use xtask::process::Running;
use xtask::sysdig::{Capture, Sysdig};

use crate::setup::{CLUSTER, GROUP, emulator};

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
    let Some(root) = std::env::var_os("SYSDIG_ROOT") else {
        let why = std::env::var("SYSDIG_SKIPPED").unwrap_or_else(|_| "`SYSDIG_ROOT` is not set".to_owned());
        return skip("sysdig", &why);
    };
    let sysdig = Sysdig::find(Path::new(&root)).expect("a folder with sysdig");
    let emulator = emulator(Config::default());
    let expected = story(&emulator);
    let config = crate::setup::config(&emulator, json!({ "start_position": "beginning" })).to_string();
    let mut command = sysdig
        .command(&Capture {
            library: &plugin("k8saudit-eks"),
            plugin: "k8saudit-eks",
            config: &config,
            open: CLUSTER,
            filter: "ka.verb in (create,delete)",
            format: "seen %ka.auditid %ka.verb %ka.user.name",
            count: None,
        })
        .expect("a command");
    isolate(&mut command);
    let mut running = Running::start(&mut command).expect("sysdig");
    let (mut seen, mut rest) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(60);
    while seen.len() < expected.len() {
        let Some(line) = running.next_line(deadline) else { break };
        match line.strip_prefix("seen ") {
            Some(event) => seen.push(event.to_owned()),
            None => rest.push(line),
        }
    }
    running.interrupt(Duration::from_secs(10)).expect("it ends");
    seen.sort();
    assert_eq!(seen.len(), expected.len(), "{rest:#?}");
    assert_eq!(seen, expected);
}

#[test]
fn falco_alerts_by_the_rule() {
    let _beside = beside();
    let Some(falco) = std::env::var_os("FALCO") else {
        return skip("falco", "`FALCO` names no binary");
    };
    let emulator = emulator(Config::default());
    let expected = story(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    let rule = "- rule: Seen\n  desc: What the filter lets through\n  condition: ka.verb in (create,delete)\n  output: seen %ka.auditid %ka.verb %ka.user.name\n  priority: WARNING\n  source: k8s_audit\n";
    std::fs::write(&rules, rule).unwrap();
    // JSON is YAML.
    let falco_yaml = json!({
        "plugins": [{
            "name": "k8saudit-eks", "library_path": plugin("k8saudit-eks"),
            "init_config": crate::setup::config(&emulator, json!({ "start_position": "beginning" })),
            "open_params": CLUSTER,
        }],
        "load_plugins": ["k8saudit-eks"], "rules_files": [rules], "engine": {"kind": "nodriver"},
        "stdout_output": {"enabled": true}, "buffered_outputs": false, "json_output": true,
    });
    let config = folder.path().join("falco.yaml");
    std::fs::write(&config, falco_yaml.to_string()).unwrap();
    let mut command = std::process::Command::new(falco);
    command.arg("-c").arg(config);
    isolate(&mut command);
    let mut running = Running::start(&mut command).expect("falco");
    let (mut seen, mut rest) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(60);
    while seen.len() < expected.len() {
        let Some(line) = running.next_line(deadline) else { break };
        let alert: Option<Value> = serde_json::from_str(&line).ok();
        match alert.as_ref().and_then(|alert| alert["output"].as_str()?.split_once("seen ")) {
            Some((_, event)) => seen.push(event.to_owned()),
            None => rest.push(line),
        }
    }
    running.interrupt(Duration::from_secs(10)).expect("it ends");
    seen.sort();
    assert_eq!(seen.len(), expected.len(), "{rest:#?}");
    assert_eq!(seen, expected);
}
