//! A Falco plugin in plain C ABI, for the tests of the host: what it does is written in
//! the parameters that it is opened with.
//!
//! Open parameters, separated by commas, one per call to `next_batch`: `events=N`
//! (payloads `{"n": 1}` and so on), `timeout`, `empty` (success without events), `fail`,
//! `events=N+fail`, `alien` (an event of another plugin). After the last: end of file.
//! Its one switch, in the init configuration: `"fail": true`.
#![allow(unsafe_code, missing_docs, clippy::missing_safety_doc, reason = "a C library")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "the host keeps the plugin API's rules")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test double")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use falco_plugin_api::*;

struct State {
    owner: *mut ss_plugin_owner_t,
    log: ss_plugin_log_fn_t,
    error: CString,
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
    numbers: [u64; 1],
    starts: [u32; 1],
    lengths: [u32; 1],
    batches: AtomicU64,
}

struct Instance {
    steps: std::vec::IntoIter<String>,
    events: Vec<Vec<u8>>,
    pointers: Vec<*mut ss_plugin_event>,
    made: u64,
}

fn event(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16]; // time and thread: the host's
    bytes.extend((38 + payload.len() as u32).to_le_bytes());
    bytes.extend(322u16.to_le_bytes());
    bytes.extend(2u32.to_le_bytes());
    bytes.extend(4u32.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes.extend(payload);
    bytes
}

impl State {
    fn say(&self, text: &str) {
        let line = CString::new(text).unwrap();
        unsafe { self.log.unwrap()(self.owner, ptr::null(), line.as_ptr(), 6) };
    }
}

unsafe fn state<'a>(state: *mut ss_plugin_t) -> &'a mut State {
    unsafe { &mut *state.cast::<State>() }
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_required_api_version() -> *const c_char {
    c"3.11.0".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_name() -> *const c_char {
    c"probe".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_description() -> *const c_char {
    c"what the tests load".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_contact() -> *const c_char {
    c"-".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_version() -> *const c_char {
    c"0.1.0".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_id() -> u32 {
    999
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_event_source() -> *const c_char {
    c"probe_source".as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_get_init_schema(kind: *mut ss_plugin_schema_type) -> *const c_char {
    unsafe { *kind = ss_plugin_schema_type_SS_PLUGIN_SCHEMA_JSON };
    c"{\"type\": \"object\"}".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn plugin_get_fields() -> *const c_char {
    cr#"[{"type": "string", "name": "probe.payload", "desc": "d"},
         {"type": "string", "name": "probe.args", "isList": true, "arg": {"isKey": true, "isIndex": false}, "desc": "d"},
         {"type": "uint64", "name": "probe.index", "arg": {"isIndex": true}, "desc": "d"},
         {"type": "string", "name": "probe.fails", "desc": "d"}]"#
        .as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_init(
    input: *const ss_plugin_init_input,
    rc: *mut ss_plugin_rc,
) -> *mut ss_plugin_t {
    let input = unsafe { &*input };
    assert!(!input.tables.is_null() && input.get_owner_last_error.is_some());
    let config = unsafe { CStr::from_ptr(input.config) }.to_str().unwrap();
    let fails = config.contains("\"fail\": true");
    let state = State {
        owner: input.owner,
        log: input.log_fn,
        error: c"told to fail".into(),
        strings: Vec::new(),
        pointers: Vec::new(),
        numbers: [0],
        starts: [0],
        lengths: [0],
        batches: AtomicU64::new(0),
    };
    state.say(&format!("init with {config}"));
    unsafe { *rc = if fails { ss_plugin_rc_SS_PLUGIN_FAILURE } else { ss_plugin_rc_SS_PLUGIN_SUCCESS } };
    Box::into_raw(Box::new(state)).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_destroy(plugin: *mut ss_plugin_t) {
    let (owner, log) = {
        let state = unsafe { Box::from_raw(plugin.cast::<State>()) };
        state.say("destroyed");
        (state.owner, state.log)
    };
    LATE.with(|late| *late.borrow_mut() = Some((owner, log)));
}

thread_local! {
    static LATE: RefCell<Option<(*mut ss_plugin_owner_t, ss_plugin_log_fn_t)>> = const { RefCell::new(None) };
}

/// No part of the plugin API: logs through the owner of the plugin destroyed last.
#[unsafe(no_mangle)]
pub extern "C" fn probe_log_after_destroy() {
    LATE.with(|late| {
        if let Some((owner, Some(log))) = *late.borrow() {
            unsafe { log(owner, ptr::null(), c"too late".as_ptr(), 6) };
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_get_last_error(plugin: *mut ss_plugin_t) -> *const c_char {
    unsafe { state(plugin) }.error.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_open(
    plugin: *mut ss_plugin_t,
    params: *const c_char,
    rc: *mut ss_plugin_rc,
) -> *mut ss_instance_t {
    let params = unsafe { CStr::from_ptr(params) }.to_str().unwrap();
    if params.is_empty() {
        unsafe { state(plugin) }.error = c"nothing to open, for example `events=3`".into();
        return ptr::null_mut(); // and no code: the host presets a failure
    }
    let steps: Vec<String> = params.split(',').map(str::to_owned).collect();
    unsafe { *rc = ss_plugin_rc_SS_PLUGIN_SUCCESS };
    let instance = Instance { steps: steps.into_iter(), events: Vec::new(), pointers: Vec::new(), made: 0 };
    Box::into_raw(Box::new(instance)).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_close(plugin: *mut ss_plugin_t, instance: *mut ss_instance_t) {
    unsafe { state(plugin) }.say(if instance.is_null() { "closed nothing" } else { "closed" });
    if !instance.is_null() {
        drop(unsafe { Box::from_raw(instance.cast::<Instance>()) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_next_batch(
    plugin: *mut ss_plugin_t,
    instance: *mut ss_instance_t,
    count: *mut u32,
    events: *mut *mut *mut ss_plugin_event,
) -> ss_plugin_rc {
    let instance = unsafe { &mut *instance.cast::<Instance>() };
    unsafe { state(plugin) }.batches.fetch_add(1, Ordering::Relaxed);
    instance.events.clear();
    let mut rc = ss_plugin_rc_SS_PLUGIN_SUCCESS;
    match instance.steps.next().as_deref() {
        None => rc = ss_plugin_rc_SS_PLUGIN_EOF,
        Some("timeout") => rc = ss_plugin_rc_SS_PLUGIN_TIMEOUT,
        Some("empty") => {}
        Some("fail") => rc = ss_plugin_rc_SS_PLUGIN_FAILURE,
        Some("alien") => instance.events.push(event(1000, b"{}")),
        Some(step) => {
            let (number, fails) = step
                .strip_prefix("events=")
                .map(|step| step.strip_suffix("+fail").map_or((step, false), |step| (step, true)))
                .unwrap();
            for _ in 0..number.parse().unwrap() {
                instance.made += 1;
                let payload = format!("{{\"n\": {}}}", instance.made);
                instance.events.push(event(0, payload.as_bytes()));
            }
            if fails {
                rc = ss_plugin_rc_SS_PLUGIN_FAILURE;
            }
        }
    }
    instance.pointers = instance.events.iter_mut().map(|event| event.as_mut_ptr().cast()).collect();
    unsafe {
        *count = instance.pointers.len() as u32;
        *events = instance.pointers.as_mut_ptr();
    }
    rc
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_event_to_string(
    plugin: *mut ss_plugin_t,
    input: *const ss_plugin_event_input,
) -> *const c_char {
    let (state, input) = unsafe { (state(plugin), &*input) };
    let source = unsafe { CStr::from_ptr(input.evtsrc) }.to_str().unwrap();
    state.strings = vec![CString::new(format!("event {} of {source}", input.evtnum)).unwrap()];
    state.strings[0].as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_extract_fields(
    plugin: *mut ss_plugin_t,
    event: *const ss_plugin_event_input,
    input: *const ss_plugin_field_extract_input,
) -> ss_plugin_rc {
    let (state, input) = unsafe { (state(plugin), &*input) };
    assert!(!input.table_reader_ext.is_null());
    let start = unsafe { (*event).evt.cast::<u8>() };
    let len = unsafe { (*(*event).evt).len } as usize;
    let payload = &unsafe { std::slice::from_raw_parts(start, len) }[38..];
    let fields = unsafe { std::slice::from_raw_parts_mut(input.fields, input.num_fields as usize) };
    state.strings.clear();
    // Room for all, so that no pointer moves: four strings a field at most.
    state.pointers = Vec::with_capacity(fields.len() * 4);
    for (position, field) in fields.iter_mut().enumerate() {
        let first = state.pointers.len();
        match field.field_id {
            0 => state.strings.push(CString::new(payload).unwrap()),
            1 if field.arg_present == 0 => {
                state.strings.extend([c"a".to_owned(), c"b".to_owned(), c"c".to_owned()]);
            }
            1 => state.strings.push(unsafe { CStr::from_ptr(field.arg_key) }.to_owned()),
            2 if field.arg_present == 1 => {
                state.numbers = [field.arg_index];
                field.res.u64_ = state.numbers.as_mut_ptr();
                field.res_len = 1;
                continue;
            }
            2 => {
                field.res_len = 0;
                continue;
            }
            _ => return ss_plugin_rc_SS_PLUGIN_FAILURE,
        }
        let new = state.strings.iter().skip(first).map(|string| string.as_ptr());
        state.pointers.extend(new);
        field.res.str_ = unsafe { state.pointers.as_mut_ptr().add(first) };
        field.res_len = (state.pointers.len() - first) as u64;
        if field.field_id == 0 && !input.value_offsets.is_null() {
            (state.starts, state.lengths) = ([38], [payload.len() as u32]);
            let offsets = unsafe { &mut *input.value_offsets.add(position) };
            (offsets.start, offsets.length) = (state.starts.as_mut_ptr(), state.lengths.as_mut_ptr());
        }
    }
    ss_plugin_rc_SS_PLUGIN_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_get_metrics(
    plugin: *mut ss_plugin_t,
    count: *mut u32,
) -> *mut ss_plugin_metric {
    thread_local! {
        static METRICS: RefCell<Vec<ss_plugin_metric>> = const { RefCell::new(Vec::new()) };
    }
    let batches = unsafe { &*plugin.cast::<State>() }.batches.load(Ordering::Relaxed);
    METRICS.with_borrow_mut(|metrics| {
        *metrics = vec![
            ss_plugin_metric {
                name: c"batches".as_ptr(),
                type_: ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_MONOTONIC,
                value: ss_plugin_metric_value { u64_: batches },
                value_type: ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_U64,
            },
            ss_plugin_metric {
                name: c"temperature".as_ptr(),
                type_: ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_NON_MONOTONIC,
                value: ss_plugin_metric_value { d: -1.5 },
                value_type: ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_D,
            },
        ];
        unsafe { *count = metrics.len() as u32 };
        metrics.as_mut_ptr()
    })
}
