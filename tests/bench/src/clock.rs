//! [`Clock`]: how long something took, by the time that the processor gave to it.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::report::Sample;

/// Whose time counts. On a machine that is shared, it is the only time that can be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// Of all threads, those that a plugin started included.
    Process,
    /// Of the thread that asks.
    Thread,
}

impl Clock {
    /// Nanoseconds of CPU time so far.
    pub(crate) fn now(self) -> u64 {
        let id = match self {
            Self::Process => ClockId::ProcessCPUTime,
            Self::Thread => ClockId::ThreadCPUTime,
        };
        let time = clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
    }

    /// Does `work`, which says how much it did, and adds how long it took.
    pub(crate) fn time<E>(self, work: impl FnOnce() -> Result<Sample, E>) -> Result<Sample, E> {
        let (start, from) = (Instant::now(), self.now());
        let done = work()?;
        let cpu_ns = self.now().saturating_sub(from);
        let wall_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(Sample { cpu_ns, wall_ns, ..done })
    }
}
