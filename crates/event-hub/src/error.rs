//! What went wrong with a hub, of a kind that a caller can act on.

use std::error::Error;
use std::time::Duration;

use azure_core_amqp::AmqpError;
use azure_core_amqp::error::{AmqpErrorCondition as Condition, AmqpErrorKind};
use azure_messaging_eventhubs::EventHubsError;
use azure_messaging_eventhubs::error::ErrorKind as HubErrorKind;
use event_source::{ErrorKind, SourceError};

/// An error of a link or of a management call.
#[derive(Debug)]
pub(crate) struct HubError {
    pub(crate) kind: ErrorKind,
    /// Another receiver took the partition.
    pub(crate) is_stolen: bool,
    /// The hub gave nothing although it has something.
    pub(crate) is_silence: bool,
    /// The next message cannot be read, now or later.
    pub(crate) is_unreadable: bool,
    text: String,
}

/// Nothing nests its errors deeper.
const DEPTH: usize = 16;

impl HubError {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, is_stolen: false, is_silence: false, is_unreadable: false, text: text.into() }
    }

    /// The hub has messages up to that one, and gives none.
    pub(crate) fn silence(last: i64) -> Self {
        let text = format!("the partition is silent, though it has messages up to {last}");
        Self { is_silence: true, ..Self::new(ErrorKind::Unavailable, text) }
    }

    /// No answer within that time.
    pub(crate) fn silent(what: &str, after: Duration) -> Self {
        Self::new(ErrorKind::Unavailable, format!("no answer to {what} within {} s", after.as_secs()))
    }

    /// The whole story in one message; `what` is what was tried, with the resource's name.
    pub(crate) fn while_doing(self, what: &str) -> SourceError {
        let Self { kind, text, .. } = self;
        let advice = match kind {
            ErrorKind::Throttled => ": the namespace is at its limit; more throughput units raise it",
            ErrorKind::Denied => {
                ": the policy or identity needs the right to listen (`Listen`, or the role `Azure Event Hubs Data Receiver`)"
            }
            ErrorKind::NotFound => ": is the name of hub, consumer group and namespace right?",
            _ => "",
        };
        SourceError::new(kind, format!("cannot {what}{advice}")).because(SourceError::new(kind, text))
    }
}

impl From<EventHubsError> for HubError {
    fn from(error: EventHubsError) -> Self {
        let mut kind = ErrorKind::Unavailable;
        let mut is_stolen = false;
        let mut text = None;
        if let HubErrorKind::ConsumerDisconnected(_) = &error.kind {
            is_stolen = true;
            text = Some("another receiver has taken the partition".to_owned());
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        for _ in 0..DEPTH {
            let Some(current) = cause else { break };
            if let Some(AmqpErrorKind::AmqpDescribedError(described)) =
                current.downcast_ref::<AmqpError>().map(AmqpError::kind)
            {
                let condition: &str = (&described.condition).into();
                kind = kind_of(&described.condition);
                let description = described.description.as_deref().unwrap_or_default();
                text.get_or_insert_with(|| format!("{condition}: {}", one_line(description)));
            }
            if let Some(AmqpErrorKind::ManagementStatusCode(status, description)) =
                current.downcast_ref::<AmqpError>().map(AmqpError::kind)
            {
                kind = kind_of_status(u16::from(*status));
                let description = description.as_deref().unwrap_or_default();
                text.get_or_insert_with(|| {
                    format!("status {}: {}", u16::from(*status), one_line(description))
                });
            }
            cause = current.source();
        }
        let text = text.unwrap_or_else(|| one_line(&deepest(&error)));
        // Nothing but its name tells this one; it comes through two layers of boxes.
        let is_unreadable = format!("{error:?}").contains("MessageDecode");
        Self { kind, is_stolen, is_silence: false, is_unreadable, text }
    }
}

const fn kind_of(condition: &Condition) -> ErrorKind {
    match condition {
        Condition::UnauthorizedAccess => ErrorKind::Denied,
        Condition::NotFound | Condition::ResourceDeleted | Condition::EntityDisabledError => {
            ErrorKind::NotFound
        }
        Condition::ServerBusyError | Condition::ResourceLimitExceeded => ErrorKind::Throttled,
        _ => ErrorKind::Unavailable,
    }
}

const fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        429 | 503 => ErrorKind::Throttled,
        _ => ErrorKind::Unavailable,
    }
}

/// The outer errors repeat the inner ones in words of their own.
fn deepest(error: &EventHubsError) -> String {
    let mut deepest = error.to_string();
    let mut cause = error.source();
    for _ in 0..DEPTH {
        let Some(current) = cause else { break };
        deepest = current.to_string();
        cause = current.source();
    }
    deepest
}

/// The service answers with several lines, and with a reference that only its support can read.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let text = text.split("TrackingId:").next().unwrap_or_default();
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars().take(MOST).collect()
}
