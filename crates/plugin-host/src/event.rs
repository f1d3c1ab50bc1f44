//! One plugin event in libscap's layout.
//!
//! ```text
//! ts u64 | tid u64 | len u32 | type u16 | nparams u32 | len_id u32 | len_payload u32 | id u32 | payload
//! 0        8         16        20         22            26           30                34       38
//! ```
//! Little-endian, packed; `len` counts everything.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr::NonNull;

use falco_plugin_api::{ss_plugin_event, ss_plugin_event_input};

/// Bytes before an event's payload; value offsets count from the start of the header.
pub const HEADER_LEN: usize = 38;

/// `PPME_PLUGINEVENT_E`.
const PLUGIN_EVENT: u16 = 322;
/// Plugin id and payload.
const PARAMS: u32 = 2;
/// "No thread": libscap sets it on every plugin event.
const NO_THREAD: u64 = u64::MAX;
/// "The host stamps it."
const NO_TIME: u64 = u64::MAX;

/// An event that a plugin produced, or that an [`EventBuffer`] holds.
///
/// Valid until the source is asked for its next batch.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    start: NonNull<u8>,
    len: usize,
    number: u64,
    source: &'e CStr,
    memory: PhantomData<&'e [u8]>,
}

impl<'e> Event<'e> {
    /// Checks and completes an event in place, as libscap does before it hands it on.
    ///
    /// # Errors
    /// What is wrong with the event; Falco ends with that.
    ///
    /// # Safety
    /// `event` points to a plugin event, whole and writable, that stays where it is for `'e`.
    pub(crate) unsafe fn adopt(
        event: *mut ss_plugin_event,
        id: u32,
        number: u64,
        source: &'e CStr,
        now: impl FnOnce() -> u64,
    ) -> Result<Self, String> {
        let Some(start) = NonNull::new(event.cast::<u8>()) else {
            return Err("NULL among the events of a batch".to_owned());
        };
        // SAFETY: by contract a whole event is there, and every event has the fixed header;
        // the struct is packed, so no alignment is asked for.
        let header = unsafe { &mut *event };
        let (len, kind, params) = (header.len as usize, header.type_, header.nparams);
        if kind != PLUGIN_EVENT || params != PARAMS || len < HEADER_LEN {
            return Err(format!("malformed plugin event: type {kind}, {params} parameters, {len} bytes"));
        }
        header.tid = NO_THREAD;
        if header.ts == NO_TIME {
            header.ts = now();
        }
        let mut adopted = Self { start, len, number, source, memory: PhantomData };
        let (len_id, len_payload) = (adopted.u32_at(26), adopted.u32_at(30) as usize);
        if len_id != 4 || len_payload != len - HEADER_LEN {
            return Err(format!("malformed plugin event: {len} bytes, id {len_id}, payload {len_payload}"));
        }
        match adopted.plugin_id() {
            0 => adopted.set_plugin_id(id),
            other if other != id => {
                return Err(format!(
                    "unexpected plugin ID in plugin event: expected_id={id}, actual_id={other}"
                ));
            }
            _ => {}
        }
        Ok(adopted)
    }

    /// Number of the event since its source was opened, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Nanoseconds since the Unix epoch.
    pub fn timestamp(&self) -> u64 {
        let (low, high) = (u64::from(self.u32_at(0)), u64::from(self.u32_at(4)));
        high << 32 | low
    }

    /// Id of the plugin that produced it.
    pub fn plugin_id(&self) -> u32 {
        self.u32_at(34)
    }

    /// Name of its event source.
    pub fn source(&self) -> &'e CStr {
        self.source
    }

    /// Header and payload.
    pub fn bytes(&self) -> &'e [u8] {
        // SAFETY: `len` bytes are there for `'e`, by the contract of `adopt` or because an
        // `EventBuffer` is borrowed for `'e`; nobody writes to them once the event is handed out.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// What the plugin put into it.
    pub fn payload(&self) -> &'e [u8] {
        self.bytes().get(HEADER_LEN..).unwrap_or_default()
    }

    pub(crate) fn input(&self) -> ss_plugin_event_input {
        ss_plugin_event_input {
            evt: self.start.as_ptr().cast_const().cast(),
            evtnum: self.number,
            evtsrc: self.source.as_ptr(),
        }
    }

    fn u32_at(&self, offset: usize) -> u32 {
        let bytes = self.bytes().get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    fn set_plugin_id(&mut self, id: u32) {
        // SAFETY: an adopted event has at least `HEADER_LEN` writable bytes, and no slice of
        // them was handed out yet.
        unsafe { self.start.as_ptr().add(34).cast::<u32>().write_unaligned(id.to_le()) };
    }
}

/// An event of the host's own making, to extract fields from without a source.
#[derive(Debug, Clone)]
pub struct EventBuffer {
    bytes: Vec<u8>,
    source: CString,
}

impl EventBuffer {
    /// An event of plugin `id` and event source `source` at `timestamp` nanoseconds.
    ///
    /// `None` when the payload is over 4 GiB or the source's name holds a NUL.
    pub fn new(id: u32, source: &str, timestamp: u64, payload: &[u8]) -> Option<Self> {
        let source = CString::new(source).ok()?;
        let len = u32::try_from(HEADER_LEN + payload.len()).ok()?;
        let payload_len = u32::try_from(payload.len()).ok()?;
        let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
        bytes.extend_from_slice(&timestamp.to_le_bytes());
        bytes.extend_from_slice(&NO_THREAD.to_le_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&PLUGIN_EVENT.to_le_bytes());
        bytes.extend_from_slice(&PARAMS.to_le_bytes());
        bytes.extend_from_slice(&4u32.to_le_bytes());
        bytes.extend_from_slice(&payload_len.to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(payload);
        Some(Self { bytes, source })
    }

    /// The event, under the number that the plugin shall see.
    pub fn event(&self, number: u64) -> Event<'_> {
        Event {
            start: NonNull::from(self.bytes.as_slice()).cast(),
            len: self.bytes.len(),
            number,
            source: &self.source,
            memory: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &CStr = c"k8s_audit";

    fn adopt(buffer: &mut EventBuffer) -> Result<Event<'_>, String> {
        // SAFETY: the buffer is exclusively borrowed for the event's lifetime, and large enough
        // for the header that it was made with.
        unsafe { Event::adopt(buffer.bytes.as_mut_ptr().cast(), 9, 1, SOURCE, || 77) }
    }

    #[test]
    fn a_buffer_has_the_layout_of_the_plugin_api() {
        let mut buffer = EventBuffer::new(9, "k8s_audit", 5, b"{}").unwrap();
        let event = adopt(&mut buffer).unwrap();
        assert_eq!((event.timestamp(), event.plugin_id(), event.payload()), (5, 9, b"{}".as_slice()));
        assert_eq!(event.bytes().len(), HEADER_LEN + 2);
    }

    #[test]
    fn the_host_stamps_the_time_and_the_id_that_the_plugin_left_open() {
        let mut buffer = EventBuffer::new(0, "k8s_audit", u64::MAX, b"").unwrap();
        let event = adopt(&mut buffer).unwrap();
        assert_eq!((event.timestamp(), event.plugin_id()), (77, 9));
    }

    #[test]
    fn a_malformed_event_is_refused() {
        for (offset, byte) in [(20, 1), (22, 3), (16, 37), (26, 8), (30, 9), (34, 8)] {
            let mut buffer = EventBuffer::new(9, "k8s_audit", 5, b"{}").unwrap();
            buffer.bytes[offset] = byte;
            assert!(adopt(&mut buffer).is_err(), "byte {offset}");
        }
    }
}
