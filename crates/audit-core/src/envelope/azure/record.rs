//! One record: which of its members matter, and where they are.
//!
//! It reads two ways: strictly ([`Record::read`]), and from whatever is left of a damaged record
//! ([`Record::salvage`]). It knows places and no events.

use std::ops::Range;

use memchr::memchr;

use crate::document::Key;
use crate::document::scan::{self, Kind, ScanError, ScanErrorKind};

/// The member that makes an object an envelope of records.
const RECORDS: &str = "records";

/// A member that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Operation,
    Category,
    ResourceId,
    Time,
    Properties,
    /// Within `properties`.
    Log,
}

impl Name {
    const ALL: [Name; 6] =
        [Name::Operation, Name::Category, Name::ResourceId, Name::Time, Name::Properties, Name::Log];

    const fn key(self) -> &'static str {
        match self {
            Name::Operation => "operationName",
            Name::Category => "category",
            Name::ResourceId => "resourceId",
            Name::Time => "time",
            Name::Properties => "properties",
            Name::Log => "log",
        }
    }

    fn of(key: Key<'_>) -> Option<Name> {
        Name::ALL.into_iter().find(|name| key.is(name.key()))
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Where something stands.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A string: what is between its quotes, still escaped.
    Text {
        at: Range<usize>,
        /// Its end was there, and what follows an end.
        whole: bool,
    },
    /// Anything else.
    Json(Range<usize>),
}

impl Part {
    pub(super) fn range(&self) -> &Range<usize> {
        match self {
            Part::Text { at, .. } | Part::Json(at) => at,
        }
    }
}

/// The members of a record that matter; of two of one name, the first.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) category: Option<Range<usize>>,
    pub(super) resource_id: Option<Range<usize>>,
    pub(super) time: Option<Range<usize>>,
    /// Where they are a string with JSON in it.
    pub(super) properties: Option<Range<usize>>,
    pub(super) log: Option<Part>,
    /// A bit for each [`Name`] that was met.
    met: u8,
}

/// Why an object was not read to its end.
#[derive(Debug)]
pub(super) enum Halt {
    Damaged(ScanError),
    /// It is no record but an envelope: where the array of its records begins.
    Records(usize),
    /// Enough was read to tell that it is a record, as was asked.
    Recognised,
}

impl From<ScanError> for Halt {
    fn from(error: ScanError) -> Halt {
        Halt::Damaged(error)
    }
}

/// Whether to read a record to its end.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Goal {
    End,
    Recognise,
}

impl Record {
    /// Reads the object that begins at `at`, strictly; returns where it ends.
    pub(super) fn read(&mut self, bytes: &[u8], at: usize, goal: Goal) -> Result<usize, Halt> {
        scan::members(bytes, at, |key, value| {
            let key = Key::new(bytes, key);
            let name = Name::of(key).filter(|name| *name != Name::Log);
            let Some(name) = name else {
                let is_array = bytes.get(value) == Some(&b'[');
                if is_array && self.met == 0 && key.is(RECORDS) {
                    return Err(Halt::Records(value));
                }
                return Ok(scan::walk(bytes, value, 1, &mut ())?);
            };
            let is_first = self.meet(name);
            if goal == Goal::Recognise && self.is_recognised() {
                return Err(Halt::Recognised);
            }
            match bytes.get(value) {
                Some(b'"') => {
                    let end = scan::string(bytes, value)?;
                    if is_first {
                        self.set(name, Part::Text { at: value + 1..end - 1, whole: true });
                    }
                    Ok(end)
                }
                Some(b'{') if name == Name::Properties && is_first => {
                    self.read_properties(bytes, value, goal)
                }
                _ => Ok(scan::walk(bytes, value, 1, &mut ())?),
            }
        })
    }

    /// Reads the object that begins at `at` as a record's `properties`, strictly; returns where it ends.
    pub(super) fn read_properties(&mut self, bytes: &[u8], at: usize, goal: Goal) -> Result<usize, Halt> {
        scan::members(bytes, at, |key, value| {
            if Name::of(Key::new(bytes, key)) != Some(Name::Log) || !self.meet(Name::Log) {
                return Ok(scan::walk(bytes, value, 2, &mut ())?);
            }
            if goal == Goal::Recognise {
                return Err(Halt::Recognised);
            }
            let (end, part) = if bytes.get(value) == Some(&b'"') {
                let end = scan::string(bytes, value)?;
                (end, Part::Text { at: value + 1..end - 1, whole: true })
            } else {
                let end = match scan::walk(bytes, value, 2, &mut ()) {
                    // What is too deep is salvaged as a part of its event, as it is in a string.
                    Err(ScanError { kind: ScanErrorKind::TooDeep, .. }) => scan::skip(bytes, value)?,
                    walked => walked?,
                };
                (end, Part::Json(value..end))
            };
            self.set(Name::Log, part);
            Ok(end)
        })
    }

    /// Finds what can be found behind `start` in `bytes`, which end where the next record begins. Returns
    /// where the search ended: at the end, or before a member that this record has already.
    ///
    /// A member is known by its name in quotes and a colon. None is found within a string by mistake, not
    /// within an event in `log` either: there the quotes are escaped.
    pub(super) fn salvage(bytes: &[u8], start: usize) -> (Record, usize) {
        let mut record = Record::default();
        let mut at = start;
        while let Some(quote) = bytes.get(at..).and_then(|rest| memchr(b'"', rest)) {
            let quote = at + quote;
            let Some((name, value)) = member(bytes, quote) else {
                at = quote + 1;
                continue;
            };
            if !record.meet(name) {
                return (record, quote);
            }
            at = record.salvage_value(bytes, name, value);
        }
        (record, bytes.len())
    }

    /// Returns where to look for the next member.
    fn salvage_value(&mut self, bytes: &[u8], name: Name, value: usize) -> usize {
        let kind = bytes.get(value).copied().and_then(Kind::of);
        if kind == Some(Kind::String) {
            let closed = scan::skip_string(bytes, value).ok();
            let end = closed.unwrap_or(bytes.len());
            let next = bytes.get(scan::space(bytes, end));
            let whole = closed.is_some() && matches!(next, None | Some(b',' | b'}' | b']'));
            // Half a name is none, but half an event is one.
            if !whole && !matches!(name, Name::Log | Name::Properties) {
                // Its end may be the quote that begins the next key.
                return value + 1;
            }
            let inner_end = if closed.is_some() { end - 1 } else { end };
            self.set(name, Part::Text { at: value + 1..inner_end, whole });
            return end;
        }
        if name != Name::Log || kind.is_none() {
            return value;
        }
        // Within a damaged event quotes tell nothing any more: the rest is its.
        let end = scan::walk(bytes, value, 2, &mut ()).unwrap_or(bytes.len());
        self.set(Name::Log, Part::Json(value..end));
        end
    }

    /// Whether that member is the first of its name.
    fn meet(&mut self, name: Name) -> bool {
        let is_first = self.met & name.bit() == 0;
        self.met |= name.bit();
        is_first
    }

    fn set(&mut self, name: Name, part: Part) {
        let text = || match &part {
            Part::Text { at, .. } if !at.is_empty() => Some(at.clone()),
            _ => None,
        };
        match name {
            Name::Operation => {}
            Name::Category => self.category = text(),
            Name::ResourceId => self.resource_id = text(),
            Name::Time => self.time = text(),
            Name::Properties => self.properties = text(),
            Name::Log => self.log = Some(part),
        }
    }

    /// Whether it has any member of a record: enough for an object that stands where a record does.
    pub(super) fn is_plausible(&self) -> bool {
        self.met != 0
    }

    /// Whether there may be an event in it.
    pub(super) fn has_log(&self) -> bool {
        self.log.is_some() || self.properties.is_some()
    }

    /// Whether it is a record, wherever it stands: two of its members, or `log` in `properties`.
    fn is_recognised(&self) -> bool {
        self.met.count_ones() >= 2
    }
}

/// A member that matters, whose key begins with the quote at `quote`; and where its value begins.
fn member(bytes: &[u8], quote: usize) -> Option<(Name, usize)> {
    let rest = bytes.get(quote + 1..)?;
    let is_key =
        |name: &Name| rest.strip_prefix(name.key().as_bytes()).is_some_and(|rest| rest.starts_with(b"\""));
    let name = Name::ALL.into_iter().find(is_key)?;
    Some((name, scan::colon(bytes, quote + name.key().len() + 2).ok()?))
}

/// Whether `key` is the name of a member that matters.
pub(super) fn is_member(key: &[u8]) -> bool {
    Name::of(Key::new(key, 0..key.len())).is_some()
}

/// Whether `key` can be the first of a record.
pub(super) fn begins_record(key: &[u8]) -> bool {
    Name::of(Key::new(key, 0..key.len())).is_some_and(|name| name != Name::Log)
}

/// The key in single quotes that begins the object at `at`, which no JSON has.
pub(super) fn single_quoted_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    let quote = scan::space(bytes, at + 1);
    let rest = bytes.get(quote..)?.strip_prefix(b"'")?;
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    let key = quote + 1..quote + 1 + len;
    (bytes.get(key.end) == Some(&b'\'') && scan::colon(bytes, key.end + 1).is_ok()).then_some(key)
}

/// Where the array of the records begins, of an envelope in single quotes that begins at `at`.
pub(super) fn single_quoted_records(bytes: &[u8], at: usize) -> Option<usize> {
    let key =
        single_quoted_key(bytes, at).filter(|key| bytes.get(key.clone()) == Some(RECORDS.as_bytes()))?;
    scan::colon(bytes, key.end + 1).ok().filter(|&value| bytes.get(value) == Some(&b'['))
}
