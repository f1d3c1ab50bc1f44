//! [`Cuts`]: what was left out of records that are longer than the bound, until it was told.

use std::path::Path;
use std::time::{Duration, Instant};

/// The first one is told at once, and those that follow together, no more often than this.
const PAUSE: Duration = Duration::from_secs(60);

/// Records that were cut.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// Those that were not told yet.
    records: u64,
    /// Of those, what was left out.
    bytes: u64,
    told: Option<Instant>,
    /// What was left out of all.
    total: u64,
}

impl Cuts {
    /// So many bytes of one were left out.
    pub(crate) const fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
        self.total += bytes;
    }

    /// Bytes that were left out of all of them.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Tells of those that were not told, when it is time: `path` was read up to `offset`.
    pub(crate) fn tell(&mut self, path: &Path, offset: u64) {
        if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.tell_rest(path, offset);
        }
    }

    /// Tells of those that were not told: no more will come.
    pub(crate) fn tell_rest(&mut self, path: &Path, offset: u64) {
        let records = std::mem::take(&mut self.records);
        let bytes = std::mem::take(&mut self.bytes);
        if records > 0 {
            self.told = Some(Instant::now());
            log::error!(
                "`{}`: {records} lines or documents before byte {offset} are longer than what is read of one; {bytes} bytes at their ends are lost",
                path.display()
            );
        }
    }
}
