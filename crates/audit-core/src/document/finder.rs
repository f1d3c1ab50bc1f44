//! [`Finder`]: the named places below one of the top level, found by whoever walks through it to validate it.

use super::Index;
use super::scan::{Kind, Visit};
use super::value::Key;
use crate::fields::path::Node;

/// How many named places lie within each other, at most.
const LEVELS: usize = 8;

/// Fills an index while [`walk`](super::scan::walk) goes through an object that has a name.
pub(super) struct Finder<'i, 'b> {
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
    /// For the value of `node`, which the index does not have yet.
    pub(super) fn new(index: &'i Index, bytes: &'b [u8], node: Node) -> Finder<'i, 'b> {
        let named = [(Node::Root, 0); LEVELS];
        Finder { index, bytes, named, depth: 0, besides: 0, next: Some(node), start: 0 }
    }
}

impl Visit for Finder<'_, '_> {
    #[inline]
    fn open(&mut self, kind: Kind, at: usize) {
        if self.besides == 0
            && kind == Kind::Object
            && let Some(node) = self.next
            && node.children_count() > 0
            && let Some(place) = self.named.get_mut(self.depth)
        {
            *place = (node, at);
            self.depth += 1;
            self.next = None;
            return;
        }
        if self.besides == 0 {
            self.start = at;
        }
        self.besides += 1;
    }

    #[inline]
    fn key(&mut self, start: usize, end: usize) {
        if self.besides == 0
            && let Some((parent, _)) = self.depth.checked_sub(1).and_then(|top| self.named.get(top))
        {
            let key = Key::new(self.bytes.get(start..end).unwrap_or_default());
            self.next = self.index.missing_child(*parent, key);
        }
    }

    #[inline]
    fn scalar(&mut self, start: usize, end: usize) {
        if self.besides == 0
            && let Some(node) = self.next.take()
        {
            self.index.set(node, start, end);
        }
    }

    #[inline]
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
