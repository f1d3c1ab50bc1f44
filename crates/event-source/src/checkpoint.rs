//! Where a source keeps how far it came: [`CheckpointStore`] holds the objects, [`Checkpointer`] the rhythm.
//!
//! What a checkpoint says is the source's own: bytes in a format that the source names.
//! Around them stands one line that makes a foreign, cut off or damaged object an error instead of a fresh start:
//!
//! ```text
//! {"checkpoint":1,"format":"cloudwatch-tail/1","partition":"...","length":1234,"xxh3":"0123456789abcdef"}
//! ```

mod saver;
mod store;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use saver::Saver;
pub use store::CheckpointStore;

use crate::{PartitionId, SourceError, SourceMetrics};

/// Writes one partition's checkpoint in its rhythm, in the background, one at a time.
#[derive(Debug)]
pub struct Checkpointer {
    store: Option<Arc<CheckpointStore>>,
    partition: PartitionId,
    format: &'static str,
    saver: Saver<()>,
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
        let saver = Saver::new(partition.clone(), interval, metrics);
        Self { store, partition, format, saver }
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
        self.store.is_some() && self.saver.is_due().await
    }

    /// When [`is_due`](Self::is_due) is worth asking again.
    pub fn until_due(&self) -> Duration {
        if self.store.is_some() { self.saver.until_due() } else { Duration::MAX }
    }

    /// Whether the last save failed, so that there is something to write although nothing has changed.
    pub const fn has_failed(&self) -> bool {
        self.saver.has_failed()
    }

    /// Starts to write `body`, which must not say less than the one before.
    pub fn save(&mut self, body: Bytes) {
        let Some(store) = self.store.clone() else { return };
        let (partition, format) = (self.partition.clone(), self.format);
        self.saver.start(async move { store.save(&partition, format, &body).await });
    }

    /// Writes `body`, after whatever is under way, and waits until it is written. `None`: only waits.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(&mut self, body: Option<Bytes>) -> Result<(), SourceError> {
        match (&self.store, body) {
            (Some(store), Some(body)) => {
                self.saver.finish(store.save(&self.partition, self.format, &body)).await
            }
            _ => {
                self.saver.settle().await;
                Ok(())
            }
        }
    }

    /// Whether there is a store at all.
    pub const fn is_kept(&self) -> bool {
        self.store.is_some()
    }
}

#[cfg(test)]
mod tests;
