//! From an object to an audit event: what it must be, what is added to it, what time it happened.

use std::borrow::Cow;

use bytes::Bytes;

use super::Context;
use super::annotations::{self, Annotation};
use crate::document::{Document, Value};
use crate::event::{AuditEvent, EventIdentity, RejectedKind};
use crate::fields::path::Node;
use crate::salvage::{self, SalvageReason, TRUNCATED};
use crate::splice::Splices;
use crate::{Index, UnixNanos};

/// A document that lacks everything.
const NOTHING: &[u8] = b"{}";

/// Makes an event of `bytes`, which is one valid object with this `index`.
pub(super) fn admit(
    mut bytes: Bytes,
    index: &mut Index,
    mut salvaged: Option<SalvageReason>,
    context: &Context<'_>,
) -> Result<AuditEvent, RejectedKind> {
    let document = index.view(&bytes);
    if !document.claims_to_be_audit_event() {
        let said_nothing = salvaged.is_some() && document.get(Node::Kind).is_none();
        return Err(if said_nothing { RejectedKind::CutTooEarly } else { RejectedKind::NotAuditEvent });
    }
    let timestamp = timestamp(document, salvaged.is_some()).unwrap_or(context.received);

    // Nearly all is ASCII, which is told faster.
    if !bytes.is_ascii() && std::str::from_utf8(&bytes).is_err() {
        salvaged = salvaged.max(Some(SalvageReason::InvalidUtf8));
        bytes = Bytes::from(String::from_utf8_lossy(&bytes).into_owned());
        index.rebuild(&bytes).map_err(|_| RejectedKind::NotJson)?;
    }
    let max = context.limits.event_size();
    let mut added = additions(index.view(&bytes), salvaged, timestamp, context);
    let mut known_by = None;
    if added.len_after(bytes.len()) > max {
        if !salvaged.is_some_and(SalvageReason::loses_parts) {
            known_by = EventIdentity::of(index.view(&bytes));
        }
        salvaged = salvaged.max(Some(SalvageReason::TooLarge));
        let nothing = Index::parse(NOTHING).unwrap_or_default();
        let room = |document: Document<'_>| {
            max.saturating_sub(additions(document, salvaged, timestamp, context).len_after(0))
        };
        // When all that is to be added is missing, and two commas.
        let least_room = room(nothing.view(NOTHING)).saturating_sub(2);
        bytes = Bytes::from(salvage::shrink(&bytes, index, room(index.view(&bytes)), least_room));
        index.rebuild(&bytes).map_err(|_| RejectedKind::TooLarge)?;
        added = additions(index.view(&bytes), salvaged, timestamp, context);
    }
    let payload = if added.is_empty() { bytes } else { add(&bytes, index, added)? };
    Ok(AuditEvent { payload, timestamp, salvaged, places: index.places(), known_by })
}

/// The event with all that is to be added, and its index.
fn add(bytes: &[u8], index: &mut Index, added: Splices) -> Result<Bytes, RejectedKind> {
    let document = index.view(bytes);
    // Then nothing is added but annotations: beside others, or in place of what were none.
    let has_all =
        [Node::Annotations, Node::StageTimestamp].into_iter().all(|node| document.get(node).is_some());
    if has_all {
        index.follow(&added);
    }
    let payload = added.apply(bytes);
    if has_all {
        index.reopen(&payload, Node::Annotations);
    } else {
        index.rebuild(&payload).map_err(|_| RejectedKind::TooLarge)?;
    }
    Ok(Bytes::from(payload))
}

/// When it happened, as far as the event knows. Of an event that lost parts only the stage's own time
/// counts: a legacy `timestamp` may be another stage's.
fn timestamp(document: Document<'_>, salvaged: bool) -> Option<UnixNanos> {
    let at = |node| document.get(node).map(Value::text_raw).and_then(UnixNanos::parse_rfc3339);
    let legacy = || if salvaged { None } else { at(Node::Timestamp) };
    at(Node::StageTimestamp).or_else(legacy)
}

/// What is missing in an event, and belongs into it.
fn additions(
    document: Document<'_>,
    salvaged: Option<SalvageReason>,
    timestamp: UnixNanos,
    context: &Context<'_>,
) -> Splices {
    let mut added = Splices::default();
    let mut wanted = Cow::Borrowed(context.annotations);
    if salvaged.is_some_and(SalvageReason::loses_parts) {
        if document.get(Node::StageTimestamp).is_none() {
            annotations::insert_member(
                document,
                Node::StageTimestamp,
                &format!("\"{timestamp}\""),
                &mut added,
            );
        }
        wanted.to_mut().push(Annotation { key: TRUNCATED, value: "true" });
    }
    annotations::insert_missing(document, &wanted, &mut added);
    added
}
