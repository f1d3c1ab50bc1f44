//! What becomes of a request, told in virtual time.

use super::*;
use crate::logged::logged;

const PATIENCE: Duration = Duration::from_secs(10);

fn ledger(acknowledge: Acknowledge, max_bytes: usize) -> Arc<Ledger<u32>> {
    Arc::new(Ledger::new("test".to_owned(), acknowledge, PATIENCE, max_bytes, Arc::default()))
}

async fn take_in(ledger: &Arc<Ledger<u32>>, number: u32) -> Taken<u32> {
    let body = number.to_be_bytes();
    let room = ledger.reserve(body.len()).await.expect("room");
    ledger.take_in(ledger.key(&body), number, room)
}

async fn claim(ledger: &Arc<Ledger<u32>>, number: u32) -> Claim<u32> {
    match take_in(ledger, number).await {
        Taken::Held(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_confirmed_when_it_was_evaluated() {
    let ledger = ledger(Acknowledge::Evaluated, 10_000);
    let first = tokio::spawn(claim(&ledger, 1).await.evaluated(PATIENCE));
    let second = tokio::spawn(claim(&ledger, 2).await.evaluated(PATIENCE));
    assert_eq!(ledger.next().await, (Cursor(1), 1));
    assert_eq!(ledger.next().await, (Cursor(2), 2));
    ledger.evaluated(Cursor(1));
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(second.await.unwrap(), Err(Unconfirmed::Late));
    assert_eq!(ledger.metrics.requests_late.get(), 0, "whoever answers counts");
    assert_eq!(ledger.metrics.requests_abandoned.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_sent_again_is_evaluated_once() {
    let ledger = ledger(Acknowledge::Evaluated, 10_000);
    // Gone before it was given, while it is evaluated, and after that.
    for step in 0..3 {
        let gone = claim(&ledger, step).await;
        if step > 0 {
            assert_eq!(ledger.next().await.1, step);
        }
        if step == 2 {
            ledger.evaluated(Cursor(3));
        }
        drop(gone);
        match take_in(&ledger, step).await {
            Taken::Held(claim) if step < 2 => {
                let claim = tokio::spawn(claim.evaluated(PATIENCE));
                if step == 0 {
                    assert_eq!(ledger.next().await.1, step);
                }
                ledger.evaluated(Cursor(u64::from(step) + 1));
                assert_eq!(claim.await.unwrap(), Ok(()));
            }
            Taken::Confirmed if step == 2 => {}
            other => panic!("{step}: {other:?}"),
        }
    }
    assert_eq!(ledger.metrics.requests_sent_again.get(), 3);
    assert_eq!(ledger.metrics.requests_abandoned.get(), 3);
    assert!(matches!(take_in(&ledger, 2).await, Taken::Held(_)), "confirmed, so it is another one");
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_with_the_evaluation_alone() {
    let ledger = ledger(Acknowledge::Received, 2 * (Space::OVERHEAD + 4));
    for number in 0..2 {
        assert!(matches!(take_in(&ledger, number).await, Taken::Confirmed));
    }
    assert_eq!(ledger.next().await.1, 0);
    assert_eq!(ledger.reserve(1).await.unwrap_err(), Unconfirmed::Full);
    assert_eq!(ledger.metrics.bytes_reserved.get(), 2 * (Space::OVERHEAD as u64 + 4));
    ledger.evaluated(Cursor(2));
    assert_eq!(ledger.reserve(5).await.unwrap_err(), Unconfirmed::Full, "only what was given is evaluated");
    assert!(ledger.reserve(4).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_body_larger_than_the_queue_waits_for_all_of_it() {
    let ledger = ledger(Acknowledge::Received, 5000);
    let room = ledger.reserve(usize::MAX).await.expect("it is empty");
    assert_eq!(ledger.reserve(1).await.unwrap_err(), Unconfirmed::Full);
    assert!(matches!(ledger.take_in(Key(0, 10), 1, room), Taken::Confirmed));
    assert_eq!(ledger.metrics.bytes_reserved.get(), 10 + Space::OVERHEAD as u64, "the rest is free again");
}

#[tokio::test(start_paused = true)]
async fn closing_answers_all() {
    let ledger = ledger(Acknowledge::Evaluated, 5000);
    let waits = tokio::spawn(claim(&ledger, 1).await.evaluated(PATIENCE));
    let room = ledger.reserve(1).await.unwrap();
    let full = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move { ledger.reserve(4000).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert_eq!(ledger.close(), 0, "none was confirmed");
    assert_eq!(waits.await.unwrap(), Err(Unconfirmed::Closed));
    assert_eq!(full.await.unwrap().unwrap_err(), Unconfirmed::Closed);
    assert!(matches!(ledger.take_in(Key(0, 1), 2, room), Taken::Closed));
}

#[test]
fn it_is_stalled_when_something_waits_and_nothing_moves() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ledger = Arc::new(Ledger::new(
        "test".to_owned(),
        Acknowledge::Evaluated,
        Duration::from_millis(300),
        9000,
        Arc::default(),
    ));
    runtime.block_on(async {
        std::thread::sleep(Duration::from_millis(350));
        let _claim = claim(&ledger, 1).await;
        assert_eq!(ledger.stalled(), None, "it waits since just now");
        std::thread::sleep(Duration::from_millis(350));
        assert_eq!(ledger.stalled().map(|(_, waiting)| waiting), Some(1));
        ledger.next().await;
        ledger.evaluated(Cursor(1));
        assert_eq!(ledger.stalled(), None);
    });
}

#[tokio::test]
async fn a_stall_is_told_once_and_its_end_once() {
    let patience = Duration::from_millis(300);
    let ledger =
        Arc::new(Ledger::new("test".to_owned(), Acknowledge::Evaluated, patience, 9000, Arc::default()));
    logged();
    let mut waits = Vec::new();
    for number in 0..3 {
        waits.push(claim(&ledger, number).await);
    }
    for claim in waits {
        let late = claim.evaluated(Duration::ZERO).await.unwrap_err();
        ledger.tell_unconfirmed(late);
        ledger.next().await;
    }
    ledger.evaluated(Cursor(1));
    assert_eq!(logged().len(), 1, "the last 503 was just now");
    std::thread::sleep(patience);
    ledger.evaluated(Cursor(2));
    ledger.evaluated(Cursor(3));
    let lines = logged();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("INFO `test`: requests are evaluated in time again, after 3 times 503"),
        "{lines:?}"
    );
}

#[test]
fn stalls_that_follow_each_other_are_told_once_a_minute() {
    let (mut stall, start, patience) = (Stall::default(), Instant::now(), Duration::from_secs(10));
    let mut told = Vec::new();
    for second in 0..200 {
        let now = start + Duration::from_secs(second);
        // A 503 every 15 s, and something evaluated every second.
        if second.is_multiple_of(15) && stall.begins(now) {
            told.push(second);
        }
        stall.ends(now, patience);
    }
    assert_eq!(told, [0, 60, 120, 180]);
}
