//! What a user may name as a file.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::{PATIENCE, beside};
use emulators::cloudwatch::Generated;
use serde_json::{Value, json};

use crate::setup::host;

/// The auditIDs that are evaluated when that is opened, once it has ended.
fn evaluated(open: &Path) -> Vec<String> {
    let host = host(json!({}), open.to_str().unwrap());
    host.wait(PATIENCE, "its end", |state| state.is_over);
    let state = host.state();
    assert_eq!(state.failure, None, "{:#?}", state.log);
    state.events.iter().map(|event| event.audit_id.clone()).collect()
}

#[test]
fn every_form_of_a_file_is_read_to_its_end() {
    let _beside = beside();
    let plan = Generated::backlog(50, 1_790_000_000_000);
    let events: Vec<String> = (0..plan.count).map(|index| plan.message(index)).collect();
    let ids: Vec<String> = (0..plan.count).map(|index| plan.id(index)).collect();
    let list = format!(r#"{{"kind":"EventList","items":[{}]}}"#, events.join(","));
    let pretty =
        |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines = events.join("\n");
    let forms = [
        ("lines.log", lines.clone().into_bytes()),
        ("list.json", list.clone().into_bytes()),
        ("windows.log", format!("{}\r\n", events.join("\r\n\r\n")).into_bytes()),
        ("other-lines.log", format!("I0101 no JSON\n{}\n{{\"level\":\"info\"}}\n", lines).into_bytes()),
        ("lines.log.gz", compressed("gzip", &lines)),
        ("lines.log.zst", compressed("zstd", &lines)),
    ];
    for (name, content) in forms {
        if content.is_empty() {
            e2e::skip(name, "no program compresses it here");
            continue;
        }
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        assert_eq!(evaluated(&path), ids, "{name}");
    }
    // As the fixture's host reads auditIDs, there is no space behind the colon; a pretty printer writes one.
    let path = folder.path().join("pretty.json");
    std::fs::write(&path, pretty(&list)).unwrap();
    assert_eq!(evaluated(&path).len(), ids.len());
}

/// What that program makes of the text; nothing when it is not there.
fn compressed(program: &str, text: &str) -> Vec<u8> {
    let child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return Vec::new() };
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(text.as_bytes()).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

#[test]
fn a_folder_is_read_oldest_first() {
    let _beside = beside();
    let plan = Generated::backlog(30, 1_790_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    for (name, events, age) in [("b.log", 0..10, 300), ("a.log", 10..20, 200), ("c.log", 20..30, 100)] {
        let lines: String = events.map(|index| plan.message(index) + "\n").collect();
        let path = folder.path().join(name);
        std::fs::write(&path, lines).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(evaluated(folder.path()), (0..30).map(|index| plan.id(index)).collect::<Vec<_>>());
}

/// Standard input belongs to the host, so this goes through the program that ships.
#[test]
fn standard_input_is_read_to_its_end() {
    let _beside = beside();
    let Some(program) = std::env::var_os("K8SAUDIT") else {
        return e2e::skip("k8saudit", "`K8SAUDIT` names no program");
    };
    let plan = Generated::backlog(5000, 1_790_000_000_000);
    let mut command = Command::new(program);
    command.arg("run").arg(e2e::plugin("k8saudit")).args(["--open", "-", "--json", "--fields", "ka.auditid"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("k8saudit");
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        let plan = &plan;
        scope.spawn(move || {
            for index in 0..plan.count {
                writeln!(input, "{}", plan.message(index)).unwrap();
            }
        });
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids.len() as u64, plan.count);
    assert!(
        ids.iter().zip(0..).all(|(line, index)| line["ka.auditid"] == plan.id(index)),
        "{:?}",
        ids.first()
    );
}
