//! [`Values`]: the values of one call, in memory that is used again by the next.

use std::ops::Range;

use crate::abi::event::PAYLOAD_START;

/// What memory for texts may be kept from call to call: more than the largest event of a cloud.
const KEEP: usize = 1 << 20;

/// Texts as C strings, one behind the other, each with its place in the event.
///
/// Nothing is allocated once the largest call so far has been seen, unless that was a giant's. Addresses are taken when all is written:
/// until then the text may move.
#[derive(Debug, Default)]
pub struct Values {
    text: Vec<u8>,
    starts: Vec<usize>,
    places: Places,
}

/// Where values stand in an event, counted from its start; both numbers are 0 for a value that was computed.
/// Two lists of numbers, as the host takes them.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) starts: Vec<u32>,
    pub(crate) lengths: Vec<u32>,
}

impl Places {
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
        self.lengths.clear();
    }

    pub(crate) fn push(&mut self, (start, length): (u32, u32)) {
        self.starts.push(start);
        self.lengths.push(length);
    }

    pub(crate) fn get(&self, number: usize) -> Option<(u32, u32)> {
        Some((*self.starts.get(number)?, *self.lengths.get(number)?))
    }

    pub(crate) fn resize(&mut self, len: usize) {
        self.starts.resize(len, 0);
        self.lengths.resize(len, 0);
    }
}

/// Where a range of the payload is in the event; nowhere when it lies beyond what the host's numbers can tell.
#[inline]
fn place(range: Range<usize>) -> (u32, u32) {
    match (u32::try_from(PAYLOAD_START + range.start), u32::try_from(range.len())) {
        (Ok(start), Ok(length)) => (start, length),
        _ => (0, 0),
    }
}

impl Values {
    /// Appends a value, cut at the first NUL, where a C string ends; `range` is where it stands in the payload,
    /// or `None` for one that was computed.
    pub fn push(&mut self, text: &str, range: Option<Range<usize>>) {
        let text = text.split_once('\0').map_or(text, |(before, _)| before);
        self.push_plain(text.as_bytes(), range);
    }

    /// Appends a value in which there is no NUL, and which is UTF-8.
    #[inline]
    pub(crate) fn push_plain(&mut self, text: &[u8], range: Option<Range<usize>>) {
        self.starts.push(self.text.len());
        self.text.reserve(text.len() + 1);
        self.text.extend_from_slice(text);
        self.text.push(0);
        self.places.push(range.map_or((0, 0), place));
    }

    /// Appends a value that `write` appends to the arena; what is not UTF-8 becomes U+FFFD, and it ends at a NUL.
    pub(crate) fn push_written(&mut self, range: Option<Range<usize>>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        let written = self.text.get(start..).unwrap_or_default();
        if !written.is_ascii() && std::str::from_utf8(written).is_err() {
            let text = String::from_utf8_lossy(written).into_owned();
            self.text.truncate(start);
            return self.push(&text, range);
        }
        if let Some(end) = written.iter().position(|&byte| byte == 0) {
            self.text.truncate(start + end);
        }
        self.text.push(0);
        self.starts.push(start);
        self.places.push(range.map_or((0, 0), place));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.text.clear();
        if self.text.capacity() > KEEP {
            self.text.shrink_to(KEEP);
        }
        self.starts.clear();
        self.places.clear();
    }

    /// Every value with the NUL at its end, one behind the other.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where each value starts in [`text`](Self::text).
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Where each value stands in the event.
    pub(crate) fn places(&mut self) -> &mut Places {
        &mut self.places
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
    fn what_is_written_is_a_c_string_too() {
        for (written, expect) in [
            (&b"a"[..], &b"a\0"[..]),
            (b"", b"\0"),
            (b"a\0b", b"a\0"),
            (b"a\xffb", "a\u{fffd}b\0".as_bytes()),
        ] {
            let mut arena = Values::default();
            arena.push("x", None);
            arena.push_written(None, |text| text.extend_from_slice(written));
            assert_eq!(arena.text(), [b"x\0", expect].concat());
            assert_eq!((arena.len(), arena.starts()), (2, &[0, 2][..]));
        }
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
