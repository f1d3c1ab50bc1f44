//! How to read a hub.

use std::time::{Duration, SystemTime};

use crate::ownership::SharingOptions;

/// Where a partition without a checkpoint begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// Behind its last message.
    Latest,
    /// With its first message.
    Earliest,
    /// With the first message that the hub took then or later.
    At(SystemTime),
}

/// How to read a hub.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// Where a partition without a checkpoint begins.
    pub start: StartPosition,
    /// Between two checkpoints of a partition.
    pub checkpoint_interval: Duration,
    /// Bytes of messages that the hub may send ahead, over all partitions.
    pub prefetch_bytes: usize,
    /// How processes share the partitions.
    pub sharing: SharingOptions,
}
