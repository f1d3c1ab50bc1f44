//! [`Partition`]: one partition of a hub as an [`EventSource`]: read while this process owns it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use event_source::checkpoint::Saver;
use event_source::{
    CheckpointDelta, Cursor, ErrorKind, EventSource, NextBatch, PartitionId, RecordBatch, SourceError,
};
use tokio::sync::{oneshot, watch};

use crate::consumer::{ConsumerOptions, StartPosition};
use crate::error::HubError;
use crate::hub::Hub;
use crate::link::{Arrival, Extent, From, HubMessage, Link, LinkOptions, Received, ask};
use crate::local_thread::LocalThread;
use crate::metrics::{HubBoard, Standing};
use crate::ownership::{Lease, Sharing};
use crate::position::Position;
use crate::prefetch::{MeanSize, credit, is_far_off};
use crate::store::{Blob, PartitionStore};

/// What all partitions of a hub have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) options: ConsumerOptions,
    pub(crate) store: Arc<PartitionStore>,
    pub(crate) sharing: Arc<Sharing>,
    pub(crate) board: Arc<HubBoard>,
    pub(crate) thread: LocalThread,
    /// Renews and shares, until the last partition is gone.
    pub(crate) rhythm: tokio::task::AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.rhythm.abort();
    }
}

/// One partition of a hub.
#[derive(Debug)]
pub struct Partition {
    shared: Arc<Shared>,
    index: usize,
    /// What the hub calls it.
    name: String,
    id: PartitionId,
    leases: watch::Receiver<Lease>,
    lease: Lease,
    state: State,
    /// Where the next link begins; `None` before the checkpoint was read.
    from: Option<From>,
    /// The checkpoint's blobs.
    blobs: Vec<Blob>,
    /// Messages given in this run, whatever became of the partition in between.
    given: Cursor,
    /// What was given and not yet evaluated, by the ends of its batches.
    in_flight: VecDeque<(Cursor, Mark)>,
    evaluated: Option<Mark>,
    /// The sequence number that the last checkpoint says, and the one that is being written.
    written: Option<i64>,
    writing: Option<i64>,
    written_at: Option<Instant>,
    saver: Saver<Vec<Blob>>,
    extent: Option<Extent>,
    mean_size: MeanSize,
    linked_at: Instant,
}

#[derive(Debug)]
enum State {
    /// Somebody else reads it.
    Foreign,
    /// Owned, and nothing under way.
    Owned,
    /// The checkpoint is being read.
    Beginning(oneshot::Receiver<Result<Beginning, SourceError>>),
    Linked {
        link: Link,
        is_up: bool,
    },
}

/// Where a batch ended.
#[derive(Clone, Debug)]
struct Mark {
    position: Position,
    enqueued: Option<SystemTime>,
}

#[derive(Debug)]
struct Beginning {
    from: From,
    blobs: Vec<Blob>,
    written: Option<i64>,
}

/// How long nothing happens before that is told.
const LOOK: Duration = Duration::from_secs(1);
/// A link is not opened again for more credit more often.
const STEADY: Duration = Duration::from_secs(10);

impl Partition {
    pub(crate) fn new(shared: Arc<Shared>, index: usize, name: String, saver: Saver<Vec<Blob>>) -> Self {
        let id = partition_id(&shared.hub, &name);
        let mut leases = shared.sharing.lease(index);
        leases.mark_changed();
        Self {
            shared,
            index,
            name,
            id,
            leases,
            lease: None,
            state: State::Foreign,
            from: None,
            blobs: Vec::new(),
            given: Cursor(0),
            in_flight: VecDeque::new(),
            evaluated: None,
            written: None,
            writing: None,
            written_at: None,
            saver,
            extent: None,
            mean_size: MeanSize::default(),
            linked_at: Instant::now(),
        }
    }

    /// Begins or ends with the lease.
    fn follow_lease(&mut self) {
        let lease = *self.leases.borrow_and_update();
        if lease == self.lease {
            return;
        }
        self.lease = lease;
        self.from = None;
        self.extent = None;
        // What was given before is not ours to write any more: the new owner began at the checkpoint.
        self.in_flight.clear();
        self.evaluated = None;
        self.written = None;
        self.state = if lease.is_some() { State::Owned } else { State::Foreign };
    }

    /// Reads the checkpoint, and decides where to begin.
    fn begin(&self) -> State {
        let (sender, receiver) = oneshot::channel();
        let (hub, store) = (Arc::clone(&self.shared.hub), Arc::clone(&self.shared.store));
        let (name, start) = (self.name.clone(), self.shared.options.start);
        self.shared.thread.spawn(move || async move {
            // Nobody waits any more when the partition was lost.
            let _ = sender.send(begin(&hub, &store, &name, start).await);
        });
        State::Beginning(receiver)
    }

    fn link(&mut self, from: From) -> State {
        let credit = self.credit();
        self.linked_at = Instant::now();
        let options =
            LinkOptions { hub: Arc::clone(&self.shared.hub), partition: self.name.clone(), from, credit };
        State::Linked { link: Link::start(&self.shared.thread, options), is_up: false }
    }

    /// The partition's share of the memory, in messages.
    fn credit(&self) -> u32 {
        let share = self.shared.options.prefetch_bytes / self.shared.board.owned().max(1);
        credit(share, self.mean_size.get())
    }

    /// The hub has said how much there is.
    fn measured(&mut self, extent: Extent) {
        self.extent = Some(extent);
        let Some(From::Position(position)) = &mut self.from else { return };
        let (id, metrics) = (&self.id, self.shared.board.metrics());
        if position.sequence > extent.last {
            log::error!(
                "`{id}`: the checkpoint is at {}, and the hub ends at {}: it was made anew; reading it from its beginning",
                position.sequence,
                extent.last
            );
            *position = Position::START;
            self.written = None;
            self.state = State::Owned;
        } else if position.sequence >= 0 && position.sequence + 1 < extent.first {
            let missed = extent.first - position.sequence - 1;
            metrics.messages_missed.add(missed.unsigned_abs());
            log::error!(
                "`{id}`: {missed} messages were never read: the hub does not keep them any more; raise its retention, or read faster"
            );
            // From here on nothing is missed again.
            *position = Position { sequence: extent.first - 1, offset: None };
            self.state = State::Owned;
        }
    }

    /// Leaves out what was given before, and counts what never came.
    fn sift(&mut self, received: Vec<Received>) -> Vec<HubMessage> {
        let metrics = self.shared.board.metrics();
        let mut messages = Vec::with_capacity(received.len());
        for Received { message, position } in received {
            metrics.messages_read.increment();
            metrics.bytes_read.add(message.body.len() as u64);
            self.mean_size.add(message.body.len());
            if let Some(From::Position(last)) = &self.from {
                if position.sequence <= last.sequence && last.sequence >= 0 {
                    metrics.messages_repeated.increment();
                    continue;
                }
                let skipped = position.sequence - last.sequence - 1;
                if skipped > 0 && last.sequence >= 0 {
                    metrics.messages_missed.add(skipped.unsigned_abs());
                    log::error!(
                        "`{}`: {skipped} messages between {} and {} never came",
                        self.id,
                        last.sequence,
                        position.sequence
                    );
                }
            }
            self.from = Some(From::Position(position));
            messages.push(message);
        }
        messages
    }

    fn batch(&mut self, messages: Vec<HubMessage>) -> RecordBatch<HubMessage> {
        self.given.0 += messages.len() as u64;
        if let Some(From::Position(position)) = &self.from {
            let enqueued = messages.last().and_then(|message| message.enqueued);
            self.in_flight.push_back((self.given, Mark { position: position.clone(), enqueued }));
        }
        RecordBatch { partition: self.id.clone(), records: messages, end: self.given }
    }

    async fn keep_checkpoint(&mut self) {
        if self.lease.is_none() || !self.saver.is_due().await {
            return;
        }
        self.take_saved();
        let Some(position) = self.unwritten() else { return };
        self.writing = Some(position.sequence);
        let (store, blobs) = (Arc::clone(&self.shared.store), self.blobs.clone());
        self.saver.start(async move { store.save(&position, blobs).await });
    }

    fn take_saved(&mut self) {
        if let Some(blobs) = self.saver.take() {
            self.blobs = blobs;
            self.written = self.writing.take();
            self.written_at = Some(Instant::now());
        }
    }

    /// What was evaluated and no checkpoint says.
    fn unwritten(&self) -> Option<Position> {
        let position = &self.evaluated.as_ref()?.position;
        self.written.is_none_or(|written| written < position.sequence).then(|| position.clone())
    }

    fn until_due(&self) -> Duration {
        if self.unwritten().is_some() { self.saver.until_due() } else { Duration::MAX }
    }

    fn update_board(&self) {
        let standing = self.lease.map(|_| {
            let evaluated = self.evaluated.as_ref();
            let at = evaluated.map_or(self.written, |mark| Some(mark.position.sequence));
            let behind = match (self.extent, at) {
                (Some(extent), Some(at)) => extent.last.saturating_sub(at),
                (Some(extent), None) => extent.last - extent.first + 1,
                (None, _) => 0,
            };
            let events_behind = u64::try_from(behind).unwrap_or_default().max(self.in_flight.len() as u64);
            let age = evaluated.and_then(|mark| mark.enqueued).and_then(|at| at.elapsed().ok());
            let seconds_behind = if events_behind == 0 { 0 } else { age.unwrap_or_default().as_secs() };
            Standing { events_behind, seconds_behind, checkpoint: self.written_at }
        });
        self.shared.board.update(&self.id, standing);
    }

    /// What a state has to say; `None`: look again.
    async fn turn(&mut self) -> Option<Result<NextBatch<HubMessage>, SourceError>> {
        let patience = LOOK.min(self.until_due());
        match &mut self.state {
            State::Foreign => {
                // One line for all partitions.
                if self.index == 0
                    && let Some(error) = self.shared.sharing.failure()
                {
                    return Some(Err(error));
                }
                // Whoever is gone has taken all leases along; the process ends then.
                let _ = tokio::time::timeout(LOOK, self.leases.changed()).await;
                Some(Ok(NextBatch::Idle(Duration::ZERO)))
            }
            State::Owned => {
                self.state = match self.from.clone() {
                    Some(from) => self.link(from),
                    None => self.begin(),
                };
                None
            }
            State::Beginning(begun) => {
                let begun = tokio::select! {
                    begun = begun => begun,
                    _ = self.leases.changed() => return None,
                };
                self.state = State::Owned;
                match begun {
                    Ok(Ok(Beginning { from, blobs, written })) => {
                        (self.from, self.blobs, self.written) = (Some(from), blobs, written);
                        self.written_at = Some(Instant::now());
                        log::info!("`{}`: {}", self.id, told(self.from.as_ref()));
                        None
                    }
                    Ok(Err(error)) => Some(Err(error)),
                    Err(_) => {
                        Some(Err(SourceError::new(ErrorKind::Unavailable, "the hub's thread has ended")))
                    }
                }
            }
            State::Linked { link, is_up } => {
                let arrival = tokio::select! {
                    arrival = link.next() => arrival,
                    _ = self.leases.changed() => return None,
                    () = tokio::time::sleep(patience) => {
                        // A link that does not stand yet is no success.
                        return is_up.then_some(Ok(NextBatch::Idle(Duration::ZERO)));
                    }
                };
                match arrival {
                    Arrival::Extent(extent) => {
                        *is_up = true;
                        self.measured(extent);
                        Some(Ok(NextBatch::Idle(Duration::ZERO)))
                    }
                    Arrival::Messages(received) => {
                        let messages = self.sift(received);
                        self.fit_credit();
                        // What was all repeated has nothing to acknowledge.
                        (!messages.is_empty()).then(|| Ok(NextBatch::Records(self.batch(messages))))
                    }
                    Arrival::Failed(error) => Some(Err(self.lost(error))),
                }
            }
        }
    }

    fn lost(&mut self, error: HubError) -> SourceError {
        self.state = State::Owned;
        self.shared.board.metrics().reconnects.increment();
        if error.is_stolen {
            self.shared.sharing.look_now();
        }
        error.while_doing(&format!("read partition {} of `{}`", self.name, self.shared.hub.title()))
    }

    /// A link whose credit does not fit its messages is opened again, once nothing that it gave waits.
    fn fit_credit(&mut self) {
        let wanted = self.credit();
        let State::Linked { link, .. } = &self.state else { return };
        let is_large = wanted < link.credit;
        if is_far_off(link.credit, wanted)
            && (is_large || (link.is_drained() && self.linked_at.elapsed() > STEADY))
            || (link.credit < 32 && is_far_off(link.credit, wanted))
        {
            log::debug!("`{}`: {wanted} messages ahead instead of {}", self.id, link.credit);
            self.state = State::Owned;
        }
    }
}

/// Where to begin in a partition that is owned now.
async fn begin(
    hub: &Hub,
    store: &PartitionStore,
    partition: &str,
    start: StartPosition,
) -> Result<Beginning, SourceError> {
    let checkpoint = store.checkpoint(partition).await?;
    if let Some(position) = checkpoint.position {
        let written = Some(position.sequence);
        return Ok(Beginning { from: From::Position(position), blobs: checkpoint.blobs, written });
    }
    let position = match start {
        StartPosition::Earliest => Position::START,
        StartPosition::At(time) => {
            return Ok(Beginning { from: From::Time(time), blobs: checkpoint.blobs, written: None });
        }
        StartPosition::Latest => end(hub, partition).await.map_err(|error| {
            error.while_doing(&format!("look at partition {partition} of `{}`", hub.title()))
        })?,
    };
    // Written down at once: who is killed before the first interval is over begins here again, not later.
    let blobs = store.save(&position, checkpoint.blobs).await?;
    let written = Some(position.sequence);
    Ok(Beginning { from: From::Position(position), blobs, written })
}

/// A definite place: a link that begins at "latest", and is lost before its first message, would begin later.
async fn end(hub: &Hub, partition: &str) -> Result<Position, HubError> {
    let client = hub.connect().await?;
    let (extent, offset) = ask(&client, partition).await?;
    // The answer is there; how the connection ends does not matter.
    let _ = tokio::time::timeout(Duration::from_secs(1), client.close()).await;
    Ok(Position { sequence: extent.last, offset })
}

fn told(from: Option<&From>) -> String {
    match from {
        Some(From::Position(Position { sequence: -1, .. })) => "reading from its first message on".to_owned(),
        Some(From::Position(position)) => format!("reading behind message {}", position.sequence),
        Some(From::Time(_)) | None => "reading from the configured time on".to_owned(),
    }
}

/// How logs and metrics call a partition.
pub(crate) fn partition_id(hub: &Hub, name: &str) -> PartitionId {
    PartitionId::new(format!("{}/{}/{name}", hub.title(), hub.consumer_group))
}

impl EventSource for Partition {
    type Record = HubMessage;

    fn name(&self) -> &str {
        self.id.as_str()
    }

    async fn next_batch(&mut self) -> Result<NextBatch<HubMessage>, SourceError> {
        loop {
            self.follow_lease();
            self.keep_checkpoint().await;
            self.update_board();
            if let Some(outcome) = self.turn().await {
                return outcome;
            }
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        while let Some((_, mark)) = self.in_flight.pop_front_if(|(cursor, _)| *cursor <= delta.to) {
            self.evaluated = Some(mark);
        }
        self.keep_checkpoint().await;
        self.update_board();
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.follow_lease();
        self.state = State::Foreign;
        self.saver.settle().await;
        self.take_saved();
        // The position first, then the ownership: whoever is next begins where this one ended.
        let saved = match (self.lease, self.unwritten()) {
            (Some(_), Some(position)) => {
                self.shared.store.save(&position, self.blobs.clone()).await.map(drop)
            }
            _ => Ok(()),
        };
        self.shared.board.update(&self.id, None);
        self.shared.sharing.release(self.index).await?;
        saved
    }
}
