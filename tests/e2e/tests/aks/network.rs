//! The ways to the hub: TLS, websockets, Microsoft Entra ID; and what the hub says of itself.

use e2e::{Host, HostOptions, alone};
use emulators::event_hubs::{Config, Generated, Offsets};
use serde_json::{Value, json};

use crate::setup::{Azure, HUB, MINUTE, expect_exactly_once, start};

const COUNT: usize = 5000;

/// A hub behind TLS, whose authority the host trusts, and which the plugin takes for one at Azure.
fn behind_tls(changes: Value) -> (Azure, tempfile::TempDir, HostOptions) {
    let azure = Azure::with(Config { tls: true, ..Config::default() });
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, azure.hubs.authority_pem().unwrap()).unwrap();
    let text = azure.hubs.connection_string(None).replace("UseDevelopmentEmulator=true", "");
    let text = text.replace("127.0.0.1", "localhost");
    let mut all = json!({ "event_hub_namespace_connection_string": text });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut options = azure.options(all);
    options.environment.push(("SSL_CERT_FILE", authority.display().to_string()));
    (azure, folder, options)
}

fn read_all(azure: &Azure, options: &HostOptions) -> Host {
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut host = start(options);
    host.wait(MINUTE, "every event", |state| state.events.len() >= COUNT);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    host
}

#[test]
fn tls() {
    let _alone = alone();
    let (azure, _folder, options) = behind_tls(json!({}));
    read_all(&azure, &options);
    let stats = azure.hubs.stats();
    assert_eq!((stats.tls, stats.websockets), (stats.connections, 0));
}

#[test]
fn websockets() {
    let _alone = alone();
    let (azure, _folder, options) = behind_tls(json!({ "transport": "websockets" }));
    read_all(&azure, &options);
    let stats = azure.hubs.stats();
    assert_eq!((stats.tls, stats.websockets), (stats.connections, stats.connections));
}

#[test]
fn an_authority_that_nobody_trusts_is_told() {
    let _alone = alone();
    let (_azure, _folder, mut options) = behind_tls(json!({}));
    options.environment.clear();
    let host = start(&options);
    host.wait(MINUTE, "its end", |state| state.failure.is_some());
    let failure = host.state().failure.clone().unwrap();
    assert!(failure.to_lowercase().contains("certificate"), "{failure}");
}

/// With geo-replication offsets are no numbers.
#[test]
fn offsets_that_are_no_numbers() {
    let _alone = alone();
    let azure = Azure::with(Config { offsets: Offsets::Geo, ..Config::default() });
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut first = azure.host(json!({}));
    first.wait(MINUTE, "every event", |state| state.events.len() >= COUNT);
    first.quit();
    expect_exactly_once(&azure.hubs, &first);
    assert!(azure.blob("checkpoint", 0)["offset"].contains('g'), "{:?}", azure.blob("checkpoint", 0));
    let plan = Generated { seed: 2, ..Generated::backlog(1000, azure.hubs.clock().now_ms()) };
    azure.hubs.generate(HUB, plan);
    let mut second = azure.host(json!({}));
    second.wait(MINUTE, "what came later", |state| state.events.len() >= 1000);
    second.quit();
    assert_eq!(second.state().events.len(), 1000);
}

/// What the hub forgot before it was read is counted and told, once; what is left comes.
#[test]
fn what_retention_took_is_told() {
    let _alone = alone();
    let azure = Azure::new();
    let plan = || Generated::backlog(8000, azure.hubs.clock().now_ms() - 60_000);
    azure.hubs.generate(HUB, plan());
    let mut first = azure.host(json!({}));
    first.wait(MINUTE, "every event", |state| state.events.len() >= 8000);
    first.quit();
    azure.hubs.generate(HUB, Generated { seed: 2, records_per_message: 1..=1, ..plan() });
    let kept_from = azure.hubs.end(HUB, 3) - 100;
    azure.hubs.drop_before(HUB, 3, kept_from);
    let mut second = azure.host(json!({}));
    second.wait(MINUTE, "what is left", |state| state.events.len() >= 7 * 1000 + 100);
    let missed = second.metrics()["messages_missed"];
    second.quit();
    assert_eq!((second.state().events.len(), missed as usize), (7 * 1000 + 100, 900));
    let errors = second.state().logged("error").join("\n");
    assert_eq!(errors.matches("900 messages were never read").count(), 1, "{errors}");
}

/// A hub that was made anew has other messages under the numbers that the checkpoints know.
#[test]
fn a_hub_that_was_made_anew_is_read_from_its_beginning() {
    let _alone = alone();
    let azure = Azure::new();
    for partition in 0..8 {
        azure.blobs.put(
            crate::setup::CONTAINER,
            &format!("127.0.0.1/{HUB}/$Default/checkpoint/{partition}"),
            &[("sequencenumber", "123456"), ("offset", "9999999")],
        );
    }
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut host = azure.host(json!({}));
    host.wait(MINUTE, "every event", |state| state.events.len() >= COUNT);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    assert!(azure.blob("checkpoint", 0)["sequencenumber"].parse::<i64>().unwrap() < 1000);
}
