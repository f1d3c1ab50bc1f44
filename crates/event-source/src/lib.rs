//! How to read anything without losing it.
//!
//! This crate owns the road between a transport (a log service, a hub, a file) and whoever evaluates
//! its events: the trait [`EventSource`] that a transport implements, the [`Pump`] that drives it on a
//! thread of its own, bounded queues, acknowledgement, checkpoints, retry, and metrics.
//! It knows neither Falco, nor Kubernetes, nor a cloud.
//!
//! The promise, and who keeps which part of it:
//!
//! | promise | kept by |
//! |---|---|
//! | a batch is acknowledged only after the consumer has asked for the next one | [`Pump::next_batch`] |
//! | what was not acknowledged is read again after a crash | the transport's checkpoint |
//! | no error ends a source in silence | [`Pump`]: retried, told once per change of state, given up after a patience |
//! | memory is bounded by bytes and by count | [`Pump`]'s queue |
//! | no thread outlives [`Pump::close`] | [`Pump`] |

pub mod checkpoint;
mod decode;
mod error;
#[cfg(test)]
#[path = "../../../tests/shared/logged.rs"]
mod logged;
pub mod metrics;
mod pump;
mod queue;
mod retry;
mod secret;
mod source;

pub use decode::{Decode, Decoded};
pub use error::{ErrorKind, SourceError, chain};
pub use metrics::SourceMetrics;
pub use pump::{Next, Pump, PumpOptions};
pub use retry::{Backoff, Health, HealthChange};
pub use secret::Secret;
pub use source::{CheckpointDelta, Cursor, Event, EventSource, NextBatch, PartitionId, RecordBatch};
