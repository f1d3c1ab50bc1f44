//! What goes wrong on request.
//!
//! Owns: the forms of a fault, and those that last. Does not own: how they look on
//! the wire (`wire`, `reader`, `writer`), nor which connections there are (`state`).

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Something to go wrong: at once to what is open, or from now on for a time.
///
/// As JSON (`POST /_emulator/faults`): `{"kind": "detach", "partition": "3", "condition":
/// "amqp:internal-error"}`. `partition` is a partition's id; in namespaces with several hubs a
/// partition of this id in any of them is meant.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Resets (RST) the connections with a reader of this partition, or all.
    Reset {
        /// All connections, when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partition: Option<String>,
    },
    /// Detaches the readers of this partition, or of all, with an error.
    Detach {
        /// All partitions, when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partition: Option<String>,
        /// `amqp:internal-error`, `com.microsoft:timeout`, `amqp:link:detach-forced`, ...
        condition: String,
        /// What the error says.
        #[serde(default)]
        description: String,
    },
    /// The readers of this partition are detached with `amqp:link:stolen`, as if another had come.
    Steal {
        /// The partition.
        partition: String,
    },
    /// New connections are reset for so long.
    Refuse {
        /// Milliseconds.
        ms: u64,
    },
    /// The next put-tokens are answered 401.
    BadToken {
        /// All, until cleared, when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    },
    /// Connections that are open answer nothing more, not even heartbeats, and stay open.
    SilentPeer {
        /// Those with a reader of this partition; all, when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partition: Option<String>,
    },
    /// Readers of this partition get no events until cleared, while everything else goes on;
    /// readers that attach later are not affected.
    SilentPartition {
        /// The partition.
        partition: String,
    },
    /// Each event is sent this much later, one after the other, until cleared.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// For so long, readers are detached, and attaches and sends refused, with
    /// `com.microsoft:server-busy`.
    ServerBusy {
        /// Milliseconds.
        ms: u64,
    },
}

/// The faults that last.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) refuse_until: Option<Instant>,
    pub(crate) busy_until: Option<Instant>,
    pub(crate) delay: Duration,
    pub(crate) bad_tokens: u64,
    /// Readers, by their number, that get no events.
    pub(crate) silent_readers: HashSet<u64>,
}

impl Faults {
    pub(crate) fn refuses(&self, now: Instant) -> bool {
        self.refuse_until.is_some_and(|until| now < until)
    }

    pub(crate) fn busy(&self, now: Instant) -> bool {
        self.busy_until.is_some_and(|until| now < until)
    }

    /// Whether this put-token is refused; counts it.
    pub(crate) fn refuses_token(&mut self) -> bool {
        let refused = self.bad_tokens > 0;
        if refused && self.bad_tokens != u64::MAX {
            self.bad_tokens -= 1;
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expect: Fault) {
        assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), expect);
        assert_eq!(serde_json::to_string(&expect).unwrap(), json);
    }

    #[test]
    fn as_json() {
        check(r#"{"kind":"reset"}"#, Fault::Reset { partition: None });
        check(r#"{"kind":"silent_peer","partition":"3"}"#, Fault::SilentPeer { partition: Some("3".into()) });
        check(r#"{"kind":"server_busy","ms":5000}"#, Fault::ServerBusy { ms: 5_000 });
        check(r#"{"kind":"bad_token","next":2}"#, Fault::BadToken { next: Some(2) });
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"delay","s":1}"#).is_err());
    }
}
