//! Hosts that others wrote: sysdig, made of the same libraries as Falco, and Falco itself where there is one.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{PATIENCE, skip};
use serde_json::{Value, json};
use xtask::demo::isolate;
use xtask::process::Running;
use xtask::sysdig::Sysdig;

/// What every line of interest begins with, behind what the host puts in front.
pub(crate) const MARK: &str = "seen ";

/// `None`, and told, where there is none.
pub(crate) fn sysdig() -> Option<Sysdig> {
    let Some(root) = std::env::var_os("SYSDIG_ROOT") else {
        let why = std::env::var("SYSDIG_SKIPPED").unwrap_or_else(|_| "`SYSDIG_ROOT` is not set".to_owned());
        skip("sysdig", &why);
        return None;
    };
    Some(Sysdig::find(Path::new(&root)).expect("a folder with sysdig"))
}

/// `None`, and told, where there is none.
pub(crate) fn falco() -> Option<OsString> {
    let falco = std::env::var_os("FALCO");
    if falco.is_none() {
        skip("falco", "`FALCO` names no binary");
    }
    falco
}

/// Falco with these plugins (`plugins` of `falco.yaml`) and one rule; its files are written into `folder`.
pub(crate) fn falco_command(
    falco: OsString,
    folder: &Path,
    plugins: &[Value],
    condition: &str,
    output: &str,
) -> Command {
    let rules = folder.join("rules.yaml");
    // JSON is YAML.
    let rule = json!([{
        "rule": "Seen", "desc": "What the condition lets through", "condition": condition,
        "output": format!("{MARK}{output}"), "priority": "WARNING", "source": "k8s_audit",
    }]);
    std::fs::write(&rules, rule.to_string()).unwrap();
    let falco_yaml = json!({
        "plugins": plugins,
        "load_plugins": plugins.iter().map(|plugin| plugin["name"].clone()).collect::<Vec<_>>(),
        "rules_files": [rules], "engine": {"kind": "nodriver"},
        "stdout_output": {"enabled": true}, "buffered_outputs": false, "json_output": true,
    });
    let config = folder.join("falco.yaml");
    std::fs::write(&config, falco_yaml.to_string()).unwrap();
    let mut command = Command::new(falco);
    command.arg("-c").arg(config);
    command
}

/// Runs the host until it has printed what is expected, in any order.
#[track_caller]
pub(crate) fn expect_seen(command: &mut Command, expected: &[String]) {
    isolate(command);
    let mut running = Running::start(command).expect("the host");
    let (mut seen, mut rest) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while seen.len() < expected.len() {
        let Some(line) = running.next_line(deadline) else { break };
        let alert: Option<Value> = serde_json::from_str(&line).ok();
        let text = alert.as_ref().and_then(|alert| alert["output"].as_str()).unwrap_or(&line);
        match text.split_once(MARK) {
            Some((_, event)) => seen.push(event.to_owned()),
            None => rest.push(line),
        }
    }
    running.interrupt(Duration::from_secs(10)).expect("it ends");
    seen.sort();
    assert_eq!(seen.len(), expected.len(), "{rest:#?}");
    assert_eq!(seen, expected);
}
