//! [`Quiet`]: a line that is worth telling, but not each time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When something was told last.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<Option<Instant>>);

impl Quiet {
    /// How long it is not told again.
    const PAUSE: Duration = Duration::from_secs(60);

    /// Whether to tell it now.
    pub(crate) fn is_due(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| told.elapsed() >= Self::PAUSE);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute() {
        let quiet = Quiet::default();
        assert!(quiet.is_due() && !quiet.is_due());
    }
}
