//! An Azure Event Hub, consumed by processes that share its partitions, for any plugin that reads one.
//!
//! Each partition of the hub is an `EventSource` that is read while this process owns it. Ownership and checkpoints are
//! the blobs that all Azure SDKs share, so processes of other makers may take part, or go on where this one stopped.
//! The promise:
//!
//! - Every message is given at least once: a checkpoint covers what the consumer has evaluated, is written over the
//!   version that was seen only, and never moves back.
//! - In one run, and while nobody else takes the partition, each message is given once, whatever becomes of the
//!   connection. After a kill, what came after the last checkpoint is given again.
//! - A peer or a partition that has fallen silent is noticed within 20 s, and read on.
//! - What the hub has forgotten before it was read is counted and told ([`HubMetrics::messages_missed`]).
//! - What the hub sends ahead takes `prefetch_bytes` over all partitions, but no less than a message for each.
//!
//! It knows nothing of Kubernetes. A plugin that gives each message to a host:
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//! use event_hub::*;
//! use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceError, SourceMetrics};
//!
//! struct Messages;
//! impl Decode<HubMessage> for Messages {
//!     fn decode(&mut self, message: HubMessage, events: &mut Vec<Event>) {
//!         events.push(Event::new(message.body, 0));
//!     }
//! }
//!
//! fn main() -> Result<(), SourceError> {
//!     let hub = std::env::var("HUB").unwrap_or_default();
//!     let storage = std::env::var("STORAGE").unwrap_or_default();
//!     let hub = Hub::from_connection_string("HUB", &hub, Some("orders"), "$Default", Transport::Amqp)?;
//!     let container = BlobContainer::from_connection_string("STORAGE", &storage, "checkpoints")?;
//!     let sharing = SharingOptions {
//!         ownership_expiration: Duration::from_secs(60),
//!         load_balancing_interval: Duration::from_secs(10),
//!     };
//!     let options = ConsumerOptions {
//!         start: StartPosition::Latest,
//!         checkpoint_interval: Duration::from_secs(5),
//!         prefetch_bytes: 16 << 20,
//!         sharing,
//!     };
//!     let metrics = Arc::new(SourceMetrics::default());
//!     let counted = Arc::clone(&metrics);
//!     let board = Arc::new(HubBoard::new(Arc::default()));
//!     let open = async move {
//!         let partitions = open(hub, container, options, board, counted).await?;
//!         Ok(partitions.into_iter().map(|partition| Decoded::new(partition, Messages)).collect())
//!     };
//!     let bounds = PumpOptions {
//!         max_queue_events: 200, max_queue_bytes: 16 << 20, max_batch_bytes: 1 << 20, give_up_after: None,
//!     };
//!     let mut pump = Pump::start(&bounds, metrics, open)?;
//!     while let Next::Batch(_) | Next::Timeout = pump.next_batch(Duration::from_millis(100)) {}
//!     Ok(())
//! }
//! ```

mod balance;
mod blob;
mod connection_string;
mod consumer;
mod error;
mod hub;
mod identity;
mod link;
mod local_thread;
mod metrics;
mod options;
mod ownership;
mod partition;
mod position;
mod prefetch;
mod store;

pub use blob::BlobContainer;
pub use connection_string::ConnectionString;
pub use consumer::open;
pub use hub::{Hub, Transport};
pub use identity::Identity;
pub use link::HubMessage;
pub use metrics::{HubBoard, HubMetrics};
pub use options::{ConsumerOptions, StartPosition};
pub use ownership::SharingOptions;
pub use partition::Partition;
