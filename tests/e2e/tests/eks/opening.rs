//! What is wrong for good is told at open, in one line that says what to do.

use e2e::{Host, HostOptions, PATIENCE, SECRET, beside, plugin};
use emulators::cloudwatch::{Config, Emulator, Fault, FaultKind, Operation};
use plugin_host::Library;
use serde_json::{Value, json};

use crate::setup::{emulator, start};

const EXTERNAL_ID: &str = "uT4hYe81cD-external-id";

/// As in every other test, with a second secret and everything in the log.
fn options(emulator: &Emulator, changes: Value) -> HostOptions {
    let mut all = json!({ "external_id": EXTERNAL_ID, "log_level": "trace" });
    all.as_object_mut().unwrap().extend(changes.as_object().expect("an object").clone());
    crate::setup::options(emulator, all)
}

/// How it failed; no secret is in that, or in the log.
fn failure(host: &Host) -> String {
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let state = host.state();
    let failure = state.failure.as_deref().unwrap();
    for line in state.log.iter().map(|line| line.text.as_str()).chain([failure]) {
        assert!(!line.contains(SECRET) && !line.contains(EXTERNAL_ID), "{line}");
    }
    failure.to_owned()
}

#[track_caller]
fn check(kind: Option<FaultKind>, open: &str, changes: Value, expect: &[&str]) {
    let _beside = beside();
    let emulator = emulator(Config::default());
    if let Some(kind) = kind {
        emulator.faults().add(Fault::always(kind));
    }
    let mut options = options(&emulator, changes);
    options.open = open.to_owned();
    let failure = failure(&start(&options));
    for part in expect {
        assert!(failure.contains(part), "`{part}` is missing in: {failure}");
    }
}

#[test]
fn a_denied_call_names_action_and_resource() {
    let expect = ["logs:FilterLogEvents", "/aws/eks/prod/cluster", "us-east-1", "IAM policy"];
    check(Some(FaultKind::AccessDenied), "prod", json!({}), &expect);
}

#[test]
fn a_missing_group_names_what_is_there() {
    let expect = ["/aws/eks/prot/cluster", "does not exist", "us-east-1", "`/aws/eks/prod/cluster`"];
    check(None, "prot", json!({}), &expect);
}

#[test]
fn empty_open_parameters_show_an_example() {
    check(None, "", json!({}), &["open_params: my-cluster"]);
}

#[test]
fn a_checkpoint_url_that_is_none() {
    check(None, "prod", json!({ "checkpoint": "gopher://x" }), &["`checkpoint`", "file:///folder", "s3://"]);
}

#[test]
fn no_credentials_says_where_they_come_from() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let mut options = options(&emulator, json!({}));
    options.environment =
        vec![("AWS_ACCESS_KEY_ID", String::new()), ("AWS_SECRET_ACCESS_KEY", String::new())];
    let failure = failure(&start(&options));
    assert!(failure.contains("no AWS credentials") && failure.contains("IRSA"), "{failure}");
    assert_eq!(emulator.stats().calls(Operation::FilterLogEvents), 0);
}

#[test]
fn no_root_certificates_says_what_to_install() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let empty = tempfile::NamedTempFile::new().unwrap();
    let mut options = options(&emulator, json!({}));
    options.environment = vec![("SSL_CERT_FILE", empty.path().display().to_string())];
    let failure = failure(&start(&options));
    assert!(failure.contains("ca-certificates"), "{failure}");
}

#[test]
fn permissions_beyond_the_go_plugins_are_not_needed() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    for operation in [Operation::DescribeLogGroups, Operation::DescribeLogStreams] {
        emulator.faults().add(Fault::always(FaultKind::AccessDenied).on(operation));
    }
    let mut host = start(&options(&emulator, json!({})));
    host.wait(PATIENCE, "open", |state| state.is_open);
    assert_eq!(host.state().logged("warning"), Vec::<&str>::new());
    host.quit();
}

#[test]
fn a_throttled_open_is_no_failure() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let fault = emulator.faults().add(Fault::always(FaultKind::Throttling));
    let mut host = start(&options(&emulator, json!({})));
    host.wait(PATIENCE, "open", |state| state.is_open);
    emulator.faults().remove(fault);
    emulator.put(
        crate::setup::GROUP,
        "kube-apiserver-audit-1",
        vec![crate::content::event(&emulator, "late-1")],
    );
    host.wait(PATIENCE, "the event", |state| state.events.len() == 1);
    host.quit();
}

/// What the plugin says of itself is what users' `falco.yaml` and rules ask for.
#[test]
fn it_is_a_drop_in() {
    let library = Library::load(plugin("k8saudit-eks")).unwrap();
    assert_eq!((library.name(), library.id(), library.event_source()), ("k8saudit-eks", 9, "k8s_audit"));
    assert_eq!(library.version().to_string(), "0.13.0");
    assert_eq!(library.required_api().to_string(), "3.11.0");
    assert_eq!(library.extract_sources(), ["k8s_audit"]);
    assert_eq!(library.fields().len(), 100);
    let schema: Value = serde_json::from_str(&library.init_schema().expect("a schema")).unwrap();
    for key in
        ["profile", "region", "shift", "polling_interval", "buffer_size", "use_async", "max_event_size"]
    {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

/// What the provider's page tells is what there is: every key, every metric.
#[test]
fn the_page_names_every_key_and_metric() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/eks.md")).unwrap();
    let library = Library::load(plugin("k8saudit-eks")).unwrap();
    let schema: Value = serde_json::from_str(&library.init_schema().expect("a schema")).unwrap();
    let keys = schema["properties"].as_object().unwrap().keys().cloned();
    let plugin = library.init("{}", |_, _| {}).unwrap();
    let metrics = plugin.metrics().into_iter().map(|metric| metric.name);
    for name in keys.filter(|key| key != "maxEventSize").chain(metrics) {
        assert!(page.contains(&format!("| `{name}` |")), "`{name}` has no line in docs/eks.md");
    }
}

#[test]
fn a_wrong_type_names_key_expected_and_found() {
    let library = Library::load(plugin("k8saudit-eks")).unwrap();
    let error =
        library.init(r#"{"polling_interval": "soon"}"#, |_, _| {}).expect_err("a wrong type").to_string();
    for part in ["polling_interval", "number of seconds", "string"] {
        assert!(error.contains(part), "`{part}` is missing in: {error}");
    }
}
