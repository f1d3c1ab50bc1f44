//! A message of CloudWatch Logs, as EKS writes them: one audit event, and where it comes from.
//!
//! Over-long lines arrive cut off, with `[Truncated...]` at their end; those become events too
//! ([`crate::salvage`]), at the time that CloudWatch gives.

use bytes::Bytes;

use super::annotations::{Annotation, LONGEST_NAME};
use super::{Context, split_with};
use crate::{Limits, SplitOutcome, UnixNanos};

/// Which cluster a message comes from, as far as it is known. Each part that is becomes an annotation of
/// every event, unless the event has one of that name. A name of more than 256 bytes, or with control
/// characters in it, is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The cluster's name: annotation `cluster_name`.
    pub cluster: Option<String>,
    /// The cluster's region: annotation `cluster_region`.
    pub region: Option<String>,
    /// The number of the cluster's account: annotation `cluster_account`.
    pub account: Option<String>,
}

impl Origin {
    fn annotations(&self) -> Vec<Annotation<'_>> {
        [
            ("cluster_name", &self.cluster),
            ("cluster_region", &self.region),
            ("cluster_account", &self.account),
        ]
        .into_iter()
        .filter_map(|(key, value)| Annotation::named(key, value.as_deref(), LONGEST_NAME))
        .collect()
    }
}

/// Finds the events of one message, whose time is `timestamp_ms` (milliseconds since 1970).
///
/// As [`split`](super::split), and adds the [`Origin`] to each event; every other byte of an event stays as
/// it was. The limit on an event's size holds for what comes out, annotations included.
pub fn split(message: Bytes, timestamp_ms: i64, origin: &Origin, limits: &Limits) -> SplitOutcome {
    let annotations = origin.annotations();
    let received = UnixNanos::from_millis(timestamp_ms);
    split_with(&message, &Context { received, annotations: &annotations, limits })
}
