//! Nothing is lost and nothing comes twice in one run, whatever the log does.

use std::time::{Duration, Instant};

use e2e::{PATIENCE, alone, beside};
use emulators::cloudwatch::{Config, Fault, FaultKind, Generated, Lateness};
use serde_json::json;

use crate::setup::{emulator, expect_exactly_once, host, until};

const COUNT: u64 = 200_000;

fn unreliable() -> Config {
    Config { partial_pages: 0.1, empty_pages: 0.1, page_bytes: 256 << 10, ..Config::default() }
}

/// Late by up to 0.9 of `settle`, most of it beyond the next poll; equal milliseconds; throttled and reset.
#[test]
fn late_events_of_a_busy_cluster_come_exactly_once() {
    let _alone = alone();
    let emulator = emulator(unreliable());
    emulator.faults().add(Fault::share(FaultKind::Throttling, 0.05));
    emulator.faults().add(Fault::share(FaultKind::Reset, 0.01));
    emulator.faults().add(Fault::share(FaultKind::ResetInBody, 0.01));
    let mut host = host(&emulator, json!({ "shift": 1 }));
    let plan = Generated {
        streams: 3,
        burst: 7,
        message_bytes: 600,
        lateness: Lateness::none().band(0.5, 1, 80).band(0.2, 100, 600).band(0.2, 600, 5400),
        ..Generated::live(COUNT, emulator.clock().now_ms(), 5000.0)
    };
    let bytes = plan.total_message_bytes();
    emulator.generate(crate::setup::GROUP, plan);
    host.wait(PATIENCE, "every event", |state| state.events.len() as u64 >= COUNT);
    // Whatever would come twice comes until the last of them has settled.
    let read = emulator.stats().message_bytes;
    let (mut shown, mut since) = (0, Instant::now());
    until(PATIENCE, "nothing is shown for half of `settle`", || {
        if std::mem::replace(&mut shown, emulator.stats().events) != shown {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_secs(3)
    });
    expect_exactly_once(&emulator, &host);
    let metrics = host.metrics();
    // How many depends on how often a busy machine polls; without any, the test would show nothing.
    assert!(metrics["late_events"] > 1000.0, "{metrics:?}");
    assert!(metrics["duplicates_dropped"] > 1000.0, "{metrics:?}");
    assert_eq!(metrics["acknowledged"] as u64, COUNT);
    let state = host.state();
    let warnings = state.logged("warning");
    assert_eq!(warnings.iter().filter(|line| line.contains("raise `settle`")).count(), 1, "{warnings:#?}");
    drop(state);
    println!("caught up: {:.2} times the bytes of the events were read", read as f64 / bytes as f64);
    host.quit();
}

/// Behind by more than `settle`, what is read again costs at most a tenth.
#[test]
fn a_backlog_is_read_once() {
    let _alone = alone();
    let emulator = emulator(unreliable());
    emulator.faults().add(Fault::share(FaultKind::Throttling, 0.05));
    emulator.faults().add(Fault::share(FaultKind::Reset, 0.02));
    let start = emulator.clock().now_ms() - 3_600_000;
    let plan = Generated { message_bytes: 600, per_second: 100.0, ..Generated::backlog(COUNT, start) };
    let bytes = plan.total_message_bytes();
    emulator.generate(crate::setup::GROUP, plan);
    let mut host = host(&emulator, json!({ "start_position": "beginning" }));
    host.wait(PATIENCE, "every event", |state| state.events.len() as u64 >= COUNT);
    let factor = emulator.stats().message_bytes as f64 / bytes as f64;
    println!("behind: {factor:.3} times the bytes of the events were read");
    expect_exactly_once(&emulator, &host);
    assert!(factor <= 1.1, "{factor}");
    host.quit();
}

/// One run follows several clusters, each event with the name of its own.
#[test]
fn several_clusters_share_the_calls() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let now = emulator.clock().now_ms();
    for (seed, cluster) in ["prod", "staging", "test"].into_iter().enumerate() {
        let plan = Generated { seed: seed as u64, ..Generated::backlog(3000, now - 30_000) };
        emulator.generate(&format!("/aws/eks/{cluster}/cluster"), plan);
    }
    let mut options = crate::setup::options(
        &emulator,
        json!({ "start_position": "beginning", "max_calls_per_second": 20 }),
    );
    options.open = "prod, staging,test".to_owned();
    let mut host = crate::setup::start(&options);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 9000);
    expect_exactly_once(&emulator, &host);
    let most = emulator.stats().max_calls_per_second(emulators::cloudwatch::Operation::FilterLogEvents);
    // What was let go over more than a second may arrive within one.
    assert!(most <= 25, "{most} calls in one second");
    host.quit();
}

/// The local clock is ten minutes off; signatures are checked against the server's.
#[test]
fn a_wrong_local_clock_loses_nothing_and_is_told_once() {
    let _beside = beside();
    for offset in [-600_000, 600_000] {
        let emulator = emulator(Config::default());
        emulator.clock().set_offset_ms(offset);
        let mut host = host(&emulator, json!({}));
        let plan = Generated {
            lateness: Lateness::none().band(0.3, 100, 5000),
            message_bytes: 600,
            ..Generated::live(3000, emulator.clock().now_ms(), 1000.0)
        };
        emulator.generate(crate::setup::GROUP, plan);
        host.wait(PATIENCE, "every event", |state| state.events.len() >= 3000);
        expect_exactly_once(&emulator, &host);
        let state = host.state();
        let warnings = state.logged("warning");
        assert_eq!(warnings.iter().filter(|line| line.contains("clock")).count(), 1, "{warnings:?}");
        drop(state);
        host.quit();
    }
}

/// The very first answer has a wrong date: where reading begins does not follow it.
#[test]
fn a_wrong_first_date_loses_nothing() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    emulator.faults().add(Fault::next(FaultKind::DateOff(600_000), 1));
    let mut host = host(&emulator, json!({}));
    let plan = Generated { message_bytes: 600, ..Generated::live(2000, emulator.clock().now_ms(), 1000.0) };
    emulator.generate(crate::setup::GROUP, plan);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 2000);
    expect_exactly_once(&emulator, &host);
    host.quit();
}
