//! Where a source keeps how far it came: [`CheckpointStore`] holds the objects, [`Checkpointer`] the rhythm.
//!
//! What a checkpoint says is the source's own: bytes in a format that the source names.
//! Around them stands one line that makes a foreign, cut off or damaged object an error instead of a fresh start:
//!
//! ```text
//! {"checkpoint":1,"format":"cloudwatch-tail/1","partition":"...","length":1234,"xxh3":"0123456789abcdef"}
//! ```

mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;

pub use store::CheckpointStore;

use crate::{Health, HealthChange, PartitionId, SourceError, SourceMetrics, chain};

/// Writes one partition's checkpoint in its rhythm, in the background, one at a time.
#[derive(Debug)]
pub struct Checkpointer {
    store: Option<Arc<CheckpointStore>>,
    partition: PartitionId,
    format: &'static str,
    interval: Duration,
    started: Instant,
    saving: Option<JoinHandle<Result<(), SourceError>>>,
    /// What was to be written last is not written.
    has_failed: bool,
    health: Health,
    metrics: Arc<SourceMetrics>,
}

impl Checkpointer {
    /// Keeps `partition`'s checkpoint in `store`, or nowhere: without a store nothing is ever due.
    pub fn new(
        store: Option<Arc<CheckpointStore>>,
        partition: PartitionId,
        format: &'static str,
        interval: Duration,
        metrics: Arc<SourceMetrics>,
    ) -> Self {
        Self {
            store,
            partition,
            format,
            interval,
            started: Instant::now(),
            saving: None,
            has_failed: false,
            health: Health::new(),
            metrics,
        }
    }

    /// What was written last, by this process or an earlier one.
    ///
    /// # Errors
    /// When the object cannot be read, or is none of this partition in this format; the message names it.
    pub async fn load(&self) -> Result<Option<Bytes>, SourceError> {
        match &self.store {
            Some(store) => store.load(&self.partition, self.format).await,
            None => Ok(None),
        }
    }

    /// Whether it is time for [`save`](Self::save). Also tells how the save before went.
    pub async fn is_due(&mut self) -> bool {
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return false;
        }
        self.settle().await;
        self.store.is_some() && self.started.elapsed() >= self.wait()
    }

    /// When [`is_due`](Self::is_due) is worth asking again.
    pub fn until_due(&self) -> Duration {
        if self.store.is_none() {
            return Duration::MAX;
        }
        self.wait().saturating_sub(self.started.elapsed()).max(Self::LOOK)
    }

    /// Whether the last save failed, so that there is something to write although nothing has changed.
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// A save under way is looked at this often.
    const LOOK: Duration = Duration::from_millis(100);
    /// What failed is tried again after that time, also where the interval is longer.
    const TRY_AGAIN: Duration = Duration::from_secs(10);

    fn wait(&self) -> Duration {
        if self.has_failed { self.interval.min(Self::TRY_AGAIN) } else { self.interval }
    }

    /// Starts to write `body`, which must not say less than the one before.
    pub fn save(&mut self, body: Bytes) {
        let Some(store) = self.store.clone() else { return };
        self.started = Instant::now();
        let (partition, format) = (self.partition.clone(), self.format);
        self.saving = Some(tokio::spawn(async move { store.save(&partition, format, &body).await }));
    }

    /// Writes `body`, after whatever is under way, and waits until it is written. `None`: only waits.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(&mut self, body: Option<Bytes>) -> Result<(), SourceError> {
        self.settle().await;
        if let (Some(store), Some(body)) = (&self.store, body) {
            let saved = store.save(&self.partition, self.format, &body).await;
            self.has_failed = saved.is_err();
            saved?;
            self.metrics.checkpoints.increment();
        }
        Ok(())
    }

    /// Whether there is a store at all.
    pub const fn is_kept(&self) -> bool {
        self.store.is_some()
    }

    async fn settle(&mut self) {
        let Some(saving) = self.saving.take() else { return };
        let partition = &self.partition;
        let saved = saving.await;
        self.has_failed = !matches!(saved, Ok(Ok(())));
        match saved {
            Ok(Ok(())) => {
                self.metrics.checkpoints.increment();
                if self.health.succeeded(Instant::now()) != HealthChange::None {
                    log::info!("`{partition}`: checkpoints are written again");
                }
            }
            Ok(Err(error)) => {
                self.metrics.checkpoint_errors.increment();
                if self.health.failed(Instant::now(), error.kind()) == HealthChange::Failing {
                    log::error!("`{partition}`: {}; a restart would repeat what came since", chain(&error));
                }
            }
            // Cancelled with the runtime: the next start reads the checkpoint before.
            Err(_) => self.metrics.checkpoint_errors.increment(),
        }
    }
}

#[cfg(test)]
mod tests;
