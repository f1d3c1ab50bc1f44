//! An initialised plugin: extraction, formatting, and the life of its state.

use std::cell::Cell;
use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use falco_plugin_api::{
    plugin_api, ss_plugin_extract_value_offsets, ss_plugin_field_extract_input, ss_plugin_init_input,
    ss_plugin_owner_t, ss_plugin_rc_SS_PLUGIN_FAILURE, ss_plugin_rc_SS_PLUGIN_SUCCESS, ss_plugin_t,
};

use crate::library::Loaded;
use crate::log::{Log, Owner, log_line, text};
use crate::tables::{Tables, owner_last_error};
use crate::{Error, Event, Extracted, Meter, Metric, Request, Source, Value, extract};

/// A plugin after `plugin_init`; dropping it is `plugin_destroy`.
///
/// One thread drives it, as in Falco: it can be moved to another thread, but not
/// shared. A [`Meter`] can.
pub struct Plugin {
    instance: Instance,
    one_thread: PhantomData<Cell<()>>,
}

/// A plugin's state, and what it may call.
pub(crate) struct Instance {
    state: NonNull<ss_plugin_t>,
    owner: Arc<Owner>,
    tables: Tables,
    pub(crate) loaded: Arc<Loaded>,
}

// SAFETY: Falco initialises a plugin on one thread and drives it on another; the plugin API
// demands no more than that calls do not overlap, which `Plugin: !Sync` sees to.
unsafe impl Send for Plugin {}

impl Plugin {
    pub(crate) fn init(loaded: Arc<Loaded>, config: &str, log: Log) -> Result<Self, Error> {
        let mut config = config;
        if loaded.init_schema().is_some() {
            if config.is_empty() {
                config = "{}";
            }
            serde_json::from_str::<serde::de::IgnoredAny>(config)
                .map_err(|why| Error::Config(format!("not a valid JSON: {why}")))?;
        }
        let config = CString::new(config).map_err(|_| Error::Config("contains a NUL byte".to_owned()))?;

        let owner = Arc::new(Owner::new(loaded.name(), log));
        loaded.keep(Arc::clone(&owner));
        let tables = Tables::none();
        let tables_input = tables.init_input();
        let input = ss_plugin_init_input {
            config: config.as_ptr(),
            owner: owner.as_ptr(),
            get_owner_last_error: Some(owner_last_error),
            tables: if loaded.symbols.extracts() { &tables_input } else { ptr::null() },
            log_fn: Some(log_line),
        };
        let init = loaded.symbols.api().init.ok_or_else(|| Error::Init("no init".to_owned()))?;
        let mut rc = ss_plugin_rc_SS_PLUGIN_FAILURE;
        // SAFETY: the input lives for the call, the owner as long as the code.
        let state = NonNull::new(unsafe { init(&input, &mut rc) });
        let plugin = state.map(|state| Self {
            instance: Instance { state, owner: Arc::clone(&owner), tables, loaded },
            one_thread: PhantomData,
        });
        match plugin {
            Some(plugin) if rc == ss_plugin_rc_SS_PLUGIN_SUCCESS => Ok(plugin),
            // A plugin may return a state with a failure, for its error to be read from.
            Some(plugin) => Err(Error::Init(plugin.last_error())),
            None => {
                owner.retire();
                Err(Error::Init("the plugin gave neither a state nor a reason".to_owned()))
            }
        }
    }

    /// Opens the plugin's event source.
    ///
    /// # Errors
    /// The plugin's own words.
    pub fn open(&self, params: &str) -> Result<Source<'_>, Error> {
        Source::open(self, params)
    }

    /// Extracts several fields of one event in one call, which Falco never does and
    /// other hosts may.
    ///
    /// # Errors
    /// The plugin's own words, or what is wrong with its answer.
    pub fn extract(&self, event: &Event<'_>, requests: &[&Request]) -> Result<Vec<Extracted>, Error> {
        self.extract_fields(event, requests, false)
    }

    /// [`Plugin::extract`], asking where in the event each value stands (API 3.11).
    ///
    /// # Errors
    /// As [`Plugin::extract`].
    pub fn extract_offsets(&self, event: &Event<'_>, requests: &[&Request]) -> Result<Vec<Extracted>, Error> {
        self.extract_fields(event, requests, true)
    }

    /// Extracts one field in a call of its own, as Falco does.
    ///
    /// # Errors
    /// As [`Plugin::extract`].
    pub fn extract_one(&self, event: &Event<'_>, request: &Request) -> Result<Vec<Value>, Error> {
        let extracted = self.extract_fields(event, &[request], false)?;
        Ok(extracted.into_iter().next().map(|extracted| extracted.values).unwrap_or_default())
    }

    /// A field with its argument, as a rule writes it.
    ///
    /// # Errors
    /// As [`Library::request`](crate::Library::request).
    pub fn request(&self, text: &str) -> Result<Request, Error> {
        Request::parse(self.instance.loaded.fields(), text)
    }

    /// The plugin's text for an event (`%evt.plugininfo`); empty when it has none.
    pub fn event_to_string(&self, event: &Event<'_>) -> String {
        let Some(event_to_string) = self.instance.api().__bindgen_anon_1.event_to_string else {
            return String::new();
        };
        let input = event.input();
        // SAFETY: state and event are live, and the answer is copied before the next call.
        unsafe { text(event_to_string(self.instance.state(), &input)) }.unwrap_or_default()
    }

    /// The metrics now.
    pub fn metrics(&self) -> Vec<Metric> {
        self.meter().read()
    }

    /// The metrics for other threads.
    pub fn meter(&self) -> Meter<'_> {
        Meter { instance: &self.instance }
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// `plugin_get_last_error`.
    pub(crate) fn last_error(&self) -> String {
        let get_last_error = self.instance.api().get_last_error;
        // SAFETY: the state is live, and the answer is copied before the next call.
        let error = get_last_error.and_then(|get| unsafe { text(get(self.instance.state())) });
        error.filter(|error| !error.is_empty()).unwrap_or_else(|| "the plugin gave no reason".to_owned())
    }

    fn extract_fields(
        &self,
        event: &Event<'_>,
        requests: &[&Request],
        with_offsets: bool,
    ) -> Result<Vec<Extracted>, Error> {
        let Some(extract_fields) = self.instance.api().__bindgen_anon_2.extract_fields else {
            let plugin = self.instance.loaded.name().to_owned();
            return Err(Error::NotCapable { plugin, capability: "field extraction" });
        };
        let mut fields: Vec<_> = requests.iter().map(|request| extract::field(request)).collect();
        let no_offsets = ss_plugin_extract_value_offsets { start: ptr::null_mut(), length: ptr::null_mut() };
        let mut offsets = vec![no_offsets; if with_offsets { fields.len() } else { 0 }];
        let event_input = event.input();
        let input = ss_plugin_field_extract_input {
            owner: self.instance.owner(),
            get_owner_last_error: Some(owner_last_error),
            num_fields: u32::try_from(fields.len())
                .map_err(|_| Error::Extract("too many fields".to_owned()))?,
            fields: fields.as_mut_ptr(),
            table_reader: Tables::reader(),
            table_reader_ext: self.instance.tables.reader_ext(),
            value_offsets: if with_offsets { offsets.as_mut_ptr() } else { ptr::null_mut() },
        };
        // SAFETY: state, event and both arrays live for the call; no other call overlaps,
        // since a plugin is not shared between threads.
        let rc = unsafe { extract_fields(self.instance.state(), &event_input, &input) };
        if rc != ss_plugin_rc_SS_PLUGIN_SUCCESS {
            return Err(Error::Extract(self.last_error()));
        }
        let mut answers = Vec::with_capacity(fields.len());
        for (position, (field, request)) in fields.iter().zip(requests).enumerate() {
            // SAFETY: the plugin has just filled in `field` for this request.
            let values = unsafe { extract::values(field, request.kind) }.map_err(Error::Extract)?;
            // SAFETY: the plugin has just filled in the offsets of this field, if any.
            let offsets =
                offsets.get(position).and_then(|offsets| unsafe { extract::offsets(offsets, values.len()) });
            answers.push(Extracted { values, offsets });
        }
        Ok(answers)
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.instance.loaded.name()).finish_non_exhaustive()
    }
}

impl Instance {
    pub(crate) fn api(&self) -> &plugin_api {
        self.loaded.symbols.api()
    }

    pub(crate) fn state(&self) -> *mut ss_plugin_t {
        self.state.as_ptr()
    }

    pub(crate) fn owner(&self) -> *mut ss_plugin_owner_t {
        self.owner.as_ptr()
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.api().destroy {
            // SAFETY: the state came from init, and nothing that borrows it is left.
            unsafe { destroy(self.state()) };
        }
        self.owner.retire();
    }
}
