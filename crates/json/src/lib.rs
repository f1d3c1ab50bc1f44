//! `json`: values of events that are JSON, whatever plugin they come from, for Falco.
//!
//! A thin crate: [`audit_core`] reads the document, [`audit_plugin`] talks to the host.
//! Name, keys and fields are those of the Go plugin that it takes the place of.
//! It is no source of events, and keeps nothing of an event but where its parts are.

mod fields;
mod pointers;

use std::ffi::CStr;

use audit_plugin::{CommonConfig, Plugin};
use event_source::SourceError;
use schemars::JsonSchema;
use serde::Deserialize;

use fields::JsonFields;

/// The plugin.
struct Json;

/// The plugin's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Config {
    /// Accepted for compatibility, and without effect: extraction needs no second thread.
    #[allow(dead_code, reason = "a key that users have must be known")]
    #[serde(rename = "useAsync")]
    use_async: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { use_async: true }
    }
}

impl Plugin for Json {
    const NAME: &'static CStr = c"json";
    const VERSION: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    const DESCRIPTION: &'static CStr = c"Extract values from events that are JSON, by JSON pointer";
    const CONTACT: &'static CStr = c"github.com/falcosecurity/plugins";
    const LOG_TARGETS: &'static [&'static str] = &[];
    const ALIASES: &'static [(&'static str, &'static str)] = &[("use_async", "useAsync")];
    const READS_EVENTS: bool = false;

    type Config = Config;
    type Fields = JsonFields;

    fn new(_: Config, _: CommonConfig) -> Result<Self, SourceError> {
        Ok(Self)
    }
}

audit_plugin::export_extractor!(Json);
