//! Counters and gauges over atomics, readable from any thread at any time.
//!
//! A group of metrics is declared once with [`metrics!`](crate::metrics!): the struct whose fields are counted
//! up, the names that a monitoring system sees, and their descriptions come from the same lines.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Whether a value only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One metric as a monitoring system sees it.
#[derive(Clone, Copy, Debug)]
pub struct MetricSpec {
    /// Its name, in snake case. A unit stands first (`bytes_queued`): Falco cuts `_bytes`, `_sec` and the like out of
    /// a name wherever it finds them.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// What it counts, in a sentence.
    pub help: &'static str,
}

/// Metrics that belong together.
pub trait MetricGroup: Send + Sync {
    /// What there is, in a fixed order.
    fn specs(&self) -> &'static [MetricSpec];
    /// The values of the moment, in the order of [`specs`](Self::specs).
    fn visit(&self, visit: &mut dyn FnMut(&'static MetricSpec, u64));
}

/// A value that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }
    /// That many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }
    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A value that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// It is that much now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
    /// It is that much now, unless it was more before.
    pub fn raise(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }
    /// The value of the moment.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Declares a group of metrics: a struct of [`Counter`]s and [`Gauge`]s, and its [`MetricGroup`].
///
/// ```
/// event_source::metrics! {
///     /// What a kitchen counts.
///     pub struct KitchenMetrics {
///         counter plates: "Plates that left the kitchen.",
///         gauge guests: "Guests that wait.",
///     }
/// }
/// let metrics = KitchenMetrics::default();
/// metrics.plates.add(2);
/// assert_eq!(metrics.plates.get(), 2);
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $group:ident { $($kind:ident $name:ident: $help:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $visibility struct $group {
            $(#[doc = $help] pub $name: $crate::metrics!(@type $kind),)+
        }

        impl $group {
            /// The names, kinds and descriptions, in the order of the fields.
            pub const SPECS: &'static [$crate::metrics::MetricSpec] = &[
                $($crate::metrics::MetricSpec {
                    name: stringify!($name),
                    kind: $crate::metrics!(@kind $kind),
                    help: $help,
                },)+
            ];
        }

        impl $crate::metrics::MetricGroup for $group {
            fn specs(&self) -> &'static [$crate::metrics::MetricSpec] {
                Self::SPECS
            }
            fn visit(&self, visit: &mut dyn FnMut(&'static $crate::metrics::MetricSpec, u64)) {
                let mut specs = Self::SPECS.iter();
                $(if let Some(spec) = specs.next() {
                    visit(spec, self.$name.get());
                })+
            }
        }
    };
    (@type counter) => { $crate::metrics::Counter };
    (@type gauge) => { $crate::metrics::Gauge };
    (@kind counter) => { $crate::metrics::MetricKind::Counter };
    (@kind gauge) => { $crate::metrics::MetricKind::Gauge };
}

metrics! {
    /// What every source counts, whatever it reads from.
    pub struct SourceMetrics {
        counter events: "Events handed to the host.",
        counter bytes: "Bytes of the events handed to the host.",
        counter batches: "Batches handed to the host.",
        counter acknowledged: "Events that the host has evaluated.",
        counter errors_throttled: "Errors because of too many calls; each was retried.",
        counter errors_unavailable: "Errors of the service or of the way to it; each was retried.",
        counter errors_expired: "Errors because of credentials that had run out.",
        counter errors_denied: "Errors because of a missing permission.",
        counter errors_not_found: "Errors because of something that is not there.",
        counter errors_config: "Errors of the configuration.",
        counter errors_corrupt: "Errors because of something stored or received that is not what it should be.",
        gauge failing: "Partitions whose last call failed.",
        gauge seconds_since_success: "Seconds since the last successful call of the partition that waits longest for one.",
        gauge events_queued: "Events that wait between reader and host.",
        gauge bytes_queued: "Bytes of the events that wait between reader and host, and of what is noted about them.",
        counter checkpoints: "Checkpoints written.",
        counter checkpoint_errors: "Checkpoints that could not be written; each is tried again.",
    }
}

impl SourceMetrics {
    /// The counter of errors of that kind.
    pub fn errors(&self, kind: crate::ErrorKind) -> &Counter {
        use crate::ErrorKind as Kind;
        match kind {
            Kind::Throttled => &self.errors_throttled,
            Kind::Unavailable => &self.errors_unavailable,
            Kind::Expired => &self.errors_expired,
            Kind::Denied => &self.errors_denied,
            Kind::NotFound => &self.errors_not_found,
            Kind::Config => &self.errors_config,
            Kind::Corrupt => &self.errors_corrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_the_order_of_the_names() {
        let metrics = SourceMetrics::default();
        metrics.events.add(3);
        metrics.bytes_queued.set(7);
        let mut seen = Vec::new();
        metrics.visit(&mut |spec, value| seen.push((spec.name, value)));
        assert_eq!(seen.len(), SourceMetrics::SPECS.len());
        assert_eq!(seen.first(), Some(&("events", 3)));
        assert!(seen.contains(&("bytes_queued", 7)));
    }
}
