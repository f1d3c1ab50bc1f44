//! What goes wrong on request.
//!
//! Owns: which faults are switched on, and whether the next call meets one. Does
//! not own: how a fault looks on the wire (`server`, `answer`).

use super::operations::Operation;
use crate::random::Random;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;

/// One way in which a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// 400 `ThrottlingException`, "Rate exceeded".
    Throttling,
    /// 503 `ServiceUnavailableException`.
    ServiceUnavailable,
    /// 500 `InternalFailure`.
    InternalFailure,
    /// The connection is reset (RST) instead of an answer.
    Reset,
    /// The connection is reset (RST) after half of the body.
    ResetInBody,
    /// The answer comes this much later, evaluated at that later moment; combines with other faults.
    Slow(Duration),
    /// No answer at all; the connection stays open.
    NeverAnswer,
    /// 200 with a body that is not JSON.
    InvalidJson,
    /// 200 with the first half of the body, and a `content-length` that fits that half.
    CutBody,
    /// 400 `AccessDeniedException`, with the text in which AWS names the missing action.
    AccessDenied,
    /// 400 `ExpiredTokenException`.
    ExpiredToken,
    /// 400 `UnrecognizedClientException`.
    UnrecognizedClient,
    /// 400 `ResourceNotFoundException`, as if the log group did not exist.
    ResourceNotFound,
    /// The answer's `Date` is off by this many milliseconds; combines with other faults.
    DateOff(i64),
}

/// Which calls meet a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// The next so many calls, then no more.
    Next(u64),
    /// Each call with this probability, drawn from the configured seed.
    Share(f64),
    /// Every call, until removed.
    Always,
}

/// A fault to switch on.
///
/// As JSON (`POST /_emulator/faults`): `{"kind": "throttling", "share": 0.05}`, with `next`,
/// `share` or neither (always), `operation`, `counted`; `ms` for `slow` and `date_off`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To which calls.
    pub when: When,
    /// Only to calls of this operation.
    pub operation: Option<Operation>,
    /// Whether a call that meets it takes from the account's quota and shows in the call rates.
    pub counted: bool,
}

impl Fault {
    /// The next `calls` calls.
    pub fn next(kind: FaultKind, calls: u64) -> Self {
        Self::new(kind, When::Next(calls))
    }

    /// Each call with probability `share`.
    pub fn share(kind: FaultKind, share: f64) -> Self {
        Self::new(kind, When::Share(share))
    }

    /// Every call until the fault is removed.
    pub fn always(kind: FaultKind) -> Self {
        Self::new(kind, When::Always)
    }

    /// Only calls of `operation`.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Calls that meet it cost no quota and do not show in the call rates.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        self.counted = false;
        self
    }

    fn new(kind: FaultKind, when: When) -> Self {
        Self { kind, when, operation: None, counted: true }
    }
}

/// The flat form of a fault in JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    kind: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    #[serde(default = "yes")]
    counted: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Throttling,
    ServiceUnavailable,
    InternalFailure,
    Reset,
    ResetInBody,
    Slow,
    NeverAnswer,
    InvalidJson,
    CutBody,
    AccessDenied,
    ExpiredToken,
    UnrecognizedClient,
    ResourceNotFound,
    DateOff,
}

/// The kinds that are only a name.
const PLAIN: [(Name, FaultKind); 12] = [
    (Name::Throttling, FaultKind::Throttling),
    (Name::ServiceUnavailable, FaultKind::ServiceUnavailable),
    (Name::InternalFailure, FaultKind::InternalFailure),
    (Name::Reset, FaultKind::Reset),
    (Name::ResetInBody, FaultKind::ResetInBody),
    (Name::NeverAnswer, FaultKind::NeverAnswer),
    (Name::InvalidJson, FaultKind::InvalidJson),
    (Name::CutBody, FaultKind::CutBody),
    (Name::AccessDenied, FaultKind::AccessDenied),
    (Name::ExpiredToken, FaultKind::ExpiredToken),
    (Name::UnrecognizedClient, FaultKind::UnrecognizedClient),
    (Name::ResourceNotFound, FaultKind::ResourceNotFound),
];

impl TryFrom<Spec> for Fault {
    type Error = String;

    fn try_from(spec: Spec) -> Result<Self, String> {
        let plain =
            PLAIN.iter().find(|(name, _)| *name as usize == spec.kind as usize).map(|(_, kind)| *kind);
        let kind = match (plain, spec.kind, spec.ms) {
            (Some(kind), _, None) => kind,
            (Some(_), _, Some(_)) => return Err("`ms` goes with `slow` and `date_off` only".into()),
            (None, Name::Slow, Some(ms)) if ms >= 0 => FaultKind::Slow(Duration::from_millis(ms as u64)),
            (None, Name::DateOff, Some(ms)) => FaultKind::DateOff(ms),
            _ => return Err("`slow` and `date_off` need `ms`, and a delay cannot be negative".into()),
        };
        let when = match (spec.next, spec.share) {
            (Some(_), Some(_)) => return Err("`next` or `share`, not both".into()),
            (Some(calls), None) => When::Next(calls),
            (None, Some(share)) if (0.0..=1.0).contains(&share) => When::Share(share),
            (None, Some(share)) => return Err(format!("`share` is a probability, found `{share}`")),
            (None, None) => When::Always,
        };
        Ok(Self { kind, when, operation: spec.operation, counted: spec.counted })
    }
}

impl From<Fault> for Spec {
    fn from(fault: Fault) -> Self {
        let (kind, ms) = match fault.kind {
            FaultKind::Slow(delay) => (Name::Slow, Some(delay.as_millis() as i64)),
            FaultKind::DateOff(ms) => (Name::DateOff, Some(ms)),
            plain => (PLAIN.iter().find(|(_, kind)| *kind == plain).unwrap().0, None),
        };
        let (next, share) = match fault.when {
            When::Next(calls) => (Some(calls), None),
            When::Share(share) => (None, Some(share)),
            When::Always => (None, None),
        };
        Self { kind, ms, next, share, operation: fault.operation, counted: fault.counted }
    }
}

/// A fault that is switched on.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    /// For [`Faults::remove`].
    pub id: u64,
    /// How many calls have met it.
    pub hits: u64,
    /// What it is; `When::Next` holds what is left.
    #[serde(flatten)]
    pub fault: Fault,
}

/// The faults that are switched on; may be changed while calls are served.
#[derive(Debug)]
pub struct Faults(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    next_id: u64,
    active: Vec<ActiveFault>,
    random: Random,
}

/// What one call meets.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) date_offset_ms: i64,
    pub(crate) failure: Option<FaultKind>,
    pub(crate) counted: bool,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Random::new(seed ^ 0xfa17);
        Self(Mutex::new(Inner { next_id: 1, active: Vec::new(), random }))
    }

    /// Switches a fault on; the answer is its id.
    ///
    /// When several fit a call, delays add up and the first that fails the call wins.
    pub fn add(&self, fault: Fault) -> u64 {
        let mut inner = self.0.lock().unwrap();
        let id = inner.next_id;
        inner.next_id += 1;
        inner.active.push(ActiveFault { id, hits: 0, fault });
        id
    }

    /// Switches one fault off; `false` when it is not on.
    pub fn remove(&self, id: u64) -> bool {
        let mut inner = self.0.lock().unwrap();
        let before = inner.active.len();
        inner.active.retain(|active| active.id != id);
        inner.active.len() < before
    }

    /// Switches all faults off.
    pub fn clear(&self) {
        self.0.lock().unwrap().active.clear();
    }

    /// What is switched on; a `When::Next` that is used up stays, with 0 left, until removed.
    pub fn active(&self) -> Vec<ActiveFault> {
        self.0.lock().unwrap().active.clone()
    }

    pub(crate) fn judge(&self, operation: Operation) -> Verdict {
        let mut verdict = Verdict { delay: Duration::ZERO, date_offset_ms: 0, failure: None, counted: true };
        let mut inner = self.0.lock().unwrap();
        let Inner { active, random, .. } = &mut *inner;
        for active in active.iter_mut() {
            let fault = &mut active.fault;
            if fault.operation.is_some_and(|only| only != operation) {
                continue;
            }
            // Drawn even when another fault has won, so that each fault's choices stay its own.
            let fires = match fault.when {
                When::Next(left) => left > 0,
                When::Share(share) => random.unit() < share,
                When::Always => true,
            };
            let fails = !matches!(fault.kind, FaultKind::Slow(_) | FaultKind::DateOff(_));
            if !fires || (fails && verdict.failure.is_some()) {
                continue;
            }
            if let When::Next(left) = &mut fault.when {
                *left -= 1;
            }
            active.hits += 1;
            verdict.counted &= fault.counted;
            match fault.kind {
                FaultKind::Slow(delay) => verdict.delay += delay,
                FaultKind::DateOff(ms) => verdict.date_offset_ms += ms,
                kind => verdict.failure = Some(kind),
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{DescribeLogGroups, FilterLogEvents};

    #[test]
    fn the_next_calls_of_an_operation() {
        let faults = Faults::new(1);
        faults.add(Fault::next(FaultKind::Throttling, 2).on(FilterLogEvents));
        faults.add(Fault::always(FaultKind::AccessDenied).on(DescribeLogGroups).uncounted());
        let met = |operation| faults.judge(operation).failure;
        assert_eq!(met(FilterLogEvents), Some(FaultKind::Throttling));
        assert_eq!(met(DescribeLogGroups), Some(FaultKind::AccessDenied));
        assert_eq!(met(FilterLogEvents), Some(FaultKind::Throttling));
        assert_eq!(met(FilterLogEvents), None);
        assert!(!faults.judge(DescribeLogGroups).counted);
        assert_eq!(faults.active().iter().map(|active| active.hits).collect::<Vec<_>>(), [2, 2]);
        faults.clear();
        assert_eq!(met(DescribeLogGroups), None);
    }

    #[test]
    fn a_share_is_drawn_from_the_seed() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.add(Fault::share(FaultKind::Reset, 0.25));
            (0..4_000).map(|_| faults.judge(FilterLogEvents).failure.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let hits = run(1).iter().filter(|hit| **hit).count();
        assert!((900..1_100).contains(&hits), "{hits}");
    }

    #[test]
    fn delays_add_up_and_one_failure_wins() {
        let faults = Faults::new(1);
        for _ in 0..2 {
            faults.add(Fault::always(FaultKind::Slow(Duration::from_millis(50))));
        }
        faults.add(Fault::next(FaultKind::CutBody, 1));
        let second = faults.add(Fault::next(FaultKind::InvalidJson, 1));
        faults.add(Fault::always(FaultKind::DateOff(-7)));
        let verdict = faults.judge(FilterLogEvents);
        assert_eq!(verdict.delay, Duration::from_millis(100));
        assert_eq!(verdict.date_offset_ms, -7);
        assert_eq!(verdict.failure, Some(FaultKind::CutBody));
        assert_eq!(faults.judge(FilterLogEvents).failure, Some(FaultKind::InvalidJson));
        assert!(faults.remove(second) && !faults.remove(second));
    }

    #[track_caller]
    fn check(json: &str, expect: Result<Fault, &str>) {
        let parsed = serde_json::from_str::<Fault>(json);
        match expect {
            Ok(fault) => {
                assert_eq!(parsed.unwrap(), fault);
                let again = serde_json::to_string(&fault).unwrap();
                assert_eq!(serde_json::from_str::<Fault>(&again).unwrap(), fault, "{again}");
            }
            Err(part) => assert!(parsed.unwrap_err().to_string().contains(part)),
        }
    }

    #[test]
    fn as_json() {
        check(r#"{"kind":"throttling","share":0.4}"#, Ok(Fault::share(FaultKind::Throttling, 0.4)));
        check(
            r#"{"kind":"access_denied","operation":"DescribeLogGroups","counted":false}"#,
            Ok(Fault::always(FaultKind::AccessDenied).on(DescribeLogGroups).uncounted()),
        );
        check(
            r#"{"kind":"slow","ms":50,"next":3}"#,
            Ok(Fault::next(FaultKind::Slow(Duration::from_millis(50)), 3)),
        );
        check(r#"{"kind":"date_off","ms":-1000}"#, Ok(Fault::always(FaultKind::DateOff(-1000))));
        check(r#"{"kind":"slow"}"#, Err("need `ms`"));
        check(r#"{"kind":"reset","ms":5}"#, Err("`ms` goes with"));
        check(r#"{"kind":"reset","next":1,"share":0.5}"#, Err("not both"));
        check(r#"{"kind":"reset","share":5}"#, Err("probability"));
        check(r#"{"kind":"resett"}"#, Err("unknown variant"));
        check(r#"{"kind":"reset","shar":5}"#, Err("unknown field"));
    }
}
