//! An event as libscap lays it out: `PPME_PLUGINEVENT_E`, with the plugin's number and the payload.
//!
//! ```text
//! 0         8         16      20     22        26        30         34          38
//! | ts u64  | tid u64 | len u32 | type u16 | nparams u32 | 4 u32 | size u32 | id u32 | payload |
//! ```
//!
//! Little endian on every machine that the host runs on, and packed. It owns the layout in both directions, and
//! no `unsafe`: an event from the host is bytes when it comes here.

use std::{fmt, mem};

use event_source::Event;
use falco_plugin_api::ss_plugin_event;

use crate::notes::Notes;

/// `PPME_PLUGINEVENT_E` of libscap's event table.
pub(crate) const PLUGIN_EVENT: u16 = 322;
/// Where the payload starts, from the start of the event; what offsets of values are counted from.
pub(crate) const PAYLOAD_START: usize = 38;

const HEADER: usize = size_of::<ss_plugin_event>();
const PARAMETERS: u32 = 2;
const ID_SIZE: u32 = 4;

/// An event of more bytes than the header's 32-bit length can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge(usize);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of `{}` bytes is larger than the host can take; lower `max_event_size`", self.0)
    }
}

impl std::error::Error for TooLarge {}

/// Events side by side in memory that is used again for the next batch.
#[derive(Debug)]
pub(crate) struct EventBatch {
    id: u32,
    /// What memory may be kept from batch to batch.
    keep: usize,
    bytes: Vec<u8>,
    starts: Vec<usize>,
    pointers: Vec<*mut ss_plugin_event>,
    notes: Notes,
}

impl EventBatch {
    pub(crate) fn new(id: u32, keep: usize) -> Self {
        Self {
            id,
            keep,
            bytes: Vec::new(),
            starts: Vec::new(),
            pointers: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Lets go of the events, and of memory that only a giant needed.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(self.keep.saturating_mul(2));
        self.starts.clear();
        self.pointers.clear();
        self.notes.clear();
    }

    pub(crate) fn push(&mut self, event: &Event) -> Result<(), TooLarge> {
        let too_large = || TooLarge(event.payload.len());
        let length = u32::try_from(PAYLOAD_START + event.payload.len()).map_err(|_| too_large())?;
        let size = u32::try_from(event.payload.len()).map_err(|_| too_large())?;
        // The host reads the header's numbers in place: where it starts they are aligned for machines that care.
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&event.timestamp.to_ne_bytes());
        // No thread; libscap sets the same.
        self.bytes.extend_from_slice(&u64::MAX.to_ne_bytes());
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&PLUGIN_EVENT.to_ne_bytes());
        for number in [PARAMETERS, ID_SIZE, size, self.id] {
            self.bytes.extend_from_slice(&number.to_ne_bytes());
        }
        if !event.notes.is_empty() {
            self.notes.push(self.bytes.len(), event.payload.len(), &event.notes);
        }
        self.bytes.extend_from_slice(&event.payload);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The notes on its events, for whoever keeps them meanwhile; in exchange for others, which are forgotten.
    pub(crate) fn exchange_notes(&mut self, notes: &mut Notes) {
        self.notes.settle(self.bytes.as_ptr().addr());
        mem::swap(&mut self.notes, notes);
    }

    /// Where each event is, valid until the batch is changed: the host may write to an event's header.
    pub(crate) fn pointers(&mut self) -> &mut [*mut ss_plugin_event] {
        let base = self.bytes.as_mut_ptr();
        self.pointers.clear();
        self.pointers.extend(self.starts.iter().map(|start| base.wrapping_add(*start).cast()));
        &mut self.pointers
    }
}

/// The payload and timestamp of a plugin's event; `None` for an event of another type or shape.
#[inline]
pub(crate) fn decode(event: &[u8]) -> Option<(&[u8], u64)> {
    let (header, payload) = event.split_first_chunk::<PAYLOAD_START>()?;
    let timestamp = u64::from_ne_bytes(*header.first_chunk()?);
    let kind = u16::from_ne_bytes(*header.get(20..)?.first_chunk()?);
    let parameters = u32::from_ne_bytes(*header.get(22..)?.first_chunk()?);
    let id_size = u32::from_ne_bytes(*header.get(HEADER..)?.first_chunk()?);
    let size = u32::from_ne_bytes(*header.get(HEADER + 4..)?.first_chunk()?);
    if (kind, parameters, id_size) != (PLUGIN_EVENT, PARAMETERS, ID_SIZE) {
        return None;
    }
    let payload = payload.get(..usize::try_from(size).ok()?)?;
    Some((payload, timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(payloads: &[&'static [u8]]) -> EventBatch {
        let mut batch = EventBatch::new(9, 1 << 20);
        for payload in payloads {
            batch.push(&Event::new(*payload, 7)).unwrap();
        }
        batch
    }

    #[test]
    fn an_event_comes_back_as_it_went() {
        let batch = batch(&[b"one", b"", b"three"]);
        let decoded: Vec<_> =
            batch.starts.iter().map(|start| decode(&batch.bytes[*start..]).unwrap()).collect();
        assert_eq!(decoded, [(&b"one"[..], 7), (b"", 7), (b"three", 7)]);
    }

    #[test]
    fn memory_for_a_giant_is_let_go() {
        let mut batch = EventBatch::new(9, 1000);
        batch.push(&Event::new(vec![0; 1_000_000], 0)).unwrap();
        batch.clear();
        assert!(batch.bytes.capacity() <= 2000, "{}", batch.bytes.capacity());
    }

    /// The event of `payload`, with that change, decodes to nothing.
    #[track_caller]
    fn refused(change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = batch(&[b"payload"]).bytes;
        change(&mut bytes);
        assert_eq!(decode(&bytes), None);
    }

    #[test]
    fn what_is_no_plugin_event_has_no_payload() {
        refused(|bytes| bytes.clear());
        refused(|bytes| bytes.truncate(HEADER));
        refused(|bytes| bytes.truncate(PAYLOAD_START - 1));
        refused(|bytes| bytes.truncate(PAYLOAD_START + 3));
        refused(|bytes| bytes[20] = 0);
        refused(|bytes| bytes[22] = 1);
        refused(|bytes| bytes[26] = 8);
        refused(|bytes| bytes[30] = 8);
        refused(|bytes| bytes[33] = 0xff);
    }
}
