//! [`Space`]: how many bytes the requests of a source may take up, and [`Room`] in it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::WebhookMetrics;

/// A number of bytes, given to whoever asks first; and some more for small bodies, which need not wait for large ones.
#[derive(Debug)]
pub(crate) struct Space {
    free: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    capacity: u32,
    metrics: Arc<WebhookMetrics>,
}

impl Space {
    /// What a request costs besides its bytes.
    pub(crate) const OVERHEAD: usize = 1024;
    /// Which part of the space stands beside it for small bodies: 1 MiB for 32.
    const RESERVE: u32 = 32;
    /// Which part of that a small body has at most: 64 KiB.
    const SMALL: u32 = 16;

    /// That many bytes, and up to 2 GiB.
    pub(crate) fn new(bytes: usize, metrics: Arc<WebhookMetrics>) -> Arc<Self> {
        let capacity = u32::try_from(bytes.max(Self::OVERHEAD)).unwrap_or(u32::MAX).min(u32::MAX / 2);
        let semaphore = |bytes| Arc::new(Semaphore::new(bytes));
        Arc::new(Self {
            free: semaphore(capacity as usize),
            reserve: semaphore((capacity / Self::RESERVE) as usize),
            capacity,
            metrics,
        })
    }

    /// Waits for room for a body of up to that many bytes; `None` when it is closed. What is larger than the whole
    /// space waits until all of it is free.
    pub(crate) async fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let cost = self.cost(bytes);
        let permit = match Arc::clone(&self.free).try_acquire_many_owned(cost) {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return None,
            Err(TryAcquireError::NoPermits) => {
                let is_small = cost <= self.capacity / Self::RESERVE / Self::SMALL;
                let space = if is_small { &self.reserve } else { &self.free };
                Arc::clone(space).acquire_many_owned(cost).await.ok()?
            }
        };
        self.show();
        Some(Room { permit: Some(permit), space: Arc::clone(self) })
    }

    /// Gives no more.
    pub(crate) fn close(&self) {
        self.free.close();
        self.reserve.close();
    }

    fn cost(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.saturating_add(Self::OVERHEAD)).unwrap_or(u32::MAX).min(self.capacity)
    }

    fn show(&self) {
        let free = self.free.available_permits() + self.reserve.available_permits();
        let all = (self.capacity + self.capacity / Self::RESERVE) as usize;
        self.metrics.bytes_reserved.set(all.saturating_sub(free) as u64);
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Whether there is room at once for a body of that many bytes.
    async fn is_room(space: &Arc<Space>, bytes: usize) -> Option<Room> {
        space.reserve(bytes).now_or_never().flatten()
    }

    #[tokio::test]
    async fn small_bodies_need_not_wait_for_large_ones() {
        let space = Space::new(32 << 20, Arc::default());
        let large = [is_room(&space, 12 << 20).await, is_room(&space, 12 << 20).await];
        assert!(large.iter().all(Option::is_some));
        let waiting = tokio::spawn({
            let space = Arc::clone(&space);
            async move { space.reserve(12 << 20).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(is_room(&space, 100 << 10).await.is_none(), "it waits behind the third large one");
        let small: Vec<_> = [is_room(&space, 60 << 10).await, is_room(&space, 10).await].into();
        assert!(small.iter().all(Option::is_some));
        drop((large, small));
        assert!(waiting.await.unwrap());
        assert_eq!(space.metrics.bytes_reserved.get(), 0);
    }
}
