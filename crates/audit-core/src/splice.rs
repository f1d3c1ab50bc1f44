//! Replacing parts of a document and keeping every other byte as it was.
//!
//! It knows bytes and positions, not JSON.

use std::borrow::Cow;
use std::ops::Range;

/// Replacements that wait to be applied, in any order; those at the same place keep the order in which
/// they were added.
#[derive(Debug, Default)]
pub(crate) struct Splices {
    list: Vec<(Range<usize>, Cow<'static, str>)>,
}

impl Splices {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn replace(&mut self, range: Range<usize>, with: impl Into<Cow<'static, str>>) {
        self.list.push((range, with.into()));
    }

    pub(crate) fn insert(&mut self, at: usize, text: impl Into<Cow<'static, str>>) {
        self.replace(at..at, text);
    }

    /// How long a document of `len` bytes will be.
    pub(crate) fn len_after(&self, len: usize) -> usize {
        let removed: usize = self.list.iter().map(|(range, _)| range.len()).sum();
        let added: usize = self.list.iter().map(|(_, with)| with.len()).sum();
        (len + added).saturating_sub(removed)
    }

    /// Where a value begins or ends then that does so at `at` now. None begins where something is inserted.
    pub(crate) fn moved(&self, at: usize) -> usize {
        self.list
            .iter()
            .filter(|(range, _)| range.start < at)
            .fold(at, |moved, (range, with)| (moved + with.len()).saturating_sub(range.len()))
    }

    /// The document with everything replaced. Ranges must not overlap; of two that do, the later is left
    /// out, and so is one that does not lie within `bytes`.
    pub(crate) fn apply(mut self, bytes: &[u8]) -> Vec<u8> {
        self.list.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = Vec::with_capacity(self.len_after(bytes.len()));
        let mut copied = 0;
        for (range, with) in &self.list {
            let Some(before) = bytes.get(copied..range.start).filter(|_| range.end <= bytes.len()) else {
                continue;
            };
            out.extend_from_slice(before);
            out.extend_from_slice(with.as_bytes());
            copied = range.end;
        }
        out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(splices: &[(Range<usize>, &'static str)], expect: &str) {
        let mut all = Splices::default();
        for (range, with) in splices {
            all.replace(range.clone(), *with);
        }
        assert_eq!(all.apply(b"0123456789"), expect.as_bytes());
    }

    #[test]
    fn replaces_and_keeps_the_rest() {
        check(&[], "0123456789");
        check(&[(2..4, "ab")], "01ab456789");
        check(&[(8..10, ""), (0..1, "xyz")], "xyz1234567");
        check(&[(5..5, "a"), (5..5, "b")], "01234ab56789");
        check(&[(10..10, "!")], "0123456789!");
    }

    #[test]
    fn what_begins_and_ends_elsewhere_is_told() {
        let mut all = Splices::default();
        all.insert(3, "abc");
        all.replace(5..7, "x");
        // In front of the first; around it; what is replaced; behind both.
        for (place, expect) in [(0..3, 0..3), (1..4, 1..7), (5..7, 8..9), (7..10, 9..12)] {
            assert_eq!(all.moved(place.start)..all.moved(place.end), expect, "{place:?}");
        }
    }

    #[test]
    fn ignores_what_does_not_fit() {
        check(&[(2..6, "a"), (4..8, "b")], "01a6789");
        check(&[(8..11, "a")], "0123456789");
    }
}
