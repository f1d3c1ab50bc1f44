//! The demo as a user runs it, with the rule as it is and with other verbs in it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says no by panicking")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs the demo with its own matching on rules with these verbs; its lines.
fn demo(verbs: &str) -> Vec<String> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/k8s_audit_dummy_rule.yaml");
    let rules = std::fs::read_to_string(rules).unwrap();
    assert!(rules.contains("(get,create,delete,update)"), "{rules}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rules-{verbs}.yaml"));
    std::fs::write(&file, rules.replace("get,create,delete,update", verbs)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["demo", "--host", "demo", "--rules"]).arg(&file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

/// The alerts of each act.
fn alerts(lines: &[String]) -> Vec<Vec<&str>> {
    let acts = lines.split(|line| line.contains(" alerts of rule "));
    let mut acts: Vec<Vec<_>> = acts
        .map(|act| act.iter().filter_map(|line| Some(line.split_once(": Warning ")?.1)).collect())
        .collect();
    // After the last act come the next steps.
    assert_eq!(acts.pop(), Some(vec![]));
    acts
}

#[test]
fn other_verbs_in_the_rule_are_other_alerts() {
    // The first run builds; the second one is timed.
    let all = demo("get,create,delete,update");
    assert!(all[0].contains("matched by this demo, not by Falco"), "{}", all[0]);
    let start = Instant::now();
    let deletions = demo("delete");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    for service in ["CloudWatch Logs emulator", "Event Hubs emulator", "an API server that posts"] {
        assert!(all.iter().any(|line| line.starts_with(service)), "{all:#?}");
    }
    let (all, deletions) = (alerts(&all), alerts(&deletions));
    assert_eq!((all.len(), deletions.len()), (3, 3));
    // It is one story, told three times.
    for act in 1..3 {
        assert_eq!((all[0].len(), deletions[0].len()), (all[act].len(), deletions[act].len()));
    }
    for (all, deletions) in all.iter().zip(deletions) {
        assert!(all.iter().any(|alert| alert.contains("verb=create target=metrics-agent")), "{all:#?}");
        assert!(all.iter().all(|alert| !alert.contains("verb=list")), "{all:#?}");
        assert!(!deletions.is_empty() && deletions.len() < all.len(), "{deletions:#?}");
        assert!(deletions.iter().all(|alert| alert.contains("verb=delete target=")), "{deletions:#?}");
    }
    let of_nodes = |act: &[&str], node: &str| act.iter().any(|alert| alert.contains(node));
    let words = ["compute.internal", "vmss", "worker-1"];
    for (act, own) in all.iter().zip(words) {
        assert!(words.iter().all(|word| of_nodes(act, word) == (*word == own)), "{own}: {act:#?}");
    }
}
