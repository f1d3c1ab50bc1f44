//! What the partitions of a hub count, beside what every source counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use event_source::PartitionId;

event_source::metrics! {
    /// What all partitions of a plugin count together.
    pub struct HubMetrics {
        counter messages_read: "Messages received from the hub, those received again included.",
        counter bytes_read: "Bytes of the messages received from the hub.",
        counter messages_repeated: "Messages that were received again in one run, and dropped.",
        counter messages_missed: "Messages that the hub does not have any more, or skipped: their sequence numbers never came.",
        counter reconnects: "Connections to a partition that were made again after an error.",
        counter silent_partitions: "Partitions that gave nothing while the hub had something for them; each was opened again.",
        counter partitions_lost: "Partitions that another process took over.",
        counter partitions_stolen: "Partitions that this process took over from another one that was alive.",
        gauge partitions: "Partitions that the hub has.",
        gauge partitions_owned: "Partitions that this process reads.",
        gauge events_behind: "Messages of the owned partitions that were not evaluated yet, as of the last look.",
        gauge seconds_behind: "Age of the last message evaluated in the owned partition that is furthest behind; 0 when nothing waits.",
        gauge seconds_since_checkpoint: "Seconds since the last checkpoint of the owned partition whose checkpoint is oldest.",
    }
}

/// How one owned partition stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Messages that the hub has and nobody evaluated yet.
    pub(crate) events_behind: u64,
    pub(crate) seconds_behind: u64,
    pub(crate) checkpoint: Option<Instant>,
}

/// The gauges of several partitions.
#[derive(Debug)]
pub struct HubBoard {
    metrics: Arc<HubMetrics>,
    standings: Mutex<HashMap<PartitionId, Standing>>,
}

impl HubBoard {
    /// Shows the partitions that share it in `metrics`.
    pub fn new(metrics: Arc<HubMetrics>) -> Self {
        Self { metrics, standings: Mutex::default() }
    }

    pub(crate) fn hub_metrics(&self) -> Arc<HubMetrics> {
        Arc::clone(&self.metrics)
    }

    pub(crate) fn metrics(&self) -> &HubMetrics {
        &self.metrics
    }

    /// How many partitions are owned.
    pub(crate) fn owned(&self) -> usize {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// `None`: not owned any more.
    pub(crate) fn update(&self, partition: &PartitionId, standing: Option<Standing>) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        match standing {
            Some(standing) => standings.insert(partition.clone(), standing),
            None => standings.remove(partition),
        };
        let all = || standings.values();
        let metrics = &self.metrics;
        metrics.partitions_owned.set(standings.len() as u64);
        metrics.events_behind.set(all().map(|one| one.events_behind).sum());
        metrics.seconds_behind.set(all().map(|one| one.seconds_behind).max().unwrap_or_default());
        let oldest = all().filter_map(|one| one.checkpoint).min();
        metrics.seconds_since_checkpoint.set(oldest.map_or(0, |at| at.elapsed().as_secs()));
    }
}
