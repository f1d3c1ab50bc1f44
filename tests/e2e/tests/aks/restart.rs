//! Killed at any moment and started again, nothing is missing, and little is repeated.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use e2e::{Evaluated, Host, PATIENCE, add_run, beside, skip};
use emulators::event_hubs::Generated;
use serde_json::json;

use crate::azurite::Azurite;
use crate::setup::{Azure, HUB, compare, count, until};

/// Seconds; the plugin's configuration.
const INTERVAL: f64 = 0.5;
/// What writing a checkpoint and a tick of the reader may add, on a machine that is busy.
const SLACK_MS: i64 = 500;
const CHECKPOINTED_MS: i64 = (INTERVAL * 1000.0) as i64 + SLACK_MS;

/// Twenty kills while events arrive; the partitions are free again when their owner has been gone for the expiry.
#[test]
fn killed_twenty_times_nothing_is_missing() {
    let _beside = beside();
    let Some(azurite) = Azurite::start() else {
        skip("azurite", "`NODE` and `AZURITE` name no Node.js and no Azurite");
        return;
    };
    let azure = Azure::new();
    let config = json!({
        "blob_storage_connection_string": azurite.connection_string(),
        "checkpoint_interval": INTERVAL,
        "ownership_expiration": 1,
        "load_balancing_interval": 0.3,
    });
    let start = azure.hubs.clock().now_ms();
    const RECORDS: usize = 40_000;
    azure.hubs.generate(HUB, Generated::live(RECORDS as u64, start, 1000.0));
    let mut random = fastrand::Rng::with_seed(20);
    let mut evaluated: Vec<Evaluated> = Vec::new();
    let (mut repeated, mut allowed) = (0, 0);
    for _ in 0..20 {
        let host = azure.host(config.clone());
        // The moment of the kill is what is random here; before it something has to be owned.
        let some = evaluated.len() + random.usize(1..2000);
        host.wait(PATIENCE, "some events", |state| evaluated.len() + state.events.len() >= some);
        let run = host.kill();
        let (again, since) = add_run(&mut evaluated, run, CHECKPOINTED_MS);
        repeated += again;
        allowed += since;
    }
    let host = azure.host(config);
    wait_for_rest(&host, &evaluated, RECORDS);
    let (again, since) = add_run(&mut evaluated, host.kill(), CHECKPOINTED_MS);
    repeated += again;
    allowed += since;
    println!(
        "20 kills: {} evaluated, {repeated} repeated; at most {allowed} had come after the last checkpoint",
        evaluated.len()
    );
    let compared = compare(&azure.hubs, &count(&evaluated));
    assert_eq!((compared.missing, compared.unknown), (0, 0));
    assert!(repeated <= allowed, "{repeated} repeated, where at most {allowed} were in no checkpoint");
}

#[track_caller]
fn wait_for_rest(host: &Host, before: &[Evaluated], all: usize) {
    let mut ids: HashSet<String> = before.iter().map(|event| event.audit_id.clone()).collect();
    let mut counted = 0;
    host.wait(PATIENCE, "the rest", |state| {
        ids.extend(state.events[counted..].iter().map(|event| event.audit_id.clone()));
        counted = state.events.len();
        ids.len() >= all
    });
}

/// The queue is full of what the host has not asked for, and several checkpoints have been due: none of them covers it.
#[test]
fn what_was_not_evaluated_is_in_no_checkpoint() {
    let _beside = beside();
    let azure = Azure::new();
    azure.hubs.generate(HUB, Generated::backlog(40_000, azure.hubs.clock().now_ms() - 60_000));
    let mut first = azure.host(json!({ "checkpoint_interval": 0.2, "ownership_expiration": 1 }));
    first.order("stall");
    let (mut sent, mut since) = (0, Instant::now());
    until(PATIENCE, "the hub sends nothing more", || {
        if std::mem::replace(&mut sent, azure.hubs.stats().sent) != sent {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_secs(1)
    });
    let waiting = first.metrics()["events_queued"];
    let before = first.kill();
    assert!(waiting > 5000.0, "{waiting}");
    let second = azure.host(json!({}));
    wait_for_rest(&second, &before, 40_000);
    assert_eq!(compare(&azure.hubs, &count(before.iter().chain(&second.state().events))).missing, 0);
}

/// A batch that the host holds when it closes was not evaluated: it comes again. And nobody has to wait.
#[test]
fn a_clean_end_repeats_only_what_the_host_held() {
    let _beside = beside();
    let azure = Azure::new();
    azure.hubs.generate(HUB, Generated::backlog(20_000, azure.hubs.clock().now_ms() - 60_000));
    // Only those at the claim and at the end are ever written.
    let config = json!({ "checkpoint_interval": 3600, "ownership_expiration": 60 });
    let mut first = azure.host(config.clone());
    first.wait(PATIENCE, "some events", |state| state.events.len() > 5000);
    first.quit();
    let before: Vec<_> = std::mem::take(&mut first.state().events);
    assert!(first.state().closed_ms.unwrap() < 5000);
    for partition in 0..8 {
        assert_eq!(azure.blob("ownership", partition)["ownerid"], "", "given up");
    }
    let mut second = azure.host(config);
    second.wait(Duration::from_secs(20), "its first event, long before the expiry", |state| {
        !state.events.is_empty()
    });
    wait_for_rest(&second, &before, 20_000);
    second.quit();
    let state = second.state();
    let counts = count(before.iter().chain(&state.events));
    let compared = compare(&azure.hubs, &counts);
    assert_eq!((compared.missing, compared.unknown), (0, 0));
    // A batch of the host holds at most one arrival of each partition, 64 messages of 200 records.
    println!("a clean end: {} repeated", compared.repeated);
    assert!(compared.repeated <= 1000, "{} repeated", compared.repeated);
}
