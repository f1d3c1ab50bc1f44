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
    let plans: HashMap<String, u64> = (0..plan.count).map(|index| (plan.id(index), index)).collect();
    // Of all, and of those whose time had passed when they could be seen.
    let (mut all, mut late) = (Vec::new(), Vec::new());
    for event in &host.state().events {
        let index = plans[&event.audit_id];
        let visible = plan.visible_at_ms(index);
        all.push(event.at_ms - visible);
        if visible > plan.timestamp_ms(index) {
            late.push(event.at_ms - visible);
        }
    }
    let [median, median_of_late] = [&mut all, &mut late].map(|delays| {
        delays.sort_unstable();
        delays[delays.len() / 2]
    });
    let most = all[all.len() - 1];
    println!(
        "visible to evaluated, polled each {polling} s: median {median} ms, of late ones {median_of_late} ms, most {most} ms"
    );
    let next_poll = (polling * 1000.0) as i64 + 1000;
    assert!(median <= next_poll && median_of_late <= next_poll, "{median} ms, {median_of_late} ms");
    // A machine that stands still for a moment delays what it likes; what came by `settle` only took 20 s.
    assert!(most <= 10_000, "{most} ms");
    host.quit();
}

#[test]
fn catching_up_uses_the_calls_that_it_may_make() {
    let _alone = alone();
    let emulator = emulator(Config { page_bytes: 100 << 10, ..Config::default() });
    emulator.faults().add(Fault::always(FaultKind::Slow(Duration::from_millis(150))));
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
    println!("catching up with pages of 150 ms: {:.1} % of the calls allowed were made", used * 100.0);
    // A pause that began with the end of a call would leave 62 %; a machine that stands still leaves less than all.
    assert!(used >= 0.75, "{used}");
    host.quit();
}
