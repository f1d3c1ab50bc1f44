//! [`Marks`]: where strings and brackets are in a whole document, found on one way through it.

use std::cell::Cell;

use super::block::{BLOCK, Block, escaped, parity};
#[cfg(doc)]
use super::skimmer::Skimmer;
use crate::limits::MAX_MARKED;

/// Of 64 bytes, a bit for each; the lowest is the first byte's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Quotes that begin or end a string.
    pub(crate) quotes: u64,
    /// What is in a string, with the quotes that begin them.
    pub(crate) strings: u64,
    /// Brackets outside of strings, and what [`Block`] takes for some.
    pub(crate) brackets: u64,
    /// How deep it begins, in a container of the top level that begins before; 0 when nobody knows.
    depth: Cell<u32>,
    /// The least depth in it, when it lies within such a container as a whole; else 0.
    lowest: Cell<u32>,
}

/// What goes on from one block to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carry {
    /// All bits when the block begins within a string.
    in_string: u64,
    /// 1 when it begins with an escaped byte.
    escaped: u64,
}

impl Mark {
    /// Understands a block; `false` when a backslash stands outside of strings: no JSON has that, and what it
    /// would escape is nobody's to say.
    #[inline]
    pub(crate) fn read(block: Block, carry: &mut Carry) -> (Mark, bool) {
        let quotes = block.quotes & !escaped(block.backslashes, &mut carry.escaped);
        // From each opening quote up to its closing one.
        let strings = parity(quotes) ^ carry.in_string;
        carry.in_string = 0u64.wrapping_sub(strings >> 63);
        let mark = Mark { quotes, strings, brackets: block.brackets & !strings, ..Mark::default() };
        (mark, block.backslashes & !strings == 0)
    }
}

/// The marks of a document, for [`Skimmer`]s; none where it is too large, or cannot be understood as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    /// Those of another document, in the same memory.
    pub(crate) fn rebuild(&mut self, bytes: &[u8]) {
        self.0.clear();
        if bytes.len() > MAX_MARKED {
            return;
        }
        let mut carry = Carry::default();
        let mut is_plain = true;
        self.0.extend((0..bytes.len().div_ceil(BLOCK)).map(|number| {
            let (mark, plain) = Mark::read(Block::load(bytes, number * BLOCK), &mut carry);
            is_plain &= plain;
            mark
        }));
        if !is_plain {
            self.0.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn as_slice(&self) -> &[Mark] {
        &self.0
    }
}

/// Whether a string begins with the quote at `at`.
#[inline]
pub(crate) fn begins_string(marks: &[Mark], at: usize) -> bool {
    marks.get(at / BLOCK).is_some_and(|mark| mark.quotes & mark.strings & bit(at) != 0)
}

/// Whether the bracket at `at` stands outside of strings.
#[inline]
pub(crate) fn is_bracket(marks: &[Mark], at: usize) -> bool {
    marks.get(at / BLOCK).is_some_and(|mark| mark.brackets & bit(at) != 0)
}

#[inline]
fn bit(at: usize) -> u64 {
    1 << (at % BLOCK)
}

/// The first quote at or behind `at` that begins or ends a string.
#[inline]
pub(crate) fn next_quote(marks: &[Mark], at: usize) -> Option<usize> {
    let rest = marks.get(at / BLOCK..)?;
    let quotes = |number: usize| rest.get(number).map_or(0, |mark| mark.quotes);
    // 64 bytes from there on, out of two blocks: most strings end within them, and then nobody has to foresee
    // whether another block begins before.
    let shift = at % BLOCK;
    let near = quotes(0) >> shift | quotes(1) << 1 << (BLOCK - 1 - shift);
    if near != 0 {
        return Some(at + near.trailing_zeros() as usize);
    }
    let beyond = rest.get(1..)?.iter().position(|mark| mark.quotes != 0)?;
    let found = rest.get(1 + beyond)?.quotes.trailing_zeros() as usize;
    Some((at / BLOCK + 1 + beyond) * BLOCK + found)
}

/// Where the object or array of the top level ends whose first bracket is at `at`. On the way it is noted how deep
/// each block is, for [`container_end`].
#[inline]
pub(crate) fn top_container_end(marks: &[Mark], bytes: &[u8], at: usize) -> Option<usize> {
    let mut base = at & !(BLOCK - 1);
    let mut rest = marks.get(at / BLOCK..)?.iter();
    let mut mark = rest.next()?;
    let mut brackets = mark.brackets & !(bit(at) - 1);
    let mut depth = 0u32;
    // Of the block that it begins in, nothing is noted: it has a part that lies before.
    let mut lowest = 0;
    loop {
        while brackets != 0 {
            let place = base + brackets.trailing_zeros() as usize;
            depth = next_depth(depth, bytes.get(place));
            if depth == 0 {
                return Some(place + 1);
            }
            lowest = lowest.min(depth);
            brackets &= brackets - 1;
        }
        mark.lowest.set(lowest);
        mark = rest.next()?;
        mark.depth.set(depth);
        lowest = depth;
        brackets = mark.brackets;
        base += BLOCK;
    }
}

/// Where the object or array ends whose first bracket is at `at`.
#[inline]
pub(crate) fn container_end(marks: &[Mark], bytes: &[u8], at: usize) -> Option<usize> {
    let mut base = at & !(BLOCK - 1);
    let mut rest = marks.get(at / BLOCK..)?.iter();
    let mut brackets = rest.next()?.brackets & !(bit(at) - 1);
    let mut depth = 0u32;
    loop {
        while brackets != 0 {
            let place = base + brackets.trailing_zeros() as usize;
            depth = next_depth(depth, bytes.get(place));
            if depth == 0 {
                return Some(place + 1);
            }
            brackets &= brackets - 1;
        }
        let mut mark = rest.next()?;
        base += BLOCK;
        // Blocks that do not come down to where it began are passed as a whole.
        if mark.depth.get() > 0 {
            let outside = mark.depth.get().checked_sub(depth)?;
            while mark.lowest.get() > outside {
                mark = rest.next()?;
                base += BLOCK;
            }
            depth = mark.depth.get().checked_sub(outside)?;
        }
        brackets = mark.brackets;
    }
}

/// How deep it is behind a byte that a mark takes for a bracket.
#[inline]
pub(crate) fn next_depth(depth: u32, byte: Option<&u8>) -> u32 {
    let byte = byte.copied().unwrap_or_default();
    // Of all that a mark takes for brackets, those that open have this bit alone, and those that close that one; the
    // rest has both or none. No branch, since nobody can foresee which comes next.
    depth.wrapping_add(u32::from(byte >> 1 & 1)).wrapping_sub(u32::from(byte >> 2 & 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;
    use crate::fields::path::Node;

    #[test]
    fn an_event_says_the_same_with_marks_and_without() {
        for filler in [0, MAX_MARKED] {
            let filler = "y".repeat(filler);
            let event = format!(
                r#"{{"auditID":"1","requestObject":{{"data":{{"a":"{filler}"}},"spec":{{"ports":[{{}},[]],"type":"x"}}}},"verb":"get"}}"#
            );
            let index = Index::parse(event.as_bytes()).unwrap();
            let text = |node| index.view(event.as_bytes()).get(node).unwrap().text().into_owned();
            assert_eq!(text(Node::ServiceType), "x");
            assert_eq!(text(Node::ServicePorts), "[{},[]]");
            assert_eq!(text(Node::Verb), "get");
            assert_eq!(text(Node::Data).len(), filler.len() + r#"{"a":""}"#.len());
        }
    }

    #[test]
    fn only_what_is_understood_has_marks() {
        for (document, count) in [
            (r#"{"a\\":"\""}"#.to_owned(), 1),
            (r#"{"a":\"b"}"#.to_owned(), 0),
            (" ".repeat(MAX_MARKED), MAX_MARKED / BLOCK),
            (" ".repeat(MAX_MARKED + 1), 0),
        ] {
            let mut marks = Marks::default();
            marks.rebuild(document.as_bytes());
            assert_eq!(marks.as_slice().len(), count);
        }
    }
}
