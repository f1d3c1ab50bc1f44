//! [`Finder`]: the named places of an event, found by whoever walks through it to validate it.

use super::Index;
use super::scan::{Kind, Visit};
use super::value::Key;
use crate::fields::path::Node;

/// How many named objects lie within each other, at most.
const LEVELS: usize = 8;

/// Fills an index while [`walk`](super::scan::walk) goes through a document. Of members of one name, the first counts.
pub(crate) struct Finder<'i, 'b> {
    index: &'i Index,
    bytes: &'b [u8],
    /// The objects that are open and have a name, and where they begin; from the outermost on.
    named: [(Node, usize); LEVELS],
    depth: usize,
    /// How many are open within the innermost of these that have none.
    besides: usize,
    /// What the value that comes next is, or the one that is open without being looked into.
    next: Option<Node>,
    /// Where that one begins.
    start: usize,
}

impl<'i, 'b> Finder<'i, 'b> {
    /// For an index of nothing.
    pub(crate) fn new(index: &'i Index, bytes: &'b [u8]) -> Finder<'i, 'b> {
        let named = [(Node::Root, 0); LEVELS];
        Finder { index, bytes, named, depth: 0, besides: 0, next: Some(Node::Root), start: 0 }
    }

    pub(crate) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Whether what comes next is a member of the document itself.
    #[inline(always)]
    pub(crate) fn is_at_top(&self) -> bool {
        self.depth == 1 && self.besides == 0
    }

    /// Whether that place was found.
    #[inline(always)]
    pub(crate) fn has(&self, node: Node) -> bool {
        self.index.has(node)
    }
}

impl Visit for Finder<'_, '_> {
    #[inline(always)]
    fn open(&mut self, kind: Kind, at: usize) -> bool {
        if self.besides == 0 {
            if kind == Kind::Object
                && let Some(node) = self.next
                && node.children_count() > 0
                && let Some(place) = self.named.get_mut(self.depth)
            {
                *place = (node, at);
                self.depth += 1;
                self.next = None;
                return true;
            }
            self.start = at;
        }
        self.besides += 1;
        true
    }

    #[inline(always)]
    fn key(&mut self, start: usize, end: usize) {
        if self.besides == 0
            && let Some((parent, _)) = self.depth.checked_sub(1).and_then(|top| self.named.get(top))
        {
            let key = Key::new(self.bytes, start..end);
            self.next = self.index.missing_child(*parent, key);
        }
    }

    #[inline(always)]
    fn scalar(&mut self, start: usize, end: usize) {
        if self.besides == 0
            && let Some(node) = self.next.take()
        {
            self.index.set(node, start, end);
        }
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        if let Some(besides) = self.besides.checked_sub(1) {
            self.besides = besides;
            if besides == 0
                && let Some(node) = self.next.take()
            {
                self.index.set(node, self.start, end);
            }
        } else if let Some(depth) = self.depth.checked_sub(1) {
            self.depth = depth;
            if let Some((node, start)) = self.named.get(depth) {
                self.index.set(*node, *start, end);
            }
        }
    }
}
