//! [`Partition`]: one partition of a hub as an [`EventSource`]: read while this process owns it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant, SystemTime};

use event_source::checkpoint::Saver;
use event_source::{
    CheckpointDelta, Cursor, ErrorKind, EventSource, NextBatch, PartitionId, RecordBatch, SourceError,
};
use tokio::sync::{oneshot, watch};

use crate::error::HubError;
use crate::hub::Hub;
use crate::link::{Arrival, Extent, From, HubMessage, Link, LinkOptions, Received, ask, close};
use crate::local_thread::LocalThread;
use crate::metrics::{HubBoard, Standing};
use crate::options::{ConsumerOptions, StartPosition};
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
    /// The sequence number of the last message that the hub has, as of the last look.
    end: Arc<AtomicI64>,
    mean_size: MeanSize,
    linked_at: Instant,
    /// How often in a row the hub has said something that cannot be, and may be a mistake.
    doubts: u32,
    /// How often in a row a link has ended with the same message, which cannot be read.
    unreadable: u32,
}

#[derive(Debug)]
enum State {
    /// Somebody else reads it.
    Foreign,
    /// Owned, and nothing under way.
    Owned,
    /// Owned as far as is known, but displaced: it is read again when a look has confirmed that it is ours.
    Contested {
        look: u64,
        looks: watch::Receiver<u64>,
    },
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
/// A link is made anew before the token ends with which it may ask the hub how much there is.
const LIFE: Duration = Duration::from_secs(45 * 60);
/// So often the hub has to say that it ends before the checkpoint.
const DOUBTS: u32 = 3;
/// So often a message has to fail.
const TRIES: u32 = 3;
/// For the last checkpoint; what is left of the time to close belongs to giving the partition up.
const LAST_SAVE: Duration = Duration::from_millis(1200);

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
            end: Arc::new(AtomicI64::new(-1)),
            mean_size: MeanSize::default(),
            linked_at: Instant::now(),
            doubts: 0,
            unreadable: 0,
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
        self.end = Arc::new(AtomicI64::new(-1));
        (self.doubts, self.unreadable) = (0, 0);
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
        let options = LinkOptions {
            hub: Arc::clone(&self.shared.hub),
            partition: self.name.clone(),
            from,
            credit,
            end: Arc::clone(&self.end),
        };
        State::Linked { link: Link::start(&self.shared.thread, options), is_up: false }
    }

    /// The partition's share of the memory, in messages.
    fn credit(&self) -> u32 {
        let share = self.shared.options.prefetch_bytes / self.shared.board.owned().max(1);
        credit(share, self.mean_size.get())
    }

    /// A link begins: the hub has said how much there is.
    fn opened(&mut self, extent: Extent) -> Result<(), SourceError> {
        let Some(From::Position(position)) = &mut self.from else { return Ok(()) };
        let (id, metrics) = (&self.id, self.shared.board.metrics());
        let at = position.sequence;
        if at > extent.last {
            self.doubts += 1;
            self.state = State::Owned;
            if self.doubts < DOUBTS {
                let message =
                    format!("the hub ends at message {}, and {at} was read; looking again", extent.last);
                return Err(SourceError::new(ErrorKind::Unavailable, message));
            }
            log::error!(
                "`{id}`: message {at} was read, and the hub ends at {}: it was made anew; reading it from its beginning",
                extent.last
            );
            *position = Position::START;
            self.written = None;
        } else if at >= 0 && at + 1 < extent.first {
            let missed = extent.first - at - 1;
            metrics.messages_missed.add(missed.unsigned_abs());
            log::error!(
                "`{id}`: {missed} messages were never read: the hub does not keep them any more; raise its retention, or read faster"
            );
            // From here on nothing is missed again.
            *position = Position { sequence: extent.first - 1, offset: None };
            self.state = State::Owned;
        }
        self.doubts = 0;
        Ok(())
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

    async fn save_last(&mut self) -> Result<(), SourceError> {
        self.saver.settle().await;
        self.take_saved();
        match (self.lease, self.unwritten()) {
            (Some(_), Some(position)) => {
                self.shared.store.save(&position, self.blobs.clone()).await.map(drop)
            }
            _ => Ok(()),
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
            let waiting = || self.in_flight.front().map(|(_, mark)| mark);
            Standing {
                end: Arc::clone(&self.end),
                evaluated: evaluated.map_or(self.written, |mark| Some(mark.position.sequence)),
                enqueued: evaluated.or_else(waiting).and_then(|mark| mark.enqueued),
                checkpoint: self.written_at,
            }
        });
        self.shared.board.update(&self.id, standing);
    }

    /// What a state has to say; `None`: look again.
    async fn turn(&mut self) -> Option<Result<NextBatch<HubMessage>, SourceError>> {
        let patience = LOOK.min(self.until_due());
        match &mut self.state {
            State::Foreign => {
                // One line for all partitions; whoever reads some is told by them.
                if self.index == 0
                    && self.shared.board.owned() == 0
                    && let Some(error) = self.shared.sharing.failure()
                {
                    return Some(Err(error));
                }
                // Whoever is gone has taken all leases along; the process ends then.
                let _ = tokio::time::timeout(LOOK, self.leases.changed()).await;
                Some(Ok(NextBatch::Idle(Duration::ZERO)))
            }
            State::Contested { look, looks } => {
                let look = *look;
                tokio::select! {
                    _ = looks.wait_for(|done| *done >= look) => {}
                    _ = self.leases.changed() => return None,
                    () = tokio::time::sleep(LOOK) => {
                        let failure = self.shared.sharing.failure();
                        return Some(failure.map_or(Ok(NextBatch::Idle(Duration::ZERO)), Err));
                    }
                }
                self.state = State::Owned;
                None
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
            State::Linked { .. } if self.linked_at.elapsed() > LIFE => {
                self.state = State::Owned;
                None
            }
            State::Linked { link, is_up } => {
                let arrival = tokio::select! {
                    arrival = link.next() => arrival,
                    _ = self.leases.changed() => return None,
                    () = tokio::time::sleep(patience) => {
                        // A link that has not shown that it works is no success.
                        return is_up.then_some(Ok(NextBatch::Idle(Duration::ZERO)));
                    }
                };
                match arrival {
                    Arrival::Opened(extent) => self.opened(extent).err().map(Err),
                    Arrival::Quiet => {
                        *is_up = true;
                        Some(Ok(NextBatch::Idle(Duration::ZERO)))
                    }
                    Arrival::Messages(received) => {
                        *is_up = true;
                        self.unreadable = 0;
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
        let metrics = self.shared.board.metrics();
        metrics.reconnects.increment();
        if error.is_silence {
            metrics.silent_partitions.increment();
        }
        self.state = if error.is_stolen {
            // Reading on before that is known would displace whoever has it now, and they us.
            let sharing = &self.shared.sharing;
            State::Contested { look: sharing.look_now(), looks: sharing.looks() }
        } else {
            State::Owned
        };
        if error.is_unreadable {
            self.unreadable += 1;
            self.leave_out();
        }
        error.while_doing(&format!("read partition {} of `{}`", self.name, self.shared.hub.title()))
    }

    /// A message that can never be read must not keep those behind it.
    fn leave_out(&mut self) {
        if self.unreadable < TRIES {
            return;
        }
        let Some(From::Position(position)) = &mut self.from else { return };
        self.unreadable = 0;
        let next = position.sequence + 1;
        *position = Position { sequence: next, offset: None };
        self.shared.board.metrics().messages_unreadable.increment();
        log::error!("`{}`: message {next} is no AMQP message that can be read; it is left out", self.id);
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
    // Written down at once: who is killed before the first interval is over begins here again, not later. And only
    // where nobody else has begun: what they have not evaluated must not be covered by our beginning.
    let Some(blobs) = store.create(&position, &checkpoint.blobs).await? else {
        let message = format!("partition {partition}: somebody else has begun to read it; looking again");
        return Err(SourceError::new(ErrorKind::Unavailable, message));
    };
    let written = Some(position.sequence);
    Ok(Beginning { from: From::Position(position), blobs, written })
}

/// A definite place: a link that begins at "latest", and is lost before its first message, would begin later.
async fn end(hub: &Hub, partition: &str) -> Result<Position, HubError> {
    let client = hub.connect().await?;
    let (extent, offset) = ask(&client, partition).await?;
    close(client).await;
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
        // The position first, then the ownership: whoever is next begins where this one ended. But a store that is too
        // slow for the first must not keep it from the second.
        let saved = tokio::time::timeout(LAST_SAVE, self.save_last()).await.unwrap_or_else(|_| {
            Err(SourceError::new(ErrorKind::Unavailable, "the last checkpoint could not be written in time"))
        });
        self.shared.board.update(&self.id, None);
        self.shared.sharing.release(self.index).await?;
        saved
    }
}
