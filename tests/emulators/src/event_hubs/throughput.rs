//! Throughput units: what a namespace may take in and give out.
//!
//! Owns: a bucket of one second for each of bytes and events, in each direction.

use std::time::{Duration, Instant};

/// What one unit allows in a second.
const IN_BYTES: f64 = 1_000_000.0;
const IN_EVENTS: f64 = 1_000.0;
const OUT_BYTES: f64 = 2_000_000.0;
const OUT_EVENTS: f64 = 4_096.0;

#[derive(Debug)]
pub(crate) struct Throughput(Option<[Bucket; 4]>);

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Throughput {
    pub(crate) fn new(units: Option<u32>) -> Self {
        let rates = [IN_BYTES, IN_EVENTS, OUT_BYTES, OUT_EVENTS];
        Self(units.map(|units| rates.map(|rate| Bucket::new(rate * f64::from(units)))))
    }

    /// Whether these events may come in.
    pub(crate) fn take_in(&mut self, bytes: usize, events: usize, now: Instant) -> bool {
        let Some([in_bytes, in_events, ..]) = &mut self.0 else { return true };
        let within = in_bytes.refill(now) > 0.0 && in_events.refill(now) > 0.0;
        if within {
            in_bytes.left -= bytes as f64;
            in_events.left -= events as f64;
        }
        within
    }

    /// How long an event must wait before it may go out; it is counted in any case.
    pub(crate) fn take_out(&mut self, bytes: usize, now: Instant) -> Duration {
        let Some([.., out_bytes, out_events]) = &mut self.0 else { return Duration::ZERO };
        out_bytes.refill(now);
        out_events.refill(now);
        out_bytes.left -= bytes as f64;
        out_events.left -= 1.0;
        let wait = |bucket: &Bucket| (-bucket.left / bucket.per_second).max(0.0);
        Duration::from_secs_f64(wait(out_bytes).max(wait(out_events)))
    }
}

impl Bucket {
    fn new(per_second: f64) -> Self {
        Self { per_second, left: per_second, at: Instant::now() }
    }

    fn refill(&mut self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * self.per_second).min(self.per_second);
        self.at = now;
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_in_and_out() {
        let mut throughput = Throughput::new(Some(1));
        let start = Instant::now();
        assert!(throughput.take_in(10, 1_000, start));
        assert!(!throughput.take_in(10, 1, start));
        assert!(throughput.take_in(10, 1, start + Duration::from_millis(100)));
        assert!(throughput.take_out(2_000_000, start).is_zero());
        let wait = throughput.take_out(500_000, start).as_secs_f64();
        assert!((wait - 0.25).abs() < 0.01, "{wait}");
        assert!(Throughput::new(None).take_out(usize::MAX, start).is_zero());
    }
}
