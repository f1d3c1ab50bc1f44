//! The symbols of every plugin: what it is, `init`, `destroy`, the last error, metrics.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::OnceLock;

use event_source::metrics::MetricKind;
use event_source::{ErrorKind, SourceError};
use falco_plugin_api::{
    ss_plugin_init_input, ss_plugin_log_severity, ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_DEBUG,
    ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_ERROR, ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_INFO,
    ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_TRACE, ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_WARNING,
    ss_plugin_metric, ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_MONOTONIC,
    ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_NON_MONOTONIC, ss_plugin_metric_value,
    ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_U64, ss_plugin_owner_t, ss_plugin_rc,
    ss_plugin_rc_SS_PLUGIN_FAILURE, ss_plugin_rc_SS_PLUGIN_SUCCESS, ss_plugin_schema_type,
    ss_plugin_schema_type_SS_PLUGIN_SCHEMA_JSON, ss_plugin_schema_type_SS_PLUGIN_SCHEMA_NONE, ss_plugin_t,
};
use log::Level;

use super::guard;
use crate::Plugin;
use crate::config;
use crate::logging::HostLog;
use crate::state::State;

/// A text that is rendered once.
pub type Text = OnceLock<CString>;

/// The version of the plugin API: the lowest that has everything that is used here, value offsets last.
///
/// Falco 0.41 and later have it. An older host has smaller structs, which would be read past their end.
pub fn required_api_version() -> *const c_char {
    c"3.11.0".as_ptr()
}

/// `plugin_get_name`.
pub fn name<P: Plugin>() -> *const c_char {
    P::NAME.as_ptr()
}

/// `plugin_get_version`.
pub fn version<P: Plugin>() -> *const c_char {
    P::VERSION.as_ptr()
}

/// `plugin_get_description`.
pub fn description<P: Plugin>() -> *const c_char {
    P::DESCRIPTION.as_ptr()
}

/// `plugin_get_contact`.
pub fn contact<P: Plugin>() -> *const c_char {
    P::CONTACT.as_ptr()
}

/// Renders once; null if that fails.
pub(super) fn text(cell: &'static Text, render: impl FnOnce() -> String) -> *const c_char {
    let rendered = guard("describing the plugin", || {
        cell.get_or_init(|| CString::new(render()).unwrap_or_default()).as_ptr()
    });
    rendered.unwrap_or(ptr::null())
}

/// `plugin_get_init_schema`.
///
/// # Safety
/// `kind` is null or valid for writing.
pub unsafe fn init_schema<P: Plugin>(cell: &'static Text, kind: *mut ss_plugin_schema_type) -> *const c_char {
    let schema = text(cell, config::schema::<P>);
    let found = if schema.is_null() {
        ss_plugin_schema_type_SS_PLUGIN_SCHEMA_NONE
    } else {
        ss_plugin_schema_type_SS_PLUGIN_SCHEMA_JSON
    };
    // SAFETY: as promised by the caller.
    unsafe { store(kind, found) };
    schema
}

/// `plugin_init`. The host gets a state in any case, to ask it what went wrong.
///
/// # Safety
/// `input` is null or points to a valid struct, whose log function may be called until `destroy`; `rc` is null or
/// valid for writing.
pub unsafe fn init<P: Plugin>(
    input: *const ss_plugin_init_input,
    rc: *mut ss_plugin_rc,
    own_target: &'static str,
) -> *mut ss_plugin_t {
    let state = guard("initialising the plugin", || {
        // SAFETY: as promised by the caller.
        let Some(input) = (unsafe { input.as_ref() }) else {
            return State::<P>::failed("the host gave nothing to initialise the plugin with".to_owned());
        };
        // SAFETY: the host gives null or a C string that lives for this call.
        let configuration = unsafe { c_text("init_config", input.config) };
        let host = Box::new(HostFunction { owner: input.owner, function: input.log_fn });
        State::<P>::init(configuration, host, own_target)
    })
    .unwrap_or_else(State::failed);
    let code = if state.running().is_some() {
        ss_plugin_rc_SS_PLUGIN_SUCCESS
    } else {
        ss_plugin_rc_SS_PLUGIN_FAILURE
    };
    // SAFETY: as promised by the caller.
    unsafe { store(rc, code) };
    Box::into_raw(Box::new(shareable(state))).cast()
}

/// `plugin_destroy`. When it returns, nothing of ours calls the host any more.
///
/// # Safety
/// `plugin` is null or comes from [`init`] of the same `P`, every opening of it is closed, no call with it is
/// under way, and none follows.
pub unsafe fn destroy<P: Plugin>(plugin: *mut ss_plugin_t) {
    let plugin = plugin.cast::<State<P>>();
    if !plugin.is_null() {
        // SAFETY: made by `Box::into_raw` in `init`, and given up by the host.
        let state = unsafe { Box::from_raw(plugin) };
        // Nobody is left to be told of a panic.
        let _ = guard("destroying the plugin", move || drop(state));
    }
}

/// `plugin_get_last_error`: valid until this thread asks again.
///
/// # Safety
/// `plugin` is null or comes from [`init`] of the same `P`, and is not destroyed.
pub unsafe fn last_error<P: Plugin>(plugin: *mut ss_plugin_t) -> *const c_char {
    thread_local! {
        // Another thread may fail meanwhile, and must not change the text under the host's eyes.
        static TEXT: RefCell<CString> = RefCell::default();
    }
    let text = guard("telling the last error", || {
        // SAFETY: as promised by the caller.
        let Some(state) = (unsafe { state::<P>(plugin) }) else {
            return c"the plugin is not initialised".as_ptr();
        };
        let mut line = state.last_error();
        line.retain(|character| character != '\0');
        TEXT.with_borrow_mut(|text| {
            *text = CString::new(line).unwrap_or_default();
            text.as_ptr()
        })
    });
    text.unwrap_or_else(|_| c"the last error cannot be told".as_ptr())
}

/// `plugin_get_metrics`, from any thread: values from atomics, in a buffer of the calling thread, valid until that
/// thread asks again. The names live as long as the plugin.
///
/// # Safety
/// `plugin` is null or comes from [`init`] of the same `P`, and is not destroyed; `count` is null or valid for
/// writing.
pub unsafe fn metrics<P: Plugin>(plugin: *mut ss_plugin_t, count: *mut u32) -> *mut ss_plugin_metric {
    thread_local! {
        static BUFFER: RefCell<Vec<ss_plugin_metric>> = const { RefCell::new(Vec::new()) };
    }
    let told = guard("telling metrics", || {
        // SAFETY: as promised by the caller.
        let running = unsafe { state::<P>(plugin) }?.running()?;
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            running.visit_metrics(&mut |metric| {
                buffer.push(ss_plugin_metric {
                    name: metric.name.as_ptr(),
                    type_: match metric.kind {
                        MetricKind::Counter => ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_MONOTONIC,
                        MetricKind::Gauge => ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_NON_MONOTONIC,
                    },
                    value: ss_plugin_metric_value { u64_: metric.value },
                    value_type: ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_U64,
                });
            });
            Some((buffer.as_mut_ptr(), u32::try_from(buffer.len()).unwrap_or_default()))
        })
    });
    let (buffer, length) = told.ok().flatten().unwrap_or((ptr::null_mut(), 0));
    // SAFETY: as promised by the caller.
    unsafe { store(count, length) };
    buffer
}

/// The host's log function and what it wants to get back with each call.
struct HostFunction {
    owner: *mut ss_plugin_owner_t,
    function: falco_plugin_api::ss_plugin_log_fn_t,
}

// SAFETY: the plugin API allows to log from any thread until `destroy`; the owner is only handed back.
unsafe impl Send for HostFunction {}
// SAFETY: as above.
unsafe impl Sync for HostFunction {}

impl HostLog for HostFunction {
    fn write(&self, level: Level, line: &CStr) {
        let Some(function) = self.function else { return };
        // SAFETY: owner and function are those of `init`, and `destroy` waits for this call. Without a component,
        // the host puts the plugin's name before the line.
        unsafe { function(self.owner, ptr::null(), line.as_ptr(), severity(level)) };
    }
}

fn severity(level: Level) -> ss_plugin_log_severity {
    match level {
        Level::Error => ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_ERROR,
        Level::Warn => ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_WARNING,
        Level::Info => ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_INFO,
        Level::Debug => ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_DEBUG,
        Level::Trace => ss_plugin_log_severity_SS_PLUGIN_LOG_SEV_TRACE,
    }
}

/// The state behind the host's pointer, shared: nobody ever borrows it for writing.
///
/// # Safety
/// `plugin` is null or comes from [`init`] of the same `P`, and is not destroyed for as long as `'p`.
pub(super) unsafe fn state<'p, P: Plugin>(plugin: *mut ss_plugin_t) -> Option<&'p State<P>> {
    // SAFETY: as promised by the caller.
    unsafe { plugin.cast::<State<P>>().cast_const().as_ref() }
}

/// Whatever the host may use from several threads at once has to pass through here.
fn shareable<T: Send + Sync>(state: T) -> T {
    state
}

/// Writes where the host wants a value, unless it wants none.
///
/// # Safety
/// `place` is null or valid for writing.
pub(super) unsafe fn store<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: as promised by the caller.
        unsafe { place.write(value) };
    }
}

/// A text of the host; null is an empty one.
///
/// # Safety
/// `text` is null or a C string that lives as long as `'t`.
pub(super) unsafe fn c_text<'t>(what: &str, text: *const c_char) -> Result<&'t str, SourceError> {
    if text.is_null() {
        return Ok("");
    }
    // SAFETY: as promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|cause| SourceError::new(ErrorKind::Config, format!("`{what}` is not UTF-8")).because(cause))
}
