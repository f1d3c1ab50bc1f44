//! The symbols of a source of events: `open`, `next_batch`, `close`.

use std::ffi::c_char;
use std::ptr;

use falco_plugin_api::{
    ss_instance_t, ss_plugin_event, ss_plugin_event_input, ss_plugin_rc, ss_plugin_rc_SS_PLUGIN_EOF,
    ss_plugin_rc_SS_PLUGIN_FAILURE, ss_plugin_rc_SS_PLUGIN_SUCCESS, ss_plugin_rc_SS_PLUGIN_TIMEOUT,
    ss_plugin_t,
};

use super::base::{c_text, state, store};
use super::extract::event_bytes;
use super::{event, guard};
use crate::Provider;
use crate::instance::{Instance, Outcome};
use crate::lock;
use crate::state::State;

/// `plugin_get_id`.
pub fn id<P: Provider>() -> u32 {
    P::ID
}

/// `plugin_get_event_source`.
pub fn event_source<P: Provider>() -> *const c_char {
    P::EVENT_SOURCE.as_ptr()
}

/// `plugin_open`; null when it fails.
///
/// # Safety
/// `plugin` is null or comes from `init` of the same `P`, and is not destroyed; `parameters` is null or a C string;
/// `rc` is null or valid for writing.
pub unsafe fn open<P: Provider>(
    plugin: *mut ss_plugin_t,
    parameters: *const c_char,
    rc: *mut ss_plugin_rc,
) -> *mut ss_instance_t {
    // SAFETY: as promised by the caller.
    let state = unsafe { state::<P>(plugin) };
    let opened = state.and_then(|state| {
        let opened = guard("opening the source", || {
            let running = state.running()?;
            // SAFETY: as promised by the caller, and only for this call.
            let instance = unsafe { c_text("open_params", parameters) }.and_then(|text| running.open(text));
            instance.map_err(|error| state.fail(&error)).ok()
        });
        opened.unwrap_or_else(|panic| {
            state.fail_with(panic);
            None
        })
    });
    let (instance, code) = match opened {
        Some(instance) => (Box::into_raw(Box::new(instance)).cast(), ss_plugin_rc_SS_PLUGIN_SUCCESS),
        None => (ptr::null_mut(), ss_plugin_rc_SS_PLUGIN_FAILURE),
    };
    // SAFETY: as promised by the caller.
    unsafe { store(rc, code) };
    instance
}

/// `plugin_close`. When it returns, no thread of the opening is left. libscap calls it also after an `open` that
/// failed, with null.
///
/// # Safety
/// `plugin` is null or comes from `init` of the same `P`, and is not destroyed; `instance` is null or comes from
/// [`open`], no call with it is under way, and none follows.
pub unsafe fn close<P: Provider>(plugin: *mut ss_plugin_t, instance: *mut ss_instance_t) {
    let instance = instance.cast::<Instance>();
    if instance.is_null() {
        return;
    }
    // SAFETY: made by `Box::into_raw` in `open`, and given up by the host.
    let instance = unsafe { Box::from_raw(instance) };
    // SAFETY: as promised by the caller.
    let state = unsafe { state::<P>(plugin) };
    if let Some(running) = state.and_then(State::running) {
        // Where its events were, there will be others.
        running.forget_events();
    }
    if let Err(panic) = guard("closing the source", move || drop(instance))
        && let Some(state) = state
    {
        state.fail_with(panic);
    }
}

/// `plugin_next_batch`. The events live until the next call with the same opening.
///
/// # Safety
/// `plugin` is null or comes from `init` of the same `P`, and is not destroyed; `instance` is null or comes from
/// [`open`] and is not closed, and no other call with it is under way; `count` and `events` are null or valid for
/// writing.
pub unsafe fn next_batch<P: Provider>(
    plugin: *mut ss_plugin_t,
    instance: *mut ss_instance_t,
    count: *mut u32,
    events: *mut *mut *mut ss_plugin_event,
) -> ss_plugin_rc {
    let mut batch: (u32, *mut *mut ss_plugin_event) = (0, ptr::null_mut());
    // SAFETY: as promised by the caller.
    let state = unsafe { state::<P>(plugin) };
    // SAFETY: as promised by the caller: the opening is this thread's alone.
    let instance = unsafe { instance.cast::<Instance>().as_mut() };
    let code = match (state, instance) {
        (Some(state), Some(instance)) => guard("reading the next batch", || {
            if let Some(running) = state.running() {
                // The memory that the document was read from is about to be used again.
                running.forget_events();
            }
            match instance.next_batch() {
                Outcome::Batch(events) => {
                    if let Some(running) = state.running() {
                        events.exchange_notes(&mut lock(running.notes()));
                    }
                    let pointers = events.pointers();
                    batch = (u32::try_from(pointers.len()).unwrap_or_default(), pointers.as_mut_ptr());
                    ss_plugin_rc_SS_PLUGIN_SUCCESS
                }
                Outcome::Timeout => ss_plugin_rc_SS_PLUGIN_TIMEOUT,
                Outcome::End => ss_plugin_rc_SS_PLUGIN_EOF,
                Outcome::Failed(line) => {
                    state.fail_with(line.to_owned());
                    ss_plugin_rc_SS_PLUGIN_FAILURE
                }
            }
        })
        .unwrap_or_else(|panic| {
            state.fail_with(panic);
            ss_plugin_rc_SS_PLUGIN_FAILURE
        }),
        (Some(state), None) => {
            state.fail_with("the source is not open".to_owned());
            ss_plugin_rc_SS_PLUGIN_FAILURE
        }
        (None, _) => ss_plugin_rc_SS_PLUGIN_FAILURE,
    };
    // SAFETY: as promised by the caller.
    unsafe {
        store(count, batch.0);
        store(events, batch.1);
    }
    code
}

/// `plugin_event_to_string`: the payload, valid until the next call with the same plugin; null when there is none.
///
/// # Safety
/// `plugin` is null or comes from `init` of the same `P`, and is not destroyed; `input` is null or points to a valid
/// struct with a valid event.
pub unsafe fn event_to_string<P: Provider>(
    plugin: *mut ss_plugin_t,
    input: *const ss_plugin_event_input,
) -> *const c_char {
    let shown = guard("showing an event", || {
        // SAFETY: as promised by the caller.
        let running = unsafe { state::<P>(plugin) }?.running()?;
        // SAFETY: as promised by the caller, and only for this call.
        let (payload, _) = event::decode(unsafe { event_bytes(input.as_ref()?) }?)?;
        let mut shown = running.shown();
        shown.clear();
        shown.extend_from_slice(payload);
        shown.push(0);
        Some(shown.as_ptr().cast())
    });
    shown.ok().flatten().unwrap_or(ptr::null())
}
