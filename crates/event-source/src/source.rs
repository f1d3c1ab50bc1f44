//! What a transport promises: [`EventSource`], and the batches that it gives.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::SourceError;

/// One event on its way to the consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the consumer evaluates.
    pub payload: Bytes,
    /// When it happened, in nanoseconds since the Unix epoch.
    pub timestamp: u64,
    /// What the decoder knows about the payload, and the consumer would have to find out again; as both agree.
    pub notes: Box<[u64]>,
}

impl Event {
    /// One without notes.
    pub fn new(payload: impl Into<Bytes>, timestamp: u64) -> Self {
        Self { payload: payload.into(), timestamp, notes: Box::default() }
    }

    /// What it takes in memory, payload and notes.
    pub(crate) fn size(&self) -> usize {
        self.payload.len() + size_of_val(&*self.notes)
    }
}

/// Names one partition: a log group, a hub's partition, a file.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(Arc<str>);

impl PartitionId {
    /// A partition of that name; names are unique within one source.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionId({})", self.0)
    }
}

/// How many records of a partition came up to here, in this run, in the order in which the source gave them.
///
/// A cursor is no position at the provider: the source alone knows which offset, token or window it stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// The half-open interval `(from, to]` of a partition's records that the consumer has evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointDelta {
    /// Whose records.
    pub partition: PartitionId,
    /// The cursor up to which records were acknowledged before.
    pub from: Cursor,
    /// The cursor of the last record that is acknowledged now.
    pub to: Cursor,
}

/// Some records of one partition; the unit of acknowledgement.
#[derive(Clone, Debug)]
pub struct RecordBatch<R> {
    /// Whose records.
    pub partition: PartitionId,
    /// The records, in the order of their cursors.
    pub records: Vec<R>,
    /// The cursor of the last of them.
    pub end: Cursor,
}

/// What a source has at the moment.
#[derive(Debug)]
pub enum NextBatch<R> {
    /// Records to hand on.
    Records(RecordBatch<R>),
    /// Nothing; ask again after that time at the latest.
    Idle(Duration),
    /// Nothing any more: every record was given.
    End,
}

/// A stream of records that are given again after a crash, unless they were acknowledged.
pub trait EventSource: Send + 'static {
    /// What it reads.
    type Record: Send + 'static;

    /// The partition that it reads, for the log and for health; a source of many partitions names the whole.
    fn name(&self) -> &str;

    /// The next records, or how long to wait for some.
    ///
    /// **Must be safe to cancel**: the pump drops the future whenever an acknowledgement arrives, and calls again.
    /// A request under way belongs into the source (a spawned task, say), not into this future.
    ///
    /// # Errors
    /// Whatever the provider answered. The pump asks again after a pause, so an error must leave the source such
    /// that the next call continues without a gap.
    fn next_batch(&mut self) -> impl Future<Output = Result<NextBatch<Self::Record>, SourceError>> + Send;

    /// The consumer has evaluated these records: forget them, and let the checkpoint move.
    ///
    /// Deltas of one partition come in order and without gaps.
    ///
    /// # Errors
    /// When progress cannot be kept, a checkpoint that cannot be written for instance; the source goes on.
    fn acknowledge(&mut self, delta: CheckpointDelta)
    -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Write what is to be written, and let go of connections. Acknowledges nothing.
    ///
    /// # Errors
    /// When the last checkpoint cannot be written.
    fn close(&mut self) -> impl Future<Output = Result<(), SourceError>> + Send;
}
