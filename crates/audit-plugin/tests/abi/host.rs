//! A small host: loads the scripted plugin with `dlopen` and calls it as libscap does.
//!
//! All `unsafe` of these tests is here; what it rests on is that the library under test was built from this
//! crate's sources, so that its functions have the types of `falco_plugin_api`.

#![allow(unsafe_code, reason = "the plugin is called through its C ABI")]
#![allow(non_upper_case_globals, reason = "the names of C")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use falco_plugin_api::*;
use libloading::Library;
use tempfile::TempDir;

/// How long a state may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The example, as built by `cargo test` beside this program.
pub(crate) fn library_path() -> PathBuf {
    let program = std::env::current_exe().expect("this program's path");
    let path = program
        .ancestors()
        .nth(2)
        .map(|target| target.join("examples/libscripted.so"))
        .expect("the target folder");
    assert!(
        path.exists(),
        "{} is not there: run `cargo build -p audit-plugin --example scripted`",
        path.display()
    );
    path
}

/// The functions of a plugin, loaded on their own: an image is shared with no other test.
pub(crate) struct Loaded {
    library: ManuallyDrop<Library>,
    pub(crate) file: PathBuf,
    _folder: TempDir,
}

impl Loaded {
    pub(crate) fn new() -> Arc<Self> {
        let folder = TempDir::new().expect("a folder");
        // The loader knows a library by its inode, so it takes a copy to have one of one's own.
        let file = folder.path().join("libscripted.so");
        std::fs::copy(library_path(), &file).expect("a copy of the plugin");
        Arc::new(Self { library: ManuallyDrop::new(open(&file)), file, _folder: folder })
    }

    /// The function of that name.
    ///
    /// `F` must be its type in `falco_plugin_api`.
    pub(crate) fn get<F: Copy>(&self, name: &str) -> F {
        // SAFETY: callers name the type of `plugin_api` for the symbol.
        *unsafe { self.library.get::<F>(name.as_bytes()) }.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        let function = self.get::<unsafe extern "C-unwind" fn() -> *const c_char>(name);
        // SAFETY: a function without arguments that gives a static C string.
        string(unsafe { function() })
    }

    pub(crate) fn number(&self, name: &str) -> u32 {
        let function = self.get::<unsafe extern "C-unwind" fn() -> u32>(name);
        // SAFETY: a function without arguments.
        unsafe { function() }
    }

    pub(crate) fn schema(&self) -> serde_json::Value {
        let function =
            self.get::<unsafe extern "C-unwind" fn(*mut u32) -> *const c_char>("plugin_get_init_schema");
        let mut kind = 77;
        // SAFETY: valid for writing.
        let text = unsafe { function(&mut kind) };
        assert_eq!(kind, ss_plugin_schema_type_SS_PLUGIN_SCHEMA_JSON);
        serde_json::from_str(&string(text)).expect("a schema")
    }

    pub(crate) fn event_types(&self) -> Vec<u16> {
        let function = self.get::<unsafe extern "C-unwind" fn(*mut u32, *mut ss_plugin_t) -> *mut u16>(
            "plugin_get_extract_event_types",
        );
        let mut count = 77;
        // SAFETY: valid for writing; an array of that many.
        unsafe { std::slice::from_raw_parts(function(&mut count, ptr::null_mut()), count as usize) }.to_vec()
    }

    /// What the host does last, after `destroy`.
    pub(crate) fn unload(self: Arc<Self>) -> PathBuf {
        let mut loaded = Arc::into_inner(self).expect("nobody else");
        // SAFETY: dropped once; `Loaded` has no `Drop`.
        unsafe { ManuallyDrop::drop(&mut loaded.library) };
        loaded.file
    }
}

fn open(file: &Path) -> Library {
    // SAFETY: initialisers of the library are those of Rust's runtime.
    unsafe { Library::new(file) }.expect("the plugin")
}

fn string(text: *const c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: the plugin gives C strings.
    unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8").to_owned()
}

/// What the plugin wrote to the host's log.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("the log").clone()
    }
}

unsafe extern "C-unwind" fn write_log(
    owner: *mut ss_plugin_owner_t,
    component: *const c_char,
    line: *const c_char,
    severity: ss_plugin_log_severity,
) {
    assert!(component.is_null(), "the host puts the plugin's name");
    // SAFETY: the owner of `Plugin::new`, which is never freed.
    let log = unsafe { &*owner.cast::<Log>() };
    log.0.lock().expect("the log").push(format!("{severity} {}", string(line)));
}

/// A plugin between `init` and `destroy`.
pub(crate) struct Plugin {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) log: &'static Log,
    raw: *mut ss_plugin_t,
}

// SAFETY: only metrics are asked for from other threads, which the plugin API allows.
unsafe impl Sync for Plugin {}

impl Plugin {
    pub(crate) fn new(loaded: &Arc<Loaded>, config: &str) -> Result<Self, String> {
        let init = loaded
            .get::<unsafe extern "C-unwind" fn(*const ss_plugin_init_input, *mut i32) -> *mut ss_plugin_t>(
                "plugin_init",
            );
        // Leaked, so that a call that comes too late is a test that fails, not a crash.
        let log: &'static Log = Box::leak(Box::default());
        let config = CString::new(config).expect("no NUL");
        let input = ss_plugin_init_input {
            config: config.as_ptr(),
            owner: ptr::from_ref(log).cast_mut().cast(),
            get_owner_last_error: None,
            tables: ptr::null(),
            log_fn: Some(write_log),
        };
        let mut rc = 77;
        // SAFETY: both are valid.
        let raw = unsafe { init(&input, &mut rc) };
        let plugin = Self { loaded: Arc::clone(loaded), log, raw };
        match rc {
            ss_plugin_rc_SS_PLUGIN_SUCCESS => Ok(plugin),
            _ => Err(plugin.last_error()),
        }
    }

    /// A plugin of its own image.
    pub(crate) fn alone(config: &str) -> Self {
        Self::new(&Loaded::new(), config).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn last_error(&self) -> String {
        let function = self
            .loaded
            .get::<unsafe extern "C-unwind" fn(*mut ss_plugin_t) -> *const c_char>("plugin_get_last_error");
        // SAFETY: not destroyed.
        string(unsafe { function(self.raw) })
    }

    pub(crate) fn metrics(&self) -> Vec<(String, u64)> {
        let function = self
            .loaded
            .get::<unsafe extern "C-unwind" fn(*mut ss_plugin_t, *mut u32) -> *mut ss_plugin_metric>(
                "plugin_get_metrics",
            );
        let mut count = 77;
        // SAFETY: not destroyed.
        let metrics = unsafe { function(self.raw, &mut count) };
        if count == 0 {
            return Vec::new();
        }
        // SAFETY: an array of that many.
        let metrics = unsafe { std::slice::from_raw_parts(metrics, count as usize) };
        let of = |metric: &ss_plugin_metric| {
            assert_eq!(metric.value_type, ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_U64);
            // SAFETY: the type says so.
            (string(metric.name), unsafe { metric.value.u64_ })
        };
        metrics.iter().map(of).collect()
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        metrics.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no `{name}`")).1
    }

    /// Waits until a metric has that value.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, value: u64) {
        let start = Instant::now();
        while self.metric(name) != value {
            assert!(start.elapsed() < PATIENCE, "`{name}` is {}, not {value}", self.metric(name));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn open(&self, parameters: &str) -> Result<Opening<'_>, String> {
        let function = self.loaded.get::<unsafe extern "C-unwind" fn(
            *mut ss_plugin_t,
            *const c_char,
            *mut i32,
        ) -> *mut ss_instance_t>("plugin_open");
        let parameters = CString::new(parameters).expect("no NUL");
        let mut rc = 77;
        // SAFETY: all are valid.
        let raw = unsafe { function(self.raw, parameters.as_ptr(), &mut rc) };
        let opening = Opening { plugin: self, raw };
        match rc {
            ss_plugin_rc_SS_PLUGIN_SUCCESS => Ok(opening),
            _ => {
                assert!(raw.is_null());
                // libscap closes in this case too, with null, and asks for the error before that.
                Err(self.last_error())
            }
        }
    }

    /// One call for any number of fields; per field its values.
    pub(crate) fn extract(
        &self,
        event: &HostEvent,
        fields: &[(u32, Arg<'_>)],
    ) -> Result<Vec<Vec<String>>, String> {
        self.extract_with_offsets(event, fields).map(|(values, _)| values)
    }

    /// The same, with the entries of the offset arrays: of each value for one field, else of each field.
    #[allow(clippy::type_complexity, reason = "a pair of lists")]
    pub(crate) fn extract_with_offsets(
        &self,
        event: &HostEvent,
        fields: &[(u32, Arg<'_>)],
    ) -> Result<(Vec<Vec<String>>, Vec<(u32, u32)>), String> {
        let function = self.loaded.get::<unsafe extern "C-unwind" fn(
            *mut ss_plugin_t,
            *const ss_plugin_event_input,
            *const ss_plugin_field_extract_input,
        ) -> i32>("plugin_extract_fields");
        let keys: Vec<Option<CString>> = fields
            .iter()
            .map(|(_, argument)| match argument {
                Arg::Key(key) => Some(CString::new(*key).expect("no NUL")),
                Arg::None | Arg::Index(_) => None,
            })
            .collect();
        let mut raw: Vec<ss_plugin_extract_field> = fields
            .iter()
            .zip(&keys)
            .map(|((number, argument), key)| ss_plugin_extract_field {
                res: ss_plugin_extract_field__bindgen_ty_1 { u64_: ptr::null_mut() },
                res_len: 77,
                field_id: *number,
                field: c"".as_ptr(),
                arg_key: key.as_ref().map_or(ptr::null(), |key| key.as_ptr()),
                arg_index: if let Arg::Index(index) = argument { *index } else { 0 },
                arg_present: u32::from(*argument != Arg::None),
                ftype: 9,
                flist: 0,
            })
            .collect();
        let mut offsets = ss_plugin_extract_value_offsets { start: ptr::null_mut(), length: ptr::null_mut() };
        let input = ss_plugin_event_input { evt: event.raw(), evtnum: event.number, evtsrc: ptr::null() };
        // SAFETY: all zero is a valid vtable of no functions.
        let mut fields_input: ss_plugin_field_extract_input = unsafe { std::mem::zeroed() };
        fields_input.num_fields = raw.len() as u32;
        fields_input.fields = raw.as_mut_ptr();
        fields_input.value_offsets = &mut offsets;
        // SAFETY: all are valid.
        let rc = unsafe { function(self.raw, &input, &fields_input) };
        if rc != ss_plugin_rc_SS_PLUGIN_SUCCESS {
            return Err(self.last_error());
        }
        let values: Vec<Vec<String>> = raw
            .iter()
            .map(|field| {
                // SAFETY: that many C strings.
                (0..field.res_len as usize).map(|i| string(unsafe { *field.res.str_.add(i) })).collect()
            })
            .collect();
        let entries = if let [one] = values.as_slice() { one.len() } else { values.len() };
        let entry = |at: usize| {
            // SAFETY: arrays of that many.
            unsafe { (offsets.start.add(at).read(), offsets.length.add(at).read()) }
        };
        Ok((values, (0..entries).map(entry).collect()))
    }

    pub(crate) fn show(&self, event: &HostEvent) -> Option<String> {
        let function = self.loaded.get::<unsafe extern "C-unwind" fn(
            *mut ss_plugin_t,
            *const ss_plugin_event_input,
        ) -> *const c_char>("plugin_event_to_string");
        let input = ss_plugin_event_input { evt: event.raw(), evtnum: event.number, evtsrc: ptr::null() };
        // SAFETY: all are valid.
        let text = unsafe { function(self.raw, &input) };
        (!text.is_null()).then(|| string(text))
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let function = self.loaded.get::<unsafe extern "C-unwind" fn(*mut ss_plugin_t)>("plugin_destroy");
        // SAFETY: once.
        unsafe { function(self.raw) };
    }
}

/// What stands in brackets behind a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg<'a> {
    None,
    Index(u64),
    Key(&'a str),
}

/// An event as the host has it: in the plugin's memory, or in its own.
pub(crate) struct HostEvent {
    pub(crate) number: u64,
    at: At,
}

enum At {
    Plugin(*const ss_plugin_event),
    Host(Vec<u8>),
}

impl HostEvent {
    /// One that came from somewhere else, of those bytes, header and all.
    pub(crate) fn of(bytes: Vec<u8>, number: u64) -> Self {
        Self { number, at: At::Host(bytes) }
    }

    /// The same event under another number.
    pub(crate) fn numbered(&self, number: u64) -> Self {
        Self::of(self.bytes().to_vec(), number)
    }

    /// Another event of the same length, read into the same place.
    pub(crate) fn overwrite(&mut self, with: &[u8], number: u64) {
        let At::Host(bytes) = &mut self.at else { panic!("the plugin's memory") };
        bytes.copy_from_slice(with);
        self.number = number;
    }

    fn raw(&self) -> *const ss_plugin_event {
        match &self.at {
            At::Plugin(raw) => *raw,
            At::Host(bytes) => bytes.as_ptr().cast(),
        }
    }

    pub(crate) fn address(&self) -> usize {
        self.raw().addr()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.at {
            // SAFETY: the plugin's event of that length, of the last batch.
            At::Plugin(raw) => unsafe { std::slice::from_raw_parts(raw.cast(), (**raw).len as usize) },
            At::Host(bytes) => bytes,
        }
    }

    pub(crate) fn payload(&self) -> &str {
        std::str::from_utf8(&self.bytes()[38..]).expect("UTF-8")
    }
}

/// What `next_batch` gave.
pub(crate) enum Batch {
    Events(Vec<HostEvent>),
    Timeout,
    End,
    Failed(String),
}

/// An opening.
pub(crate) struct Opening<'p> {
    plugin: &'p Plugin,
    raw: *mut ss_instance_t,
}

impl Opening<'_> {
    pub(crate) fn next(&mut self) -> Batch {
        let function = self.plugin.loaded.get::<unsafe extern "C-unwind" fn(
            *mut ss_plugin_t,
            *mut ss_instance_t,
            *mut u32,
            *mut *mut *mut ss_plugin_event,
        ) -> i32>("plugin_next_batch");
        let mut count = 77;
        let mut events = ptr::NonNull::<c_void>::dangling().as_ptr().cast();
        // SAFETY: all are valid.
        let rc = unsafe { function(self.plugin.raw, self.raw, &mut count, &mut events) };
        assert!(
            count == 0 || rc == ss_plugin_rc_SS_PLUGIN_SUCCESS,
            "libscap drops events that come with {rc}"
        );
        match rc {
            ss_plugin_rc_SS_PLUGIN_SUCCESS => {
                assert_ne!(count, 0, "libscap takes an empty batch for a defect");
                // SAFETY: an array of that many.
                let events = unsafe { std::slice::from_raw_parts(events, count as usize) };
                let event = |(at, raw): (usize, &*mut ss_plugin_event)| HostEvent {
                    number: at as u64 + 1,
                    at: At::Plugin(raw.cast_const()),
                };
                Batch::Events(events.iter().enumerate().map(event).collect())
            }
            ss_plugin_rc_SS_PLUGIN_TIMEOUT => Batch::Timeout,
            ss_plugin_rc_SS_PLUGIN_EOF => Batch::End,
            ss_plugin_rc_SS_PLUGIN_FAILURE => Batch::Failed(self.plugin.last_error()),
            other => panic!("return code {other}"),
        }
    }

    /// The next batch with events in it.
    #[track_caller]
    pub(crate) fn events(&mut self) -> Vec<HostEvent> {
        match self.ready() {
            Batch::Events(events) => events,
            Batch::Timeout | Batch::End => panic!("no events"),
            Batch::Failed(error) => panic!("{error}"),
        }
    }

    /// What comes next that is no timeout.
    #[track_caller]
    pub(crate) fn ready(&mut self) -> Batch {
        let start = Instant::now();
        loop {
            match self.next() {
                Batch::Timeout => assert!(start.elapsed() < PATIENCE, "nothing comes"),
                other => return other,
            }
        }
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let function = self
            .plugin
            .loaded
            .get::<unsafe extern "C-unwind" fn(*mut ss_plugin_t, *mut ss_instance_t)>("plugin_close");
        // SAFETY: once; null is what libscap gives after an `open` that failed.
        unsafe { function(self.plugin.raw, self.raw) };
    }
}

/// A call of every function with null for everything, as a confused host would.
pub(crate) fn call_with_nulls(loaded: &Loaded) {
    type State = *mut ss_plugin_t;
    type Instance = *mut ss_instance_t;
    let null = ptr::null_mut::<ss_plugin_t>();
    // SAFETY: null is allowed for each of these pointers.
    unsafe {
        let init = loaded.get::<unsafe extern "C-unwind" fn(*const ss_plugin_init_input, *mut i32) -> State>(
            "plugin_init",
        );
        let failed = init(ptr::null(), ptr::null_mut());
        let error =
            loaded.get::<unsafe extern "C-unwind" fn(State) -> *const c_char>("plugin_get_last_error");
        assert_eq!(string(error(null)), "the plugin is not initialised");
        assert_eq!(string(error(failed)), "the host gave nothing to initialise the plugin with");
        let open = loaded
            .get::<unsafe extern "C-unwind" fn(State, *const c_char, *mut i32) -> Instance>("plugin_open");
        assert!(open(null, ptr::null(), ptr::null_mut()).is_null());
        assert!(open(failed, ptr::null(), ptr::null_mut()).is_null());
        let next = loaded.get::<unsafe extern "C-unwind" fn(
            State,
            Instance,
            *mut u32,
            *mut *mut *mut ss_plugin_event,
        ) -> i32>("plugin_next_batch");
        for state in [null, failed] {
            let rc = next(state, ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            assert_eq!(rc, ss_plugin_rc_SS_PLUGIN_FAILURE);
        }
        let close = loaded.get::<unsafe extern "C-unwind" fn(State, Instance)>("plugin_close");
        close(null, ptr::null_mut());
        let metrics = loaded.get::<unsafe extern "C-unwind" fn(State, *mut u32) -> *mut ss_plugin_metric>(
            "plugin_get_metrics",
        );
        assert!(metrics(null, ptr::null_mut()).is_null());
        assert!(metrics(failed, ptr::null_mut()).is_null());
        let extract = loaded.get::<unsafe extern "C-unwind" fn(
            State,
            *const ss_plugin_event_input,
            *const ss_plugin_field_extract_input,
        ) -> i32>("plugin_extract_fields");
        for state in [null, failed] {
            assert_eq!(extract(state, ptr::null(), ptr::null()), ss_plugin_rc_SS_PLUGIN_FAILURE);
        }
        let show = loaded
            .get::<unsafe extern "C-unwind" fn(State, *const ss_plugin_event_input) -> *const c_char>(
                "plugin_event_to_string",
            );
        assert!(show(null, ptr::null()).is_null());
        let destroy = loaded.get::<unsafe extern "C-unwind" fn(State)>("plugin_destroy");
        destroy(null);
        destroy(failed);
    }
}
