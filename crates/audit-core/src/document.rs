//! An audit event as a lazy document: where its parts are, found once and only when asked for.
//!
//! An [`Index`] is built for each event, holds positions and no bytes, and is reused from event to event
//! without allocating; a [`Document`] is an index together with the payload that it was built from, which
//! may belong to somebody else (Falco's event buffer).
//! It owns no field: what a value means is said in [`crate::fields`] and [`mod@crate::extract`].
//!
//! # Trust
//!
//! The payload of a capture file or of another plugin was never validated by us, so everything here is safe
//! on any bytes: positions are checked when they are used, values are read by their structure, and a
//! document that is broken behind the part that was asked may still give values.

mod block;
mod finder;
mod indent;
mod lanes;
mod marks;
mod places;
mod pointer;
pub(crate) mod scan;
mod skimmer;
#[cfg(any(test, fuzzing))]
pub mod twins;
mod unescape;
mod value;

use std::cell::Cell;
use std::fmt;

use fearless_simd::{Level, Simd, dispatch};

use crate::fields::path::{NODES, Node};
#[cfg(doc)]
use crate::limits::MAX_DEPTH;
use crate::limits::MAX_PAYLOAD;
use crate::splice::Splices;
use marks::Marks;
use scan::{ScanError, ScanErrorKind};
use skimmer::Skimmer;

pub(crate) use finder::Finder;
pub use places::Places;
pub use pointer::Pointer;
pub(crate) use unescape::{into_text, unescape, unescape_bytes};
pub(crate) use value::{Key, Value};

/// Why a payload is not a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It does not begin with an object, nor with an array where that will do.
    NotAnObject,
    /// It ends within the object, at `at` bytes.
    Incomplete {
        /// The position in bytes.
        at: usize,
    },
    /// It is not JSON.
    Malformed {
        /// The position in bytes at which that shows.
        at: usize,
    },
    /// It is larger than [`MAX_PAYLOAD`].
    TooLarge,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::NotAnObject => {
                write!(f, "the event is not a JSON object; `envelope::split` finds those")
            }
            ParseError::Incomplete { at } => {
                write!(f, "the event ends early, at byte {at}; `envelope::split` makes it whole")
            }
            ParseError::Malformed { at } => write!(f, "the event is not JSON at byte {at}"),
            ParseError::TooLarge => write!(f, "the event is larger than {MAX_PAYLOAD} bytes"),
        }
    }
}

impl std::error::Error for ParseError {}

impl From<ScanError> for ParseError {
    fn from(error: ScanError) -> ParseError {
        match error.kind {
            ScanErrorKind::End => ParseError::Incomplete { at: error.at },
            ScanErrorKind::Unexpected | ScanErrorKind::TooDeep | ScanErrorKind::Stopped => {
                ParseError::Malformed { at: error.at }
            }
        }
    }
}

/// A place in the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    start: u32,
    end: u32,
}

/// Where the parts of one event are. Built from a payload by [`Index::parse`] or [`Index::rebuild`], or from what a
/// source found by [`Index::restore`], and put together with the same payload again by [`Index::view`].
///
/// The top level is found when it is built; a part below when a field first asks for it, unless the source found it,
/// and then remembered. Once it has seen some of the usual sizes, up to 256 KiB, it allocates nothing for others.
#[derive(Clone, Debug)]
pub struct Index {
    len: usize,
    slots: [Cell<Slot>; NODES],
    /// A bit for each place that was found: what stands in the slots of others is of no event.
    present: Cell<u64>,
    /// Of the payload, if it was read by its structure.
    marks: Marks,
    /// A bit for each place whose children were looked for.
    opened: Cell<u64>,
}

// A bit for each must fit.
const _: () = assert!(NODES <= 64);

impl Default for Index {
    /// The index of no event: it has no values.
    fn default() -> Index {
        Index {
            len: 0,
            slots: [const { Cell::new(Slot { start: 0, end: 0 }) }; NODES],
            present: Cell::new(0),
            marks: Marks::default(),
            opened: Cell::new(0),
        }
    }
}

impl Index {
    /// Finds the top level of one event.
    ///
    /// # Errors
    /// When the payload is not one JSON object, as far as its structure tells: what no field asks for is
    /// not validated.
    pub fn parse(payload: &[u8]) -> Result<Index, ParseError> {
        let mut index = Index::default();
        index.rebuild(payload)?;
        Ok(index)
    }

    /// The same in place, for the next event. After an error it is the index of no event.
    ///
    /// # Errors
    /// As [`Index::parse`].
    pub fn rebuild(&mut self, payload: &[u8]) -> Result<(), ParseError> {
        let result = dispatch!(Level::new(), simd => self.rebuild_with(simd, payload));
        if result.is_err() {
            self.clear();
        }
        result
    }

    #[inline(always)]
    fn rebuild_with<S: Simd>(&mut self, simd: S, payload: &[u8]) -> Result<(), ParseError> {
        // The marks are written over.
        self.forget_places();
        if payload.len() > MAX_PAYLOAD {
            return Err(ParseError::TooLarge);
        }
        let start = scan::space(payload, 0);
        if payload.get(start) != Some(&b'{') {
            return Err(ParseError::NotAnObject);
        }
        self.marks.rebuild(simd, payload);
        // All of it is looked at, whatever was found.
        let end = self.fill_children(payload, start, Node::Root, usize::MAX)?;
        let behind = scan::space(payload, end);
        if behind != payload.len() {
            return Err(ParseError::Malformed { at: behind });
        }
        self.close_top(payload.len(), start, end);
        Ok(())
    }

    /// The same of any JSON document, an audit event or not: an object or an array, which is validated. What is
    /// nested deeper than [`MAX_DEPTH`] is passed by its quotes and brackets. After an error it is the index of
    /// no document.
    ///
    /// # Errors
    /// When the payload is not JSON, or neither an object nor an array.
    pub fn rebuild_strictly(&mut self, payload: &[u8]) -> Result<(), ParseError> {
        self.clear();
        if payload.len() > MAX_PAYLOAD {
            return Err(ParseError::TooLarge);
        }
        let start = scan::space(payload, 0);
        let mut passed = Brackets(payload);
        let end = match payload.get(start) {
            Some(b'{') => scan::members(payload, start, |key, at| -> Result<usize, ScanError> {
                let end = scan::walk(payload, at, 1, &mut passed)?;
                if let Some(member) = self.missing_child(Node::Root, Key::new(payload, key)) {
                    self.set(member, at, end);
                }
                Ok(end)
            }),
            Some(b'[') => scan::walk(payload, start, 0, &mut passed),
            _ => return Err(ParseError::NotAnObject),
        };
        let result = end.map_err(ParseError::from).and_then(|end| {
            let rest = scan::space(payload, end);
            if rest == payload.len() { Ok(end) } else { Err(ParseError::Malformed { at: rest }) }
        });
        match result {
            Ok(end) => self.close_top(payload.len(), start, end),
            Err(_) => self.clear(),
        }
        result.map(|_| ())
    }

    /// The document that this index was built from. Put together with another payload it is safe, and
    /// meaningless; with one of another length it has no values.
    pub fn view<'d>(&'d self, payload: &'d [u8]) -> Document<'d> {
        let payload = if payload.len() == self.len { payload } else { &[] };
        Document { payload, index: self }
    }

    /// The index of no event.
    pub(crate) fn clear(&mut self) {
        self.marks.clear();
        self.forget_places();
    }

    fn forget_places(&mut self) {
        self.len = 0;
        self.present.set(0);
        self.opened.set(0);
    }

    /// Finds the named children of `parent`, an object that begins at `start` of `payload`, until `missing` of them are
    /// found. Returns where the search ended: behind the object, when not all were.
    #[inline(always)]
    fn fill_children(
        &self,
        payload: &[u8],
        start: usize,
        parent: Node,
        mut missing: usize,
    ) -> Result<usize, ParseError> {
        let mut at = start;
        let mut skimmer = Skimmer::with_marks(payload, self.marks.as_slice(), start);
        loop {
            at = scan::space(payload, at);
            let is_first = at == start;
            let Some(&byte) = payload.get(at) else { return Err(ParseError::Incomplete { at }) };
            // Not a `match`, which would become a jump that nobody can foresee.
            if byte != if is_first { b'{' } else { b',' } {
                if byte == b'}' {
                    return Ok(at + 1);
                }
                return Err(ParseError::Malformed { at });
            }
            let quote = scan::space(payload, at + 1);
            let Some(&byte) = payload.get(quote) else { return Err(ParseError::Incomplete { at: quote }) };
            if byte != b'"' {
                if byte == b'}' && is_first {
                    return Ok(quote + 1);
                }
                return Err(ParseError::Malformed { at: quote });
            }
            let after = skimmer.string(quote)?;
            let value = scan::colon(payload, after)?;
            at = skimmer.skip(value)?;
            if let Some(child) = self.missing_child(parent, Key::new(payload, quote + 1..after - 1)) {
                self.set(child, value, at);
                missing -= 1;
                if missing == 0 {
                    return Ok(at);
                }
            }
        }
    }

    /// The named child, unless it is known already.
    #[inline(always)]
    fn missing_child(&self, parent: Node, key: Key<'_>) -> Option<Node> {
        let child = key.child_of(parent)?;
        if self.has(child) { None } else { Some(child) }
    }

    /// Whether that place was found.
    #[inline(always)]
    fn has(&self, node: Node) -> bool {
        self.present.get() >> node.index() & 1 != 0
    }

    #[inline(always)]
    fn set(&self, node: Node, start: usize, end: usize) {
        // No payload is larger than `MAX_PAYLOAD`; were one, it would have no such place.
        if let (Some(slot), Ok(start), Ok(end)) =
            (self.slots.get(node.index()), u32::try_from(start), u32::try_from(end))
        {
            slot.set(Slot { start, end });
            self.present.set(self.present.get() | 1 << node.index());
        }
    }

    #[inline(always)]
    fn slot(&self, number: usize) -> Slot {
        self.slots.get(number).map(Cell::get).unwrap_or_default()
    }

    /// The payload has that length, and the document in it, whose top level was found, that place.
    fn close_top(&mut self, len: usize, start: usize, end: usize) {
        self.len = len;
        self.set(Node::Root, start, end);
        self.opened.set(1);
    }

    /// The payload has that length, and [`Finder`] has found all that there is.
    pub(crate) fn seal(&mut self, len: usize) {
        self.len = len;
        self.opened.set(u64::MAX);
    }

    /// Lets the places follow what `splices` does to the payload: each replaces one value, or inserts members in front
    /// of a closing brace.
    pub(crate) fn follow(&mut self, splices: &Splices) {
        let moved = |position: u32| u32::try_from(splices.moved(position as usize)).unwrap_or_default();
        for slot in &mut self.slots {
            let Slot { start, end } = slot.get_mut();
            (*start, *end) = (moved(*start), moved(*end));
        }
        self.len = splices.len_after(self.len);
        // They are of what it was before.
        self.marks.clear();
    }

    /// Looks for the children of `node` that are not known yet.
    pub(crate) fn reopen(&mut self, payload: &[u8], node: Node) {
        self.opened.set(self.opened.get() & !(1 << node.index()));
        self.view(payload).open(node);
    }
}

/// Passes what is nested too deep by its quotes and brackets, in this payload.
struct Brackets<'b>(&'b [u8]);

impl scan::Visit for Brackets<'_> {
    fn too_deep(&mut self, at: usize) -> Option<usize> {
        scan::skip(self.0, at).ok()
    }
}

/// One audit event, to read values from: [`mod@crate::extract`] does.
#[derive(Clone, Copy, Debug)]
pub struct Document<'d> {
    payload: &'d [u8],
    index: &'d Index,
}

impl<'d> Document<'d> {
    /// Whether it has an `auditID`. Of anything else, no field has a value.
    pub fn is_audit_event(self) -> bool {
        // The top level was looked for when the index was built.
        self.peek(Node::AuditId).is_some()
    }

    /// Whether it looks like an audit event, as a source sees it: it has an `auditID`, or says of itself
    /// that it is one.
    pub(crate) fn claims_to_be_audit_event(self) -> bool {
        let text_at = |node| self.get(node).map(Value::text);
        self.is_audit_event()
            || (text_at(Node::Kind).is_some_and(|kind| kind == "Event")
                && text_at(Node::ApiVersion).is_some_and(|version| version.starts_with("audit.k8s.io/")))
    }

    /// The value at a place.
    #[inline]
    pub(crate) fn get(self, node: Node) -> Option<Value<'d>> {
        let parent = node.parent();
        if self.index.opened.get() >> parent.index() & 1 == 0 {
            self.open(parent)?;
        }
        self.peek(node)
    }

    /// The value at a place whose parent was opened.
    #[inline]
    fn peek(self, node: Node) -> Option<Value<'d>> {
        if !self.index.has(node) || self.payload.is_empty() {
            return None;
        }
        let slot = self.index.slot(node.index());
        let marks = self.index.marks.as_slice();
        Some(Value::new(self.payload, marks, slot.start as usize, slot.end as usize))
    }

    /// Finds the named children of a place, and of the places that it lies in, from the outermost on.
    #[inline(never)]
    fn open(self, node: Node) -> Option<()> {
        dispatch!(Level::new(), simd => self.open_with(simd, node))
    }

    #[inline(always)]
    fn open_with<S: Simd>(self, _for_this_processor: S, node: Node) -> Option<()> {
        let mut closed = [Node::Root; 8];
        let mut depth = 0;
        let mut at = node;
        while self.index.opened.get() >> at.index() & 1 == 0 {
            *closed.get_mut(depth)? = at;
            depth += 1;
            at = at.parent();
        }
        while let Some(last) = depth.checked_sub(1) {
            depth = last;
            let parent = *closed.get(depth)?;
            self.index.opened.set(self.index.opened.get() | 1 << parent.index());
            if let Some(value) = self.peek(parent)
                && value.kind() == Some(scan::Kind::Object)
            {
                // What is damaged has the children that stand before the damage. Nothing behind its end is a part of it.
                let payload = self.payload.get(..value.span().end)?;
                let missing = parent.children_count();
                let _ = self.index.fill_children(payload, value.span().start, parent, missing);
            }
        }
        Some(())
    }
}
