//! When to try again ([`Backoff`]), and what to say about it ([`Health`]).

use std::time::{Duration, Instant};

use crate::ErrorKind;

/// Exponential pauses with full jitter, so that many readers do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// The first pause is at most this long.
    const FIRST: Duration = Duration::from_millis(250);
    /// No pause is longer: what recovers is noticed within that time.
    const MOST: Duration = Duration::from_secs(20);
    /// No pause is shorter: a jitter of nearly 0 would be a busy loop.
    const LEAST: Duration = Duration::from_millis(25);

    /// Starts with the shortest pauses.
    pub const fn new() -> Self {
        Self { ceiling: Self::FIRST }
    }

    /// How long to wait after one more failure.
    pub fn pause(&mut self) -> Duration {
        let pause = self.ceiling.mul_f64(fastrand::f64()).max(Self::LEAST);
        self.ceiling = (self.ceiling * 2).min(Self::MOST);
        pause
    }

    /// It worked: the next failure waits shortly again.
    pub const fn reset(&mut self) {
        self.ceiling = Self::FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether calls succeed, and since when they do not.
///
/// A single failure that the next try mends is no change of state: a service that throttles every twentieth call
/// would fill the log otherwise. It counts as failing from the [`PATIENCE`](Self::PATIENCE)th failure in a row on.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The first failure since the last success.
    failing_since: Option<Instant>,
    failures: u32,
    /// The kinds that were told, a bit each: two that take turns are told once each.
    told: u8,
}

/// What to tell the user now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthChange {
    /// Nothing new.
    None,
    /// Calls have begun to fail, or fail for another reason than before.
    Failing,
    /// Calls work again, after that many failures.
    Recovered {
        /// Failed calls in a row.
        failures: u32,
        /// How long they failed.
        outage: Duration,
    },
}

impl Health {
    /// Transient failures in a row that are not worth a line.
    pub const PATIENCE: u32 = 3;

    /// Healthy.
    pub const fn new() -> Self {
        Self { failing_since: None, failures: 0, told: 0 }
    }

    /// A call worked.
    pub fn succeeded(&mut self, now: Instant) -> HealthChange {
        let change = match std::mem::take(&mut self.told) {
            0 => HealthChange::None,
            _ => HealthChange::Recovered { failures: self.failures, outage: self.outage(now) },
        };
        self.failing_since = None;
        self.failures = 0;
        change
    }

    /// A call failed.
    pub fn failed(&mut self, now: Instant, kind: ErrorKind) -> HealthChange {
        self.failing_since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let worth_a_line = self.failures >= Self::PATIENCE || !kind.is_transient();
        let kind = 1 << kind as u8;
        if worth_a_line && self.told & kind == 0 {
            self.told |= kind;
            HealthChange::Failing
        } else {
            HealthChange::None
        }
    }

    /// How long calls have failed. A time in which none was made, because the consumer stood still for instance,
    /// is no outage.
    pub fn outage(&self, now: Instant) -> Duration {
        self.failing_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_again() {
        let mut backoff = Backoff::new();
        fastrand::seed(7);
        // One in ten of the first pauses would be a busy loop.
        assert!((0..100).all(|_| Backoff::new().pause() >= Backoff::LEAST));
        for _ in 0..100 {
            let pause = backoff.pause();
            assert!(pause >= Backoff::LEAST && pause <= Backoff::MOST);
        }
        assert_eq!(backoff.ceiling, Backoff::MOST);
        backoff.reset();
        assert!(backoff.pause() <= Backoff::FIRST);
    }

    #[test]
    fn one_throttled_call_is_no_change() {
        let start = Instant::now();
        let mut health = Health::new();
        assert_eq!(health.failed(start, ErrorKind::Throttled), HealthChange::None);
        assert_eq!(health.succeeded(start), HealthChange::None);
    }

    #[test]
    fn an_outage_is_told_once_and_its_end_once() {
        let start = Instant::now();
        let mut health = Health::new();
        let changes: Vec<_> = (0..50).map(|_| health.failed(start, ErrorKind::Unavailable)).collect();
        assert_eq!(changes.iter().filter(|change| **change == HealthChange::Failing).count(), 1);
        let end = start + Duration::from_secs(9);
        let recovered = HealthChange::Recovered { failures: 50, outage: Duration::from_secs(9) };
        assert_eq!(health.succeeded(end), recovered);
        assert_eq!(health.succeeded(end), HealthChange::None);
    }

    #[test]
    fn another_reason_is_told_and_a_success_ends_the_outage() {
        let (mut health, start) = (Health::new(), Instant::now());
        let later = start + Duration::from_secs(5);
        assert_eq!(health.failed(start, ErrorKind::Denied), HealthChange::Failing);
        assert_eq!(health.failed(later, ErrorKind::NotFound), HealthChange::Failing);
        assert_eq!(health.outage(later), Duration::from_secs(5), "since the first failure");
        health.succeeded(later);
        assert_eq!(health.outage(later), Duration::ZERO);
        assert_eq!(health.failed(later, ErrorKind::Throttled), HealthChange::None, "patience begins again");
    }

    #[test]
    fn two_kinds_that_take_turns_are_told_once_each() {
        let (mut health, now) = (Health::new(), Instant::now());
        let kinds = [ErrorKind::Throttled, ErrorKind::Unavailable].into_iter().cycle();
        let changes: Vec<_> = kinds.take(50).map(|kind| health.failed(now, kind)).collect();
        assert_eq!(changes.iter().filter(|change| **change == HealthChange::Failing).count(), 2);
    }

    #[test]
    fn a_missing_permission_is_told_at_once() {
        let (mut health, now) = (Health::new(), Instant::now());
        assert_eq!(health.failed(now, ErrorKind::Denied), HealthChange::Failing);
        assert_eq!(health.failed(now, ErrorKind::Denied), HealthChange::None);
    }
}
