//! How long a connection may live: as long as requests are under way, and for a while after the last one.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Timeouts;

/// Whether requests are under way, and whether any had the right to be.
#[derive(Debug)]
pub(crate) struct Activity {
    idle: Duration,
    /// The pause before any request had the right to be.
    idle_of_a_stranger: Duration,
    is_trusted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    under_way: usize,
    /// When the connection is over, if nothing is under way.
    ends: Instant,
}

impl Activity {
    /// Of a connection that begins now.
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        let ends = Instant::now() + timeouts.first_request;
        Self {
            idle: timeouts.idle,
            idle_of_a_stranger: timeouts.first_request,
            is_trusted: AtomicBool::new(false),
            state: Mutex::new(State { under_way: 0, ends }),
        }
    }

    /// A request came that may be taken in.
    pub(crate) fn trust(&self) {
        self.is_trusted.store(true, Relaxed);
    }

    /// Whether one ever came.
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_trusted.load(Relaxed)
    }

    fn idle(&self) -> Duration {
        if self.is_trusted() { self.idle } else { self.idle_of_a_stranger }
    }

    /// When the connection is over, as far as it is known now.
    pub(crate) fn ends(&self) -> Instant {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.under_way > 0 { Instant::now() + self.idle() } else { state.ends }
    }

    fn count(&self, change: impl FnOnce(&mut usize)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.under_way);
        state.ends = Instant::now() + self.idle();
    }
}

/// A request that is under way while this lives.
pub(crate) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub(crate) fn new(activity: &Arc<Activity>) -> Self {
        activity.count(|under_way| *under_way += 1);
        Self(Arc::clone(activity))
    }

    /// Of the connection that it came by.
    pub(crate) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.count(|under_way| *under_way = under_way.saturating_sub(1));
    }
}
