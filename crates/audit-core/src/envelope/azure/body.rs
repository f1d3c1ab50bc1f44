//! Finding the records of a body, whatever became of what stands between them.
//!
//! Brackets and commas between records are passed without asking whether they are in balance: so an envelope,
//! an array, one record, several of these, and any of them cut off, are all read the same way.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memchr;

use super::origin::Origin;
use super::record::{self, Goal, Halt, Part, Record};
use super::{Options, Outcome};
use crate::document::scan::{self, ScanError, ScanErrorKind};
use crate::document::{unescape, unescape_bytes};
use crate::envelope::{Context, split_with};
use crate::event::{Rejected, RejectedKind, SplitOutcome};
use crate::{Limits, SalvageReason, UnixNanos, salvage};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How far an object is read to tell whether it is a record: an event of the usual 16 KiB, escaped twice,
/// may stand before the first member that tells.
const LOOK: usize = 64 << 10;

/// How often, on average, each byte of a body may be looked at in vain. What an honest body takes is the depth
/// of an event whose record was damaged; it bounds the work that a hostile one can cause.
const LOOKS: usize = 16;

/// Reads a body from front to back.
pub(super) struct Body<'a> {
    bytes: Bytes,
    received: UnixNanos,
    options: &'a Options,
    limits: &'a Limits,
    outcome: Outcome,
    /// Of the last record that had one: as a rule it is that of all.
    origin: Origin,
    /// The bytes that may still be looked at in vain.
    looks: usize,
    /// Behind the first of these two places no record begins before the second.
    no_record: (usize, usize),
}

/// Whose quotes a damaged record has.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Json,
    SingleQuoted,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Whole,
    /// It was not JSON, and is whole.
    Mended,
    Damaged,
    /// It is the last, and ends early.
    Cut,
}

impl<'a> Body<'a> {
    pub(super) fn new(
        bytes: Bytes,
        received: UnixNanos,
        options: &'a Options,
        limits: &'a Limits,
    ) -> Body<'a> {
        let looks = bytes.len().saturating_mul(LOOKS).saturating_add(LOOK);
        let origin = Origin::new(None, options);
        let outcome = Outcome::default();
        Body { bytes, received, options, limits, outcome, origin, looks, no_record: (0, 0) }
    }

    pub(super) fn read(mut self) -> Outcome {
        let len = self.bytes.len();
        let start = between_records(&self.bytes, 0);
        if self.bytes.is_empty() || self.bytes.strip_prefix(BYTE_ORDER_MARK) == Some(b"") {
            self.outcome.split.reject(RejectedKind::Empty, 0, len);
        } else if start == len && !self.bytes.contains(&b'[') {
            self.outcome.split.reject(RejectedKind::NotJson, 0, len);
        }
        let mut at = start;
        while let Some(byte) = self.bytes.get(at) {
            let behind = match byte {
                b'{' => self.object(at),
                b'"' => self.member(at),
                _ => self.damaged(at, at, ScanErrorKind::Unexpected),
            };
            at = between_records(&self.bytes, behind.max(at + 1));
        }
        self.outcome
    }

    /// The object that begins at `at`; returns where to go on.
    fn object(&mut self, at: usize) -> usize {
        let mut record = Record::default();
        let until = if self.looks > 0 { self.bytes.len() } else { self.next_record(at + 1, Style::Json) };
        let read = record.read(self.bytes.get(..until).unwrap_or_default(), at, Goal::End);
        match read {
            Ok(end) if record.is_plausible() => {
                let bytes = self.bytes.clone();
                self.take(&bytes, &record, at..end, State::Whole);
                end
            }
            Ok(end) => self.no_member(at, end),
            Err(Halt::Records(array)) => array + 1,
            Err(Halt::Damaged(error)) => {
                self.looked(at, &error);
                match record::single_quoted_records(&self.bytes, at) {
                    Some(array) => array + 1,
                    // An event that is whole holds no other record.
                    None => {
                        let from = record.log.as_ref().map_or(at, |log| log.range().end);
                        self.damaged(at, from, error.kind)
                    }
                }
            }
            // Nobody asked for that.
            Err(Halt::Recognised) => at + 1,
        }
    }

    /// The object at `start..end` that has no member of a record: it may hold some records.
    fn no_member(&mut self, start: usize, end: usize) -> usize {
        self.find_record(start + 1, end, Style::Json).unwrap_or_else(|| {
            self.outcome.records += 1;
            self.outcome.split.reject(RejectedKind::NotAuditEvent, start, end - start);
            end
        })
    }

    /// What begins with a quote at `at`: a member of the envelope beside its records, or damage.
    fn member(&mut self, at: usize) -> usize {
        let value = || {
            let after = scan::string(&self.bytes, at)?;
            let value = scan::colon(&self.bytes, after)?;
            Ok::<_, ScanError>((after, value))
        };
        let Ok((after, value)) = value() else { return self.damaged(at, at, ScanErrorKind::Unexpected) };
        if self.bytes.get(at + 1..after - 1).is_none_or(record::is_member) {
            return self.damaged(at, at, ScanErrorKind::Unexpected);
        }
        if let Some(b'[' | b'{') = self.bytes.get(value) {
            return match scan::walk(&self.bytes, value, 1, &mut ()) {
                Ok(end) => self.find_record(value, end, Style::Json).unwrap_or(end),
                Err(error) => {
                    self.looked(at, &error);
                    value
                }
            };
        }
        match scan::walk(&self.bytes, value, 1, &mut ()) {
            Ok(end) => end,
            Err(_) => self.damaged(at, at, ScanErrorKind::Unexpected),
        }
    }

    /// The record that begins at `start` and is not valid, up to where the next begins, which is behind
    /// `from`; returns where to go on.
    fn damaged(&mut self, start: usize, from: usize, error: ScanErrorKind) -> usize {
        let single_quoted = record::single_quoted_key(&self.bytes, start).is_some();
        let style = if single_quoted { Style::SingleQuoted } else { Style::Json };
        let next = self.next_record(from.max(start + 1), style);
        let damaged = self.bytes.slice_ref(self.bytes.get(start..next).unwrap_or_default());
        let is_cut = error == ScanErrorKind::End && next == self.bytes.len();
        let state = if is_cut { State::Cut } else { State::Damaged };

        if damaged.first() == Some(&b'{')
            && let Some(mended) = salvage::mend(&damaged).map(Bytes::from)
        {
            let mut record = Record::default();
            let end = record.read(&mended, 0, Goal::End).ok().filter(|_| record.is_plausible());
            if end.is_some() {
                self.take(&mended, &record, start..next, State::Mended);
            }
            if end.is_some() || single_quoted {
                // Behind a record that is whole there is none, unless its beginning was damaged.
                let (rest, _) = Record::salvage(&mended, end.unwrap_or_default());
                if end.is_none() || rest.has_log() {
                    self.take(&mended, &rest, start..next, state);
                }
                return next;
            }
        }
        let (record, len) = Record::salvage(&damaged, 0);
        self.take(&damaged, &record, start..start + len, state);
        start + len
    }

    /// Makes events of a record that was read from `source`, and stands at `place` in the body.
    fn take(&mut self, source: &Bytes, record: &Record, place: Range<usize>, state: State) {
        self.outcome.records += 1;
        let part = |range: &Option<Range<usize>>| source.get(range.clone()?);
        if let Some(category) = part(&record.category)
            && !self.options.categories.contains(&unescape(category))
        {
            self.outcome.skipped += 1;
            return;
        }
        let unreadable = match state {
            State::Whole | State::Mended => RejectedKind::NotAuditEvent,
            State::Damaged => RejectedKind::NotJson,
            State::Cut => RejectedKind::CutTooEarly,
        };
        let Some(log) = log(source, record) else {
            self.outcome.split.reject(unreadable, place.start, place.len());
            return;
        };
        let resource_id = part(&record.resource_id);
        if !self.origin.is_of(resource_id) {
            self.origin = Origin::new(resource_id, self.options);
        }
        let annotations = self.origin.annotations();
        let time = part(&record.time).and_then(UnixNanos::parse_rfc3339);
        let received = time.unwrap_or(self.received);
        let context = Context { received, annotations: &annotations, limits: self.limits };
        let mut is_mended = state == State::Mended;
        let mut found = split_with(&log.bytes, &context);
        if !is_clean(&found)
            && let Some(mended) = salvage::mend(&log.bytes)
        {
            let other = split_with(&Bytes::from(mended), &context);
            if worth(&other) > worth(&found) {
                is_mended = true;
                found = other;
            }
        }
        self.outcome.mended += usize::from(is_mended);
        let is_whole = matches!(state, State::Whole | State::Mended) && log.whole;
        if !is_whole && found.events.is_empty() && found.rejected.is_empty() {
            found.reject(unreadable, 0, 0);
        }
        // What is rejected beside an event of a damaged record is the damage.
        let told = is_whole || found.events.is_empty();
        self.outcome.split.events.append(&mut found.events);
        for rejected in found.rejected.into_iter().filter(|_| told) {
            // Places in an event that was unescaped are none in the body: the record's is told.
            let rejected = Rejected { offset: place.start, len: place.len(), ..rejected };
            self.outcome.split.reject_all(rejected);
        }
    }

    /// Where the next record begins, at or behind `from`; the body's end when none does.
    fn next_record(&mut self, from: usize, style: Style) -> usize {
        let (known_from, next) = self.no_record;
        if (known_from..=next).contains(&from) && known_from < next {
            return next;
        }
        let next = self.find_record(from, self.bytes.len(), style).unwrap_or(self.bytes.len());
        self.no_record = (from, next);
        next
    }

    /// The first record that begins within `from..until`.
    ///
    /// Within a string of JSON no quote stands without a backslash before it, so nothing that a user wrote
    /// into an event can look like the beginning of a record, as long as the event is a string.
    fn find_record(&mut self, from: usize, until: usize, style: Style) -> Option<usize> {
        let mut at = from;
        loop {
            at += memchr(b'{', self.bytes.get(at..until)?)?;
            if self.begins_record(at, style) {
                return Some(at);
            }
            at += 1;
        }
    }

    fn begins_record(&mut self, at: usize, style: Style) -> bool {
        let quote = scan::space(&self.bytes, at + 1);
        match (self.bytes.get(quote), style) {
            (Some(b'"'), Style::Json) => self.is_recognised(at, quote),
            // There, an event's own quotes may have no backslash: only behind another record one begins.
            (Some(b'"'), Style::SingleQuoted) => {
                let before = self.bytes.get(..at).unwrap_or_default().trim_ascii_end();
                let before = before.strip_suffix(b",").map(<[u8]>::trim_ascii_end);
                before.is_some_and(|before| before.ends_with(b"}")) && self.is_recognised(at, quote)
            }
            (Some(b'\''), Style::SingleQuoted) => record::single_quoted_key(&self.bytes, at)
                .and_then(|key| self.bytes.get(key))
                .is_some_and(record::begins_record),
            _ => false,
        }
    }

    /// Whether the object at `at`, whose first key begins at `quote`, is a record.
    fn is_recognised(&mut self, at: usize, quote: usize) -> bool {
        if self.looks == 0 {
            // By its first member alone, which costs nothing.
            let behind = scan::string(&self.bytes, quote).unwrap_or(quote + 2);
            return self.bytes.get(quote + 1..behind - 1).is_some_and(record::begins_record);
        }
        let window = self.bytes.get(..self.bytes.len().min(at + LOOK)).unwrap_or_default();
        match Record::default().read(window, at, Goal::Recognise) {
            Err(Halt::Recognised) => return true,
            Err(Halt::Damaged(error)) => self.looked(at, &error),
            Err(Halt::Records(behind)) | Ok(behind) => self.looks = self.looks.saturating_sub(behind - at),
        }
        false
    }

    fn looked(&mut self, at: usize, error: &ScanError) {
        self.looks = self.looks.saturating_sub(error.at.saturating_sub(at).max(1));
    }
}

/// Behind what may stand between records: space, commas, brackets that open no record, zeros that fill up,
/// byte order marks.
fn between_records(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']' | b'}' | b'\0') => at += 1,
            Some(0xef) if bytes.get(at..).is_some_and(|rest| rest.starts_with(BYTE_ORDER_MARK)) => {
                at += BYTE_ORDER_MARK.len();
            }
            _ => return at,
        }
    }
}

/// What a record's `log` holds.
struct Log {
    bytes: Bytes,
    whole: bool,
}

fn log(source: &Bytes, record: &Record) -> Option<Log> {
    if let Some(part) = &record.log {
        return Some(log_of(source, part));
    }
    let properties = text(source, source.get(record.properties.clone()?)?);
    let start = scan::space(&properties, 0);
    let mut inner = Record::default();
    match inner.read_properties(&properties, start, Goal::End) {
        Ok(_) => {}
        Err(_) => inner = Record::salvage(&properties, start).0,
    }
    inner.log.map(|part| log_of(&properties, &part))
}

fn log_of(source: &Bytes, part: &Part) -> Log {
    let raw = source.get(part.range().clone()).unwrap_or_default();
    match part {
        Part::Text { whole: true, .. } => Log { bytes: text(source, raw), whole: true },
        Part::Text { whole: false, .. } => {
            Log { bytes: text(source, without_half_escape(raw)), whole: false }
        }
        Part::Json(_) => Log { bytes: source.slice_ref(raw), whole: true },
    }
}

/// What a string says, as far as it was not cut off; `inner`, a part of `source`, stands between its quotes.
fn text(source: &Bytes, inner: &[u8]) -> Bytes {
    match unescape_bytes(without_half_escape(inner)) {
        Cow::Borrowed(plain) => source.slice_ref(plain),
        Cow::Owned(text) => Bytes::from(text),
    }
}

/// Without an escape at the end that was cut off.
fn without_half_escape(inner: &[u8]) -> &[u8] {
    // The longest that is not whole: `\u00e`.
    for len in 1..6.min(inner.len() + 1) {
        let (before, tail) = inner.split_at(inner.len() - len);
        if let Some(escape) = tail.strip_prefix(b"\\") {
            let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
            let is_half = backslashes % 2 == 0 && matches!(escape.first(), None | Some(b'u'));
            return if is_half { before } else { inner };
        }
    }
    inner
}

/// Whether nothing would be gained by mending.
fn is_clean(outcome: &SplitOutcome) -> bool {
    outcome.rejected.is_empty() && outcome.events.iter().all(|event| !is_broken_off(event.salvaged))
}

fn is_broken_off(salvaged: Option<SalvageReason>) -> bool {
    matches!(salvaged, Some(SalvageReason::Malformed | SalvageReason::Truncated))
}

/// Which of two readings of the same is the better one: the greater.
fn worth(outcome: &SplitOutcome) -> (usize, bool, usize) {
    let whole = !outcome.events.iter().any(|event| is_broken_off(event.salvaged));
    (outcome.events.len(), whole, outcome.events.iter().map(|event| event.payload.len()).sum())
}

#[cfg(test)]
mod tests {
    use super::without_half_escape;

    #[test]
    fn half_an_escape_is_left_out() {
        for (inner, expect) in [
            ("", ""),
            ("a", "a"),
            (r"a\", "a"),
            (r"\", ""),
            (r"a\\", r"a\\"),
            (r"a\\\", r"a\\"),
            (r"a\u", "a"),
            (r"a\u00e", "a"),
            (r"a\u00e9", r"a\u00e9"),
            (r"a\\u00", r"a\\u00"),
            (r"a\n", r"a\n"),
            (r"a\nbcd", r"a\nbcd"),
        ] {
            assert_eq!(without_half_escape(inner.as_bytes()), expect.as_bytes(), "{inner}");
        }
    }
}
