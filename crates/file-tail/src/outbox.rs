//! [`Outbox`]: the reader's end of the road to the source: batches, bounded by bytes and by count.
//!
//! The channel holds one batch. So there are three at most: one that is filled, one that waits, one that the
//! consumer works on; and who reads faster than the consumer waits here.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::position::Position;
use crate::record::FileRecord;
use crate::trouble::Trouble;

/// What the reader's thread tells.
#[derive(Debug)]
pub(crate) enum Message {
    /// Records, maybe none, and where to begin again once they were evaluated.
    Records(Vec<FileRecord>, Option<Position>),
    /// Nothing can be read at the moment.
    Failing(Trouble),
    /// It can again.
    Recovered,
    /// A look has found nothing.
    Looked,
    /// Everything was read; with trouble: but for what it names.
    End(Option<Trouble>),
}

/// Nobody listens any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Records on their way out.
#[derive(Debug)]
pub(crate) struct Outbox {
    sender: Sender<Message>,
    max_bytes: usize,
    max_records: usize,
    records: Vec<FileRecord>,
    bytes: usize,
    /// The position that was told last.
    told: Option<Position>,
}

impl Outbox {
    pub(crate) fn new(sender: Sender<Message>, max_bytes: usize, max_records: usize) -> Self {
        Self { sender, max_bytes, max_records, records: Vec::new(), bytes: 0, told: None }
    }

    /// One record more; the batch may become larger than the bounds by that one.
    pub(crate) fn push(&mut self, record: FileRecord) {
        self.bytes += record.bytes.len();
        self.records.push(record);
    }

    /// Whether to flush before more comes in.
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= self.max_bytes || self.records.len() >= self.max_records
    }

    /// Hands over what is there, and the position behind it; waits until there is room.
    pub(crate) fn flush(&mut self, position: Option<Position>) -> Result<(), Stopped> {
        match self.take(position) {
            Some(message) => self.send(message),
            None => Ok(()),
        }
    }

    /// Like [`flush`](Self::flush); looks at something after each `pause` while it waits.
    pub(crate) fn flush_and_watch(
        &mut self,
        position: Option<Position>,
        pause: Duration,
        mut watch: impl FnMut(),
    ) -> Result<(), Stopped> {
        let Some(message) = self.take(position) else { return Ok(()) };
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut sending = pin!(self.sender.send(message));
        loop {
            match sending.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(sent) => return sent.map_err(|_| Stopped),
                Poll::Pending => thread::park_timeout(pause),
            }
            watch();
        }
    }

    fn take(&mut self, position: Option<Position>) -> Option<Message> {
        if self.records.is_empty() && position == self.told {
            return None;
        }
        self.told = position;
        self.bytes = 0;
        Some(Message::Records(std::mem::take(&mut self.records), position))
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), Stopped> {
        self.sender.blocking_send(message).map_err(|_| Stopped)
    }

    /// Tells that the file system still answers, unless something else is on its way.
    pub(crate) fn looked(&self) {
        let _ = self.sender.try_send(Message::Looked);
    }
}

/// Wakes a thread that waits for room.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
