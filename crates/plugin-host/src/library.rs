//! A loaded plugin library: what it says of itself before any configuration.

use std::ffi::{CString, c_char};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::field::parse_fields;
use crate::log::{Owner, text};
use crate::symbols::Symbols;
use crate::{Error, Field, Level, Plugin, Request, Version};

/// A plugin's `.so`, loaded and checked as libsinsp checks it; unloaded when the last
/// [`Plugin`] of it and this handle are gone.
#[derive(Clone)]
pub struct Library {
    loaded: Arc<Loaded>,
}

/// What stays as long as the code does.
pub(crate) struct Loaded {
    name: String,
    description: String,
    contact: String,
    version: Version,
    required_api: Version,
    id: u32,
    event_source: CString,
    extract_sources: Vec<String>,
    fields: Vec<Field>,
    // A plugin may call its logger even after `plugin_destroy`: owners go with the code.
    owners: Mutex<Vec<Arc<Owner>>>,
    // Last, so that the code goes last.
    pub(crate) symbols: Symbols,
}

impl Library {
    /// Loads `path` and reads the plugin's name, versions, sources and fields.
    ///
    /// # Errors
    /// When the file cannot be loaded, lacks a required symbol, asks for a newer API, or
    /// says something of itself that libsinsp refuses.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let symbols = Symbols::load(path)?;
        let loaded = Loaded::read(symbols).map_err(|why| match why {
            Refusal::Api { required, reason } => {
                Error::Incompatible { required, host: Version::HOST_API.to_string(), reason }
            }
            Refusal::Broken(reason) => Error::Broken { plugin: path.display().to_string(), reason },
        })?;
        Ok(Self { loaded: Arc::new(loaded) })
    }

    /// Initialises the plugin with `config`, an empty one being `{}` for a plugin with a
    /// JSON schema; its log lines go to `log`, from any thread.
    ///
    /// # Errors
    /// The plugin's own words.
    pub fn init(
        &self,
        config: &str,
        log: impl Fn(Level, &str) + Send + Sync + 'static,
    ) -> Result<Plugin, Error> {
        Plugin::init(Arc::clone(&self.loaded), config, Box::new(log))
    }

    /// A field with its argument, as a rule writes it: `name` or `name[argument]`.
    ///
    /// # Errors
    /// What Falco would say at rule load.
    pub fn request(&self, text: &str) -> Result<Request, Error> {
        Request::parse(&self.loaded.fields, text)
    }

    /// Name of the plugin.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// What it says it is for.
    pub fn description(&self) -> &str {
        &self.loaded.description
    }

    /// Whom to ask.
    pub fn contact(&self) -> &str {
        &self.loaded.contact
    }

    /// Its own version.
    pub fn version(&self) -> Version {
        self.loaded.version
    }

    /// The plugin API that it asks for.
    pub fn required_api(&self) -> Version {
        self.loaded.required_api
    }

    /// Its id; 0 for a plugin that is no event source.
    pub fn id(&self) -> u32 {
        self.loaded.id
    }

    /// Name of its event source; empty for a plugin that is none.
    pub fn event_source(&self) -> &str {
        self.loaded.event_source.to_str().unwrap_or_default()
    }

    /// Event sources whose events it extracts from; empty means every one.
    pub fn extract_sources(&self) -> &[String] {
        &self.loaded.extract_sources
    }

    /// The fields that it extracts; empty for a plugin without that capability.
    pub fn fields(&self) -> &[Field] {
        &self.loaded.fields
    }

    /// JSON schema of the init configuration, when the plugin has one.
    pub fn init_schema(&self) -> Option<String> {
        self.loaded.init_schema()
    }

    /// Log lines that came after `plugin_destroy`: in Falco each is a use after free.
    pub fn log_lines_after_destroy(&self) -> u64 {
        self.loaded.owners().iter().map(|owner| owner.late_lines()).sum()
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("name", &self.name()).field("version", &self.version()).finish()
    }
}

enum Refusal {
    Api { required: String, reason: &'static str },
    Broken(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

impl Loaded {
    /// `sinsp_plugin::resolve_dylib_symbols`.
    fn read(symbols: Symbols) -> Result<Self, Refusal> {
        let api = symbols.api();
        let required = call(api.get_required_api_version);
        let required_api = Version::parse(&required)
            .ok_or_else(|| format!("provided an invalid required api version string: `{required}`"))?;
        if let Some(reason) = Version::HOST_API.refusal(required_api) {
            return Err(Refusal::Api { required, reason });
        }
        let version = call(api.get_version);
        let version = Version::parse(&version)
            .ok_or_else(|| format!("provided an invalid version string: `{version}`"))?;
        if !symbols.sources() && !symbols.extracts() {
            return Err(Refusal::Broken("does not implement any capability".to_owned()));
        }
        let source = &api.__bindgen_anon_1;
        // SAFETY: the function takes nothing and is there before init, by the plugin API.
        let id = source.get_id.map_or(0, |get_id| unsafe { get_id() });
        let event_source = if id == 0 { String::new() } else { call(source.get_event_source) };
        if symbols.sources() && id != 0 && event_source.is_empty() {
            return Err(Refusal::Broken(format!("has id {id} and no event source")));
        }
        if event_source == "syscall" {
            return Err(Refusal::Broken("cannot implement the reserved event source `syscall`".to_owned()));
        }
        let extract = &api.__bindgen_anon_2;
        let (mut extract_sources, mut fields) = (Vec::new(), Vec::new());
        if symbols.extracts() {
            fields = parse_fields(&call(extract.get_fields))?;
            let json = call(extract.get_extract_event_sources);
            if !json.is_empty() {
                extract_sources = serde_json::from_str(&json)
                    .map_err(|why| format!("get_extract_event_sources did not return a json array: {why}"))?;
            }
            // A source extracts from its own events in any case.
            if !event_source.is_empty() && !extract_sources.contains(&event_source) {
                extract_sources.push(event_source.clone());
            }
        }
        Ok(Self {
            name: call(api.get_name),
            description: call(api.get_description),
            contact: call(api.get_contact),
            version,
            required_api,
            id,
            event_source: CString::new(event_source).unwrap_or_default(),
            extract_sources,
            fields,
            owners: Mutex::default(),
            symbols,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn event_source(&self) -> &CString {
        &self.event_source
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn init_schema(&self) -> Option<String> {
        let get_init_schema = self.symbols.api().get_init_schema?;
        let mut kind = falco_plugin_api::ss_plugin_schema_type_SS_PLUGIN_SCHEMA_NONE;
        // SAFETY: the function writes the schema's kind and returns a C string or NULL.
        let schema = unsafe { text(get_init_schema(&mut kind)) }?;
        (kind == falco_plugin_api::ss_plugin_schema_type_SS_PLUGIN_SCHEMA_JSON && !schema.is_empty())
            .then_some(schema)
    }

    pub(crate) fn keep(&self, owner: Arc<Owner>) {
        self.owners().push(owner);
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Owner>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text that a function without parameters returns; empty for none.
fn call(function: Option<unsafe extern "C-unwind" fn() -> *const c_char>) -> String {
    // SAFETY: the functions of this shape may be called before init, and return a C string
    // that stays, or NULL.
    function.and_then(|function| unsafe { text(function()) }).unwrap_or_default()
}
