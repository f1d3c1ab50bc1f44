//! An API server's way of sending, against a consumer that stands still now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use webhook_source::Timeouts;

use super::client::{BOTH, Client, Protocol, post_impatiently};
use super::hook::Hook;

const SENDERS: u64 = 8;
const EVENTS: u64 = 40;

/// Posts batches until it is told to stop; a batch again and again until it is confirmed. Returns, for each batch
/// that got no answer at some time, how often.
async fn send(
    hook: Arc<Hook>,
    sender: u64,
    stops: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> HashMap<u64, usize> {
    let protocol = BOTH[sender as usize % 2];
    let mut unanswered = HashMap::new();
    let mut client = None;
    for batch in 0.. {
        if stops.load(SeqCst) {
            break;
        }
        let lines: Vec<_> = (0..EVENTS)
            .map(|event| {
                format!(
                    "{{\"sender\":{sender},\"batch\":{batch},\"event\":{event},\"pad\":\"{}\"}}",
                    "x".repeat(200)
                )
            })
            .collect();
        let body = lines.join("\n");
        for attempt in 0u64.. {
            // Some connections break while the answer is waited for: before, at, and after the evaluation.
            let status = if attempt == 0 && (batch + sender).is_multiple_of(5) {
                let patience = Duration::from_micros(300 * (batch % 40));
                post_impatiently(hook.address, protocol, body.clone(), patience).await
            } else {
                post(&hook, protocol, &mut client, &body).await
            };
            match status {
                Some(200) => break,
                Some(503) => {}
                Some(other) => panic!("{other}"),
                None => *unanswered.entry(batch).or_default() += 1,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent.fetch_add(1, SeqCst);
    }
    unanswered
}

async fn post(hook: &Hook, protocol: Protocol, client: &mut Option<Client>, body: &str) -> Option<u16> {
    if client.is_none() {
        *client = Client::connect(hook.address, protocol).await.ok();
    }
    let answer = client.as_mut()?.post(body.to_owned()).await;
    if answer.is_err() {
        *client = None;
    }
    Some(answer.ok()?.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_once_unless_there_was_no_answer() {
    let hook = Arc::new(Hook::start(|options| {
        // A fiftieth of the real times, and a queue that is full after some six batches.
        options.timeouts = Timeouts { evaluation: Duration::from_millis(200), ..Timeouts::default() };
        options.max_queue_bytes = 70 << 10;
        options.max_body_bytes = 40 << 10;
    }));
    let (stops, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send(Arc::clone(&hook), sender, Arc::clone(&stops), Arc::clone(&sent))))
        .collect();
    // 5 s now and then, and once 60 s.
    for stall in [100, 100, 1200, 100, 100] {
        let before = sent.load(SeqCst);
        hook.wait_for("some flow", |_| sent.load(SeqCst) > before + 100).await;
        hook.stall();
        tokio::time::sleep(Duration::from_millis(stall)).await;
        hook.resume();
    }
    stops.store(true, SeqCst);
    let mut unanswered = HashMap::new();
    for (sender, task) in senders.into_iter().enumerate() {
        let batches = task.await.unwrap();
        unanswered.extend(batches.into_iter().map(|(batch, times)| ((sender as u64, batch), times)));
    }
    // A sender that left before its body was there may have left one behind that is evaluated later.
    hook.wait_for("all evaluated", |hook| hook.metrics.requests_waiting.get() == 0).await;
    let begun = Instant::now();
    let mut evaluated = HashMap::<String, usize>::new();
    for event in hook.evaluated() {
        *evaluated.entry(event).or_default() += 1;
    }
    assert_eq!(evaluated.len() as u64, sent.load(SeqCst) * EVENTS, "none is missing");
    let mut repeated = 0;
    for (event, times) in evaluated {
        let numbers: Vec<u64> = event
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .take(2)
            .collect();
        let excuse = unanswered.get(&(numbers[0], numbers[1])).copied().unwrap_or_default();
        assert!(times <= 1 + excuse, "{times} times, {excuse} without an answer: {event}");
        repeated += times - 1;
    }
    let metrics = &hook.metrics;
    println!(
        "{} batches, {} without an answer, {} late, {} without room, {} sent again and known, {} abandoned, {repeated} events repeated, checked in {:?}",
        sent.load(SeqCst),
        unanswered.len(),
        metrics.requests_late.get(),
        metrics.requests_without_room.get(),
        metrics.requests_sent_again.get(),
        metrics.requests_abandoned.get(),
        begun.elapsed(),
    );
    assert!(metrics.requests_late.get() > 0 && metrics.requests_sent_again.get() > 0);
    assert!(metrics.requests_without_room.get() > 0 && metrics.requests_abandoned.get() > 0);
}
