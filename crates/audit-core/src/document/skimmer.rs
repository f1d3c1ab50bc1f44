//! [`Skimmer`]: where strings, objects and arrays end, 64 bytes at a time.
//!
//! Its plain twins in [`scan`] go byte by byte, and it answers as they do, whatever the bytes are: they take over
//! where a block cannot be understood as a whole, which no JSON is the cause of.

use super::block::{BLOCK, Block};
use super::marks::{self, Carry, Mark};
use super::scan::{self, ScanError, ScanErrorKind};

/// A way forward through bytes. Where there are marks it may be asked for any place; where there are none, and it
/// has to read, it should not be asked for one before that which it has come to.
#[derive(Clone, Debug)]
pub(crate) struct Skimmer<'b> {
    bytes: &'b [u8],
    /// Of the document from its start on, of which `bytes` is the beginning; none where they must be made.
    marks: &'b [Mark],
    /// Where the block at hand begins.
    base: usize,
    mark: Mark,
    carry: Carry,
}

/// Why there is no answer.
enum Halt {
    /// The bytes have ended.
    End,
    /// What is a string here cannot be told from the block: a backslash stands outside of strings, or a quote in
    /// what is no string.
    Stray,
}

impl<'b> Skimmer<'b> {
    /// Begins at `at`, which is not within a string.
    #[inline]
    pub(crate) fn new(bytes: &'b [u8], at: usize) -> Skimmer<'b> {
        Skimmer::with_marks(bytes, &[], at)
    }

    /// The same in the beginning of a document that has `marks`; or not, when there are none.
    #[inline(always)]
    pub(crate) fn with_marks(bytes: &'b [u8], marks: &'b [Mark], at: usize) -> Skimmer<'b> {
        let (mark, carry) = (Mark::default(), Carry::default());
        let mut skimmer = Skimmer { bytes, marks, base: at, mark, carry };
        if marks.is_empty() {
            skimmer.read();
        }
        skimmer
    }

    /// Behind the value that begins at `at` (no space before it).
    #[inline(always)]
    pub(crate) fn skip(&mut self, at: usize) -> Result<usize, ScanError> {
        // Not a `match`, which would become a jump that nobody can foresee.
        let first = self.bytes.get(at).copied();
        if first == Some(b'"') {
            self.string(at)
        } else if first == Some(b'{') || first == Some(b'[') {
            self.container(at)
        } else {
            scan::skip_scalar(self.bytes, at)
        }
    }

    /// Behind the string that begins with the quote at `at`.
    #[inline(always)]
    pub(crate) fn string(&mut self, at: usize) -> Result<usize, ScanError> {
        if marks::begins_string(self.marks, at)
            && let Some(end) = marks::next_quote(self.marks, at + 1)
            && end < self.bytes.len()
        {
            return Ok(end + 1);
        }
        self.string_by_reading(at)
    }

    #[inline(never)]
    fn string_by_reading(&mut self, at: usize) -> Result<usize, ScanError> {
        self.leave_marks(at);
        match self.string_end(at) {
            Ok(end) => Ok(end),
            Err(halt) => self.plainly(halt, |bytes| scan::skip_string(bytes, at)),
        }
    }

    /// Behind the object or array that begins at `at`.
    #[inline(always)]
    pub(crate) fn container(&mut self, at: usize) -> Result<usize, ScanError> {
        if marks::begins_container(self.marks, at)
            && let Some(end) = marks::container_end(self.marks, at)
            && end <= self.bytes.len()
        {
            return Ok(end);
        }
        self.container_by_reading(at)
    }

    #[inline(never)]
    fn container_by_reading(&mut self, at: usize) -> Result<usize, ScanError> {
        self.leave_marks(at);
        match self.container_end(at) {
            Ok(end) => Ok(end),
            Err(halt) => self.plainly(halt, |bytes| scan::skip_container(bytes, at)),
        }
    }

    /// Marks that do not help, for a document that is not JSON, are not asked again.
    fn leave_marks(&mut self, at: usize) {
        if !self.marks.is_empty() {
            *self = Skimmer::new(self.bytes, at);
        }
    }

    #[inline]
    fn string_end(&mut self, at: usize) -> Result<usize, Halt> {
        let first = self.seek(at)?;
        if self.mark.quotes & self.mark.strings & first == 0 {
            return Err(Halt::Stray);
        }
        // Behind the first.
        let mut counted = !(first | (first - 1));
        loop {
            if self.carry.is_stray() {
                return Err(Halt::Stray);
            }
            let quotes = self.mark.quotes & counted;
            if quotes != 0 {
                return Ok(self.base + quotes.trailing_zeros() as usize + 1);
            }
            self.next()?;
            counted = u64::MAX;
        }
    }

    #[inline]
    fn container_end(&mut self, at: usize) -> Result<usize, Halt> {
        let first = self.seek(at)?;
        if self.mark.opens & first == 0 {
            return Err(Halt::Stray);
        }
        let (mut wanted, mut depth) = (!(first - 1), 0);
        loop {
            if self.carry.is_stray() {
                return Err(Halt::Stray);
            }
            match self.mark.closing(wanted, depth) {
                Ok(place) => return Ok(self.base + place + 1),
                Err(open) => depth = open,
            }
            self.next()?;
            wanted = u64::MAX;
        }
    }

    /// Goes on to the block that `at` is in; returns its bit there.
    #[inline]
    fn seek(&mut self, at: usize) -> Result<u64, Halt> {
        let mut behind = at.wrapping_sub(self.base);
        while behind >= BLOCK {
            if self.carry.is_stray() || at < self.base {
                return Err(Halt::Stray);
            }
            self.next()?;
            behind = at.wrapping_sub(self.base);
        }
        Ok(1 << behind)
    }

    /// The next block.
    #[inline]
    fn next(&mut self) -> Result<(), Halt> {
        self.base = self.base.saturating_add(BLOCK);
        if self.base >= self.bytes.len() {
            return Err(Halt::End);
        }
        self.read();
        Ok(())
    }

    #[inline]
    fn read(&mut self) {
        self.mark = Mark::read(Block::load_one(self.bytes, self.base), &mut self.carry);
    }

    /// Takes the twin's answer, and goes on behind it.
    #[cold]
    fn plainly(
        &mut self,
        halt: Halt,
        twin: impl FnOnce(&'b [u8]) -> Result<usize, ScanError>,
    ) -> Result<usize, ScanError> {
        match halt {
            Halt::End => Err(ScanError { at: self.bytes.len(), kind: ScanErrorKind::End }),
            Halt::Stray => {
                let end = twin(self.bytes)?;
                *self = Skimmer::new(self.bytes, end);
                Ok(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fearless_simd::Level;

    use super::super::marks::Marks;
    use super::super::twins::dice;
    use super::*;

    /// Goes through `bytes` from one string or container to the next with one skimmer, and compares each answer
    /// with the twin's; into the containers, or past them.
    #[track_caller]
    fn check(bytes: &[u8], marks: &[Mark], from: usize, inwards: bool) {
        let mut skimmer = Skimmer::with_marks(bytes, marks, from);
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            let (fast, plain) = match byte {
                b'"' => (skimmer.string(at), scan::skip_string(bytes, at)),
                b'{' | b'[' if !inwards => (skimmer.container(at), scan::skip_container(bytes, at)),
                _ => {
                    at += 1;
                    continue;
                }
            };
            assert_eq!(fast, plain, "at {at} from {from} of {:?}", String::from_utf8_lossy(bytes));
            let Ok(end) = plain else { return };
            at = end;
        }
    }

    #[test]
    fn answers_as_its_plain_twin() {
        let mut next = dice(1);
        let parts: [&[u8]; 16] = [
            b"\"",
            b"\"",
            b"\\",
            b"\\\"",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"abcdefghijklmnop",
            b" ",
            b"\"a\":",
            b"{\"b\":[",
            b"]}",
            b"\"c\\\\\"",
        ];
        for _ in 0..40_000 {
            let mut text = Vec::new();
            for _ in 0..next(60) {
                // Rarely damage, so that some are long before it.
                let kinds = if next(8) == 0 { 0..16 } else { 8..16 };
                text.extend_from_slice(parts[kinds.start + next(kinds.len())]);
            }
            let from = next(text.len() + 1).min(next(70));
            let marks = Marks::of(Level::new(), &text);
            for inwards in [false, true] {
                check(&text, &[], from, inwards);
                check(&text, marks.as_slice(), from, inwards);
                // The beginning of a document.
                check(&text[..from + (text.len() - from) / 2], marks.as_slice(), from, inwards);
            }
        }
    }

    #[test]
    fn goes_back_by_its_plain_twin() {
        let bytes = format!("[{}]", "\"a\",".repeat(100));
        let mut skimmer = Skimmer::new(bytes.as_bytes(), 0);
        assert_eq!(skimmer.container(0), Ok(bytes.len()));
        assert_eq!(skimmer.string(1), Ok(4));
        assert_eq!(skimmer.string(201), Ok(204));
    }
}
