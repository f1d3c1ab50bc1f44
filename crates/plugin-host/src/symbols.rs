//! A plugin's exported functions, resolved by name into the API's own table.

use std::path::Path;

use falco_plugin_api::plugin_api;

use crate::Error;

/// The functions of one loaded plugin, and the library that holds their code.
pub(crate) struct Symbols {
    api: plugin_api,
    // Holds the code that `api` points into.
    _library: libloading::Library,
}

macro_rules! resolve {
    ($library:expr, $($slot:expr => $name:literal),* $(,)?) => {
        $(
            // SAFETY: the symbol's type is the one that the plugin API gives to that name.
            $slot = unsafe { $library.get(concat!("plugin_", $name, "\0").as_bytes()) }.ok().map(|symbol| *symbol);
        )*
    };
}

macro_rules! require {
    ($api:expr, $path:expr, $($slot:ident),* $(,)?) => {
        $(
            if $api.$slot.is_none() {
                return Err(Error::MissingSymbol {
                    path: $path.to_path_buf(),
                    symbol: concat!("plugin_", stringify!($slot)),
                });
            }
        )*
    };
}

impl Symbols {
    /// `dlopen(path, RTLD_LAZY | RTLD_LOCAL)`, as libsinsp's plugin loader.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        // SAFETY: running a plugin's initialisers is what loading it means; that it is a
        // plugin to be trusted is the caller's choice, as it is with Falco.
        let library = unsafe { libloading::Library::new(path) }
            .map_err(|why| Error::Load { path: path.to_path_buf(), reason: root_cause(&why) })?;
        // SAFETY: a table of `Option<fn>`, for which all zeroes is all `None`.
        let mut api: plugin_api = unsafe { std::mem::zeroed() };
        let (source, extract) = (&mut api.__bindgen_anon_1, &mut api.__bindgen_anon_2);
        resolve!(library,
            api.get_required_api_version => "get_required_api_version",
            api.get_init_schema => "get_init_schema",
            api.init => "init",
            api.destroy => "destroy",
            api.get_last_error => "get_last_error",
            api.get_name => "get_name",
            api.get_description => "get_description",
            api.get_contact => "get_contact",
            api.get_version => "get_version",
            api.get_metrics => "get_metrics",
            source.get_id => "get_id",
            source.get_event_source => "get_event_source",
            source.open => "open",
            source.close => "close",
            source.event_to_string => "event_to_string",
            source.next_batch => "next_batch",
            extract.get_extract_event_sources => "get_extract_event_sources",
            extract.get_fields => "get_fields",
            extract.extract_fields => "extract_fields",
        );
        // The list of `plugin_check_required_symbols`.
        require!(
            api,
            path,
            get_required_api_version,
            get_version,
            get_name,
            get_description,
            get_contact,
            init,
            destroy,
            get_last_error
        );
        Ok(Self { api, _library: library })
    }

    pub(crate) fn api(&self) -> &plugin_api {
        &self.api
    }

    /// The source functions, when all that event sourcing needs are there.
    pub(crate) fn sources(&self) -> bool {
        let source = &self.api.__bindgen_anon_1;
        source.open.is_some() && source.close.is_some() && source.next_batch.is_some()
    }

    /// Whether all that field extraction needs is there.
    pub(crate) fn extracts(&self) -> bool {
        let extract = &self.api.__bindgen_anon_2;
        extract.get_fields.is_some() && extract.extract_fields.is_some()
    }
}

/// The linker's own message is the source of libloading's error.
fn root_cause(error: &libloading::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
