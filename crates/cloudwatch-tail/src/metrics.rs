//! What tails count, beside what every source counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use event_source::PartitionId;

event_source::metrics! {
    /// What all tails of a plugin count together.
    pub struct TailMetrics {
        counter calls: "Calls of FilterLogEvents.",
        counter calls_describe: "Calls of DescribeLogGroups and DescribeLogStreams.",
        counter messages_read: "Log messages received, those read again included.",
        counter bytes_read: "Bytes of the log messages received, those read again included.",
        counter duplicates_dropped: "Log messages that were read again, and dropped.",
        counter late_events: "Log messages that became visible after their time was first read.",
        gauge seconds_late_at_most: "The largest time from a message's timestamp to its ingestion so far.",
        counter windows_restarted: "Windows of time that were started again because their token was not accepted any more.",
        gauge seconds_behind: "How far what was evaluated is behind the provider's clock, in the log group that is furthest behind.",
        gauge watermark: "The time up to which everything visible was evaluated, in the log group that is furthest behind; seconds since the epoch.",
        gauge seconds_of_overlap: "What each poll reads again, in the log group with the least; below the configured value when the calls do not suffice.",
        gauge remembered_events: "Log messages remembered so that they are not given twice.",
    }
}

/// How one tail stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) lag_ms: i64,
    pub(crate) watermark_ms: i64,
    pub(crate) overlap_ms: i64,
    pub(crate) remembered: usize,
}

/// The gauges of several tails: each shows the worst.
#[derive(Debug)]
pub struct TailBoard {
    metrics: Arc<TailMetrics>,
    standings: Mutex<HashMap<PartitionId, Standing>>,
}

impl TailBoard {
    /// Shows the tails that share it in `metrics`.
    pub fn new(metrics: Arc<TailMetrics>) -> Self {
        Self { metrics, standings: Mutex::default() }
    }

    pub(crate) fn metrics(&self) -> &TailMetrics {
        &self.metrics
    }

    pub(crate) fn update(&self, partition: &PartitionId, standing: Standing) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.insert(partition.clone(), standing);
        let seconds = |ms: Option<i64>| u64::try_from(ms.unwrap_or_default() / 1000).unwrap_or_default();
        let all = || standings.values();
        self.metrics.seconds_behind.set(seconds(all().map(|one| one.lag_ms).max()));
        self.metrics.watermark.set(seconds(all().map(|one| one.watermark_ms).min()));
        self.metrics.seconds_of_overlap.set(seconds(all().map(|one| one.overlap_ms).min()));
        self.metrics.remembered_events.set(all().map(|one| one.remembered as u64).sum());
    }
}
