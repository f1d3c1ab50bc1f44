//! How fast, how soon, in how much memory, and how slow where a limit says so.

use std::time::{Duration, Instant};

use e2e::{PATIENCE, alone};
use emulators::event_hubs::Generated;
use serde_json::json;

use crate::setup::{Azure, HUB, PARTITIONS};

/// A million records wait in large messages; they are read as fast as it goes, beside the emulator.
#[test]
fn a_million_records_need_little_memory() {
    let _alone = alone();
    let azure = Azure::new();
    const RECORDS: u64 = 1_000_000;
    let plan = Generated::backlog(RECORDS, azure.hubs.clock().now_ms() - 3_600_000);
    azure.hubs.generate(HUB, Generated { records_per_message: 150..=200, ..plan });
    let mut host = azure.host(json!({}));
    let start = Instant::now();
    host.wait(PATIENCE, "every event", |state| state.events.len() as u64 >= RECORDS);
    let seconds = start.elapsed().as_secs_f64();
    let memory = host.peak_memory_kib() / 1024;
    let per_second = RECORDS as f64 / seconds;
    println!("{per_second:.0} records/s of 2 KB beside the emulator, {memory} MiB resident");
    assert!(memory < 128, "{memory} MiB");
    host.quit();
}

/// The host does nothing for a while: what waits in memory stays within the bounds.
#[test]
fn a_host_that_stands_still_costs_no_memory() {
    let _alone = alone();
    let azure = Azure::new();
    let plan = Generated::backlog(200_000, azure.hubs.clock().now_ms() - 3_600_000);
    azure.hubs.generate(HUB, Generated { records_per_message: 150..=200, ..plan });
    let mut host = azure.host(json!({}));
    host.order("stall");
    let (mut sent, mut since) = (0, Instant::now());
    crate::setup::until(PATIENCE, "the hub sends nothing more", || {
        if std::mem::replace(&mut sent, azure.hubs.stats().sent) != sent {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_secs(2)
    });
    let memory = host.peak_memory_kib() / 1024;
    println!("{memory} MiB resident while the host stands still");
    assert!(memory < 128, "{memory} MiB");
    host.order("go");
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 200_000);
    crate::setup::expect_exactly_once(&azure.hubs, &host);
    host.quit();
}

/// It runs beside other tests: what it measures needs little of the machine.
#[test]
fn a_limit_is_kept_to() {
    let azure = Azure::new();
    azure.hubs.generate(HUB, Generated::backlog(60_000, azure.hubs.clock().now_ms() - 3_600_000));
    let mut host = azure.host(json!({ "rate_limit_events_per_second": 500, "rate_limit_burst": 1000 }));
    host.wait(PATIENCE, "62 s of events", |state| state.events.len() >= 1000 + 62 * 500);
    let state = host.state();
    let from = state.events[1000].at_ms + 1000;
    let passed = state.events.iter().filter(|event| (from..from + 60_000).contains(&event.at_ms)).count();
    println!("{passed} records in 60 s, where 30000 are allowed");
    // A machine that stands still for 4 s costs 1,000 of them, and the burst adds as many at most.
    assert!((29_000..=31_000).contains(&passed), "{passed}");
    let warnings = state.logged("warning");
    assert_eq!(warnings.iter().filter(|line| line.contains("rate limit holds")).count(), 1, "{warnings:?}");
    assert!(
        warnings.iter().all(|line| line.contains("rate limit holds")),
        "no partition was taken for silent"
    );
    drop(state);
    assert!(host.metrics()["records_held_back"] > 10_000.0);
    host.quit();
}

/// From the hub's having a message to the host's having its event.
#[test]
fn an_event_comes_soon() {
    let _alone = alone();
    let azure = Azure::new();
    let host = azure.host(json!({}));
    let start = azure.hubs.clock().now_ms() + 1000;
    let plan = Generated::live(20_000, start, 1000.0);
    azure.hubs.generate(HUB, Generated { records_per_message: 1..=1, ..plan });
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 20_000);
    let mut latencies: Vec<i64> = host
        .state()
        .events
        .iter()
        // Until then it learns how large messages are, and opens its links again.
        .skip(5_000)
        .map(|event| {
            let index = i64::from_str_radix(&event.audit_id[28..], 16).unwrap();
            event.at_ms - (start + (index + 1) * i64::from(PARTITIONS))
        })
        .collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    println!(
        "latency at 1,000 records/s: median {} ms, 99 % {} ms, most {} ms",
        at(0.5),
        at(0.99),
        latencies.last().unwrap()
    );
    assert!(at(0.5) < 1000, "events come late");
}
