//! Finding the events of a payload: alone, in an `EventList`, in an array, or one after the other.

use bytes::Bytes;

use super::{Context, candidate};
use crate::document::scan::{self, Kind, ScanError, ScanErrorKind, Visit};
use crate::document::{Finder, Key};
use crate::event::{RejectedKind, SplitOutcome};
use crate::fields::path::Node;
use crate::{Index, SalvageReason, salvage};

/// Where a list's elements are.
const ITEMS: &str = "items";

/// Reads a payload from front to back.
pub(super) struct Reader<'a> {
    payload: Bytes,
    /// Of the object that was read last.
    index: Index,
    context: &'a Context<'a>,
    outcome: &'a mut SplitOutcome,
}

/// What an object turned out to be.
enum Outline {
    /// One event, or something else that is no list: how long it is.
    Object(usize),
    /// A list: where the array of its elements begins.
    List(usize),
}

/// Whether an object may be a list: an array may hold lists, and a list may not. So nothing recurses.
#[derive(Clone, Copy, PartialEq)]
enum Lists {
    Allowed,
    Refused,
}

impl<'a> Reader<'a> {
    pub(super) fn new(payload: Bytes, context: &'a Context<'a>, outcome: &'a mut SplitOutcome) -> Reader<'a> {
        Reader { payload, index: Index::default(), context, outcome }
    }

    /// One document after the other, until the payload ends.
    pub(super) fn read_all(&mut self) {
        let mut at = 0;
        while at < self.payload.len() {
            at = match self.payload.get(at) {
                Some(b'{') => self.object(at, Lists::Allowed),
                Some(b'[') => self.array(at, Lists::Allowed),
                _ => self.reject_rest(RejectedKind::NotJson, at),
            };
            at = scan::space(&self.payload, at);
        }
    }

    /// The elements of the array that begins at `at`; returns where to go on behind it.
    fn array(&mut self, at: usize, lists: Lists) -> usize {
        let mut at = scan::space(&self.payload, at + 1);
        if self.payload.get(at) == Some(&b']') {
            return at + 1;
        }
        loop {
            at = match self.payload.get(at) {
                Some(b'{') => self.object(at, lists),
                Some(_) => match scan::walk(&self.payload, at, 1, &mut ()) {
                    Ok(end) => self.reject(RejectedKind::NotAuditEvent, at, end),
                    Err(_) => return self.reject_rest(RejectedKind::NotJson, at),
                },
                None => return at,
            };
            at = scan::space(&self.payload, at);
            match self.payload.get(at) {
                Some(b',') => at = scan::space(&self.payload, at + 1),
                Some(b']') => return at + 1,
                Some(_) => return self.reject_rest(RejectedKind::NotJson, at),
                // Cut off between two elements: nothing of another is there to be salvaged.
                None => return at,
            }
        }
    }

    /// The object that begins at `at`; returns where to go on behind it.
    fn object(&mut self, at: usize, lists: Lists) -> usize {
        let bytes = self.payload.get(at..).unwrap_or_default();
        match outline(bytes, &mut self.index) {
            Ok(Outline::Object(len)) => self.admit(self.payload.slice(at..at + len), None, at, at + len),
            Ok(Outline::List(items)) if lists == Lists::Allowed => {
                let behind = self.array(at + items, Lists::Refused);
                self.end_of_list(behind)
            }
            Ok(Outline::List(_)) => {
                let end = self.end_by_structure(at);
                self.reject(RejectedKind::NotAuditEvent, at, end)
            }
            Err(_) => self.damaged(at),
        }
    }

    /// Behind the members that follow a list's elements; they tell nothing of events.
    fn end_of_list(&self, mut at: usize) -> usize {
        let mut depth = 1usize;
        // Space, strings and brackets: what it takes to find the brace that closes the list.
        while let Some(&byte) = self.payload.get(at) {
            match byte {
                b'"' => {
                    at = scan::skip_string(&self.payload, at).unwrap_or(self.payload.len());
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// The object that begins at `at` and is not valid, as far as its brackets reach.
    fn damaged(&mut self, at: usize) -> usize {
        let end = self.end_by_structure(at);
        let bytes = self.payload.get(at..end).unwrap_or_default();
        if let Some(repaired) = salvage::repair(bytes)
            && let Ok(Outline::Object(_)) = outline(&repaired.bytes, &mut self.index)
        {
            self.admit(Bytes::from(repaired.bytes), Some(repaired.reason), at, end)
        } else {
            self.reject(RejectedKind::CutTooEarly, at, end)
        }
    }

    fn end_by_structure(&self, at: usize) -> usize {
        scan::skip(&self.payload, at).unwrap_or(self.payload.len())
    }

    /// Makes an event of `bytes`, which was just read, and which came from `start..end`; returns
    /// `end`.
    fn admit(&mut self, bytes: Bytes, salvaged: Option<SalvageReason>, start: usize, end: usize) -> usize {
        match candidate::admit(bytes, &mut self.index, salvaged, self.context) {
            Ok(event) => {
                self.outcome.events.push(event);
                end
            }
            Err(kind) => self.reject(kind, start, end),
        }
    }

    fn reject(&mut self, kind: RejectedKind, start: usize, end: usize) -> usize {
        self.outcome.reject(kind, start, end.saturating_sub(start));
        end
    }

    fn reject_rest(&mut self, kind: RejectedKind, start: usize) -> usize {
        self.reject(kind, start, self.payload.len())
    }
}

/// Reads the object at the start of `bytes` into `index`, strictly, up to a list's elements.
fn outline(bytes: &[u8], index: &mut Index) -> Result<Outline, ScanError> {
    index.clear();
    let mut search = Search { finder: Finder::new(index, bytes), is_items: false };
    match scan::walk(bytes, 0, 0, &mut search) {
        Ok(len) => {
            index.seal(len);
            Ok(Outline::Object(len))
        }
        Err(ScanError { at, kind: ScanErrorKind::Stopped }) => Ok(Outline::List(at)),
        Err(error) => Err(error),
    }
}

/// Finds the places of an event, and stops at the elements of a list.
struct Search<'i, 'b> {
    finder: Finder<'i, 'b>,
    /// Whether the last key says that elements follow.
    is_items: bool,
}

impl Visit for Search<'_, '_> {
    #[inline(always)]
    fn open(&mut self, kind: Kind, at: usize) -> bool {
        !(self.is_items && kind == Kind::Array) && self.finder.open(kind, at)
    }

    #[inline(always)]
    fn key(&mut self, start: usize, end: usize) {
        self.is_items = self.finder.is_at_top()
            && !self.finder.has(Node::AuditId)
            && Key::new(self.finder.bytes(), start..end).is(ITEMS);
        self.finder.key(start, end);
    }

    #[inline(always)]
    fn scalar(&mut self, start: usize, end: usize) {
        self.finder.scalar(start, end);
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        self.finder.close(end);
    }
}
