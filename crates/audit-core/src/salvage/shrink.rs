//! Making an event fit: its largest parts go first, who did what to which object stays.

use std::ops::Range;

use crate::document::scan::{self, Kind, Visit};
use crate::document::{Document, Index, Value};
use crate::fields::path::Node;
use crate::splice::Splices;

/// What a part becomes that is left out.
const EMPTY: &str = "{}";

/// How deep the last resort looks into a member that does not fit: `user`, `extra`, one attribute, its values.
const FIT_DEPTH: usize = 4;

/// A name longer than this is no name: the last resort leaves such a member out.
const LONGEST_KEY: usize = 512;

/// Makes `event`, a valid object that `index` was built from, no larger than `max` bytes; where it takes the
/// last resort, which leaves out other parts too, no larger than `last_resort` bytes.
pub(crate) fn shrink(event: &[u8], index: &Index, max: usize, last_resort: usize) -> Vec<u8> {
    let document = index.view(event);
    let response: Vec<_> = document.get(Node::ResponseObject).map(Value::span).into_iter().collect();
    let request: Vec<_> = document.get(Node::RequestObject).map(Value::span).into_iter().collect();
    let managed: Vec<_> = request.iter().flat_map(|request| managed_fields(event, request.start)).collect();
    let mut smallest = Splices::default();
    for parts in [[response.as_slice(), &[]], [&response, &managed], [&response, &request]] {
        let mut splices = Splices::default();
        for part in parts.concat().into_iter().filter(|part| part.len() > EMPTY.len()) {
            splices.replace(part, EMPTY);
        }
        if splices.len_after(event.len()) <= max {
            return splices.apply(event);
        }
        smallest = splices;
    }
    let smallest = smallest.apply(event);
    match Index::parse(&smallest) {
        Ok(index) => fit_event(index.view(&smallest), last_resort),
        Err(_) => Vec::from(EMPTY),
    }
}

/// Where the values of all `managedFields` are, within the value that begins at `start`.
fn managed_fields(event: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut search = ManagedFields { bytes: event, depth: 0, wanted: false, inside: None, found: Vec::new() };
    // The event is valid: the caller's index says so.
    let _ = scan::walk(event, start, 1, &mut search);
    search.found
}

struct ManagedFields<'a> {
    bytes: &'a [u8],
    depth: usize,
    /// The last key was the one that is looked for.
    wanted: bool,
    /// The depth and start of the value that is being passed, and will be left out.
    inside: Option<(usize, usize)>,
    found: Vec<Range<usize>>,
}

impl Visit for ManagedFields<'_> {
    fn key(&mut self, start: usize, end: usize) {
        self.wanted = self.bytes.get(start..end) == Some(b"managedFields");
    }

    fn open(&mut self, _kind: Kind, at: usize) -> bool {
        if std::mem::take(&mut self.wanted) && self.inside.is_none() {
            self.inside = Some((self.depth, at));
        }
        self.depth += 1;
        true
    }

    fn scalar(&mut self, _start: usize, _end: usize) {
        self.wanted = false;
    }

    fn close(&mut self, end: usize) {
        self.depth -= 1;
        if let Some((_, start)) = self.inside.take_if(|(depth, _)| *depth == self.depth) {
            self.found.push(start..end);
        }
    }
}

/// What an event tells, the most telling first; the names of the members that may be large come last.
const BY_WEIGHT: [Node; 15] = [
    Node::AuditId,
    Node::Kind,
    Node::ApiVersion,
    Node::Stage,
    Node::StageTimestamp,
    Node::Timestamp,
    Node::Verb,
    Node::ObjectRef,
    Node::ResponseStatus,
    Node::User,
    Node::ImpersonatedUser,
    Node::SourceIps,
    Node::Annotations,
    Node::RequestUri,
    Node::UserAgent,
];

/// The last resort, for an event that is too large without its objects: members by weight, then the others,
/// each with at most half of the room that is left, so that no one takes it all.
fn fit_event(document: Document<'_>, max: usize) -> Vec<u8> {
    let Some(root) = document.get(Node::Root) else { return Vec::from(EMPTY) };
    let weight = |key: &str| BY_WEIGHT.iter().position(|node| node.key() == key).unwrap_or(BY_WEIGHT.len());
    let mut members: Vec<_> =
        root.members().map(|(key, value)| (weight(&key.text()), key.raw(), value)).collect();
    members.sort_by_key(|(weight, ..)| *weight);
    let mut out = Vec::with_capacity(max);
    fit_members(members.into_iter().map(|(_, key, value)| (key, value)), max, FIT_DEPTH, &mut out);
    out
}

/// Writes those of the members that fit into `room` bytes, braces included; at least the braces.
fn fit_members<'d>(
    members: impl Iterator<Item = (&'d [u8], Value<'d>)>,
    room: usize,
    depth: usize,
    out: &mut Vec<u8>,
) {
    let end = out.len() + room;
    out.push(b'{');
    let mut empty = true;
    for (key, value) in members {
        let left = end.saturating_sub(out.len() + 1);
        // The key's quotes, its colon, and a comma.
        let around = key.len() + 4;
        if key.len() > LONGEST_KEY || around > left / 2 {
            continue;
        }
        let before = out.len();
        if !std::mem::take(&mut empty) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        if !fit_value(value, left / 2 - around, depth, out) {
            out.truncate(before);
            empty = out.last() == Some(&b'{');
        }
    }
    out.push(b'}');
}

/// Writes what of a value fits into `room` bytes; `false` when that is nothing.
fn fit_value(value: Value<'_>, room: usize, depth: usize, out: &mut Vec<u8>) -> bool {
    let raw = value.raw();
    if raw.len() <= room {
        out.extend_from_slice(raw);
        return !raw.is_empty();
    }
    match value.kind() {
        Some(Kind::String) => {
            let Some(inner) = room.checked_sub(2).and_then(|room| prefix(value.text_raw(), room)) else {
                return false;
            };
            out.push(b'"');
            out.extend_from_slice(inner);
            out.push(b'"');
            true
        }
        Some(Kind::Object) if depth > 0 && room >= EMPTY.len() => {
            fit_members(value.members().map(|(key, value)| (key.raw(), value)), room, depth - 1, out);
            true
        }
        Some(Kind::Array) if depth > 0 && room >= EMPTY.len() => {
            fit_elements(value, room, depth - 1, out);
            true
        }
        _ => false,
    }
}

/// Writes the leading elements that fit, brackets included. The first that does not is shortened, and none
/// comes after it: the numbers of elements stay.
fn fit_elements(array: Value<'_>, room: usize, depth: usize, out: &mut Vec<u8>) {
    let end = out.len() + room;
    out.push(b'[');
    for (number, element) in array.elements().enumerate() {
        let before = out.len();
        if number > 0 {
            out.push(b',');
        }
        let left = end.saturating_sub(out.len() + 1);
        let whole = element.raw().len() <= left;
        if !fit_value(element, left, depth, out) {
            out.truncate(before);
        }
        if !whole {
            break;
        }
    }
    out.push(b']');
}

/// The first bytes of a string, at most `room`, that end neither within an escape nor within a character.
fn prefix(inner: &[u8], room: usize) -> Option<&[u8]> {
    let mut end = 0;
    while let Some(&byte) = inner.get(end) {
        let len = match byte {
            b'\\' if inner.get(end + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            0xf0.. => 4,
            0xe0.. => 3,
            0xc0.. => 2,
            _ => 1,
        };
        if end + len > room {
            break;
        }
        end += len;
    }
    inner.get(..end)
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[track_caller]
    fn check(inner: &str, room: usize, expect: &str) {
        assert_eq!(prefix(inner.as_bytes(), room), Some(expect.as_bytes()), "{inner} in {room}");
    }

    #[test]
    fn a_string_is_never_cut_within_a_character() {
        check("abc", 3, "abc");
        check("abc", 2, "ab");
        check("abc", 0, "");
        check("", 5, "");
        for room in 1..=6 {
            check(r"a\u00e9b", room, "a");
        }
        check(r"a\u00e9b", 7, r"a\u00e9");
        check(r"a\nb", 2, "a");
        check(r"a\nb", 3, r"a\n");
        check("aé", 2, "a");
        check("a日", 3, "a");
        check("a🚀", 4, "a");
        check("a🚀", 5, "a🚀");
    }
}
