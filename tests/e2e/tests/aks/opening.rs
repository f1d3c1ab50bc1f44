//! What is wrong for good is told at open, in one line that says what to do, and never the secret.

use e2e::{Host, PATIENCE, beside};
use emulators::blob;
use serde_json::{Value, json};

use crate::setup::{Azure, start};

/// How it failed; no key is in that, or in the log.
fn failure(host: &Host, secrets: &[String]) -> String {
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let state = host.state();
    let failure = state.failure.as_deref().unwrap();
    for line in state.log.iter().map(|line| line.text.as_str()).chain([failure]) {
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
    }
    failure.to_owned()
}

#[track_caller]
fn check(changes: impl FnOnce(&Azure) -> Value, expect: &[&str]) {
    let _beside = beside();
    let azure = Azure::new();
    let mut all = json!({ "log_level": "trace" });
    all.as_object_mut().unwrap().extend(changes(&azure).as_object().unwrap().clone());
    let secrets = [blob::Config::default().key, "SAS_KEY_VALUE".to_owned(), "V1JPTkc".to_owned()];
    let failure = failure(&start(&azure.options(all)), &secrets);
    for part in expect {
        assert!(failure.contains(part), "`{part}` is missing in: {failure}");
    }
    assert!(!failure.contains('\n') && failure.len() < 700, "{failure}");
}

#[test]
fn a_hub_that_is_not_there() {
    check(|_| json!({ "event_hub_name": "nothing" }), &["127.0.0.1/nothing", "is the name of hub"]);
}

#[test]
fn a_key_that_is_wrong() {
    let wrong = |azure: &Azure| {
        let text = azure.hubs.connection_string(None).replace("SAS_KEY_VALUE", "V1JPTkc=");
        json!({ "event_hub_namespace_connection_string": text })
    };
    check(wrong, &["the right to listen", "`Listen`"]);
}

#[test]
fn a_container_that_is_not_there() {
    check(|_| json!({ "blob_storage_container_name": "nothing" }), &["nothing", "make the container first"]);
}

#[test]
fn a_storage_key_that_is_wrong() {
    let wrong = |azure: &Azure| {
        let text = azure.blobs.connection_string().replace(&blob::Config::default().key, "V1JPTkc=");
        json!({ "blob_storage_connection_string": text })
    };
    check(wrong, &["`Storage Blob Data Contributor`"]);
}

#[test]
fn what_contradicts_itself() {
    check(
        |azure| json!({ "event_hub_namespace_connection_string": azure.hubs.connection_string(Some("other")) }),
        &["`event_hub_namespace_connection_string`", "`EntityPath` is `other`"],
    );
    check(|_| json!({ "rate_limit_events_per_second": 5, "rate_limit_burst": 0 }), &["`rate_limit_burst`"]);
    check(
        |_| json!({ "blob_storage_connection_string": "AccountName" }),
        &["`blob_storage_connection_string`"],
    );
    check(
        |_| json!({ "event_hub_namespace_connection_string": "" }),
        &["`event_hub_namespace_connection_string`", "it is empty"],
    );
}

/// A consumer group shows when it is read; then it is told once for each partition, and is the end in the end.
#[test]
fn a_consumer_group_that_is_not_there() {
    let _beside = beside();
    let azure = Azure::new();
    let host = start(&azure.options(json!({ "consumer_group": "nothing", "give_up_after": 3 })));
    let failure = failure(&host, &[]);
    assert!(failure.contains("give_up_after") && failure.contains("consumer group"), "{failure}");
    let state = host.state();
    assert!(state.logged("warning").len() <= 8, "{:#?}", state.log);
    assert!(state.logged("info").iter().all(|line| !line.contains("reading again")), "{:#?}", state.log);
}

/// A signature instead of the account's key; the connection strings from the environment.
#[test]
fn other_ways_to_write_it() {
    let _beside = beside();
    let azure = Azure::new();
    let mut options = azure.options(json!({
        "event_hub_namespace_connection_string": "${HUB}", "event_hub_name": "",
        "blob_storage_connection_string": "${STORAGE}",
    }));
    options.environment.push(("HUB", azure.hubs.connection_string(Some(crate::setup::HUB))));
    options.environment.push(("STORAGE", azure.blobs.sas_connection_string()));
    let mut host = start(&options);
    host.wait(PATIENCE, "open", |state| state.is_open);
    assert_eq!(host.metrics()["partitions"] as u32, crate::setup::PARTITIONS);
    host.quit();
}
