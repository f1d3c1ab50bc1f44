//! [`Skimmer`]: where strings, objects and arrays end, 64 bytes at a time.
//!
//! Its plain twins in [`scan`] go byte by byte, and it answers as they do, whatever the bytes are: they take over
//! where a block cannot be understood as a whole, which no JSON is the cause of.

use super::block::{BLOCK, Block, escaped, parity};
use super::scan::{self, ScanError, ScanErrorKind};

/// A way forward through bytes. It must not be asked for a place before the one that it has come to.
#[derive(Debug)]
pub(crate) struct Skimmer<'b> {
    bytes: &'b [u8],
    /// Where the block at hand begins.
    base: usize,
    /// Its quotes that begin or end a string.
    quotes: u64,
    /// Its bytes in strings, with the quotes that begin them.
    strings: u64,
    /// Its brackets outside of strings.
    opens: u64,
    closes: u64,
    /// All bits when the next block begins within a string.
    in_string: u64,
    /// 1 when the next block begins with an escaped byte.
    escaped: u64,
    /// Whether a backslash stands outside of strings in the block.
    is_stray: bool,
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
        let mut skimmer = Skimmer {
            bytes,
            base: at,
            quotes: 0,
            strings: 0,
            opens: 0,
            closes: 0,
            in_string: 0,
            escaped: 0,
            is_stray: false,
        };
        skimmer.read();
        skimmer
    }

    /// Behind the value that begins at `at` (no space before it).
    #[inline]
    pub(crate) fn skip(&mut self, at: usize) -> Result<usize, ScanError> {
        match self.bytes.get(at) {
            Some(b'"') => self.string(at),
            Some(b'{' | b'[') => self.container(at),
            _ => scan::skip_scalar(self.bytes, at),
        }
    }

    /// Behind the string that begins with the quote at `at`.
    #[inline]
    pub(crate) fn string(&mut self, at: usize) -> Result<usize, ScanError> {
        match self.string_end(at) {
            Ok(end) => Ok(end),
            Err(halt) => self.plainly(halt, scan::skip_string(self.bytes, at)),
        }
    }

    /// Behind the object or array that begins at `at`.
    #[inline]
    pub(crate) fn container(&mut self, at: usize) -> Result<usize, ScanError> {
        match self.container_end(at) {
            Ok(end) => Ok(end),
            Err(halt) => self.plainly(halt, scan::skip_container(self.bytes, at)),
        }
    }

    #[inline]
    fn string_end(&mut self, at: usize) -> Result<usize, Halt> {
        let first = self.seek(at)?;
        if self.quotes & self.strings & first == 0 {
            return Err(Halt::Stray);
        }
        // Behind the first.
        let mut counted = !(first | (first - 1));
        loop {
            if self.is_stray {
                return Err(Halt::Stray);
            }
            let quotes = self.quotes & counted;
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
        if self.opens & first == 0 {
            return Err(Halt::Stray);
        }
        let mut counted = !(first - 1);
        let mut depth = 0;
        loop {
            if self.is_stray {
                return Err(Halt::Stray);
            }
            let (opens, closes) = (self.opens & counted, self.closes & counted);
            let (opened, closed) = (opens.count_ones() as usize, closes.count_ones() as usize);
            if closed >= depth {
                // The end may be here.
                let (mut rest, mut behind) = (closes, 0);
                while rest != 0 {
                    let before = opens & (rest & rest.wrapping_neg()).wrapping_sub(1);
                    behind += 1;
                    if depth + before.count_ones() as usize == behind {
                        return Ok(self.base + rest.trailing_zeros() as usize + 1);
                    }
                    rest &= rest - 1;
                }
            }
            depth = depth + opened - closed;
            self.next()?;
            counted = u64::MAX;
        }
    }

    /// Goes on to the block that `at` is in; returns its bit there.
    #[inline]
    fn seek(&mut self, at: usize) -> Result<u64, Halt> {
        let mut behind = at.wrapping_sub(self.base);
        while behind >= BLOCK {
            if self.is_stray || at < self.base {
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
        let Block { quotes, backslashes, opens, closes } = Block::load(self.bytes, self.base);
        let quotes = quotes & !escaped(backslashes, &mut self.escaped);
        // From each opening quote up to its closing one.
        let strings = parity(quotes) ^ self.in_string;
        self.in_string = 0u64.wrapping_sub(strings >> 63);
        self.quotes = quotes;
        self.strings = strings;
        self.opens = opens & !strings;
        self.closes = closes & !strings;
        self.is_stray = backslashes & !strings != 0;
    }

    /// Takes the twin's answer, and goes on behind it.
    #[cold]
    fn plainly(&mut self, halt: Halt, end: Result<usize, ScanError>) -> Result<usize, ScanError> {
        match halt {
            Halt::End => Err(ScanError { at: self.bytes.len(), kind: ScanErrorKind::End }),
            Halt::Stray => {
                *self = Skimmer::new(self.bytes, end?);
                end
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through `bytes` from one string or container to the next with one skimmer, and compares each answer
    /// with the twin's; into the containers, or past them.
    #[track_caller]
    fn check(bytes: &[u8], from: usize, inwards: bool) {
        let mut skimmer = Skimmer::new(bytes, from);
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
        let mut state = 1u64;
        let mut next = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % bound
        };
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
            for inwards in [false, true] {
                check(&text, from, inwards);
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
