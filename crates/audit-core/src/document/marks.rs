//! [`Marks`]: where strings and brackets are in a whole document, found on one way through it.

use super::block::{BLOCK, Block, escaped, parity};
#[cfg(doc)]
use super::skimmer::Skimmer;

/// What is remembered of a document: up to this size, in bytes. Marks take 3/8 of what they are of.
/// A larger one is understood as far as it is asked for, each time anew.
const LARGEST: usize = 256 << 10;

/// Of 64 bytes, a bit for each; the lowest is the first byte's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Quotes that begin or end a string.
    pub(crate) quotes: u64,
    /// What is in a string, with the quotes that begin them.
    pub(crate) strings: u64,
    /// Brackets outside of strings, and what [`Block`] takes for some.
    pub(crate) brackets: u64,
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
        let mark = Mark { quotes, strings, brackets: block.brackets & !strings };
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
        if bytes.len() > LARGEST {
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
