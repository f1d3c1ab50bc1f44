//! How soon an event comes, and how well the calls are used.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use e2e::{PATIENCE, alone};
use emulators::cloudwatch::{Config, Fault, FaultKind, Generated, Lateness, Operation};
use serde_json::json;

use crate::setup::{GROUP, emulator, expect_exactly_once, host};

#[test]
fn an_event_comes_with_the_next_poll() {
    let _alone = alone();
    let emulator = emulator(Config::default());
    let polling = 0.5;
    let mut host = host(&emulator, json!({ "polling_interval": polling, "overlap": 4, "settle": 20 }));
    let plan = Generated {
        lateness: Lateness::none().band(0.5, 100, 3500),
        ..Generated::live(2000, emulator.clock().now_ms(), 200.0)
    };
    emulator.generate(GROUP, plan.clone());
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 2000);
    expect_exactly_once(&emulator, &host);
    let visible: HashMap<String, i64> =
        (0..plan.count).map(|i| (plan.id(i), plan.visible_at_ms(i))).collect();
    let mut delays: Vec<i64> =
        host.state().events.iter().map(|event| event.at_ms - visible[&event.audit_id]).collect();
    delays.sort_unstable();
    let (median, most) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!("visible to evaluated, polled each {polling} s: median {median} ms, most {most} ms");
    let next_poll = (polling * 1000.0) as i64 + 1000;
    assert!(median <= next_poll, "{median} ms");
    // A machine that stands still for a moment delays what it likes; what came by `settle` only took 20 s.
    assert!(most <= 10_000, "{most} ms");
    host.quit();
}

#[test]
fn catching_up_uses_the_calls_that_it_may_make() {
    let _alone = alone();
    let emulator = emulator(Config { page_bytes: 100 << 10, ..Config::default() });
    emulator.faults().add(Fault::always(FaultKind::Slow(Duration::from_millis(50))));
    let start = emulator.clock().now_ms() - 86_400_000;
    emulator.generate(GROUP, Generated { per_second: 50.0, ..Generated::backlog(1_000_000, start) });
    let rate = 4.0;
    let at = "1970-01-01T00:00:00Z";
    let mut host = host(&emulator, json!({ "start_position": at, "max_calls_per_second": rate }));
    host.wait(PATIENCE, "the first events", |state| !state.events.is_empty());
    let (from, start) = (emulator.stats().calls(Operation::FilterLogEvents), Instant::now());
    let span = Duration::from_secs(12);
    crate::setup::until(PATIENCE, "some time", || start.elapsed() >= span);
    let calls = emulator.stats().calls(Operation::FilterLogEvents) - from;
    let used = calls as f64 / (rate * start.elapsed().as_secs_f64());
    println!("catching up with pages of 50 ms: {:.1} % of the calls allowed were made", used * 100.0);
    // The rest is for a machine that stands still for a moment.
    assert!(used >= 0.75, "{used}");
    host.quit();
}
