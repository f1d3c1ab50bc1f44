//! [`Plugin`] and [`Provider`]: all that a plugin says of itself.
//!
//! Neither knows the host's interface: that is [`export_plugin!`](crate::export_plugin!)'s part.

use std::ffi::CStr;
use std::future::Future;
use std::sync::Arc;

use event_source::metrics::MetricGroup;
use event_source::{Event, EventSource, PumpOptions, SourceError, SourceMetrics};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::config::CommonConfig;
use crate::extraction::Fields;

/// What every plugin says of itself.
///
/// The host may load one several times in a process, once per event source: a plugin owns no global state.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// The name under which `falco.yaml` and the rules know it, `k8saudit-eks` for instance.
    const NAME: &'static CStr;
    /// Its version, `major.minor.patch`; the rules require one.
    const VERSION: &'static CStr;
    /// What it does, in a sentence.
    const DESCRIPTION: &'static CStr;
    /// Where its authors can be reached.
    const CONTACT: &'static CStr;
    /// The crates, besides this one and the plugin's own, whose log lines the user should see: the transport's.
    ///
    /// Of every other crate only errors reach the host's log.
    const LOG_TARGETS: &'static [&'static str];
    /// Other spellings of its own keys, `(other spelling, key)`, besides [`config::ALIASES`](crate::config::ALIASES).
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
    /// What holds for the keys of every plugin when they are not given.
    const DEFAULTS: CommonConfig = CommonConfig::DEFAULT;

    /// Whether it reads events, as a [`Provider`] does. One that only extracts fields has neither the keys
    /// (besides `log_level`) nor the metrics of a source.
    const READS_EVENTS: bool = true;

    /// Its own keys; every one needs a default. Unknown keys never reach it.
    type Config: DeserializeOwned + JsonSchema;
    /// The fields that it extracts: [`AuditFields`](crate::AuditFields) for all that read audit events.
    type Fields: Fields;

    /// Takes the configuration. No I/O and no thread: the host may load a plugin only to ask for its fields.
    ///
    /// # Errors
    /// A configuration that cannot work, in a message that names the key.
    fn new(config: Self::Config, common: CommonConfig) -> Result<Self, SourceError>;

    /// What it counts besides [`SourceMetrics`]; asked for once, right after [`new`](Self::new).
    fn metrics(&self) -> Vec<Arc<dyn MetricGroup>> {
        Vec::new()
    }
}

/// A plugin that is a source of events.
pub trait Provider: Plugin {
    /// The number under which the Falco project has registered it.
    const ID: u32;
    /// The event source of its events.
    const EVENT_SOURCE: &'static CStr = c"k8s_audit";

    /// What reads.
    type Source: EventSource<Record = Event>;

    /// The bounds of queue and batch: [`CommonConfig::pump_options`].
    fn pump_options(&self) -> PumpOptions;

    /// Understands the open parameters, and gives the work of opening to be done on the reader's thread.
    ///
    /// `metrics` are those of the plugin: they live as long as it, before, after and over several openings.
    ///
    /// # Errors
    /// Parameters that cannot be understood, with an example. Whatever needs a call (a missing group, a missing
    /// permission) is an error of the future.
    fn open(
        &self,
        parameters: &str,
        metrics: Arc<SourceMetrics>,
    ) -> Result<impl Future<Output = Result<Vec<Self::Source>, SourceError>> + Send + use<Self>, SourceError>;
}
