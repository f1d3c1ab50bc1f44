//! Bodies that are posted over HTTP, taken in without loss, for any plugin that receives a webhook.
//!
//! A [`Webhook`] listens, and is an [`EventSource`](event_source::EventSource) with a record for each request. A
//! request is answered with 200 when its record was acknowledged, so nothing that was confirmed can be lost; the
//! promise:
//!
//! - A request waits for [`Timeouts::evaluation`] (10 s) at most, for room and evaluation together. Then it gets 503
//!   with `Retry-After: 1`. What was taken in by then is evaluated nevertheless.
//! - A request whose sender got 503, or went away, is known when it is sent again: by a hash over its whole body
//!   after inflation. It is evaluated once, and the second one gets its 200 when it was; at once, if that is long ago.
//!   Bodies are remembered so for 15 minutes, and 65,536 of them; [`WebhookMetrics::forgotten`] counts beyond.
//! - It is evaluated twice where an answer of 200 was lost on its way, or where a sender gives up a connection that
//!   still stands, and sends again before this side has noticed.
//! - [`Acknowledge::Received`] confirms what is queued: whoever ends the process loses that.
//! - Memory: [`WebhookOptions::max_queue_bytes`] for bodies, from before they are read until they were evaluated. A
//!   body of unknown length counts as the largest that is allowed until it was read. Small ones find room
//!   beside it, 1 MiB in all. Besides, up to 1 MiB for each of [`WebhookOptions::max_connections`].
//! - No one without a right token or client certificate gets a body read.
//!
//! | answer | when |
//! |---|---|
//! | 200 | it was evaluated, or queued |
//! | 400 | the body is not what is expected, or no gzip; with the reason |
//! | 401 | without the right bearer token |
//! | 404, 405 | another path, or another method than POST |
//! | 408 | the body did not arrive in [`Timeouts::body`] |
//! | 413 | the body is larger than [`WebhookOptions::max_body_bytes`], after inflation |
//! | 415 | it is not `application/json`, or encoded otherwise than by gzip |
//! | 500 | what parses bodies has panicked |
//! | 503 | not evaluated in time, the queue is full, or the source is being closed |
//!
//! `GET /healthz` is 200, or 503 with the reason when something waits and nothing was evaluated for
//! [`Timeouts::evaluation`]. It needs no token; with a client CA, it needs a certificate like all else.
//!
//! It knows nothing of Kubernetes. A plugin that gives each body to a host:
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//! use bytes::Bytes;
//! use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceError, SourceMetrics};
//! use webhook_source::*;
//!
//! struct Whole;
//! impl Decode<Bytes> for Whole {
//!     fn decode(&mut self, payload: Bytes, events: &mut Vec<Event>) {
//!         events.push(Event::new(payload, u64::MAX));
//!     }
//! }
//!
//! fn main() -> Result<(), SourceError> {
//!     let mut options = WebhookOptions::new(Endpoint::parse("https://:9765/alerts")?);
//!     options.tls = Some(TlsFiles { certificate: "/etc/alerts.pem".into(), key: None, client_ca: None });
//!     options.bearer_token_file = Some("/etc/alerts.token".into());
//!     let parse = |body: Bytes| match body.first() {
//!         Some(b'{') => Ok(body),
//!         _ => Err("an alert is a JSON object".to_owned()),
//!     };
//!     let open = async move {
//!         Ok(vec![Decoded::new(Webhook::open(options, Arc::default(), parse).await?, Whole)])
//!     };
//!     let bounds = PumpOptions {
//!         max_queue_events: 1000, max_queue_bytes: 16 << 20, max_batch_bytes: 1 << 20, give_up_after: None,
//!     };
//!     let mut pump = Pump::start(&bounds, Arc::new(SourceMetrics::default()), open)?;
//!     while let Next::Batch(_) | Next::Timeout = pump.next_batch(Duration::from_millis(100)) {}
//!     Ok(())
//! }
//! ```

mod activity;
mod answer;
mod body;
mod connection;
mod endpoint;
mod ledger;
#[cfg(test)]
#[path = "../../../tests/shared/logged.rs"]
mod logged;
mod metrics;
mod options;
mod quiet;
mod reception;
mod server;
mod tls;
mod token;
mod watched;
mod webhook;

pub use endpoint::Endpoint;
pub use metrics::WebhookMetrics;
pub use options::{Acknowledge, Timeouts, TlsFiles, WebhookOptions};
use webhook::Parse;
pub use webhook::Webhook;
