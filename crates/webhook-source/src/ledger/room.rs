//! [`Space`]: how many bytes the requests of a source may take up, and [`Room`] in it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::WebhookMetrics;

/// A number of bytes, given to whoever asks first.
#[derive(Debug)]
pub(crate) struct Space {
    free: Arc<Semaphore>,
    capacity: u32,
    metrics: Arc<WebhookMetrics>,
}

impl Space {
    /// What a request costs besides its bytes.
    pub(crate) const OVERHEAD: usize = 1024;

    /// That many bytes, and up to 4 GiB.
    pub(crate) fn new(bytes: usize, metrics: Arc<WebhookMetrics>) -> Arc<Self> {
        let capacity = u32::try_from(bytes.max(Self::OVERHEAD)).unwrap_or(u32::MAX);
        Arc::new(Self { free: Arc::new(Semaphore::new(capacity as usize)), capacity, metrics })
    }

    /// Waits for room for a body of up to that many bytes; `None` when it is closed. What is larger than the whole
    /// space waits until all of it is free.
    pub(crate) async fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let permit = Arc::clone(&self.free).acquire_many_owned(self.cost(bytes)).await.ok()?;
        self.show();
        Some(Room { permit: Some(permit), space: Arc::clone(self) })
    }

    /// Gives no more.
    pub(crate) fn close(&self) {
        self.free.close();
    }

    fn cost(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.saturating_add(Self::OVERHEAD)).unwrap_or(u32::MAX).min(self.capacity)
    }

    fn show(&self) {
        let free = self.free.available_permits();
        self.metrics.bytes_reserved.set((self.capacity as usize).saturating_sub(free) as u64);
    }
}

/// Some of it; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Room {
    permit: Option<OwnedSemaphorePermit>,
    space: Arc<Space>,
}

impl Room {
    /// Gives back what a body of that many bytes does not need.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let needed = self.space.cost(bytes) as usize;
        if let Some(permit) = &mut self.permit {
            drop(permit.split(permit.num_permits().saturating_sub(needed)));
        }
        self.space.show();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.permit = None;
        self.space.show();
    }
}
