//! [`Marks`]: where strings and brackets are in a whole document, found on one way through it.

use fearless_simd::Simd;
#[cfg(any(test, fuzzing))]
use fearless_simd::{Level, dispatch};

use super::block::{BLOCK, Block, escaped, parity};
#[cfg(doc)]
use super::skimmer::Skimmer;
use crate::limits::{KEPT_MARKED, MAX_MARKED};

/// Of 64 bytes, a bit for each; the lowest is the first byte's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Quotes that begin or end a string.
    pub(crate) quotes: u64,
    /// What is in a string, with the quotes that begin them.
    pub(crate) strings: u64,
    /// Brackets outside of strings that open, and those that close.
    pub(crate) opens: u64,
    pub(crate) closes: u64,
    /// In how many objects and arrays of the document it begins; less than none, when more were closed than opened.
    depth: i32,
    /// It does not come down below that; but not always as far.
    lowest: i32,
}

/// What goes on from one block to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carry {
    /// All bits when the block begins within a string.
    in_string: u64,
    /// 1 when it begins with an escaped byte.
    escaped: u64,
    /// Backslashes outside of strings.
    stray: u64,
}

impl Carry {
    /// Whether a backslash stood outside of strings: no JSON has that, and what it would escape is nobody's to say.
    #[inline(always)]
    pub(crate) fn is_stray(self) -> bool {
        self.stray != 0
    }
}

impl Mark {
    /// Understands a block, but for how deep it is.
    #[inline(always)]
    pub(crate) fn read(block: Block, carry: &mut Carry) -> Mark {
        let quotes = block.quotes & !escaped(block.backslashes, &mut carry.escaped);
        // From each opening quote up to its closing one.
        let strings = parity(quotes) ^ carry.in_string;
        carry.in_string = 0u64.wrapping_sub(strings >> 63);
        let (opens, closes) = (block.opens & !strings, block.closes & !strings);
        carry.stray |= block.backslashes & !strings;
        Mark { quotes, strings, opens, closes, ..Mark::default() }
    }

    /// Finds out how deep it is, `depth` being where it begins, and then where the next one does.
    #[inline(always)]
    fn sound(&mut self, depth: &mut i32) {
        self.depth = *depth;
        self.lowest = *depth - self.closes.count_ones().cast_signed();
        *depth = self.lowest + self.opens.count_ones().cast_signed();
    }

    /// The place, from its own start on, of the first bracket of those in `wanted` that closes what is open `depth`
    /// times before it, and how often it is open behind the last if there is none.
    #[inline(always)]
    pub(crate) fn closing(&self, wanted: u64, mut depth: u32) -> Result<usize, u32> {
        let mut brackets = (self.opens | self.closes) & wanted;
        while brackets != 0 {
            let place = brackets.trailing_zeros();
            // No branch, since nobody can foresee which comes next.
            let closes = (self.closes >> place & 1) as u32;
            depth = depth.wrapping_add(1).wrapping_sub(2 * closes);
            if depth == 0 {
                return Ok(place as usize);
            }
            brackets &= brackets - 1;
        }
        Err(depth)
    }
}

/// The marks of a document, for [`Skimmer`]s; none where it is too large, or cannot be understood as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<Mark>);

/// For how many blocks memory is kept.
const KEPT: usize = KEPT_MARKED / BLOCK;

impl Marks {
    /// Those of another document, in the same memory.
    #[inline(always)]
    pub(crate) fn rebuild<S: Simd>(&mut self, simd: S, bytes: &[u8]) {
        if bytes.len() > MAX_MARKED {
            self.clear();
            return;
        }
        let blocks = bytes.len().div_ceil(BLOCK);
        if self.0.capacity() > KEPT && blocks <= KEPT {
            self.0 = Vec::with_capacity(KEPT);
        }
        // What is left of another document is written over.
        self.0.resize(blocks, Mark::default());
        let mut carry = Carry::default();
        let mut depth = 0;
        let (blocks, rest) = bytes.as_chunks();
        let mut marks = self.0.iter_mut();
        for (block, mark) in blocks.iter().zip(&mut marks) {
            *mark = Mark::read(Block::of(simd, block), &mut carry);
            mark.sound(&mut depth);
        }
        if let Some(mark) = marks.next() {
            *mark = Mark::read(Block::last(bytes, rest), &mut carry);
            mark.sound(&mut depth);
        }
        if carry.is_stray() {
            self.0.clear();
        }
    }

    /// Those of a document, with what `level` has.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(level: Level, bytes: &[u8]) -> Marks {
        let mut marks = Marks::default();
        dispatch!(level, simd => marks.rebuild(simd, bytes));
        marks
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn as_slice(&self) -> &[Mark] {
        &self.0
    }
}

/// Whether a string begins with the quote at `at`.
#[inline(always)]
pub(crate) fn begins_string(marks: &[Mark], at: usize) -> bool {
    marks.get(at / BLOCK).is_some_and(|mark| mark.quotes & mark.strings & bit(at) != 0)
}

/// Whether an object or array begins with the bracket at `at`.
#[inline(always)]
pub(crate) fn begins_container(marks: &[Mark], at: usize) -> bool {
    marks.get(at / BLOCK).is_some_and(|mark| mark.opens & bit(at) != 0)
}

#[inline(always)]
fn bit(at: usize) -> u64 {
    1 << (at % BLOCK)
}

/// The first quote at or behind `at` that begins or ends a string.
#[inline(always)]
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

/// Where the object or array ends that begins at `at`.
#[inline(always)]
pub(crate) fn container_end(marks: &[Mark], at: usize) -> Option<usize> {
    let mut number = at / BLOCK;
    let mut depth = match marks.get(number)?.closing(!(bit(at) - 1), 0) {
        Ok(place) => return Some(number * BLOCK + place + 1),
        Err(depth) => depth,
    };
    let mut rest = marks.get(number + 1..)?;
    // What is around it.
    let outside = rest.first()?.depth.checked_sub_unsigned(depth)?;
    loop {
        // Blocks that do not come down to that are passed as a whole.
        let passed = rest.iter().position(|mark| mark.lowest <= outside)?;
        number += 1 + passed;
        let mark = rest.get(passed)?;
        depth = mark.depth.checked_sub(outside)?.cast_unsigned();
        if let Ok(place) = mark.closing(u64::MAX, depth) {
            return Some(number * BLOCK + place + 1);
        }
        rest = rest.get(passed + 1..)?;
    }
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
    fn memory_for_a_giant_is_let_go() {
        let mut marks = Marks::default();
        let mut rebuild = |len| {
            dispatch!(Level::new(), simd => marks.rebuild(simd, " ".repeat(len).as_bytes()));
            marks.0.capacity()
        };
        assert!(rebuild(MAX_MARKED) >= MAX_MARKED / BLOCK);
        assert!(rebuild(KEPT_MARKED + 1) > KEPT, "there may be more like it");
        assert_eq!(rebuild(1), KEPT);
        assert_eq!(rebuild(KEPT_MARKED), KEPT, "none is let go that is needed again");
    }

    #[test]
    fn only_what_is_understood_has_marks() {
        for (document, count) in [
            (r#"{"a\\":"\""}"#.to_owned(), 1),
            (r#"{"a":\"b"}"#.to_owned(), 0),
            (" ".repeat(MAX_MARKED), MAX_MARKED / BLOCK),
            (" ".repeat(MAX_MARKED + 1), 0),
        ] {
            let marks = Marks::of(Level::new(), document.as_bytes());
            assert_eq!(marks.as_slice().len(), count);
        }
    }
}
