//! What can go wrong between a host and a plugin, by who has to act.

use std::path::PathBuf;

/// Why a call into a plugin, or its loading, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not there, or the dynamic linker refused it.
    #[error("cannot load `{path}`: {reason}")]
    Load {
        /// The file asked for.
        path: PathBuf,
        /// The linker's own words.
        reason: String,
    },
    /// A symbol that every plugin must export is missing.
    #[error("`{path}` is not a falco plugin: symbol `{symbol}` not found")]
    MissingSymbol {
        /// The file asked for.
        path: PathBuf,
        /// The symbol's full name.
        symbol: &'static str,
    },
    /// The plugin asks for another plugin API than this host speaks.
    #[error("plugin required api version `{required}` is not compatible with the host's `{host}`: {reason}")]
    Incompatible {
        /// What the plugin asks for.
        required: String,
        /// What this host speaks.
        host: String,
        /// Which part disagrees.
        reason: &'static str,
    },
    /// The plugin says something of itself that a host cannot use.
    #[error("plugin `{plugin}` is broken: {reason}")]
    Broken {
        /// The plugin's name, or its path where it has no name yet.
        plugin: String,
        /// What it said.
        reason: String,
    },
    /// The plugin lacks a capability.
    #[error("plugin `{plugin}` has no {capability} capability")]
    NotCapable {
        /// The plugin's name.
        plugin: String,
        /// `event sourcing` or `field extraction`.
        capability: &'static str,
    },
    /// The init configuration cannot be handed over.
    #[error("init config: {0}")]
    Config(String),
    /// `plugin_init` failed; in the plugin's own words.
    #[error("could not initialize plugin: {0}")]
    Init(String),
    /// `plugin_open` failed; in the plugin's own words.
    #[error("{0}")]
    Open(String),
    /// A field request that Falco would refuse at rule load.
    #[error("field `{request}`: {reason}")]
    Field {
        /// The request as written.
        request: String,
        /// Why it cannot be asked.
        reason: String,
    },
    /// `plugin_extract_fields` failed; in the plugin's own words.
    #[error("extraction failed: {0}")]
    Extract(String),
}
