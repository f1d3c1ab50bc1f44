//! The body of one message of an Event Hub, as the diagnostic settings of AKS write it: many records, each
//! with one line of a log.
//!
//! ```json
//! {"records": [{
//!   "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
//!   "category": "kube-audit",
//!   "resourceId": "/SUBSCRIPTIONS/../RESOURCEGROUPS/../PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/NAME",
//!   "properties": {"log": "{\"kind\":\"Event\",..}\n", "stream": "stdout", "pod": "..", "containerID": ".."},
//!   "time": "2026-03-14T09:00:00.0000000Z"
//! }]}
//! ```
//!
//! | part | is read as |
//! |---|---|
//! | body | such an object; an array of records, one record; several of these one after the other; behind a byte order mark; before space or zeros |
//! | record | its members in any order; others are passed |
//! | `properties` | an object, or a string with one in it |
//! | `log` | a string with an event or a list in it, or these themselves |
//!
//! # One bad record costs only itself
//! A record that is not valid ends where the next begins: at an object with two members of a record, or with
//! `log` in `properties`. What can be found of it makes an event: [`crate::salvage`] for what was cut off,
//! at AKS's 16 KiB or with the whole message; single quotes and raw control characters are mended, and then
//! nothing is missing ([`Outcome::mended`]).
//! Two things cannot be helped: a record between whose brackets damage put another, so that both together are
//! valid; and one in single quotes behind another that is damaged as well.
//!
//! # Bounds
//! Memory: the events, and while a record is read one copy of its `log`, or a few of a damaged record. A body
//! that was made to cost time is searched less thoroughly once each of its bytes was looked at 16 times in vain:
//! then a record behind a damaged one is known only by its first member.

mod body;
mod origin;
mod record;

use bytes::Bytes;

use crate::event::RejectedKind;
use crate::limits::MAX_PAYLOAD;
use crate::{Limits, SplitOutcome, UnixNanos};
use body::Body;

/// The categories whose records are wanted. Upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories(Vec<String>);

impl Categories {
    /// Those of these names.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Categories {
        Categories(names.into_iter().map(Into::into).collect())
    }

    /// Whether records of that category are wanted.
    pub fn contains(&self, category: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(category))
    }
}

impl Default for Categories {
    /// The two that hold audit events: `kube-audit`, and `kube-audit-admin`, which leaves out reads.
    fn default() -> Categories {
        Categories::new(["kube-audit", "kube-audit-admin"])
    }
}

/// What the caller knows and wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Records of other categories are skipped; one without a category is taken, since an event in it is one.
    pub categories: Categories,
    /// The cluster's name where a record has no `resourceId`.
    pub cluster: Option<String>,
}

/// What one body held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The events, and what was rejected; its places are those of the records in the body.
    pub split: SplitOutcome,
    /// How many records there were, skipped and rejected ones and remains of damaged ones included.
    pub records: usize,
    /// How many of them were of a category that was not wanted. They count as nothing else.
    pub skipped: usize,
    /// How many were not JSON, and could be mended so that nothing is missing that was there.
    pub mended: usize,
}

/// Finds the events of one message's `body`, which was enqueued or arrived at `received`.
///
/// To each event are added, unless it has them, the annotations
/// - `cluster_name`: the last segment of the record's `resourceId` in lower case, for Azure writes it in upper
///   case; else [`Options::cluster`];
/// - `cluster_resource_id`: the `resourceId` as it is;
/// - `cluster_account`: the id of the subscription in it, as it is.
///
/// An id of more than 512 bytes, a name of more than 256, and what has control characters, is left out.
/// An event that lost its `stageTimestamp` gets the record's `time`, or `received` when that is lost too.
/// The limit on an event's size holds for what comes out, annotations included.
///
/// It never fails: what is not an event is told in [`SplitOutcome::rejected`], beside what is.
pub fn split(body: &Bytes, received: UnixNanos, options: &Options, limits: &Limits) -> Outcome {
    if body.len() > MAX_PAYLOAD {
        let mut outcome = Outcome::default();
        outcome.split.reject(RejectedKind::TooLarge, 0, body.len());
        return outcome;
    }
    let filler = body.iter().rev().take_while(|&&byte| byte == 0 || byte.is_ascii_whitespace()).count();
    Body::new(body.slice(..body.len() - filler), received, options, limits).read()
}
