//! The bounded queue between readers and the consumer: bounded by bytes and by count, whichever is reached first.
//!
//! Readers wait in a future, the consumer on a condition variable: it has no runtime.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as FairMutex, Notify};

use crate::{Cursor, Event, PartitionId, SourceError};

/// A batch that waits; the unit of acknowledgement.
#[derive(Debug)]
pub(crate) struct Item {
    /// Which of the pump's sources gave it.
    pub(crate) source: usize,
    pub(crate) partition: PartitionId,
    pub(crate) events: Vec<Event>,
    pub(crate) end: Cursor,
}

impl Item {
    fn bytes(&self) -> usize {
        self.events.iter().map(Event::size).sum()
    }

    /// A batch of which no event is left still waits for its acknowledgement.
    fn room(&self) -> usize {
        self.events.len().max(1)
    }
}

/// What the consumer finds.
#[derive(Debug)]
pub(crate) enum Taken {
    Items(Vec<Item>),
    Nothing,
    End,
    Failed(SourceError),
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    events: usize,
    bytes: usize,
    end: Option<Result<(), SourceError>>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    max_events: usize,
    max_bytes: usize,
    state: Mutex<State>,
    filled: Condvar,
    room: Notify,
    /// Whoever waits for room holds it: first come, first served, also for a batch that needs much room.
    turn: FairMutex<()>,
}

impl Queue {
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self {
            max_events: max_events.max(1),
            max_bytes: max_bytes.max(1),
            state: Mutex::default(),
            filled: Condvar::new(),
            room: Notify::new(),
            turn: FairMutex::new(()),
        }
    }

    /// Waits for room, then appends. A batch that is larger than the whole queue waits until the queue is empty.
    pub(crate) async fn push(&self, item: Item) {
        let (events, bytes) = (item.room(), item.bytes());
        let _turn = self.turn.lock().await;
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                // One source has failed, and the consumer is to hear of it: it finds the error when the queue is
                // empty, so nothing more comes in. What stays outside is not acknowledged, and read again.
                let has_failed = matches!(state.end, Some(Err(_)));
                let fits = state.events + events <= self.max_events && state.bytes + bytes <= self.max_bytes;
                if !has_failed && (fits || state.items.is_empty()) {
                    state.events += events;
                    state.bytes += bytes;
                    state.items.push_back(item);
                    self.filled.notify_one();
                    return;
                }
            }
            room.await;
        }
    }

    /// Nothing comes any more, or only this error. The first end is the one that counts.
    pub(crate) fn end(&self, end: Result<(), SourceError>) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(end);
        }
        self.filled.notify_one();
    }

    /// Items of up to `max_bytes` in all (one at least), after waiting for up to `wait` for the first.
    pub(crate) fn take(&self, wait: Duration, max_bytes: usize) -> Taken {
        let deadline = Instant::now() + wait;
        let mut state = self.lock();
        while state.items.is_empty() && state.end.is_none() {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return Taken::Nothing;
            };
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut items = Vec::new();
        let mut taken = 0;
        let content = &mut *state;
        while let Some(item) = content.items.front() {
            let bytes = item.bytes();
            if !items.is_empty() && taken + bytes > max_bytes {
                break;
            }
            taken += bytes;
            content.bytes -= bytes;
            content.events -= item.room();
            items.extend(content.items.pop_front());
        }
        if !items.is_empty() {
            drop(state);
            self.room.notify_one();
            return Taken::Items(items);
        }
        match &mut state.end {
            Some(Err(error)) => {
                let again = SourceError::new(error.kind(), error.to_string());
                Taken::Failed(std::mem::replace(error, again))
            }
            _ => Taken::End,
        }
    }

    /// Events and bytes that wait.
    pub(crate) fn size(&self) -> (usize, usize) {
        let state = self.lock();
        (state.events, state.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if something did, the counts are still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;

    use super::*;
    use crate::ErrorKind;

    fn item(events: usize, bytes: usize) -> Item {
        let event = Event::new(vec![b'x'; bytes], 0);
        Item {
            source: 0,
            partition: PartitionId::new("p"),
            events: vec![event; events],
            end: Cursor(events as u64),
        }
    }

    /// How many items of `each` fit before a reader has to wait.
    async fn room_for(max_events: usize, max_bytes: usize, each: (usize, usize)) -> usize {
        let queue = Queue::new(max_events, max_bytes);
        let mut pushed = 0;
        // A push that has room is done when it is polled for the first time.
        while queue.push(item(each.0, each.1)).now_or_never().is_some() {
            pushed += 1;
        }
        pushed
    }

    #[tokio::test]
    async fn count_and_bytes_are_bounded() {
        assert_eq!(room_for(4, 1000, (1, 1)).await, 4);
        assert_eq!(room_for(1000, 10, (1, 2)).await, 5);
        assert_eq!(room_for(4, 1000, (2, 1)).await, 2);
        assert_eq!(room_for(4, 10, (9, 9)).await, 1, "larger than the queue: alone");
    }

    #[test]
    fn a_reader_that_waits_goes_on_when_there_is_room() {
        let queue = Arc::new(Queue::new(1, 100));
        let reader = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
                runtime.block_on(async {
                    for _ in 0..100 {
                        queue.push(item(1, 1)).await;
                    }
                });
                queue.end(Ok(()));
            }
        });
        let mut taken = 0;
        loop {
            match queue.take(Duration::from_secs(10), 1) {
                Taken::Items(items) => taken += items.len(),
                Taken::End => break,
                other => panic!("{other:?}"),
            }
        }
        reader.join().expect("reader");
        assert_eq!(taken, 100);
        assert_eq!(queue.size(), (0, 0));
    }

    #[tokio::test]
    async fn an_error_comes_after_what_was_read_before_it() {
        let queue = Queue::new(10, 100);
        queue.push(item(1, 1)).await;
        queue.end(Err(SourceError::new(ErrorKind::Denied, "no")));
        queue.end(Ok(()));
        assert!(matches!(queue.take(Duration::ZERO, 10), Taken::Items(_)));
        for _ in 0..2 {
            assert!(
                matches!(queue.take(Duration::ZERO, 10), Taken::Failed(error) if error.to_string() == "no")
            );
        }
    }

    #[tokio::test]
    async fn who_waits_for_much_room_is_not_overtaken() {
        let queue = Queue::new(4, 100);
        queue.push(item(3, 1)).await;
        let (mut large, mut small) = (Box::pin(queue.push(item(4, 1))), Box::pin(queue.push(item(1, 1))));
        assert!((&mut large).now_or_never().is_none());
        assert!((&mut small).now_or_never().is_none(), "it would fit");
        assert!(matches!(queue.take(Duration::ZERO, 100), Taken::Items(_)));
        assert!((&mut large).now_or_never().is_some());
        assert!((&mut small).now_or_never().is_none());
        assert_eq!(queue.size(), (4, 4));
    }

    #[tokio::test]
    async fn a_busy_source_does_not_hide_a_failed_one() {
        let queue = Queue::new(10, 100);
        queue.push(item(1, 1)).await;
        queue.end(Err(SourceError::new(ErrorKind::Denied, "no")));
        let mut late = Box::pin(queue.push(item(1, 1)));
        assert!((&mut late).now_or_never().is_none());
        assert!(matches!(queue.take(Duration::ZERO, 10), Taken::Items(_)));
        assert!((&mut late).now_or_never().is_none());
        assert!(matches!(queue.take(Duration::ZERO, 10), Taken::Failed(_)));
    }

    #[tokio::test]
    async fn batches_of_which_nothing_is_left_take_room_too() {
        assert_eq!(room_for(4, 1000, (0, 0)).await, 4);
    }

    #[tokio::test]
    async fn a_batch_is_capped_by_bytes_but_never_empty() {
        let queue = Queue::new(10, 100);
        for _ in 0..3 {
            queue.push(item(1, 20)).await;
        }
        let Taken::Items(items) = queue.take(Duration::ZERO, 10) else { panic!("nothing") };
        assert_eq!(items.len(), 1);
        let Taken::Items(items) = queue.take(Duration::ZERO, 40) else { panic!("nothing") };
        assert_eq!(items.len(), 2);
        assert!(matches!(queue.take(Duration::ZERO, 40), Taken::Nothing));
    }
}
