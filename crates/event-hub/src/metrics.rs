//! What the partitions of a hub count, beside what every source counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use event_source::PartitionId;

event_source::metrics! {
    /// What all partitions of a plugin count together.
    pub struct HubMetrics {
        counter messages_read: "Messages received from the hub, those received again included.",
        counter bytes_read: "Bytes of the messages received from the hub.",
        counter messages_repeated: "Messages that were received again in one run, and dropped.",
        counter messages_missed: "Messages that the hub does not have any more, or skipped: their sequence numbers never came.",
        counter messages_unreadable: "Messages that were no AMQP messages that can be read, and were left out.",
        counter reconnects: "Connections to a partition that were made again after an error.",
        counter silent_partitions: "Partitions that gave nothing while the hub had something for them; each was opened again.",
        counter partitions_lost: "Partitions that another process took over.",
        counter partitions_stolen: "Partitions that this process took over from another one that was alive.",
        gauge partitions: "Partitions that the hub has.",
        gauge partitions_owned: "Partitions that this process reads.",
        gauge events_behind: "Messages of the owned partitions that were not evaluated yet, as of the last look.",
        gauge seconds_behind: "Age of the last message evaluated, or of the first one that waits, in the owned partition that is furthest behind; 0 when nothing waits.",
        gauge seconds_since_checkpoint: "Seconds since the last checkpoint of the owned partition whose checkpoint is oldest.",
    }
}

/// How one owned partition stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The sequence number of the last message that the hub has.
    pub(crate) end: Arc<AtomicI64>,
    /// That of the last message that was evaluated, in this run or before; `None`: nobody knows.
    pub(crate) evaluated: Option<i64>,
    /// When the hub took that message, or the first one that waits.
    pub(crate) enqueued: Option<SystemTime>,
    /// When the last checkpoint was read or written.
    pub(crate) checkpoint: Option<Instant>,
}

impl Standing {
    fn events_behind(&self) -> u64 {
        let behind = self.evaluated.map_or(0, |at| self.end.load(Relaxed).saturating_sub(at));
        u64::try_from(behind).unwrap_or_default()
    }

    fn seconds_behind(&self) -> u64 {
        let age = self.enqueued.and_then(|at| at.elapsed().ok()).unwrap_or_default();
        if self.events_behind() == 0 { 0 } else { age.as_secs() }
    }
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
    }

    /// Keeps the gauges current, also while nothing is evaluated.
    pub(crate) async fn run(&self) {
        loop {
            self.show();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn show(&self) {
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        let all = || standings.values();
        let metrics = &self.metrics;
        metrics.partitions_owned.set(standings.len() as u64);
        metrics.events_behind.set(all().map(Standing::events_behind).sum());
        metrics.seconds_behind.set(all().map(Standing::seconds_behind).max().unwrap_or_default());
        let oldest = all().filter_map(|one| one.checkpoint).min();
        metrics.seconds_since_checkpoint.set(oldest.map_or(0, |at| at.elapsed().as_secs()));
    }
}
