//! The account's quota of calls: one token bucket per operation.

use super::operations::Operation;
use std::collections::HashMap;
use std::time::Instant;

/// All buckets of the account.
#[derive(Debug)]
pub(crate) struct Limiter {
    calls_per_second: Option<f64>,
    buckets: HashMap<Operation, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Limiter {
    pub(crate) fn new(calls_per_second: Option<f64>) -> Self {
        Self { calls_per_second, buckets: HashMap::new() }
    }

    /// Takes one token; `false` when there is none, which is when AWS says `Rate exceeded`.
    ///
    /// A bucket holds one second's worth, and at least one token.
    pub(crate) fn allow(&mut self, operation: Operation, now: Instant) -> bool {
        let Some(rate) = self.calls_per_second else { return true };
        let capacity = rate.max(1.0);
        let bucket = self.buckets.entry(operation).or_insert(Bucket { tokens: capacity, filled: now });
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * rate).min(capacity);
        bucket.filled = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn five_per_second_and_operation() {
        let start = Instant::now();
        let mut limiter = Limiter::new(Some(5.0));
        let burst = |limiter: &mut Limiter, operation, at: u64| {
            (0..20).filter(|_| limiter.allow(operation, start + Duration::from_millis(at))).count()
        };
        assert_eq!(burst(&mut limiter, Operation::FilterLogEvents, 0), 5);
        assert_eq!(burst(&mut limiter, Operation::FilterLogEvents, 10), 0);
        assert_eq!(burst(&mut limiter, Operation::DescribeLogGroups, 10), 5);
        assert_eq!(burst(&mut limiter, Operation::FilterLogEvents, 420), 2);
        assert_eq!(burst(&mut limiter, Operation::FilterLogEvents, 60_000), 5);
    }

    #[test]
    fn no_limit_by_default() {
        let mut limiter = Limiter::new(None);
        assert!((0..1_000).all(|_| limiter.allow(Operation::FilterLogEvents, Instant::now())));
    }
}
