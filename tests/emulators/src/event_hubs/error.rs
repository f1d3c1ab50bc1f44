//! Errors as links carry them.

use fe2o3_amqp::types::definitions::{Error, ErrorCondition, Fields};
use fe2o3_amqp::types::primitives::Symbol;
use serde_amqp::Value;

pub(crate) const STOLEN: &str = "amqp:link:stolen";
pub(crate) const UNAUTHORIZED: &str = "amqp:unauthorized-access";
pub(crate) const NOT_FOUND: &str = "amqp:not-found";
pub(crate) const SERVER_BUSY: &str = "com.microsoft:server-busy";
pub(crate) const ARGUMENT: &str = "com.microsoft:argument-error";

/// An error condition and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkError {
    pub(crate) condition: String,
    pub(crate) description: String,
}

impl LinkError {
    pub(crate) fn new(condition: impl Into<String>, description: impl Into<String>) -> Self {
        Self { condition: condition.into(), description: description.into() }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(NOT_FOUND, format!("The messaging entity '{what}' could not be found. {TRACKING}"))
    }

    pub(crate) fn unauthorized(path: &str) -> Self {
        Self::new(
            UNAUTHORIZED,
            format!(
                "Unauthorized access. 'Listen' or 'Send' claim(s) are required to access '{path}'. {TRACKING}"
            ),
        )
    }

    pub(crate) fn server_busy() -> Self {
        Self::new(
            SERVER_BUSY,
            format!(
                "The request was terminated because the entity is being throttled. Error code : 50002. Please \
                 wait 4 seconds and try again. {TRACKING}"
            ),
        )
    }

    pub(crate) fn into_amqp(self) -> Error {
        // The official Python client reads this field whether it is there or not.
        let mut info = Fields::new();
        info.insert(Symbol::from("source"), Value::String("emulator".into()));
        // The conditions of the specification are names like any other on the wire.
        Error::new(ErrorCondition::Custom(Symbol::from(self.condition)), Some(self.description), Some(info))
    }
}

/// What the service ends its descriptions with.
const TRACKING: &str = "TrackingId:00000000-0000-0000-0000-000000000000_G0, SystemTracker:emulator, Timestamp:1970-01-01T00:00:00";
