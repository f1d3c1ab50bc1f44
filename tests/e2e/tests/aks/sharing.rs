//! Several processes share the partitions, whoever comes and goes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use e2e::{Evaluated, Host, PATIENCE, beside};
use emulators::event_hubs::Generated;
use serde_json::json;

use crate::setup::{Azure, HUB, PARTITIONS, compare, count, until};

/// What the plugin is configured with, and what a busy machine adds.
const HANDOVER: Duration = Duration::from_millis(2000 + 2 * 500);
const SLACK: Duration = Duration::from_millis(5000);

#[test]
fn three_share_one_is_killed_one_joins() {
    let _beside = beside();
    let azure = Azure::new();
    azure.hubs.generate(HUB, Generated::live(20_000, azure.hubs.clock().now_ms(), 1000.0));
    let all = 20_000;
    let mut hosts: Vec<Host> = (0..3).map(|_| azure.host(json!({}))).collect();
    let shared = |by: usize| {
        let owners = azure.owners();
        let (least, most) = (PARTITIONS as usize / by, (PARTITIONS as usize).div_ceil(by));
        let owned: usize = owners.values().sum();
        owned == PARTITIONS as usize
            && owners.len() == by
            && owners.values().all(|count| (least..=most).contains(count))
    };
    until(PATIENCE, "three share", || shared(3));

    let mut reads: Vec<Vec<Evaluated>> = Vec::new();
    let killed = Instant::now();
    reads.push(hosts.remove(0).kill());
    until(PATIENCE, "two share", || shared(2));
    let after_kill = killed.elapsed();

    let joined = Instant::now();
    hosts.push(azure.host(json!({})));
    until(PATIENCE, "three share again", || shared(3));
    let after_join = joined.elapsed();

    let done = || reads.iter().chain([]).map(Vec::len).sum::<usize>();
    let evaluated =
        |hosts: &[Host]| hosts.iter().map(|host| host.state().events.len()).sum::<usize>() + done();
    until(PATIENCE, "every event", || {
        evaluated(&hosts) >= all && {
            let states: Vec<_> = hosts.iter().map(Host::state).collect();
            let counts = count(reads.iter().flatten().chain(states.iter().flat_map(|state| &state.events)));
            counts.len() >= all
        }
    });
    for mut host in hosts {
        host.quit();
        reads.push(std::mem::take(&mut host.state().events));
    }
    let compared = compare(&azure.hubs, &count(reads.iter().flatten()));
    let longest = longest_overlap(&reads);
    println!(
        "rebalanced {after_kill:?} after a kill, {after_join:?} after one has joined; {} of {all} repeated; two read one partition for {longest} ms at most",
        compared.repeated
    );
    assert_eq!((compared.missing, compared.unknown), (0, 0));
    assert!(after_kill <= HANDOVER + SLACK && after_join <= HANDOVER + SLACK);
    assert!(longest <= HANDOVER.as_millis() as i64, "{longest} ms");
}

/// For how long two hosts evaluated events of one partition at most, in milliseconds.
fn longest_overlap(reads: &[Vec<Evaluated>]) -> i64 {
    let mut spans: HashMap<&str, Vec<(i64, i64)>> = HashMap::new();
    for events in reads {
        let mut mine: HashMap<&str, (i64, i64)> = HashMap::new();
        for event in events {
            // An auditID has the partition at this place.
            let span = mine.entry(&event.audit_id[24..27]).or_insert((event.at_ms, event.at_ms));
            span.1 = event.at_ms;
        }
        mine.into_iter().for_each(|(partition, span)| spans.entry(partition).or_default().push(span));
    }
    let overlap = |one: &(i64, i64), other: &(i64, i64)| one.1.min(other.1) - one.0.max(other.0);
    let pairs = spans.values().flat_map(|spans| {
        let behind = |at: usize| spans[at + 1..].iter().map(move |other| overlap(&spans[at], other));
        (0..spans.len()).flat_map(behind).collect::<Vec<_>>()
    });
    pairs.max().unwrap_or(0).max(0)
}
