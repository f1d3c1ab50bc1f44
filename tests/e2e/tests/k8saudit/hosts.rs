//! A rule as the public ones are, with `ka.` and `jevt.` fields, in hosts that load our two libraries and no other.

use std::net::{SocketAddr, TcpListener};

use e2e::{beside, plugin};
use emulators::api_server::ApiServer;
use emulators::cloudwatch::Generated;
use serde_json::{Value, json};
use xtask::sysdig::Capture;

use crate::real_hosts::{MARK, expect_seen, falco, falco_command, sysdig};
use crate::setup::{PATH, api_server};

/// With the macros and lists of the public rules expanded (`kevt`, `kcreate`, `kmodify`).
const CONDITION: &str = "(jevt.value[/stage] in (ResponseComplete)) and (ka.verb in (create,update,patch)) and jevt.value[/objectRef/resource]=secrets and not jevt.value[/user/username] startswith \"system:\"";
const OUTPUT: &str = "%ka.auditid %ka.verb %jevt.value[/user/username] %json.value[/objectRef/namespace]";

/// Events that an API server will post, and which of them pass the condition: who did what, by id.
fn story() -> (Generated, Vec<String>) {
    let plan = Generated::backlog(4000, 1_790_000_000_000);
    let events = (0..plan.count).map(|index| serde_json::from_str::<Value>(&plan.message(index)).unwrap());
    let wanted = events.filter(|event| {
        matches!(event["verb"].as_str(), Some("create" | "update" | "patch"))
            && event["objectRef"]["resource"] == "secrets"
            && !event["user"]["username"].as_str().unwrap().starts_with("system:")
    });
    let line = |event: Value| {
        let texts =
            [&event["auditID"], &event["verb"], &event["user"]["username"], &event["objectRef"]["namespace"]];
        texts.map(|text| text.as_str().unwrap()).join(" ")
    };
    let mut lines: Vec<String> = wanted.map(line).collect();
    assert!(lines.len() > 50, "{}", lines.len());
    lines.sort();
    (plan, lines)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn sysdig_filters_by_fields_of_both_plugins() {
    let _beside = beside();
    let Some(sysdig) = sysdig() else { return };
    let (plan, expected) = story();
    let address = free_address();
    let command = sysdig.command(&Capture {
        library: &plugin("k8saudit"),
        plugin: "k8saudit",
        extractors: &[plugin("json")],
        config: "",
        open: &format!("http://{address}{PATH}"),
        filter: CONDITION,
        format: &format!("{MARK}{OUTPUT}"),
        count: None,
    });
    let _server = ApiServer::start(api_server(address, &plan, 2));
    expect_seen(&mut command.expect("a command"), &expected);
}

#[test]
fn falco_alerts_by_fields_of_both_plugins() {
    let _beside = beside();
    let Some(falco) = falco() else { return };
    let (plan, expected) = story();
    let address = free_address();
    let folder = tempfile::tempdir().unwrap();
    let open = format!("http://{address}{PATH}");
    let plugins = [
        json!({ "name": "k8saudit", "library_path": plugin("k8saudit"), "init_config": "", "open_params": open }),
        json!({ "name": "json", "library_path": plugin("json"), "init_config": "" }),
    ];
    let _server = ApiServer::start(api_server(address, &plan, 2));
    expect_seen(&mut falco_command(falco, folder.path(), &plugins, CONDITION, OUTPUT), &expected);
}
