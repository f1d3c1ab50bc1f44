//! Nothing is lost and nothing comes twice in one run, whatever the hub does.

use std::time::{Duration, Instant};

use e2e::{Host, PATIENCE, beside};
use emulators::event_hubs::{Emulator, Fault, Generated, Kind};
use serde_json::json;

use crate::setup::{Azure, HUB, compare, count, expect_exactly_once, known, named};

/// Foreign, cut off and broken records among good ones.
fn mixed(plan: Generated) -> Generated {
    Generated { foreign: 0.01, cut: 0.01, broken: 0.005, ..plan }
}

#[test]
fn a_backlog_comes_exactly_once() {
    let _beside = beside();
    let azure = Azure::new();
    let plan = mixed(Generated::backlog(20_000, azure.hubs.clock().now_ms() - 60_000));
    azure.hubs.generate(HUB, Generated { admin_copies: 0.2, ..plan });
    let mut host = azure.host(json!({}));
    let all = known(&azure.hubs);
    host.wait(PATIENCE, "every event", |state| named(state) >= all);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    let copies = azure.hubs.ledger(HUB).known(Kind::Copy).len();
    assert_eq!(host.state().metrics["duplicates_dropped"] as usize, copies);
}

/// Records in each of the rounds, which last two seconds.
const A_ROUND: u64 = 3_350;

/// Records arrive while one thing after the other goes wrong. `steals`: among them that another receiver displaces
/// ours.
fn storm(rounds: u32, steals: bool) -> (Azure, Host) {
    let azure = Azure::new();
    let mut host = azure.host(json!({}));
    let records = u64::from(rounds) * A_ROUND;
    let plan = mixed(Generated::live(records, azure.hubs.clock().now_ms(), 1700.0));
    azure.hubs.generate(HUB, plan);
    let start = Instant::now();
    for round in 0..rounds {
        let hubs = &azure.hubs;
        match round {
            5 | 13 => hubs.inject(Fault::SilentPeer { partition: Some((round % 8).to_string()) }),
            9 | 17 if steals => hubs.inject(Fault::Steal { partition: (round % 8).to_string() }),
            22 => hubs.inject(Fault::ServerBusy { ms: 5000 }),
            // A silent peer is to be noticed, not to be reset.
            6..=9 | 14..=17 => hubs.inject(Fault::Reset { partition: Some((round % 4).to_string()) }),
            _ => hubs.inject(Fault::Reset { partition: None }),
        }
        let next = start + Duration::from_secs(2) * (round + 1);
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    crate::setup::until(PATIENCE, "the last record is there", || {
        let ledger = azure.hubs.ledger(HUB);
        ledger.counts().values().map(|count| count.known).sum::<u64>() >= records
    });
    let all = known(&azure.hubs);
    host.wait(PATIENCE, "every event", |state| named(state) >= all);
    let (sent, read) = (azure.hubs.stats().sent, host.metrics()["messages_read"]);
    println!("{all} events; {sent} messages sent, {read} read; steals: {steals}");
    host.quit();
    (azure, host)
}

#[test]
fn without_steals_everything_comes_exactly_once() {
    let _beside = beside();
    let (azure, host) = storm(30, false);
    expect_exactly_once(&azure.hubs, &host);
    tell_few_lines(&host, &azure.hubs);
}

#[test]
fn with_steals_nothing_is_missing() {
    let _beside = beside();
    let (azure, host) = storm(20, true);
    let state = host.state();
    let compared = compare(&azure.hubs, &count(&state.events));
    println!("with steals: {} repeated", compared.repeated);
    assert_eq!((compared.missing, compared.unknown), (0, 0), "log: {:#?}", state.log);
    // Nobody else has read, so the partitions were never lost.
    assert_eq!(compared.repeated, 0);
}

/// What goes wrong for a moment and is mended is not worth a line each time.
fn tell_few_lines(host: &Host, hubs: &Emulator) {
    let state = host.state();
    let lines = state.logged("warning").len() + state.logged("error").len();
    let reconnects = state.metrics["reconnects"];
    println!(
        "{lines} warnings and errors for {reconnects} reconnects, {} detaches",
        hubs.stats().detaches.len()
    );
    assert!(reconnects > 100.0, "{reconnects}");
    assert!(lines <= 40, "{:#?}", state.log);
}
