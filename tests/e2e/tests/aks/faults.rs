//! What fails for a while costs time, one line, and nothing else.

use std::time::{Duration, Instant};

use e2e::{Host, PATIENCE, State, beside};
use emulators::blob;
use emulators::event_hubs::{Fault, Generated};
use serde_json::{Value, json};

use crate::setup::{Azure, HUB, expect_exactly_once};

fn busy(records: u64, changes: Value) -> (Azure, Host) {
    let azure = Azure::new();
    let host = azure.host(changes);
    azure.hubs.generate(HUB, Generated::live(records, azure.hubs.clock().now_ms(), 1000.0));
    host.wait(PATIENCE, "some events", |state| state.events.len() > 1000);
    (azure, host)
}

/// Without a store nobody knows who reads what, and nothing is written down; what is owned is read on.
#[test]
fn a_store_that_is_away_stops_nothing() {
    let _beside = beside();
    let (azure, mut host) = busy(15_000, json!({}));
    azure.blobs.inject(blob::Fault::always(blob::FaultKind::ServerBusy));
    let before = host.state().events.len();
    host.wait(PATIENCE, "reading goes on", |state| state.events.len() > before + 6000);
    let told = |state: &State, level: &str, text: &str| {
        state.logged(level).iter().filter(|line| line.contains(text)).count()
    };
    host.wait(PATIENCE, "it is told", |state| told(state, "warning", "cannot be known") > 0);
    azure.blobs.clear_faults();
    host.wait(PATIENCE, "the end of it", |state| told(state, "info", "is known again") > 0);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 15_000);
    assert!(host.metrics()["checkpoint_errors"] > 0.0);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    let state = host.state();
    assert_eq!(told(&state, "warning", "cannot be known"), 1, "{:#?}", state.log);
    assert!(told(&state, "error", "a restart would repeat") <= 8, "{:#?}", state.log);
    // Partition 0 holds an eighth of the records, all evaluated before the end.
    assert_eq!(azure.blob("checkpoint", 0)["sequencenumber"], (azure.hubs.end(HUB, 0) - 1).to_string());
}

/// Most of the time it waits, so it may run beside others.
#[test]
fn a_partition_that_falls_silent_is_read_on_within_half_a_minute() {
    let (azure, mut host) = busy(45_000, json!({}));
    azure.hubs.inject(Fault::SilentPartition { partition: "3".to_owned() });
    azure.hubs.inject(Fault::SilentPeer { partition: Some("5".to_owned()) });
    let silent = Instant::now();
    let of = |state: &State, partition: &str| {
        state.events.iter().filter(|event| &event.audit_id[24..27] == partition).count()
    };
    for partition in ["003", "005"] {
        let before = of(&host.state(), partition);
        // More than what was on its way.
        host.wait(PATIENCE, "it is read on", |state| of(state, partition) > before + 600);
    }
    let after = silent.elapsed();
    println!("read on {after:?} after two partitions had fallen silent");
    assert!(after < Duration::from_secs(30), "{after:?}");
    assert_eq!(host.metrics()["silent_partitions"], 1.0);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 45_000);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
}

/// A wrong token now and then, refused connections, a link detached for each reason there is.
#[test]
fn what_passes_by_itself_is_no_line() {
    let _beside = beside();
    let (azure, mut host) = busy(15_000, json!({}));
    let detach = |condition: &str| Fault::Detach {
        partition: None,
        condition: condition.to_owned(),
        description: "on request".to_owned(),
    };
    for fault in [
        detach("amqp:internal-error"),
        detach("com.microsoft:timeout"),
        detach("amqp:link:detach-forced"),
        Fault::Refuse { ms: 300 },
        Fault::BadToken { next: Some(1) },
        detach("amqp:connection:forced"),
    ] {
        azure.hubs.inject(fault);
        let before = host.state().events.len();
        host.wait(PATIENCE, "reading goes on", |state| state.events.len() > before + 1500);
    }
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 15_000);
    // Of eight partitions, four times; one that is between two links is spared.
    assert!(host.metrics()["reconnects"] > 16.0);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    let state = host.state();
    let lines = state.logged("warning");
    println!("{} lines for {} reconnects", lines.len(), state.metrics["reconnects"]);
    assert!(lines.len() <= 4, "{lines:#?}");
}

/// What comes after the opening comes, also into partitions that had never had anything, and nothing from before.
#[test]
fn latest_begins_with_the_opening() {
    let _beside = beside();
    let azure = Azure::new();
    let now = azure.hubs.clock().now_ms();
    let mut host = azure.host(json!({ "start_position": "latest" }));
    let begun = |state: &State| {
        state
            .logged("info")
            .iter()
            .filter(|line| line.contains("reading behind message") || line.contains("its first message"))
            .count()
    };
    host.wait(PATIENCE, "all partitions", |state| begun(state) == 8);
    azure.hubs.generate(HUB, Generated::backlog(2000, now - 60_000));
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 2000);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);

    // Another group of readers, so to speak: without its checkpoints, what is there is not read.
    for partition in 0..8 {
        azure
            .blobs
            .delete(crate::setup::CONTAINER, &format!("127.0.0.1/{HUB}/$Default/checkpoint/{partition}"));
    }
    let mut host = azure.host(json!({ "start_position": "latest" }));
    host.wait(PATIENCE, "all partitions", |state| begun(state) == 8);
    azure.hubs.generate(HUB, Generated { seed: 2, ..Generated::backlog(800, now) });
    host.wait(PATIENCE, "what is new", |state| state.events.len() >= 800);
    host.quit();
    assert_eq!(host.state().events.len(), 800);
}

#[test]
fn a_time_to_begin_at() {
    let _beside = beside();
    let azure = Azure::new();
    // 1,000 records per second from 1,000 s on, one in each message.
    let plan = Generated { records_per_message: 1..=1, ..Generated::backlog(8000, 1_000_000) };
    azure.hubs.generate(HUB, plan);
    let mut host = azure.host(json!({ "start_position": "1970-01-01T00:16:44Z" }));
    host.wait(PATIENCE, "every event from then on", |state| state.events.len() >= 4000);
    host.quit();
    let events = host.state().events.len();
    assert!((4000..=4008).contains(&events), "{events}");
}
