//! What goes wrong on request.

use super::operation::Operation;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;

/// One way in which a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 503 `ServerBusy`.
    ServerBusy,
    /// 500 `InternalError`.
    InternalError,
    /// 403 `AuthenticationFailed`.
    Forbidden,
    /// The connection is reset (RST) instead of an answer; nothing is done.
    Reset,
    /// The connection is reset (RST) instead of an answer; what was asked for is done.
    ResetAfter,
    /// The answer comes [`Fault::ms`] later.
    Slow,
}

/// A fault to switch on; as JSON `{"kind": "server_busy", "next": 2, "operation": "put_blob"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To the next so many calls; to all, until cleared, when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Only to these calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Milliseconds, for [`FaultKind::Slow`].
    #[serde(default)]
    pub ms: u64,
}

impl Fault {
    /// The next `calls` calls.
    pub fn next(kind: FaultKind, calls: u64) -> Self {
        Self { kind, next: Some(calls), operation: None, ms: 0 }
    }

    /// Every call until cleared.
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, next: None, operation: None, ms: 0 }
    }

    /// Every call is answered this much later.
    pub fn slow(delay: Duration) -> Self {
        Self { ms: delay.as_millis() as u64, ..Self::always(FaultKind::Slow) }
    }

    /// Only calls of `operation`.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0.lock().unwrap().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// What a call meets: a delay, and the first failure that fits.
    pub(crate) fn judge(&self, operation: Operation) -> (Duration, Option<FaultKind>) {
        let (mut delay, mut failure) = (Duration::ZERO, None);
        for fault in self.0.lock().unwrap().iter_mut() {
            let slow = fault.kind == FaultKind::Slow;
            if fault.operation.is_some_and(|only| only != operation) || (!slow && failure.is_some()) {
                continue;
            }
            match &mut fault.next {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            if slow {
                delay += Duration::from_millis(fault.ms);
            } else {
                failure = Some(fault.kind);
            }
        }
        (delay, failure)
    }
}
