//! [`ServerClock`]: the provider's time, as the `Date` of its answers tells it.
//!
//! The frontier of what was read must not pass what the provider can show already, and the local clock may be
//! minutes off. So time is the last `Date` plus what has passed on the monotonic clock since: behind the
//! provider's clock by up to a second, for `Date` counts whole ones, and by the way of the answer; never ahead.
//! (The SDK corrects the time of its signatures by itself.)

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

/// The provider's clock.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The provider's time, and when it was that.
    known: Option<(SystemTime, Instant)>,
    /// An answer that contradicts what is known, or the local clock before anything is known; believed when the
    /// next one says the same.
    doubtful: Option<(SystemTime, Instant)>,
    skew_told: bool,
}

/// A `Date` further off than this from what is known is doubted once: some proxy or host may be wrong.
const JUMP: Duration = Duration::from_secs(5);
/// A local clock further off than this is worth a warning.
const SKEW: Duration = Duration::from_secs(60);

impl ServerClock {
    /// An answer said that it is `date`.
    pub(crate) fn observe(&self, date: SystemTime, at: Instant, local: SystemTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let agrees = |known: Option<(SystemTime, Instant)>| {
            known.is_some_and(|known| apart(advance(known, at), date) <= JUMP)
        };
        let is_likely = match state.known {
            None => apart(local, date) <= SKEW,
            known => agrees(known),
        };
        if is_likely || agrees(state.doubtful) {
            state.known = Some((date, at));
            state.doubtful = None;
        } else {
            state.doubtful = Some((date, at));
            return;
        }
        let skew = apart(local, date);
        if skew > SKEW && !state.skew_told {
            state.skew_told = true;
            let (seconds, which) = (skew.as_secs(), if local > date { "ahead of" } else { "behind" });
            log::warn!(
                "the local clock is {seconds} s {which} AWS's: nothing is lost, since AWS's is used; check the time service of this host"
            );
        }
    }

    /// Whether any answer has told a time yet.
    pub(crate) fn has_heard(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.is_some() || state.doubtful.is_some()
    }

    /// The provider's time in milliseconds since the epoch; `None` before it is known.
    pub(crate) fn now_ms(&self) -> Option<i64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = advance(state.known?, Instant::now());
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn advance((time, at): (SystemTime, Instant), now: Instant) -> SystemTime {
    time + now.saturating_duration_since(at)
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// Reads the `Date` of every answer, errors included.
#[derive(Debug)]
pub(crate) struct DateObserver(pub(crate) std::sync::Arc<ServerClock>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for DateObserver {
    fn name(&self) -> &'static str {
        "DateObserver"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(date) = date.and_then(|date| SystemTime::try_from(date).ok()) {
            self.0.observe(date, Instant::now(), SystemTime::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: SystemTime = UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        T + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn time_passes_from_the_last_date_on() {
        let (clock, start) = (ServerClock::default(), Instant::now());
        assert_eq!(clock.now_ms(), None);
        clock.observe(at(0), start, at(0));
        assert!(clock.now_ms() >= Some(1_700_000_000_000));
        assert!(clock.now_ms() < Some(1_700_000_060_000));
    }

    #[test]
    fn a_first_date_far_from_the_local_clock_needs_a_second_one() {
        let (clock, start) = (ServerClock::default(), Instant::now());
        clock.observe(at(600), start, at(0));
        assert_eq!((clock.now_ms(), clock.has_heard()), (None, true));
        clock.observe(at(0), start, at(0));
        assert!(clock.now_ms() < Some(1_700_000_060_000), "the first one was wrong");

        let clock = ServerClock::default();
        clock.observe(at(600), start, at(0));
        clock.observe(at(601), start, at(0));
        assert!(clock.now_ms() >= Some(1_700_000_600_000), "the local clock is wrong");
    }

    #[test]
    fn one_wrong_date_is_not_believed_a_second_one_is() {
        let (clock, start) = (ServerClock::default(), Instant::now());
        clock.observe(at(0), start, at(0));
        clock.observe(at(600), start, at(0));
        assert!(clock.now_ms() < Some(1_700_000_060_000));
        clock.observe(at(0), start, at(0));
        clock.observe(at(600), start, at(0));
        assert!(clock.now_ms() < Some(1_700_000_060_000), "the doubt is forgotten in between");
        clock.observe(at(601), start, at(0));
        assert!(clock.now_ms() >= Some(1_700_000_600_000));
    }
}
