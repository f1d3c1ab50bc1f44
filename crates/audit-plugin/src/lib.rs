//! The Falco side of the audit plugins: a provider describes itself, and this crate makes a plugin of it.
//!
//! It owns how a plugin meets its host: configuration ([`config`]), logs, metrics, field extraction
//! ([`extraction`]), batches and acknowledgement, and the `plugin_*` symbols ([`export_plugin!`],
//! [`export_extractor!`]).
//! It does not own what is read ([`event_source`] and the transports on it), nor what a field means
//! ([`audit_core`]).
//!
//! **Architecture invariant:** nothing panics across the C ABI, and `unsafe` lives in `abi.rs` and `abi/`
//! alone; a provider needs none, and never hears of the host's types.
//!
//! # A provider
//!
//! The whole of a plugin that gives one event:
//!
//! ```
//! use std::{ffi::CStr, future::Future, sync::Arc, time::Duration};
//! use audit_plugin::{AuditFields, CommonConfig, Plugin, Provider};
//! use event_source::{
//!     CheckpointDelta, Cursor, Event, EventSource, NextBatch, PartitionId, PumpOptions, RecordBatch,
//!     SourceError, SourceMetrics,
//! };
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default)]
//! struct Config { /** Who did it. */ user: String }
//! impl Default for Config {
//!     fn default() -> Self { Self { user: "jane".to_owned() } }
//! }
//!
//! struct One { config: Config, common: CommonConfig }
//! impl Plugin for One {
//!     const NAME: &'static CStr = c"one";
//!     const VERSION: &'static CStr = c"0.1.0";
//!     const DESCRIPTION: &'static CStr = c"Reads one event";
//!     const CONTACT: &'static CStr = c"github.com/falcosecurity/plugins";
//!     const LOG_TARGETS: &'static [&'static str] = &[];
//!     type Config = Config;
//!     type Fields = AuditFields;
//!     fn new(config: Config, common: CommonConfig) -> Result<Self, SourceError> {
//!         Ok(Self { config, common })
//!     }
//! }
//! impl Provider for One {
//!     const ID: u32 = 999;
//!     type Source = Once;
//!     fn pump_options(&self) -> PumpOptions { self.common.pump_options(200) }
//!     fn open(&self, _parameters: &str, _metrics: Arc<SourceMetrics>)
//!         -> Result<impl Future<Output = Result<Vec<Once>, SourceError>> + Send + use<>, SourceError>
//!     {
//!         let event = format!(r#"{{"auditID":"1","user":{{"username":"{}"}}}}"#, self.config.user);
//!         Ok(async move { Ok(vec![Once(Some(event))]) })
//!     }
//! }
//!
//! struct Once(Option<String>);
//! impl EventSource for Once {
//!     type Record = Event;
//!     fn name(&self) -> &str { "once" }
//!     async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
//!         Ok(self.0.take().map_or(NextBatch::Idle(Duration::from_secs(60)), |event| {
//!             let records = vec![Event::new(event, 0)];
//!             NextBatch::Records(RecordBatch { partition: PartitionId::new("once"), records, end: Cursor(1) })
//!         }))
//!     }
//!     async fn acknowledge(&mut self, _: CheckpointDelta) -> Result<(), SourceError> { Ok(()) }
//!     async fn close(&mut self) -> Result<(), SourceError> { Ok(()) }
//! }
//!
//! audit_plugin::export_plugin!(One);
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod abi;
pub mod config;
mod duplicates;
pub mod extraction;
mod instance;
mod intake;
mod logging;
mod notes;
mod plugin;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use config::{CommonConfig, LogLevel, Seconds};
pub use duplicates::Duplicates;
pub use extraction::AuditFields;
pub use intake::{Intake, IntakeMetrics};
pub use plugin::{Plugin, Provider};

/// A lock that a panic left behind guards nothing that is half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
