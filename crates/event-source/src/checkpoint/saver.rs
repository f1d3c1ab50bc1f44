//! [`Saver`]: writes in a rhythm, in the background, one write at a time.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::{Health, HealthChange, PartitionId, SourceError, SourceMetrics, chain};

/// The rhythm in which one partition's progress is written; `T` is what a write gives back.
#[derive(Debug)]
pub struct Saver<T> {
    partition: PartitionId,
    interval: Duration,
    pub(super) started: Instant,
    saving: Option<JoinHandle<Result<T, SourceError>>>,
    saved: Option<T>,
    /// What was to be written last is not written.
    has_failed: bool,
    health: Health,
    metrics: Arc<SourceMetrics>,
}

impl<T: Send + 'static> Saver<T> {
    /// A write under way is looked at this often.
    pub(super) const LOOK: Duration = Duration::from_millis(100);
    /// What failed is tried again after that time, also where the interval is longer.
    pub(super) const TRY_AGAIN: Duration = Duration::from_secs(10);

    /// A write each `interval` at most, for `partition`.
    pub fn new(partition: PartitionId, interval: Duration, metrics: Arc<SourceMetrics>) -> Self {
        Self {
            partition,
            interval,
            started: Instant::now(),
            saving: None,
            saved: None,
            has_failed: false,
            health: Health::new(),
            metrics,
        }
    }

    /// Whether it is time for [`start`](Self::start). Also tells how the write before went.
    pub async fn is_due(&mut self) -> bool {
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return false;
        }
        self.settle().await;
        self.started.elapsed() >= self.wait()
    }

    /// When [`is_due`](Self::is_due) is worth asking again.
    pub fn until_due(&self) -> Duration {
        self.wait().saturating_sub(self.started.elapsed()).max(Self::LOOK)
    }

    /// Whether the last write failed, so that there is something to write although nothing has changed.
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Starts a write, which must not say less than the one before.
    pub fn start(&mut self, write: impl Future<Output = Result<T, SourceError>> + Send + 'static) {
        self.started = Instant::now();
        self.saving = Some(tokio::spawn(write));
    }

    /// What the last write that worked gave back, once.
    pub const fn take(&mut self) -> Option<T> {
        self.saved.take()
    }

    /// Writes after whatever is under way, and waits until it is written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(
        &mut self,
        write: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        self.settle().await;
        let saved = write.await;
        self.has_failed = saved.is_err();
        if saved.is_ok() {
            self.metrics.checkpoints.increment();
        }
        saved
    }

    /// Waits for what is under way, and tells how it went.
    pub async fn settle(&mut self) {
        let Some(saving) = self.saving.take() else { return };
        let partition = &self.partition;
        let saved = saving.await;
        self.has_failed = !matches!(saved, Ok(Ok(_)));
        match saved {
            Ok(Ok(saved)) => {
                self.saved = Some(saved);
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

    fn wait(&self) -> Duration {
        if self.has_failed { self.interval.min(Self::TRY_AGAIN) } else { self.interval }
    }
}
