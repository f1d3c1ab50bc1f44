//! [`Limited`]: a source whose events pass no faster than a limit that several sources share.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event_source::{
    CheckpointDelta, Cursor, Event, EventSource, NextBatch, PartitionId, RecordBatch, SourceError,
};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::metrics::AksMetrics;

/// A limit in records per second, for all sources that share it.
#[derive(Debug)]
pub(crate) struct RateLimit {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// Records that pass at once.
    portion: u32,
    metrics: Arc<AksMetrics>,
    backlog: Mutex<Backlog>,
}

/// What waits, and since when something does.
#[derive(Debug, Default)]
struct Backlog {
    /// For each partition how many records wait, and when the oldest of them happened.
    waiting: HashMap<PartitionId, (usize, u64)>,
    /// Since when there has been no longer time without waiting.
    since: Option<Instant>,
    last: Option<Instant>,
    told: Option<Instant>,
}

/// Records that pass within that time count as one.
const PORTIONS_PER_SECOND: u32 = 20;
/// Holding back for that long is worth a warning.
const PATIENCE: Duration = Duration::from_secs(30);
/// A warning comes no more often.
const QUIET: Duration = Duration::from_secs(60);
/// Not to hold back for that long is the end of holding back.
const END: Duration = Duration::from_secs(5);

impl RateLimit {
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32, metrics: Arc<AksMetrics>) -> Self {
        let portion = (per_second.get() / PORTIONS_PER_SECOND).clamp(1, burst.get());
        Self {
            limiter: RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst)),
            clock: DefaultClock::default(),
            portion,
            metrics,
            backlog: Mutex::default(),
        }
    }

    /// How many of `waiting` records may pass now; else how long to wait.
    fn take(&self, waiting: usize) -> Result<usize, Duration> {
        let count = u32::try_from(waiting).unwrap_or(u32::MAX).min(self.portion);
        let Some(count) = NonZeroU32::new(count) else { return Ok(0) };
        match self.limiter.check_n(count) {
            Ok(Ok(())) => Ok(count.get() as usize),
            Ok(Err(early)) => Err(early.wait_time_from(self.clock.now())),
            // More than the burst: a portion never is.
            Err(_) => Ok(count.get() as usize),
        }
    }

    fn note(&self, partition: &PartitionId, waiting: usize, oldest: u64, is_held: bool) {
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting == 0 {
            backlog.waiting.remove(partition);
        } else {
            backlog.waiting.insert(partition.clone(), (waiting, oldest));
        }
        let all: usize = backlog.waiting.values().map(|(waiting, _)| waiting).sum();
        self.metrics.records_waiting.set(all as u64);
        let now = Instant::now();
        if backlog.last.is_none_or(|last| now - last > END) {
            backlog.since = is_held.then_some(now);
        }
        if is_held {
            backlog.last = Some(now);
        }
        let is_long = backlog.since.is_some_and(|since| now - since >= PATIENCE);
        if is_held && is_long && backlog.told.is_none_or(|told| now - told >= QUIET) {
            backlog.told = Some(now);
            let oldest = backlog.waiting.values().map(|(_, oldest)| *oldest).min().unwrap_or_default();
            let age = SystemTime::now()
                .duration_since(UNIX_EPOCH + Duration::from_nanos(oldest))
                .unwrap_or_default()
                .as_secs();
            log::warn!(
                "the rate limit holds {all} records back, and what waits in the hub behind them; the oldest is {age} s old: raise `rate_limit_events_per_second`, or set it to 0"
            );
        }
    }
}

/// A source behind a limit; without one, the source as it is.
#[derive(Debug)]
pub(crate) struct Limited<S> {
    source: S,
    limit: Option<Arc<RateLimit>>,
    /// What was read and may not pass yet.
    held: Option<RecordBatch<Event>>,
    /// Whether the records in `held` were counted as held back.
    is_counted: bool,
    /// The end of the last batch that has passed as a whole: what passes in parts carries it until the last part.
    passed: Cursor,
}

impl<S> Limited<S> {
    pub(crate) const fn new(source: S, limit: Option<Arc<RateLimit>>) -> Self {
        Self { source, limit, held: None, is_counted: false, passed: Cursor(0) }
    }
}

impl<S: EventSource<Record = Event>> EventSource for Limited<S> {
    type Record = Event;

    fn name(&self) -> &str {
        self.source.name()
    }

    async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
        let Some(limit) = &self.limit else { return self.source.next_batch().await };
        loop {
            let Some(held) = &mut self.held else {
                match self.source.next_batch().await? {
                    NextBatch::Records(batch) if batch.records.is_empty() => {
                        self.passed = batch.end;
                        return Ok(NextBatch::Records(batch));
                    }
                    NextBatch::Records(batch) => {
                        self.held = Some(batch);
                        self.is_counted = false;
                        continue;
                    }
                    other => return Ok(other),
                }
            };
            let oldest = held.records.first().map_or(0, |event| event.timestamp);
            match limit.take(held.records.len()) {
                Ok(count) => {
                    let rest = held.records.split_off(count.min(held.records.len()));
                    let records = std::mem::replace(&mut held.records, rest);
                    let partition = held.partition.clone();
                    limit.note(&partition, held.records.len(), oldest, false);
                    if held.records.is_empty() {
                        self.passed = held.end;
                        self.held = None;
                    }
                    return Ok(NextBatch::Records(RecordBatch { partition, records, end: self.passed }));
                }
                Err(wait) => {
                    limit.note(&held.partition, held.records.len(), oldest, true);
                    if !self.is_counted {
                        self.is_counted = true;
                        limit.metrics.records_held_back.add(held.records.len() as u64);
                    }
                    // Cancelled or not: what is held stays held.
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.source.acknowledge(delta).await
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.source.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of that many events, one after the other; then nothing more.
    struct Batches(Vec<usize>, Cursor);

    impl EventSource for Batches {
        type Record = Event;
        fn name(&self) -> &str {
            "batches"
        }
        async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
            let Some(count) = self.0.pop() else { return Ok(NextBatch::End) };
            self.1.0 += 1;
            let event = Event::new("", 1);
            let partition = PartitionId::new("p");
            Ok(NextBatch::Records(RecordBatch { partition, records: vec![event; count], end: self.1 }))
        }
        async fn acknowledge(&mut self, _: CheckpointDelta) -> Result<(), SourceError> {
            Ok(())
        }
        async fn close(&mut self) -> Result<(), SourceError> {
            Ok(())
        }
    }

    fn limited(batches: Vec<usize>, per_second: u32, burst: u32) -> Limited<Batches> {
        let number = |number| NonZeroU32::new(number).expect("not 0");
        let limit = RateLimit::new(number(per_second), number(burst), Arc::default());
        Limited::new(Batches(batches, Cursor(0)), Some(Arc::new(limit)))
    }

    /// What passes: how many records, with which cursor.
    async fn passes(mut source: Limited<Batches>) -> Vec<(usize, u64)> {
        let mut passed = Vec::new();
        while let NextBatch::Records(batch) = source.next_batch().await.expect("no error") {
            passed.push((batch.records.len(), batch.end.0));
        }
        passed
    }

    #[tokio::test]
    async fn a_cursor_passes_with_the_last_part() {
        let passed = passes(limited(vec![3, 0, 5], 40_000, 2)).await;
        assert_eq!(passed, [(2, 0), (2, 0), (1, 1), (0, 2), (2, 2), (1, 3)]);
    }

    #[tokio::test]
    async fn what_is_held_survives_a_cancelled_call() {
        let mut source = limited(vec![4], 100, 1);
        let mut passed = 0;
        loop {
            match tokio::time::timeout(Duration::from_millis(3), source.next_batch()).await {
                Ok(Ok(NextBatch::Records(batch))) => passed += batch.records.len(),
                Ok(_) => break,
                Err(_) => {}
            }
        }
        assert_eq!(passed, 4);
        assert!(source.limit.expect("a limit").metrics.records_held_back.get() >= 3);
    }
}
