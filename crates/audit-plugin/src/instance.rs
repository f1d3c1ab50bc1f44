//! [`Instance`]: one opening of a source, as the host reads it: batch by batch, on one thread.
//!
//! It owns how events become batches of a bounded size, and nothing of the reading: that is the [`Pump`]'s.
//!
//! | the host | here |
//! |---|---|
//! | takes an empty batch for a defect | there is none: nothing is a timeout |
//! | drops events that come with an error | an error comes alone, with the next call |
//! | looks at signals between calls only | a call waits for [`WAIT`] at most |
//! | asks again when every event went through the rules | then, and only then, they are acknowledged |

use std::error::Error;
use std::time::Duration;
use std::vec;

use event_source::{Event, Next, Pump, chain};

use crate::abi::event::EventBatch;

/// How long a call waits for the first event: below the 100 ms after which a host seems to hang, with a margin
/// for a busy machine.
const WAIT: Duration = Duration::from_millis(70);

/// Events of one batch; libscap keeps no more than a pointer for each.
const MAX_EVENTS: usize = 1024;

/// One opening of a source.
#[derive(Debug)]
pub(crate) struct Instance {
    pump: Pump,
    /// What the pump gave and the host has not seen yet.
    waiting: vec::IntoIter<Event>,
    batch: EventBatch,
    max_batch_bytes: usize,
    /// How the source ended, with all causes, for a host that asks again.
    failure: Option<String>,
}

/// What a call found.
#[derive(Debug)]
pub(crate) enum Outcome<'b> {
    /// Events to evaluate; never empty.
    Batch(&'b mut EventBatch),
    /// None arrived in time.
    Timeout,
    /// None will come any more.
    End,
    /// The source has failed for good, or gave what the host cannot take.
    Failed(&'b str),
}

impl Instance {
    pub(crate) fn new(pump: Pump, id: u32, max_batch_bytes: usize) -> Self {
        let batch = EventBatch::new(id, max_batch_bytes);
        Self { pump, waiting: Vec::new().into_iter(), batch, max_batch_bytes, failure: None }
    }

    /// The next batch; the one before is evaluated now.
    pub(crate) fn next_batch(&mut self) -> Outcome<'_> {
        self.batch.clear();
        // The pump acknowledges what it gave before, so it is asked only when the host has evaluated all of it.
        if self.waiting.as_slice().is_empty() {
            match self.pump.next_batch(WAIT) {
                Next::Batch(events) => self.waiting = events.into_iter(),
                Next::Timeout => return Outcome::Timeout,
                Next::End => return Outcome::End,
                Next::Failed(error) => return self.fail(&error),
            }
        }
        while let Some(event) = self.waiting.as_slice().first() {
            let bytes = self.batch.bytes() + event.payload.len();
            if !self.batch.is_empty() && (bytes > self.max_batch_bytes || self.batch.len() == MAX_EVENTS) {
                break;
            }
            if let Err(error) = self.batch.push(event) {
                return self.fail(&error);
            }
            self.waiting.next();
        }
        if self.batch.is_empty() {
            return Outcome::Timeout;
        }
        Outcome::Batch(&mut self.batch)
    }
    /// The first failure counts: the pump keeps no causes for those who ask again.
    fn fail(&mut self, error: &dyn Error) -> Outcome<'_> {
        Outcome::Failed(self.failure.get_or_insert_with(|| chain(error)))
    }
}
