//! [`Ledger`]: which requests are taken in and not evaluated yet, and which were never answered.
//!
//! A request has the number that is its cursor. It is held until its cursor is acknowledged, whatever becomes of its
//! sender: nothing that is held is taken out again. When a sender goes away, or gets 503, its request is
//! *unclaimed*; the next request with the same body claims it, instead of being evaluated a second time.
//!
//! It knows bodies by their hash alone, and neither HTTP nor what is in them.

mod room;
mod unclaimed;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_source::Cursor;
use tokio::sync::{Notify, oneshot};

use crate::{Acknowledge, WebhookMetrics};
use room::{Room, Space};
use unclaimed::Unclaimed;

/// By what a body is known when it is sent again: a hash with keys of this process, and its length.
///
/// SipHash under keys that nobody knows: bodies that meet cannot be made up. By chance, with all that are
/// remembered, a new body meets one of them once in 2⁴⁸, and it has to be of the same length, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64, usize);

/// What is held of requests.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    name: String,
    acknowledge: Acknowledge,
    /// How long a request waits, and after which time without progress the source counts as stalled.
    patience: Duration,
    state: Mutex<State<T>>,
    arrived: Notify,
    space: Arc<Space>,
    hasher: RandomState,
    metrics: Arc<WebhookMetrics>,
}

#[derive(Debug)]
struct State<T> {
    /// In the order of their cursors; the first one's is `evaluated + 1`.
    held: VecDeque<Held<T>>,
    /// The cursor up to which requests were evaluated.
    evaluated: u64,
    /// The cursor up to which they were given.
    given: u64,
    unclaimed: Unclaimed,
    progress: Instant,
    is_closed: bool,
    stall: Stall,
}

#[derive(Debug)]
struct Held<T> {
    /// `None`: it was given.
    content: Option<T>,
    /// `None`: its sender has its answer, or is gone.
    sender: Option<oneshot::Sender<()>>,
    /// `None`: it is confirmed already.
    key: Option<Key>,
    since: Instant,
    /// Given back when it was evaluated.
    _room: Room,
}

/// That requests are not evaluated in time.
#[derive(Debug, Default)]
struct Stall {
    /// The last 503, and how many there were.
    last: Option<Instant>,
    answers: u64,
    /// Whether it was told, and when one was told last.
    is_told: bool,
    told: Option<Instant>,
}

impl Stall {
    /// After how long another one is told.
    const QUIET: Duration = Duration::from_secs(60);

    /// One more 503; whether to tell it.
    fn begins(&mut self, now: Instant) -> bool {
        self.last = Some(now);
        self.answers += 1;
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= Self::QUIET);
        let is_new = !self.is_told && is_due;
        if is_new {
            self.is_told = true;
            self.told = Some(now);
        }
        is_new
    }

    /// Something was evaluated; after how many 503 the stall is over, if that is to be told. Some requests may be
    /// late while others are not: only a time without one is the end of it.
    fn ends(&mut self, now: Instant, patience: Duration) -> Option<u64> {
        self.last.take_if(|last| now.duration_since(*last) >= patience)?;
        let answers = std::mem::take(&mut self.answers);
        std::mem::take(&mut self.is_told).then_some(answers)
    }
}

/// What became of a request that was handed in.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// It is to be evaluated.
    Held(Claim<T>),
    /// It is to be answered with 200 now.
    Confirmed,
    /// It was not taken: the source is closed.
    Closed,
}

/// Why a request was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unconfirmed {
    /// No room, in time.
    Full,
    /// Not evaluated in time.
    Late,
    /// The source is closed.
    Closed,
}

impl<T> Ledger<T> {
    pub(crate) fn new(
        name: String,
        acknowledge: Acknowledge,
        patience: Duration,
        max_bytes: usize,
        metrics: Arc<WebhookMetrics>,
    ) -> Self {
        let state = State {
            held: VecDeque::new(),
            evaluated: 0,
            given: 0,
            unclaimed: Unclaimed::default(),
            progress: Instant::now(),
            is_closed: false,
            stall: Stall::default(),
        };
        Self {
            name,
            acknowledge,
            patience,
            state: Mutex::new(state),
            arrived: Notify::new(),
            space: Space::new(max_bytes, Arc::clone(&metrics)),
            hasher: RandomState::new(),
            metrics,
        }
    }

    /// Waits for room for a body of up to that many bytes, first come, first served. A larger one than the whole
    /// queue waits until it is empty.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Room, Unconfirmed> {
        match tokio::time::timeout(self.patience, self.space.reserve(bytes)).await {
            Ok(Some(room)) => Ok(room),
            Ok(None) => Err(Unconfirmed::Closed),
            Err(_) => Err(Unconfirmed::Full),
        }
    }

    /// By what that body is known.
    pub(crate) fn key(&self, body: &[u8]) -> Key {
        Key(self.hasher.hash_one(body), body.len())
    }

    /// Takes a request in, or knows it again.
    pub(crate) fn take_in(self: &Arc<Self>, key: Key, content: T, mut room: Room) -> Taken<T> {
        // What was reserved for the most that it could be is not needed any more.
        room.shrink(key.1);
        let mut state = self.lock();
        if state.is_closed {
            return Taken::Closed;
        }
        let (sender, answer) = oneshot::channel();
        let is_confirmed = self.acknowledge == Acknowledge::Received;
        let known = if is_confirmed { None } else { state.unclaimed.claim(key) };
        let cursor = match known {
            Some(cursor) => {
                self.metrics.requests_sent_again.increment();
                match state.get(cursor) {
                    Some(held) => held.sender = Some(sender),
                    None => return Taken::Confirmed,
                }
                cursor
            }
            None => {
                state.held.push_back(Held {
                    content: Some(content),
                    sender: (!is_confirmed).then_some(sender),
                    key: (!is_confirmed).then_some(key),
                    since: Instant::now(),
                    _room: room,
                });
                self.arrived.notify_one();
                state.evaluated + state.held.len() as u64
            }
        };
        self.show(&state);
        if is_confirmed {
            Taken::Confirmed
        } else {
            Taken::Held(Claim { ledger: Arc::clone(self), cursor, key, answer, is_settled: false })
        }
    }

    /// The next request to evaluate. Safe to cancel.
    pub(crate) async fn next(&self) -> (Cursor, T) {
        loop {
            if let Some(given) = self.lock().give() {
                return given;
            }
            self.arrived.notified().await;
        }
    }

    /// All requests up to that cursor were evaluated.
    pub(crate) fn evaluated(&self, to: Cursor) {
        let mut state = self.lock();
        let now = Instant::now();
        while state.evaluated < to.0.min(state.given) {
            let Some(held) = state.held.pop_front() else { break };
            state.evaluated += 1;
            // Nobody listens: whoever stopped to listen has left, or is about to leave, a note of it.
            if let Some(sender) = held.sender {
                let _ = sender.send(());
            }
        }
        state.progress = now;
        let evaluated = state.evaluated;
        self.metrics.forgotten.add(state.unclaimed.trim(evaluated, now));
        self.show(&state);
        if let Some(answers) = state.stall.ends(now, self.patience) {
            drop(state);
            log::info!(
                "`{}`: requests are evaluated in time again, after {answers} times 503; nothing that was confirmed is lost",
                self.name
            );
        }
    }

    /// A request was not confirmed, and its sender is told to come again.
    pub(crate) fn tell_unconfirmed(&self, why: Unconfirmed) {
        match why {
            Unconfirmed::Full => self.metrics.requests_without_room.increment(),
            Unconfirmed::Late => self.metrics.requests_late.increment(),
            Unconfirmed::Closed => return self.metrics.requests_at_close.increment(),
        }
        let mut state = self.lock();
        if state.stall.begins(Instant::now()) {
            let waiting = state.held.len();
            drop(state);
            log::warn!(
                "`{}`: requests are not evaluated within {:.1} s, {waiting} wait; senders get 503 and have to send again, what was confirmed is safe",
                self.name,
                self.patience.as_secs_f32()
            );
        }
    }

    /// For how long nothing was evaluated while something waits, and how many wait; `None` while all is well.
    pub(crate) fn stalled(&self) -> Option<(Duration, usize)> {
        let state = self.lock();
        let since = state.held.front()?.since.max(state.progress);
        let stalled = since.elapsed();
        (stalled > self.patience).then_some((stalled, state.held.len()))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Takes no more in, and answers all that wait. Returns how many were confirmed and are not evaluated.
    pub(crate) fn close(&self) -> usize {
        self.space.close();
        let mut state = self.lock();
        state.is_closed = true;
        for held in &mut state.held {
            held.sender = None;
        }
        state.held.iter().filter(|held| held.key.is_none()).count()
    }

    /// The sender of a request is gone, or was told to come again.
    fn abandon(&self, cursor: u64, key: Key) {
        let mut state = self.lock();
        if let Some(held) = state.get(cursor) {
            held.sender = None;
        }
        let (now, evaluated) = (Instant::now(), state.evaluated);
        state.unclaimed.add(cursor, key, now);
        self.metrics.forgotten.add(state.unclaimed.trim(evaluated, now));
    }

    fn show(&self, state: &State<T>) {
        self.metrics.requests_waiting.set(state.held.len() as u64);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn get(&mut self, cursor: u64) -> Option<&mut Held<T>> {
        let index = cursor.checked_sub(self.evaluated + 1)?;
        self.held.get_mut(usize::try_from(index).ok()?)
    }

    fn give(&mut self) -> Option<(Cursor, T)> {
        let cursor = self.given + 1;
        let content = self.get(cursor)?.content.take()?;
        self.given = cursor;
        Some((Cursor(cursor), content))
    }
}

/// A sender that waits for its request to be evaluated. Dropped before it heard of that, the request is unclaimed.
#[derive(Debug)]
pub(crate) struct Claim<T> {
    ledger: Arc<Ledger<T>>,
    cursor: u64,
    key: Key,
    answer: oneshot::Receiver<()>,
    is_settled: bool,
}

impl<T> Claim<T> {
    /// Waits for the evaluation.
    pub(crate) async fn evaluated(mut self, patience: Duration) -> Result<(), Unconfirmed> {
        let evaluated = match tokio::time::timeout(patience, &mut self.answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Unconfirmed::Closed),
            Err(_) => Err(Unconfirmed::Late),
        };
        // Otherwise its sender has gone away.
        self.is_settled = true;
        if evaluated == Err(Unconfirmed::Late) {
            self.ledger.abandon(self.cursor, self.key);
        }
        evaluated
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        if !self.is_settled && !self.ledger.is_closed() {
            self.ledger.metrics.requests_abandoned.increment();
            self.ledger.abandon(self.cursor, self.key);
        }
    }
}

#[cfg(test)]
mod tests;
