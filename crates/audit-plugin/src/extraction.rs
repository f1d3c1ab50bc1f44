//! Field values of the event at hand: which document is remembered, and for how long.
//!
//! The host asks for one field per call, and for every field of every rule, so the document is found once and
//! kept here from call to call.
//! This module owns that memory and the [`Values`] of a call; what a field means is the part of a [`Fields`].

mod audit_fields;
mod values;

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ops::Range;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::AtomicPtr;

use values::Places;

use crate::lock;
use crate::notes::Notes;

pub use audit_core::Argument;
pub use audit_fields::AuditFields;
pub use values::Values;

/// The fields of a plugin, and how they are read from a payload.
pub trait Fields: Default + Send + 'static {
    /// The event sources that it reads, a JSON list.
    const SOURCES: &'static CStr;

    /// The fields as the host wants to know them, a JSON list; a field's number is its place in it.
    fn describe() -> String;

    /// Takes up another event: its payload, its time in nanoseconds since 1970, and what the source noted about it
    /// ([`event_source::Event::notes`]); nothing, when it comes from elsewhere, or another
    /// batch was read since. A payload that cannot be read is no
    /// error: no field has a value then.
    fn read(&mut self, payload: &[u8], timestamp: u64, notes: &[u64]);

    /// Appends the values of a field to `values`; `payload` is the one that was read last.
    ///
    /// # Errors
    /// When there is no such field. Never because of the data: what is absent has no value.
    fn extract(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
        values: &mut Values,
    ) -> Result<(), UnknownField>;
}

/// A number that is no field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownField(pub u32);

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no field of number `{}`", self.0)
    }
}

impl std::error::Error for UnknownField {}

/// What an event is recognised by.
///
/// Numbers start again with each opening and memory is used again for each batch, so neither is enough alone;
/// in both cases another epoch begins. Where events come from elsewhere (a capture file, or another
/// plugin), the host calls neither `open` nor `next_batch`: there the timestamp tells events apart that were read
/// into the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventKey {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    pub(crate) timestamp: u64,
    pub(crate) address: usize,
    pub(crate) length: usize,
}

/// The memory of extraction: of one plugin, over all its openings, since the host hands no opening to it.
#[derive(Debug, Default)]
pub(crate) struct Extraction<F> {
    fields: F,
    /// Whose document `fields` holds.
    key: Option<EventKey>,
    values: Values,
    /// Where the values of each field of the call lie.
    spans: Vec<Range<usize>>,
    /// Where each value's text is. Atomic for the sake of `Send`: in memory it is a plain pointer.
    addresses: Vec<AtomicPtr<c_char>>,
    /// Where the value of each field is, in a call for several.
    places: Places,
    /// Where no value is: start and length.
    nowhere: [u32; 2],
}

impl<F: Fields> Extraction<F> {
    /// Starts a call: the values of the call before are gone.
    #[inline]
    pub(crate) fn begin(&mut self, key: EventKey, payload: &[u8], notes: &Mutex<Notes>) {
        self.values.clear();
        if self.key != Some(key) {
            // A panic in between must not leave half of a document behind.
            self.key = None;
            let mut notes = lock(notes);
            self.fields.read(payload, key.timestamp, notes.find(key.address, key.length));
            self.key = Some(key);
        }
    }

    /// One field of the call.
    pub(crate) fn extract(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
    ) -> Result<(), UnknownField> {
        let start = self.values.len();
        self.extract_one(payload, field, argument)?;
        self.spans.push(start..self.values.len());
        Ok(())
    }

    /// The only field of the call.
    #[inline]
    pub(crate) fn extract_one(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
    ) -> Result<(), UnknownField> {
        self.fields.extract(payload, field, argument, &mut self.values)
    }

    /// Ends a call for one field: as [`finish`](Self::finish), with all values being its own.
    pub(crate) fn finish_one(&mut self) -> (Pointers<'_>, usize) {
        let count = self.values.len();
        if count == 0 {
            // An entry there must be, should the host look.
            let [start, length] = &mut self.nowhere;
            (*start, *length) = (0, 0);
            return (Pointers { values: ptr::null_mut(), spans: &[], starts: start, lengths: length }, 0);
        }
        let text = self.values.text().as_ptr().cast_mut();
        self.addresses.clear();
        self.addresses.extend(
            self.values.starts().iter().map(|start| AtomicPtr::new(text.wrapping_add(*start).cast())),
        );
        let places = self.values.places();
        let pointers = Pointers {
            values: self.addresses.as_mut_ptr().cast(),
            spans: &[],
            starts: places.starts.as_mut_ptr(),
            lengths: places.lengths.as_mut_ptr(),
        };
        (pointers, count)
    }

    /// Starts a call for several fields, of the event that was begun.
    pub(crate) fn begin_several(&mut self) {
        self.spans.clear();
    }

    /// One field of the call for which nothing can be found.
    pub(crate) fn skip(&mut self) {
        self.spans.push(self.values.len()..self.values.len());
    }

    /// Ends a call: all is written, so that addresses stay as they are until the next one begins.
    ///
    /// A call for one field has a place for each of its values; this one, for several fields, has a place for each
    /// field, since nobody could tell which value belongs to which. Hosts and SDKs differ in how they read lists, so there
    /// are always as many entries as the more of both.
    pub(crate) fn finish(&mut self) -> Pointers<'_> {
        let text = self.values.text().as_ptr().cast_mut();
        self.addresses.clear();
        self.addresses.extend(
            self.values.starts().iter().map(|start| AtomicPtr::new(text.wrapping_add(*start).cast())),
        );
        let entries = self.values.len().max(self.spans.len()).max(1);
        self.places.clear();
        for span in &self.spans {
            let of_one = if span.len() == 1 { self.values.places().get(span.start) } else { None };
            self.places.push(of_one.unwrap_or_default());
        }
        let places = &mut self.places;
        places.resize(entries);
        Pointers {
            values: self.addresses.as_mut_ptr().cast(),
            spans: &self.spans,
            starts: places.starts.as_mut_ptr(),
            lengths: places.lengths.as_mut_ptr(),
        }
    }
}

/// The results of a call as the host takes them, valid until the next call begins.
pub(crate) struct Pointers<'e> {
    /// The values of all fields, one behind the other.
    pub(crate) values: *mut *const c_char,
    /// Which of them belong to which field, in the order of the call.
    pub(crate) spans: &'e [Range<usize>],
    /// Where values start in the event.
    pub(crate) starts: *mut u32,
    /// How long they are there.
    pub(crate) lengths: *mut u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it reads.
    #[derive(Default)]
    struct Counting {
        reads: usize,
    }

    impl Fields for Counting {
        const SOURCES: &'static CStr = c"[]";
        fn describe() -> String {
            "[]".to_owned()
        }
        fn read(&mut self, payload: &[u8], _: u64, _: &[u64]) {
            assert_ne!(payload, b"panic", "told to");
            self.reads += 1;
        }
        fn extract(&mut self, _: &[u8], _: u32, _: Argument<'_>, _: &mut Values) -> Result<(), UnknownField> {
            Ok(())
        }
    }

    const KEY: EventKey = EventKey { epoch: 0, number: 1, timestamp: 2, address: 3, length: 4 };

    /// How often two calls with these keys read.
    #[track_caller]
    fn check(second: EventKey, expect: usize) {
        let mut extraction = Extraction::<Counting>::default();
        let notes = Mutex::default();
        extraction.begin(KEY, b"", &notes);
        extraction.begin(second, b"", &notes);
        assert_eq!(extraction.fields.reads, expect);
    }

    #[test]
    fn a_document_is_read_once_per_event() {
        check(KEY, 1);
        check(EventKey { epoch: 9, ..KEY }, 2);
        check(EventKey { number: 9, ..KEY }, 2);
        check(EventKey { timestamp: 9, ..KEY }, 2);
        check(EventKey { address: 9, ..KEY }, 2);
        check(EventKey { length: 9, ..KEY }, 2);
    }

    #[test]
    fn a_panic_leaves_no_document_behind() {
        let mut extraction = Extraction::<Counting>::default();
        let notes = Mutex::default();
        let call = std::panic::AssertUnwindSafe(|| extraction.begin(KEY, b"panic", &notes));
        assert!(std::panic::catch_unwind(call).is_err());
        extraction.begin(KEY, b"", &notes);
        assert_eq!(extraction.fields.reads, 1);
    }
}
