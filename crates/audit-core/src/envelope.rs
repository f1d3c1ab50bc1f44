//! From what a transport delivers to audit events.
//!
//! A payload holds one event, an `EventList` (`items`), an array of either, or several of these one after
//! the other (a line each, for example). A byte order mark and whitespace around it are ignored.
//!
//! # What counts as an audit event
//! A JSON object with an `auditID`, whatever its value; or one of `kind` `Event` whose `apiVersion` begins
//! with `audit.k8s.io/`. Everything else is rejected by its kind ([`RejectedKind`]): other logs arrive
//! in the same streams. An object with an array `items`, and no `auditID` before that, is a list.
//!
//! # One event in, one event out
//! What is cut off, damaged, too deep or too large is salvaged ([`crate::salvage`]), not dropped. In a list
//! that costs the neighbours nothing, as long as the brackets of the damaged event are in balance.
//! Bytes that are not UTF-8 become U+FFFD, and the event counts as salvaged.
//! An event that needs nothing is a slice of the payload, byte for byte.
//!
//! It owns no transport: what a CloudWatch message adds is in [`cloudwatch`], and what a message of an Event Hub
//! wraps around events in [`azure`].

mod annotations;
pub mod azure;
mod candidate;
pub mod cloudwatch;
mod event_list;

use bytes::Bytes;

use crate::document::scan;
use crate::event::{RejectedKind, SplitOutcome};
use crate::limits::MAX_PAYLOAD;
use crate::{Limits, UnixNanos};
use annotations::Annotation;

/// Finds the events in `payload`, which arrived at `received`.
///
/// It never fails: what is not an event is told in [`SplitOutcome::rejected`], beside what is.
/// Memory: the payload itself and, for events that had to be changed, a copy of each; beyond that some 300 bytes
/// for each event, most of them for its [`Places`](crate::Places).
pub fn split(payload: &Bytes, received: UnixNanos, limits: &Limits) -> SplitOutcome {
    split_with(payload, &Context { received, annotations: &[], limits })
}

/// What is known of a payload besides its bytes.
struct Context<'a> {
    received: UnixNanos,
    /// To be added to each event that has none of that name.
    annotations: &'a [Annotation<'a>],
    limits: &'a Limits,
}

fn split_with(payload: &Bytes, context: &Context<'_>) -> SplitOutcome {
    let mut outcome = SplitOutcome::default();
    if payload.len() > MAX_PAYLOAD {
        outcome.reject(RejectedKind::TooLarge, 0, payload.len());
        return outcome;
    }
    let trimmed = trim(payload);
    if trimmed.is_empty() {
        outcome.reject(RejectedKind::Empty, 0, payload.len());
        return outcome;
    }
    let mut reader = event_list::Reader::new(payload.slice_ref(trimmed), context, &mut outcome);
    reader.read_all();
    // Positions are told in the payload, not in what is left of it.
    let skipped = trimmed.as_ptr().addr() - payload.as_ptr().addr();
    for rejected in &mut outcome.rejected {
        rejected.offset += skipped;
    }
    outcome
}

/// Without the byte order mark, the space around, and the mark that tells of a cut: no JSON ends in that.
fn trim(payload: &[u8]) -> &[u8] {
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let payload = payload.get(scan::space(payload, 0)..).unwrap_or_default().trim_ascii_end();
    payload.strip_suffix(crate::salvage::CUT_MARK).unwrap_or(payload).trim_ascii_end()
}
