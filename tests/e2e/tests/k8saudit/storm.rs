//! An API server's way of sending, at the highest rate that is taken, while the host stands still now and then.

use std::time::Duration;

use e2e::{PATIENCE, beside};
use emulators::api_server::{ApiServer, Batch, Config};
use emulators::cloudwatch::Generated;
use serde_json::json;

use crate::setup::{Comparison, api_server, compare, counts, webhook};

/// Seconds for which the host asks for nothing. In the second, requests are answered with 503 after 10 s.
const STALLS: [u64; 4] = [5, 60, 5, 5];

/// Batches of up to 400 events and 10 MB from 8 connections of HTTP/1.1 and one of HTTP/2, some of which are reset
/// before they are answered.
#[test]
fn every_event_once_unless_there_was_no_answer() {
    let _beside = beside();
    let (mut host, address) = webhook(json!({}), "http");
    let now = 1_790_000_000_000;
    let plans = [(1, 2500, 7, false), (2, 25_000, 1, false), (3, 2500, 8, true)];
    let plans = plans.map(|(seed, message_bytes, senders, is_http2)| {
        let plan = Generated { seed, message_bytes, ..Generated::backlog(10_000_000, now) };
        (plan, senders, is_http2)
    });
    let servers = plans.clone().map(|(plan, senders, is_http2)| {
        ApiServer::start(Config { resets: 0.1, is_http2, ..api_server(address, &plan, senders) })
    });
    for seconds in STALLS {
        let before = host.state().events.len();
        host.wait(PATIENCE, "a flow", |state| state.events.len() > before + 60_000);
        host.order("stall");
        std::thread::sleep(Duration::from_secs(seconds));
        host.order("go");
    }
    let before = host.state().events.len();
    host.wait(PATIENCE, "a flow", |state| state.events.len() > before + 60_000);
    let batches = servers.map(ApiServer::finish);
    // What is confirmed was evaluated, but its line may be on the way; the metrics come behind it.
    let metrics = host.metrics();

    let counts = counts(&host);
    let mut told = Vec::new();
    for ((plan, ..), batches) in plans.iter().zip(&batches) {
        let compared = compare(plan, batches, &counts);
        let sum = |of: fn(&Batch) -> u64| batches.iter().map(of).sum::<u64>();
        told.push(format!(
            "{} events in {} batches of up to {:.1} MB, {} answers of 503, {} attempts without an answer: {compared:?}",
            sum(|batch| batch.events.end - batch.events.start),
            batches.len(),
            batches.iter().map(|batch| batch.bytes).max().unwrap_or_default() as f64 / 1e6,
            sum(|batch| batch.refused.into()),
            sum(|batch| batch.unanswered.into()),
        ));
        assert_eq!(
            compared,
            Comparison { repeated_unanswered: compared.repeated_unanswered, ..Comparison::default() },
            "{told:?}"
        );
        assert!(
            sum(|batch| batch.refused.into()) > 0 && sum(|batch| batch.unanswered.into()) > 0,
            "{told:?}"
        );
    }
    let known = ["requests_sent_again", "duplicates_dropped"].map(|name| metrics[name]);
    let peak = host.peak_memory_kib() >> 10;
    println!("{}; {} requests and {} events known again; {peak} MiB", told.join("; "), known[0], known[1]);
    assert!(peak < 160, "{peak} MiB");
}
