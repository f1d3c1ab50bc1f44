//! What comes out of an envelope: events, and what was no event.
//!
//! It does not own how they are found; that is [`crate::envelope`].

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::document::scan::Kind;
use crate::document::{Document, Index, Places};
use crate::fields::path::Node;
use crate::{SalvageReason, UnixNanos};

/// One audit event: a JSON object, as Falco gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Valid JSON and valid UTF-8: one object. A slice of the envelope's bytes wherever nothing had to be
    /// changed, so it may keep a larger buffer alive.
    pub payload: Bytes,
    /// When it happened: the event's `stageTimestamp`, else its `timestamp` (the API before v1), else the
    /// time that the caller gave for the envelope.
    pub timestamp: UnixNanos,
    /// Why parts of it are missing, if they are; the gravest reason where there are several.
    pub salvaged: Option<SalvageReason>,
    /// Where its parts are, for [`Index::restore`]: of this payload and of no other.
    pub places: Places,
    /// Of an event that had to be made smaller: what it was known by before.
    pub(crate) known_by: Option<EventIdentity>,
}

impl AuditEvent {
    /// By what it is known when it arrives a second time; `None` also where parts were lost before it arrived.
    pub fn identity(&self) -> Option<EventIdentity> {
        if self.salvaged.is_some_and(SalvageReason::loses_parts) {
            return self.known_by;
        }
        let mut index = Index::default();
        index.restore(self.places.as_ref(), self.payload.len());
        EventIdentity::of(index.view(&self.payload))
    }
}

/// A hash of what tells an event from all others, equal wherever the event went: two copies of it that came by
/// two ways have the same.
///
/// It is made of `auditID`, `stage` and `stageTimestamp`, and of the request's URI, verb and user. The first two
/// would name an event, if a client could not choose the `auditID` of its request (the header `Audit-ID`): by
/// sending the one of a request before, it could hide the next one. When the API server did its work it cannot
/// choose.
///
/// An event has none where one of the first three is not known: all that lack it would be taken for copies.
//
// XXH3 since the workspace has it (`cloudwatch-tail` knows its events by it, too), it takes some 10 ns for
// 50 bytes, and gives the same on every machine and in every version, which the standard library's hashers do
// not promise. With the 500,000 that are remembered, the chance that any two distinct ones meet is 1 in
// 148 million (n² / 2⁶⁵).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventIdentity(pub u64);

impl EventIdentity {
    const NEEDED: [Node; 3] = [Node::AuditId, Node::Stage, Node::StageTimestamp];
    const BESIDES: [Node; 3] = [Node::RequestUri, Node::Verb, Node::UserName];

    /// Of an event that is whole.
    pub(crate) fn of(event: Document<'_>) -> Option<EventIdentity> {
        let text = |node| {
            let value = event.get(node).filter(|value| value.kind() == Some(Kind::String))?;
            Some(value.text()).filter(|text| !text.is_empty())
        };
        // One as the seed of the other: no separator is needed, and `a` + `bc` is not `ab` + `c`.
        let mut hash = 0;
        for node in Self::NEEDED {
            hash = xxh3_64_with_seed(text(node)?.as_bytes(), hash);
        }
        for node in Self::BESIDES {
            hash = xxh3_64_with_seed(text(node).unwrap_or_default().as_bytes(), hash);
        }
        Some(EventIdentity(hash))
    }
}

/// What one payload held: value and problems side by side, since one does not exclude the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitOutcome {
    /// The events, in the payload's order.
    pub events: Vec<AuditEvent>,
    /// What was no audit event: at most one entry for each [`RejectedKind`], so that a hostile payload
    /// cannot make this larger than itself.
    pub rejected: Vec<Rejected>,
}

impl SplitOutcome {
    pub(crate) fn reject(&mut self, kind: RejectedKind, offset: usize, len: usize) {
        self.reject_all(Rejected { kind, count: 1, offset, len });
    }

    pub(crate) fn reject_all(&mut self, more: Rejected) {
        if let Some(known) = self.rejected.iter_mut().find(|known| known.kind == more.kind) {
            known.count += more.count;
            known.len += more.len;
        } else {
            self.rejected.push(more);
        }
    }
}

/// All parts of one payload that were rejected for one reason. It never holds their bytes: they may be
/// anything, secrets among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub kind: RejectedKind,
    /// How many parts.
    pub count: usize,
    /// Where in the payload the first of them starts, in bytes.
    pub offset: usize,
    /// How long they are, all together, in bytes.
    pub len: usize,
}

/// Why something that arrived was not an audit event. A bounded set: it becomes the name of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectedKind {
    /// Nothing, or nothing but whitespace.
    Empty,
    /// Not an object or array of JSON: a line of another log, for example.
    NotJson,
    /// JSON, but neither an audit event nor a list of them.
    NotAuditEvent,
    /// An object that was cut off before anything told that it is an audit event.
    CutTooEarly,
    /// Beyond [`MAX_PAYLOAD`](crate::limits::MAX_PAYLOAD).
    TooLarge,
}

impl RejectedKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [RejectedKind; 5] = [
        RejectedKind::Empty,
        RejectedKind::NotJson,
        RejectedKind::NotAuditEvent,
        RejectedKind::CutTooEarly,
        RejectedKind::TooLarge,
    ];

    /// The kind's name in logs and metrics, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            RejectedKind::Empty => "empty",
            RejectedKind::NotJson => "not_json",
            RejectedKind::NotAuditEvent => "not_audit_event",
            RejectedKind::CutTooEarly => "cut_too_early",
            RejectedKind::TooLarge => "too_large",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_rejection_is_counted_once() {
        let mut outcome = SplitOutcome::default();
        outcome.reject(RejectedKind::NotJson, 3, 10);
        outcome.reject(RejectedKind::Empty, 20, 0);
        outcome.reject(RejectedKind::NotJson, 30, 5);
        let first = Rejected { kind: RejectedKind::NotJson, count: 2, offset: 3, len: 15 };
        assert_eq!(
            outcome.rejected,
            [first, Rejected { kind: RejectedKind::Empty, count: 1, offset: 20, len: 0 }]
        );
    }

    #[test]
    fn names_of_kinds_are_distinct() {
        let names: std::collections::HashSet<_> =
            RejectedKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), RejectedKind::ALL.len());
    }
}
