//! [`Values`]: the values of one call, in memory that is used again by the next.

use std::ops::Range;

/// What memory for texts may be kept from call to call: more than the largest event of a cloud.
const KEEP: usize = 1 << 20;

/// Texts as C strings, one behind the other, each with its place in the payload.
///
/// Nothing is allocated once the largest call so far has been seen, unless that was a giant's. Addresses are taken when all is written:
/// until then the text may move.
#[derive(Debug, Default)]
pub struct Values {
    text: Vec<u8>,
    starts: Vec<usize>,
    ranges: Vec<Option<Range<usize>>>,
}

impl Values {
    /// Appends a value, cut at the first NUL, where a C string ends; `range` is where it stands in the payload,
    /// or `None` for one that was computed.
    pub fn push(&mut self, text: &str, range: Option<Range<usize>>) {
        self.starts.push(self.text.len());
        let text = text.split_once('\0').map_or(text, |(before, _)| before);
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(0);
        self.ranges.push(range);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEEP);
        self.starts.clear();
        self.ranges.clear();
    }

    /// Every value with the NUL at its end, one behind the other.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where each value starts in [`text`](Self::text).
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Where each value stands in the payload.
    pub(crate) fn ranges(&self) -> &[Option<Range<usize>>] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expect: &[u8]) {
        let mut arena = Values::default();
        for value in values {
            arena.push(value, None);
        }
        assert_eq!(arena.text(), expect);
        assert_eq!(arena.len(), values.len());
    }

    #[test]
    fn a_value_is_a_c_string() {
        check(&[], b"");
        check(&["a"], b"a\0");
        check(&["a", "", "bc"], b"a\0\0bc\0");
        check(&["a\0b", "\0"], b"a\0\0");
    }

    #[test]
    fn memory_for_a_giant_is_let_go() {
        let mut arena = Values::default();
        arena.push(&"x".repeat(KEEP / 2), None);
        let ordinary = arena.text.capacity();
        arena.clear();
        assert_eq!(arena.text.capacity(), ordinary);
        arena.push(&"x".repeat(KEEP * 4), None);
        arena.clear();
        assert!(arena.text.capacity() <= KEEP * 2, "{}", arena.text.capacity());
    }
}
