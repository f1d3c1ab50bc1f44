//! The symbols of field extraction.

use std::ffi::{CStr, c_char};
use std::slice;

use falco_plugin_api::{
    ss_plugin_event_input, ss_plugin_extract_field, ss_plugin_field_extract_input, ss_plugin_rc,
    ss_plugin_rc_SS_PLUGIN_FAILURE, ss_plugin_rc_SS_PLUGIN_SUCCESS, ss_plugin_t,
};

use super::base::{Text, state, store, text};
use super::event::{self, PLUGIN_EVENT};
use super::guard;
use crate::Plugin;
use crate::extraction::{Argument, EventKey, Extraction, Fields, Pointers, UnknownField};
use crate::state::Running;

/// `plugin_get_extract_event_sources`.
pub fn event_sources<P: Plugin>() -> *const c_char {
    P::Fields::SOURCES.as_ptr()
}

/// `plugin_get_extract_event_types`: those of plugins alone, so that the host does not ask for any other.
///
/// # Safety
/// `count` is null or valid for writing.
pub unsafe fn event_types(count: *mut u32, _plugin: *mut ss_plugin_t) -> *mut u16 {
    static TYPES: [u16; 1] = [PLUGIN_EVENT];
    // SAFETY: as promised by the caller.
    unsafe { store(count, 1) };
    // The host reads only; its header forgot to say so.
    TYPES.as_ptr().cast_mut()
}

/// `plugin_get_fields`.
pub fn fields<P: Plugin>(cell: &'static Text) -> *const c_char {
    text(cell, P::Fields::describe)
}

/// `plugin_extract_fields`: any number of fields of one event. Values and offsets live until the next call with
/// the same plugin.
///
/// # Safety
/// `plugin` is null or comes from `init` of the same `P`, and is not destroyed; `event` and `input` are null or point
/// to valid structs, with a valid event and `num_fields` valid fields, which nobody else looks at during this call.
/// No other call of this function with the same plugin is under way: the results of one live until the next begins, so
/// no host could do that and read them.
pub unsafe fn extract_fields<P: Plugin>(
    plugin: *mut ss_plugin_t,
    event: *const ss_plugin_event_input,
    input: *const ss_plugin_field_extract_input,
) -> ss_plugin_rc {
    // SAFETY: as promised by the caller.
    let Some(state) = (unsafe { state::<P>(plugin) }) else {
        return ss_plugin_rc_SS_PLUGIN_FAILURE;
    };
    let extracted = guard("extracting fields", || {
        let running = state.running().ok_or("the plugin is not initialised")?;
        // SAFETY: as promised by the caller.
        let (event, input) = unsafe { (event.as_ref(), input.as_ref()) };
        let event = event.ok_or("the host gave no event to extract from")?;
        let input = input.ok_or("the host gave no fields to extract")?;
        // SAFETY: as promised by the caller: extractions follow each other.
        let mut extraction =
            unsafe { running.extraction().take() }.ok_or("the host extracts twice at once")?;
        // SAFETY: as promised by the caller.
        unsafe { extract_into(&mut extraction, running, event, input) }.map_err(Failure::UnknownField)
    });
    match extracted {
        Ok(Ok(())) => return ss_plugin_rc_SS_PLUGIN_SUCCESS,
        Ok(Err(Failure::UnknownField(error))) => state.fail(&error),
        Ok(Err(Failure::Host(message))) => state.fail_with(message.to_owned()),
        Err(panic) => state.fail_with(panic),
    }
    ss_plugin_rc_SS_PLUGIN_FAILURE
}

enum Failure {
    UnknownField(UnknownField),
    Host(&'static str),
}

impl From<&'static str> for Failure {
    fn from(message: &'static str) -> Self {
        Self::Host(message)
    }
}

/// # Safety
/// As [`extract_fields`].
#[inline]
unsafe fn extract_into<P: Plugin>(
    extraction: &mut Extraction<P::Fields>,
    running: &Running<P>,
    event: &ss_plugin_event_input,
    input: &ss_plugin_field_extract_input,
) -> Result<(), UnknownField> {
    let fields: &mut [ss_plugin_extract_field] = if input.fields.is_null() {
        &mut []
    } else {
        // SAFETY: the host's array of that many fields, which nobody else looks at during this call.
        unsafe { slice::from_raw_parts_mut(input.fields, input.num_fields as usize) }
    };
    // SAFETY: as promised by the caller, and only for this call.
    let bytes = unsafe { event_bytes(event) }.unwrap_or_default();
    // An event of another kind has no value: an empty payload.
    let (payload, timestamp) = event::decode(bytes).unwrap_or_default();
    let key = EventKey {
        epoch: running.epoch(),
        number: event.evtnum,
        timestamp,
        address: payload.as_ptr().addr(),
        length: payload.len(),
    };
    extraction.begin(key, payload, running.notes());
    let (starts, lengths) = if let [field] = fields {
        // SAFETY: the host's field, with a C string as key or none.
        if let Some(argument) = unsafe { argument(field) } {
            extraction.extract_one(payload, field.field_id, argument)?;
        }
        let (Pointers { values, starts, lengths, .. }, count) = extraction.finish_one();
        field.res.str_ = values;
        field.res_len = count as u64;
        (starts, lengths)
    } else {
        extraction.begin_several();
        for field in fields.iter() {
            // SAFETY: the host's field, with a C string as key or none.
            match unsafe { argument(field) } {
                Some(argument) => extraction.extract(payload, field.field_id, argument)?,
                // No key in an event is anything but UTF-8.
                None => extraction.skip(),
            }
        }
        let Pointers { values, spans, starts, lengths } = extraction.finish();
        for (field, span) in fields.iter_mut().zip(spans) {
            field.res.str_ = values.wrapping_add(span.start);
            field.res_len = span.len() as u64;
        }
        (starts, lengths)
    };
    // SAFETY: null, or the host's struct, which nobody else looks at during this call.
    if let Some(offsets) = unsafe { input.value_offsets.as_mut() } {
        offsets.start = starts;
        offsets.length = lengths;
    }
    Ok(())
}

/// What stands in brackets behind the field; `None` for a key that is not UTF-8.
///
/// # Safety
/// The key of `field` is null or a C string that lives as long as `'f`.
unsafe fn argument<'f>(field: &ss_plugin_extract_field) -> Option<Argument<'f>> {
    if field.arg_present == 0 {
        return Some(Argument::None);
    }
    if field.arg_key.is_null() {
        return Some(Argument::Index(field.arg_index));
    }
    // SAFETY: as promised by the caller.
    let key = unsafe { CStr::from_ptr(field.arg_key) };
    key.to_str().ok().map(Argument::Key)
}

/// The bytes of an event, header and all; `None` when there is none.
///
/// # Safety
/// The event of `input` is null, or as long as its header says for as long as `'e`.
pub(super) unsafe fn event_bytes<'e>(input: &ss_plugin_event_input) -> Option<&'e [u8]> {
    if input.evt.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller; the struct is packed, so any address will do.
    let length = unsafe { (*input.evt).len };
    // SAFETY: as promised by the caller.
    Some(unsafe { slice::from_raw_parts(input.evt.cast(), length as usize) })
}
