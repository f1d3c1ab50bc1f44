//! [`Decoded`]: a source whose records are turned into events before they wait in the queue.
//!
//! Decoding happens on the reader's thread, so the consumer's thread only copies.

use crate::{CheckpointDelta, Event, EventSource, NextBatch, RecordBatch, SourceError};

/// Turns one record into any number of events.
pub trait Decode<R>: Send + 'static {
    /// Appends the events of `record` to `events`. What is no event is counted by the decoder, not returned.
    fn decode(&mut self, record: R, events: &mut Vec<Event>);
}

/// A source of records, read as the events in them.
#[derive(Debug)]
pub struct Decoded<S, D> {
    source: S,
    decoder: D,
}

impl<S, D> Decoded<S, D> {
    /// Reads `source` through `decoder`.
    pub const fn new(source: S, decoder: D) -> Self {
        Self { source, decoder }
    }
}

impl<S, D> EventSource for Decoded<S, D>
where
    S: EventSource,
    D: Decode<S::Record>,
{
    type Record = Event;

    fn name(&self) -> &str {
        self.source.name()
    }

    async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
        Ok(match self.source.next_batch().await? {
            NextBatch::Records(RecordBatch { partition, records, end }) => {
                let mut events = Vec::with_capacity(records.len());
                for record in records {
                    self.decoder.decode(record, &mut events);
                }
                // A batch of which nothing is left still carries its cursor: it has to be acknowledged.
                NextBatch::Records(RecordBatch { partition, records: events, end })
            }
            NextBatch::Idle(pause) => NextBatch::Idle(pause),
            NextBatch::End => NextBatch::End,
        })
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.source.acknowledge(delta).await
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.source.close().await
    }
}

#[cfg(test)]
mod tests;
