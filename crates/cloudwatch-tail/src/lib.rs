//! A CloudWatch Logs log group, followed without loss, for any plugin that reads one.
//!
//! `FilterLogEvents` is eventually consistent: a window of time that was read shows more a moment later. So a
//! [`Tail`] reads time again before it leaves it for good, knows each message by its id so that none comes twice,
//! and moves its checkpoint only over what the consumer has evaluated. What it reads when is in `window.rs`, and
//! was tried in virtual time; the promise:
//!
//! - A message that becomes visible up to `settle` after its timestamp is given, exactly once in one run.
//! - What becomes visible later is lost. [`TailMetrics::seconds_late_at_most`] and one warning tell before.
//! - At 2²⁰ messages within `settle` (3,500 per second at 300 s) the tail stops to read new time until old time
//!   was settled: it falls behind by `settle` at most, and then needs to remember nothing.
//! - After a crash, what came after the last checkpoint is given again: `checkpoint_interval` of messages, and
//!   what was in flight.
//! - When the calls do not suffice, first `overlap` shrinks, then the tail falls behind by up to `settle`; then
//!   each byte is read once, about 4 MB/s at four calls per second. Beyond that the lag grows, and is told.
//!
//! It knows nothing of Kubernetes. A plugin that gives each log line to a host:
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//! use cloudwatch_tail::*;
//! use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceError, SourceMetrics};
//!
//! struct Lines;
//! impl Decode<LogMessage> for Lines {
//!     fn decode(&mut self, line: LogMessage, events: &mut Vec<Event>) {
//!         let timestamp = u64::try_from(line.timestamp_ms).unwrap_or_default() * 1_000_000;
//!         events.push(Event::new(line.message, timestamp));
//!     }
//! }
//!
//! fn main() -> Result<(), SourceError> {
//!     let metrics = Arc::new(SourceMetrics::default());
//!     let counted = Arc::clone(&metrics);
//!     let open = async move {
//!         let session = Session::load(SessionOptions { max_calls_per_second: 4.0, ..Default::default() }).await?;
//!         let options = TailOptions {
//!             log_group: "/aws/lambda/payments".into(),
//!             region: None,
//!             stream_prefix: None,
//!             filter_pattern: Some("ERROR".into()),
//!             start: StartPosition::Latest { before: Duration::from_secs(60) },
//!             polling_interval: Duration::from_secs(5),
//!             overlap: Duration::from_secs(30),
//!             settle: Duration::from_secs(300),
//!             batch_messages: 100,
//!             checkpoints: Some(Arc::new(session.checkpoint_store("file:///var/lib/payments")?)),
//!             checkpoint_interval: Duration::from_secs(5),
//!         };
//!         let board = Arc::new(TailBoard::new(Arc::new(TailMetrics::default())));
//!         Ok(vec![Decoded::new(Tail::open(&session, options, board, counted).await?, Lines)])
//!     };
//!     let bounds = PumpOptions {
//!         max_queue_events: 200, max_queue_bytes: 16 << 20, max_batch_bytes: 1 << 20, give_up_after: None,
//!     };
//!     let mut pump = Pump::start(&bounds, metrics, open)?;
//!     while let Next::Batch(_) | Next::Timeout = pump.next_batch(Duration::from_millis(100)) {}
//!     Ok(())
//! }
//! ```

mod budget;
mod clock;
mod error;
mod log_group;
#[cfg(test)]
#[path = "../../../tests/shared/logged.rs"]
mod logged;
mod metrics;
mod position;
mod seen;
mod session;
mod tail;
mod window;

pub use log_group::LogGroupHome;
pub use metrics::{TailBoard, TailMetrics};
pub use session::{Session, SessionOptions};
pub use tail::{LogMessage, StartPosition, Tail, TailOptions};
