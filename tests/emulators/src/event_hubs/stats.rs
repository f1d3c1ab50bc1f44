//! How often things happened.

use serde::Serialize;
use std::collections::BTreeMap;

/// The counters, as they were when [`Emulator::stats`](super::Emulator::stats) was called.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Of these, over TLS.
    pub tls: u64,
    /// Of these, over websockets.
    pub websockets: u64,
    /// Connections that were reset as they came, by a fault.
    pub refused: u64,
    /// Connections that are open.
    pub open: u64,
    /// put-tokens that were accepted.
    pub tokens: u64,
    /// put-tokens that were not.
    pub bad_tokens: u64,
    /// Calls of the management node.
    pub management: u64,
    /// Readers attached, by partition.
    pub attaches: BTreeMap<String, u64>,
    /// Readers that are attached.
    pub readers: u64,
    /// Detaches and refused attaches, by error condition.
    pub detaches: BTreeMap<String, u64>,
    /// Events handed to connections.
    pub sent: u64,
    /// Bytes of their bodies.
    pub sent_bytes: u64,
    /// Events taken in from senders.
    pub received: u64,
    /// Messages of senders that were rejected.
    pub rejected: u64,
}
