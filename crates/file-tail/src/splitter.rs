//! [`Splitter`]: from bytes to records: a line each, or a JSON document each where one spans several lines.
//!
//! Where records end is all that it knows of JSON; whether one is valid is for the consumer to say.

use bytes::Bytes;
use memchr::{memchr, memchr3};

use crate::cuts::Cuts;
use crate::metrics::FileMetrics;
use crate::outbox::Outbox;
use crate::record::FileRecord;

/// How many bytes may be looked at to tell a line from the beginning of a document: pretty printers begin with a
/// short line.
const FIRST_LINE: usize = 64 << 10;
/// A longer record is handed over with its buffer, a shorter one as a copy, so that no small record holds a large
/// buffer.
const COPY: usize = 64 << 10;
/// The byte order mark, which some editors write.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// To be seen from the first line that is not blank.
    Undecided,
    Lines,
    Documents,
}

/// Bytes come in, records go out.
#[derive(Debug)]
pub(crate) struct Splitter {
    shape: Shape,
    scanner: Scanner,
    max_record_bytes: usize,
    /// The beginning of the record that is not complete, up to the bound.
    kept: Vec<u8>,
    /// Its length so far, without NULs in front.
    length: usize,
    /// Bytes since the record before.
    pending: u64,
    /// Where in the incomplete document its last item begins, if that is a line of its own without an indent.
    item: Option<usize>,
    /// What was longer than the bound.
    pub(crate) cuts: Cuts,
}

impl Splitter {
    /// A line is a record.
    pub(crate) fn lines(max_record_bytes: usize) -> Self {
        Self::new(Shape::Lines, max_record_bytes)
    }

    /// A line is a record, unless the first one is the beginning of a document that spans several.
    pub(crate) fn either(max_record_bytes: usize) -> Self {
        Self::new(Shape::Undecided, max_record_bytes)
    }

    fn new(shape: Shape, max_record_bytes: usize) -> Self {
        let scanner = Scanner::default();
        let (kept, cuts) = (Vec::new(), Cuts::default());
        Self { shape, scanner, max_record_bytes, kept, length: 0, pending: 0, item: None, cuts }
    }

    /// Reads on in `chunk`, until it or the outbox's room is at its end; returns how many bytes were read.
    pub(crate) fn feed(&mut self, chunk: &[u8], outbox: &mut Outbox, metrics: &FileMetrics) -> usize {
        match self.shape {
            Shape::Undecided => self.decide(chunk, outbox, metrics),
            Shape::Lines => self.feed_lines(chunk, outbox, metrics),
            Shape::Documents => self.feed_documents(chunk, outbox, metrics),
        }
    }

    /// Nothing comes any more: what is incomplete is all there is of it.
    pub(crate) fn end(&mut self, outbox: &mut Outbox, metrics: &FileMetrics) {
        if self.emit_torn(outbox, metrics) {
            metrics.lines_unfinished.increment();
        }
        self.scanner = Scanner::default();
    }

    /// Forgets what is incomplete.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.length = 0;
        self.pending = 0;
        self.item = None;
        self.scanner = Scanner::default();
    }

    /// Bytes that were read since the end of the last record.
    pub(crate) const fn pending(&self) -> u64 {
        self.pending
    }

    fn decide(&mut self, chunk: &[u8], outbox: &mut Outbox, metrics: &FileMetrics) -> usize {
        let (line, behind) = first_line(chunk);
        self.keep(line);
        if behind.is_none() && self.length < FIRST_LINE {
            return chunk.len();
        }
        // Of a line without its end nobody knows how it ends.
        let is_whole = behind.is_some() && self.length == self.kept.len();
        if is_blank(&self.kept) {
            self.clear();
        } else if is_whole && begins_document(&self.kept) {
            self.shape = Shape::Documents;
            let line = std::mem::take(&mut self.kept);
            self.clear();
            // It does not complete a document, so there is nothing that could fill the outbox.
            self.feed_documents(&line, outbox, metrics);
            self.feed_documents(b"\n", outbox, metrics);
        } else {
            self.shape = Shape::Lines;
            if behind.is_some() {
                self.emit(outbox, metrics);
            }
        }
        chunk.len() - behind.map_or(0, <[u8]>::len)
    }

    fn feed_lines(&mut self, chunk: &[u8], outbox: &mut Outbox, metrics: &FileMetrics) -> usize {
        let mut rest = chunk;
        loop {
            let (line, behind) = first_line(rest);
            let Some(behind) = behind else {
                self.keep(line);
                return chunk.len();
            };
            rest = behind;
            if self.pending == 0 && line.len() <= self.max_record_bytes {
                // Nearly every line: no detour by `kept`.
                let line = content(line);
                if !is_blank(line) {
                    metrics.records_read.increment();
                    outbox.push(FileRecord { bytes: Bytes::copy_from_slice(line) });
                }
            } else {
                self.keep(line);
                self.emit(outbox, metrics);
            }
            if outbox.is_full() {
                return chunk.len() - rest.len();
            }
        }
    }

    fn feed_documents(&mut self, chunk: &[u8], outbox: &mut Outbox, metrics: &FileMetrics) -> usize {
        let mut rest = chunk;
        while !rest.is_empty() && !outbox.is_full() {
            rest = if self.scanner.depth > 0 {
                self.feed_inside(rest, outbox, metrics)
            } else {
                self.feed_between(rest, outbox, metrics)
            };
        }
        chunk.len() - rest.len()
    }

    /// Inside a document; returns what is behind it.
    fn feed_inside<'c>(&mut self, chunk: &'c [u8], outbox: &mut Outbox, metrics: &FileMetrics) -> &'c [u8] {
        let found = self.scanner.scan(chunk);
        let end = match found {
            Some(Mark::End(end) | Mark::Item(end) | Mark::Torn(end)) => end,
            None => chunk.len(),
        };
        let (document, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
        self.keep(document);
        match found {
            Some(Mark::End(_)) => {
                self.emit(outbox, metrics);
            }
            Some(Mark::Item(_)) => self.item = Some(self.length),
            Some(Mark::Torn(_)) => {
                self.emit_torn(outbox, metrics);
            }
            None => {}
        }
        rest
    }

    /// Between documents: whatever is there and is no space is a record for each line, for the consumer to count.
    fn feed_between<'c>(&mut self, chunk: &'c [u8], outbox: &mut Outbox, metrics: &FileMetrics) -> &'c [u8] {
        let end = chunk.iter().position(|byte| matches!(byte, b'{' | b'[' | b'\n')).unwrap_or(chunk.len());
        let (other, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
        self.keep(other);
        match rest.split_first() {
            None => rest,
            Some((b'\n', rest)) => {
                self.emit(outbox, metrics);
                rest
            }
            Some(_) => {
                self.emit(outbox, metrics);
                self.feed_inside(rest, outbox, metrics)
            }
        }
    }

    /// Adds to the incomplete record what the bound allows.
    fn keep(&mut self, bytes: &[u8]) {
        self.pending += bytes.len() as u64;
        let bytes = if self.length == 0 { without_nuls(bytes) } else { bytes };
        self.length += bytes.len();
        let room = self.max_record_bytes.saturating_sub(self.kept.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let needed = self.kept.len() + bytes.len();
        if needed > self.kept.capacity() {
            // Twice as much each time, but never more than the bound.
            let capacity = needed.max(self.kept.capacity() * 2).min(self.max_record_bytes);
            self.kept.reserve_exact(capacity.saturating_sub(self.kept.len()));
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Hands over a document that was cut off; its last item may be the next document, of which nothing else told.
    /// Whether there was something.
    fn emit_torn(&mut self, outbox: &mut Outbox, metrics: &FileMetrics) -> bool {
        let next = self.item.filter(|item| *item < self.kept.len()).map(|item| self.kept.split_off(item));
        // What was cut is cut off the end.
        let length = std::mem::replace(&mut self.length, self.kept.len());
        let Some(next) = next else {
            self.length = length;
            return self.emit(outbox, metrics);
        };
        let length = length - self.length;
        self.emit(outbox, metrics);
        (self.kept, self.length) = (next, length);
        self.emit(outbox, metrics)
    }

    /// Hands over the incomplete record as it is, unless it is blank; whether there was one.
    fn emit(&mut self, outbox: &mut Outbox, metrics: &FileMetrics) -> bool {
        let left_out = self.length - self.kept.len();
        if self.kept.starts_with(MARK) {
            self.kept.drain(..MARK.len());
        }
        let line = content(&self.kept);
        if is_blank(line) {
            self.clear();
            return false;
        }
        let bytes = if self.kept.len() <= COPY {
            Bytes::copy_from_slice(line)
        } else {
            let length = line.len();
            self.kept.truncate(length);
            Bytes::from(std::mem::take(&mut self.kept).into_boxed_slice())
        };
        self.clear();
        metrics.records_read.increment();
        if left_out > 0 {
            metrics.records_cut.increment();
            metrics.bytes_cut.add(left_out as u64);
            self.cuts.add(left_out as u64);
        }
        outbox.push(FileRecord { bytes });
        true
    }
}

/// The first line, and what is behind its line feed if there is one.
fn first_line(chunk: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'\n', chunk).and_then(|end| chunk.split_at_checked(end)) {
        Some((line, behind)) => (line, behind.get(1..)),
        None => (chunk, None),
    }
}

/// A writer that does not append leaves a hole where a file was truncated: it reads as NULs before the next line.
fn without_nuls(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Without what is around a line: a hole, a byte order mark, and `\r\n`.
fn content(line: &[u8]) -> &[u8] {
    let line = without_nuls(line);
    let line = line.strip_prefix(MARK).unwrap_or(line);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start().is_empty()
}

/// Whether the first line of a file opens a document and does not close it: where a printer that indents would break
/// the line. One that is cut off ends elsewhere, but for an odd chance.
fn begins_document(line: &[u8]) -> bool {
    let line = line.strip_prefix(MARK).unwrap_or(line).trim_ascii();
    let mut scanner = Scanner::default();
    matches!(line.first(), Some(b'{' | b'['))
        && scanner.scan(line).is_none()
        && !scanner.in_string
        && matches!(line.last(), Some(b'{' | b'[' | b',' | b':'))
}

/// What tells where a document ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Behind this many bytes it is complete.
    End(usize),
    /// There an item of its list begins, in the first column.
    Item(usize),
    /// There another document begins, in the first column: this one was cut off.
    Torn(usize),
}

/// Finds the end of a document by counting brackets.
#[derive(Debug, Default)]
struct Scanner {
    depth: u64,
    in_string: bool,
    /// The byte before was a backslash in a string.
    is_escaped: bool,
    /// The byte before was a line feed.
    is_line_start: bool,
    /// A line of it began with a space: so do all that are not its first or last one.
    is_indented: bool,
    /// At the depths 1 and 2: whether it is a list.
    is_list: [bool; 2],
    /// The last two bytes outside of strings that are no space.
    before: [u8; 2],
}

impl Scanner {
    /// Reads on, up to what it returns. It begins with the first bracket.
    fn scan(&mut self, bytes: &[u8]) -> Option<Mark> {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            let at = bytes.len() - rest.len();
            let is_line_start = std::mem::replace(&mut self.is_line_start, *byte == b'\n');
            if std::mem::take(&mut self.is_escaped) && *byte != b'\n' {
                rest = behind;
                continue;
            }
            if self.in_string {
                rest = behind;
                match byte {
                    b'\\' => self.is_escaped = true,
                    // No string of JSON holds a line feed: this one was cut off.
                    b'"' | b'\n' => self.in_string = false,
                    _ => {
                        let next = memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
                        rest = rest.get(next..).unwrap_or_default();
                    }
                }
                continue;
            }
            if is_line_start && self.depth > 0 {
                self.is_indented |= matches!(byte, b' ' | b'\t');
                if *byte == b'{' {
                    if !self.may_be_item() {
                        return Some(Mark::Torn(at));
                    }
                    // Asked again for the same byte, it is no first one any more.
                    return Some(Mark::Item(at));
                }
            }
            rest = behind;
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if let Some(is_list) =
                        usize::try_from(self.depth).ok().and_then(|at| self.is_list.get_mut(at))
                    {
                        *is_list = *byte == b'[';
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(Mark::End(bytes.len() - rest.len()));
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' => continue,
                _ => {}
            }
            self.before = [self.before[1], *byte];
        }
        None
    }

    /// Whether an object may begin here that is an item of a list: `[`, or `{"items":[`, and then a line for each.
    /// Deeper ones have an indent, or no line of their own.
    fn may_be_item(&self) -> bool {
        let is_list = usize::try_from(self.depth - 1).ok().and_then(|at| self.is_list.get(at)) == Some(&true);
        is_list && !self.is_indented && matches!(self.before, [_, b'['] | [b'}', b','])
    }
}

#[cfg(test)]
mod tests;
