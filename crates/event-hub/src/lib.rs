//! An Azure Event Hub, consumed by processes that share its partitions, for any plugin that reads one.

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
mod ownership;
mod partition;
mod position;
mod prefetch;
mod store;

pub use blob::BlobContainer;
pub use connection_string::ConnectionString;
pub use consumer::{ConsumerOptions, StartPosition, open};
pub use hub::{Hub, Transport};
pub use identity::Identity;
pub use link::HubMessage;
pub use metrics::{HubBoard, HubMetrics};
pub use ownership::SharingOptions;
pub use partition::Partition;
