//! [`CallBudget`]: how many calls an account and region may get from this process.
//!
//! AWS allows five `FilterLogEvents` calls per second for an account and region, all callers together, so all
//! tails of a process that share an account and region share one budget, first come, first served.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// Whose calls are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BudgetKey {
    /// What the account follows from: profile and role, or the account itself.
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) endpoint: String,
}

/// Calls per second for everyone who shares it.
pub(crate) struct CallBudget {
    limiter: RateLimiter<NotKeyed, InMemoryState, MonotonicClock>,
    clock: MonotonicClock,
    /// Whoever waits for the next call holds it.
    turn: tokio::sync::Mutex<()>,
    per_second: f64,
}

static BUDGETS: LazyLock<Mutex<HashMap<BudgetKey, Weak<CallBudget>>>> = LazyLock::new(Mutex::default);

impl CallBudget {
    /// Two calls at once at most: one that came late does not lose its place, and no second sees twice the rate.
    const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

    /// The budget of `key`; the first one who asks says how large it is.
    pub(crate) fn shared(key: BudgetKey, per_second: f64) -> Arc<Self> {
        let mut budgets = BUDGETS.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.retain(|_, budget| budget.strong_count() > 0);
        if let Some(budget) = budgets.get(&key).and_then(Weak::upgrade) {
            return budget;
        }
        let budget = Arc::new(Self::new(per_second));
        budgets.insert(key, Arc::downgrade(&budget));
        budget
    }

    fn new(per_second: f64) -> Self {
        let period = Duration::from_secs_f64(1.0 / per_second.clamp(0.001, 1000.0));
        // The period is never zero, so there always is a quota.
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let clock = MonotonicClock;
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(Self::BURST), clock.clone());
        Self { limiter, clock, turn: tokio::sync::Mutex::new(()), per_second }
    }

    /// Waits until one more call may be made.
    pub(crate) async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        while let Err(not_yet) = self.limiter.check() {
            tokio::time::sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
    }

    /// Calls within `period` for one of the tails that share the budget.
    pub(crate) fn share(self: &Arc<Self>, period: Duration) -> f64 {
        self.per_second * period.as_secs_f64() / Arc::strong_count(self) as f64
    }
}

impl std::fmt::Debug for CallBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallBudget({} per second)", self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn key(region: &str) -> BudgetKey {
        BudgetKey { account: "default".into(), region: region.into(), endpoint: String::new() }
    }

    #[test]
    fn one_budget_per_account_and_region() {
        let one = CallBudget::shared(key("budget-1"), 4.0);
        assert!(Arc::ptr_eq(&one, &CallBudget::shared(key("budget-1"), 9.0)));
        assert!(!Arc::ptr_eq(&one, &CallBudget::shared(key("budget-2"), 4.0)));
    }

    #[tokio::test]
    async fn calls_keep_the_rate_and_use_it() {
        let budget = CallBudget::new(100.0);
        let start = Instant::now();
        for _ in 0..22 {
            budget.acquire().await;
        }
        // Two at once, then 20 at 10 ms; a slow machine only makes it longer.
        assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
    }
}
