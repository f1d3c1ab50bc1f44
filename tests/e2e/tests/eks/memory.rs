//! Memory is bounded, whatever waits.

use e2e::{PATIENCE, alone};
use emulators::cloudwatch::{Config, Generated};
use serde_json::json;

use crate::setup::{GROUP, emulator, host};

const COUNT: u64 = 1_000_000;
const MOST_KIB: u64 = 64 << 10;

/// A million events of 2 KB wait. `age_ms`: how long ago the first of them happened.
#[track_caller]
fn check(what: &str, age_ms: i64) {
    let _alone = alone();
    let emulator = emulator(Config::default());
    let start = emulator.clock().now_ms() - age_ms;
    let per_second = COUNT as f64 / 280.0;
    emulator.generate(GROUP, Generated { per_second, ..Generated::backlog(COUNT, start) });
    // The default times: whatever is younger than 300 s is remembered.
    let times = json!({ "start_position": "beginning", "polling_interval": 5, "overlap": 30, "settle": 300 });
    let mut host = host(&emulator, times);
    host.wait(PATIENCE, "every event", |state| state.events.len() as u64 >= COUNT);
    let peak = host.peak_memory_kib();
    let remembered = host.metrics()["remembered_events"];
    println!("{what}: {} MiB resident at most, {remembered} events remembered", peak >> 10);
    assert!(peak < MOST_KIB, "{peak} KiB");
    host.quit();
}

#[test]
fn a_million_old_events_fit() {
    check("a million events, an hour old", 3_600_000);
}

#[test]
fn a_million_young_events_fit() {
    check("a million events, all younger than `settle`", 281_000);
}

/// The host stands still: the reader waits, and holds no more than its queue and two pages.
#[test]
fn a_host_that_stalls_is_waited_for() {
    let _alone = alone();
    let emulator = emulator(Config::default());
    let start = emulator.clock().now_ms() - 3_600_000;
    emulator.generate(GROUP, Generated::backlog(100_000, start));
    let mut host = host(&emulator, json!({ "start_position": "beginning" }));
    host.wait(PATIENCE, "some events", |state| !state.events.is_empty());
    host.order("stall");
    let mut before = 0;
    crate::setup::until(PATIENCE, "the reader waits", || {
        std::thread::park_timeout(std::time::Duration::from_secs(1));
        std::mem::replace(&mut before, emulator.stats().pages) == emulator.stats().pages
    });
    let metrics = host.state().events.len();
    host.order("go");
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 100_000);
    assert!(metrics < 100_000);
    crate::setup::expect_exactly_once(&emulator, &host);
    host.quit();
}
