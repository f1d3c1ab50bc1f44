//! Processes that share eight partitions over one store.

use object_store::memory::InMemory;

use super::*;
use crate::store::tests::{FOLDED, put, shared};

const INTERVAL: Duration = Duration::from_millis(20);

fn process(memory: &Arc<InMemory>, expiration: Duration) -> Sharing {
    let store = Arc::new(shared("$Default", Arc::clone(memory)));
    let options = SharingOptions { ownership_expiration: expiration, load_balancing_interval: INTERVAL };
    let partitions = (0..8).map(|partition| partition.to_string()).collect();
    Sharing::new(store, options, partitions, Arc::default())
}

fn owned(sharing: &Sharing) -> usize {
    sharing.leases.iter().filter(|lease| lease.borrow().is_some()).count()
}

async fn look(sharing: &Sharing) -> usize {
    sharing.look().await.expect("a look");
    owned(sharing)
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn whoever_joins_gets_a_fair_share() {
    let memory = Arc::new(InMemory::new());
    let (one, other) = (process(&memory, HOUR), process(&memory, HOUR));
    assert_eq!((look(&one).await, owned(&other)), (8, 0));
    for round in 1..=4 {
        assert_eq!((look(&other).await, look(&one).await), (round, 8 - round), "one with each look");
    }
    assert_eq!((look(&other).await, look(&one).await), (4, 4));
    assert_eq!(other.metrics.partitions_stolen.get(), 4);
    assert_eq!(one.metrics.partitions_lost.get(), 4);
}

#[tokio::test]
async fn what_is_given_up_is_free_at_once_and_what_is_not_renewed_later() {
    let memory = Arc::new(InMemory::new());
    let (one, other) = (process(&memory, HOUR), process(&memory, INTERVAL * 3));
    look(&one).await;
    one.release(3).await.expect("release");
    assert_eq!(look(&other).await, 1);
    // Now the first one is gone. Its partitions are stolen one with each look, up to a share, until they expire.
    let start = Instant::now();
    while look(&other).await < 8 {
        assert!(start.elapsed() < Duration::from_secs(20), "{} of 8", owned(&other));
        tokio::time::sleep(INTERVAL / 2).await;
    }
    assert!(start.elapsed() >= INTERVAL * 3);
}

/// When the store was away for all, nobody was.
#[tokio::test]
async fn after_a_time_without_a_look_nobody_is_taken_for_gone() {
    let memory = Arc::new(InMemory::new());
    let (one, other) = (process(&memory, HOUR), process(&memory, INTERVAL * 3));
    look(&one).await;
    for _ in 0..5 {
        look(&other).await;
        look(&one).await;
    }
    assert_eq!((owned(&one), owned(&other)), (4, 4));
    tokio::time::sleep(INTERVAL * 5).await;
    assert_eq!(look(&other).await, 4);
}

/// Another SDK writes its own spelling only.
#[tokio::test]
async fn what_is_claimed_in_the_other_spelling_is_theirs() {
    let memory = Arc::new(InMemory::new());
    let one = process(&memory, HOUR);
    look(&one).await;
    let theirs = vec![("ownerid", "them".to_owned())];
    put(&shared("$Default", Arc::clone(&memory)), &format!("{FOLDED}/ownership/5"), theirs).await;
    assert_eq!(look(&one).await, 7);
    assert!(one.lease(5).borrow().is_none());
    // It is not taken back by what looks like a renewal.
    assert_eq!(look(&one).await, 7);
    let seen = one.store.ownerships(&["5".to_owned()]).await.expect("ownership");
    assert!(seen[0].owners.contains(&"them".to_owned()));
}

#[tokio::test]
async fn a_look_that_was_asked_for_knows_of_what_came_before() {
    let one = process(&Arc::new(InMemory::new()), HOUR);
    let (looks, number) = (one.looks(), one.look_now());
    assert!(*looks.borrow() < number);
    look(&one).await;
    assert_eq!(*looks.borrow(), number);
}
