//! [`Link`]: a partition's messages, from one connection; it ends with the first error.
//!
//! Whoever has lost a link makes a new one where the last message came from. What the SDK does by itself to go on
//! after an error would repeat messages or leave some out.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use azure_core_amqp::AmqpValue;
use azure_core_amqp::message::AmqpMessageBody;
use azure_messaging_eventhubs::models::{EventHubPartitionProperties, ReceivedEventData};
use azure_messaging_eventhubs::{
    ConsumerClient, OpenReceiverOptions, StartLocation, StartPosition as SdkStart,
};
use bytes::Bytes;
use event_source::ErrorKind;
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};

use crate::error::HubError;
use crate::hub::Hub;
use crate::local_thread::LocalThread;
use crate::position::Position;

/// One message of a hub.
#[derive(Clone, Debug)]
pub struct HubMessage {
    /// Its body.
    pub body: Bytes,
    /// Its place in the partition.
    pub sequence_number: i64,
    /// When the hub took it; `None` when it does not say.
    pub enqueued: Option<SystemTime>,
}

/// A message and where it came from.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: HubMessage,
    pub(crate) position: Position,
}

/// Where a link begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// Behind that message.
    Position(Position),
    /// With the first message enqueued then or later.
    Time(SystemTime),
}

/// What the hub says of a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The sequence number of the oldest message that it still has.
    pub(crate) first: i64,
    /// The sequence number of the last message; -1: there never was one.
    pub(crate) last: i64,
    /// When the hub took the last message.
    pub(crate) enqueued: Option<SystemTime>,
}

/// What comes through a link.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The partition is this large; messages are asked for now.
    Opened(Extent),
    /// Nothing has come for a while, and nothing waits.
    Quiet,
    Messages(Vec<Received>),
    /// It is over.
    Failed(HubError),
}

/// A link that reads, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    arrivals: mpsc::Receiver<Arrival>,
    pub(crate) credit: u32,
    /// Dropped with the link; the connection is closed then.
    _stop: oneshot::Sender<()>,
}

/// What a link is to read.
#[derive(Clone, Debug)]
pub(crate) struct LinkOptions {
    pub(crate) hub: Arc<Hub>,
    pub(crate) partition: String,
    pub(crate) from: From,
    /// Messages that the hub may send ahead.
    pub(crate) credit: u32,
    /// Where the sequence number of the partition's last message is noted, whenever the hub tells it.
    pub(crate) end: Arc<AtomicI64>,
}

/// After that long without a message, or between two looks at how much there is.
const PROBE: Duration = Duration::from_secs(8);
/// What the hub has for us and does not give within that time, it has forgotten about.
const GRACE: Duration = Duration::from_secs(4);
/// The hub answers a look within that time, or not at all.
const ANSWER: Duration = Duration::from_secs(8);
/// Closing a connection that nobody waits for.
const CLOSE: Duration = Duration::from_secs(1);
/// Messages of one arrival.
const MOST_MESSAGES: usize = 64;
/// Bytes of one arrival, unless one message is larger.
const MOST_BYTES: usize = 256 << 10;

impl Link {
    pub(crate) fn start(thread: &LocalThread, options: LinkOptions) -> Self {
        // One arrival waits while another is worked on; what is further ahead is the credit's.
        let (sender, arrivals) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let credit = options.credit;
        thread.spawn(move || run(options, sender, stopped));
        Self { arrivals, credit, _stop: stop }
    }

    /// The next arrival. Safe to cancel. The last one is [`Arrival::Failed`].
    pub(crate) async fn next(&mut self) -> Arrival {
        self.arrivals.recv().await.unwrap_or_else(|| {
            Arrival::Failed(HubError::new(ErrorKind::Unavailable, "the reader of the partition has ended"))
        })
    }

    /// Whether nothing waits to be taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.arrivals.is_empty()
    }
}

/// The partition's extent, and the offset of its last message.
pub(crate) async fn ask(
    client: &ConsumerClient,
    partition: &str,
) -> Result<(Extent, Option<String>), HubError> {
    match tokio::time::timeout(ANSWER, client.get_partition_properties(partition)).await {
        Ok(Ok(found)) => Ok(read_extent(&found)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(HubError::silent("a look at the partition", ANSWER)),
    }
}

fn read_extent(found: &EventHubPartitionProperties) -> (Extent, Option<String>) {
    let extent = Extent {
        first: found.beginning_sequence_number,
        last: found.last_enqueued_sequence_number.max(-1),
        enqueued: found.last_enqueued_time_utc,
    };
    let offset = Some(found.last_enqueued_offset.clone());
    (extent, offset.filter(|offset| !offset.is_empty() && offset != "-1"))
}

/// Connects, reads until something fails or the link is dropped, and closes the connection.
async fn run(options: LinkOptions, arrivals: mpsc::Sender<Arrival>, mut stopped: oneshot::Receiver<()>) {
    let connected = tokio::select! {
        _ = &mut stopped => return,
        connected = options.hub.connect() => connected,
    };
    let (client, error) = match connected {
        Err(error) => (None, error),
        Ok(client) => {
            let ended = tokio::select! {
                _ = &mut stopped => Ok(()),
                ended = Reading::new(&options, &client, &arrivals).run() => ended,
            };
            match ended {
                Ok(()) => {
                    close(client).await;
                    return;
                }
                Err(error) => (Some(client), error),
            }
        }
    };
    tokio::select! {
        _ = stopped => {}
        // Nobody listens any more when the link was given up.
        _ = arrivals.send(Arrival::Failed(error)) => {}
    }
    if let Some(client) = client {
        close(client).await;
    }
}

/// What has been asked is answered: how the connection ends does not matter, as long as it ends.
pub(crate) async fn close(client: ConsumerClient) {
    let _ = tokio::time::timeout(CLOSE, client.close()).await;
}

/// A link that stands.
struct Reading<'l> {
    options: &'l LinkOptions,
    client: &'l ConsumerClient,
    arrivals: &'l mpsc::Sender<Arrival>,
    /// The last message that came, or that is known to have come before; `None`: nobody knows which is the first.
    last: Option<i64>,
    look_at: Instant,
}

impl<'l> Reading<'l> {
    fn new(
        options: &'l LinkOptions,
        client: &'l ConsumerClient,
        arrivals: &'l mpsc::Sender<Arrival>,
    ) -> Self {
        let last = match &options.from {
            From::Position(position) => Some(position.sequence),
            From::Time(_) => None,
        };
        Self { options, client, arrivals, last, look_at: Instant::now() + PROBE }
    }

    /// The partition's extent. A client that has not answered in time must not be asked again: its answers are told
    /// apart by nothing but their order.
    async fn look(&mut self) -> Result<Extent, HubError> {
        let (extent, _) = ask(self.client, &self.options.partition).await?;
        self.options.end.store(extent.last, Relaxed);
        self.look_at = Instant::now() + PROBE;
        Ok(extent)
    }

    async fn run(mut self) -> Result<(), HubError> {
        let LinkOptions { partition, from, credit, .. } = self.options;
        let extent = self.look().await?;
        if self.arrivals.send(Arrival::Opened(extent)).await.is_err() {
            return Ok(());
        }
        let receiver_options = OpenReceiverOptions {
            // As the processors of all SDKs have it: the next reader displaces this one.
            owner_level: Some(0),
            prefetch: Some(*credit),
            start_position: Some(start(from)),
            receive_timeout: None,
        };
        let opening = self.client.open_receiver_on_partition(partition.clone(), Some(receiver_options));
        let opened = tokio::time::timeout(ANSWER, opening).await;
        let receiver = opened.map_err(|_| HubError::silent("the request for messages", ANSWER))??;
        let mut stream = pin!(receiver.stream_events());
        // Only what was there when a look was made, and still does not come, is a reason to doubt the link.
        let mut is_missing = false;
        loop {
            match tokio::time::timeout_at(self.look_at.into(), stream.next()).await {
                Ok(Some(event)) => {
                    is_missing = false;
                    let (received, end) = gather(event?, &mut stream)?;
                    if let Some(newest) = received.last() {
                        self.last = Some(newest.position.sequence);
                    }
                    if !self.hand_over(received).await? {
                        return Ok(());
                    }
                    if let Some(error) = end {
                        return Err(error);
                    }
                }
                Ok(None) => return Err(HubError::new(ErrorKind::Unavailable, "the hub has ended the link")),
                Err(_) => {
                    let extent = self.look().await?;
                    let waits = self.is_behind(&extent);
                    if waits && is_missing {
                        return Err(HubError::silence(extent.last));
                    }
                    is_missing = waits;
                    if is_missing {
                        self.look_at = Instant::now() + GRACE;
                    } else if self.arrivals.send(Arrival::Quiet).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn is_behind(&self, extent: &Extent) -> bool {
        let has_any = extent.last >= extent.first;
        match (self.last, &self.options.from) {
            (Some(last), _) => has_any && extent.last > last,
            (None, From::Time(time)) => has_any && extent.enqueued.is_none_or(|enqueued| enqueued >= *time),
            (None, From::Position(_)) => has_any,
        }
    }

    /// Waits until somebody takes it. Meanwhile the queue is full or the rate limited: that is not the hub's silence,
    /// and how much there is behind is looked at all the time. Returns whether anybody takes anything.
    async fn hand_over(&mut self, received: Vec<Received>) -> Result<bool, HubError> {
        let arrivals = self.arrivals;
        let mut sending = pin!(arrivals.send(Arrival::Messages(received)));
        let mut failure = None;
        loop {
            let look_at = self.look_at;
            tokio::select! {
                biased;
                sent = &mut sending => return failure.map_or(Ok(sent.is_ok()), Err),
                () = tokio::time::sleep_until(look_at.into()), if failure.is_none() => {}
            }
            failure = self.look().await.err();
        }
    }
}

fn start(from: &From) -> SdkStart {
    match from {
        From::Position(Position { offset: Some(offset), .. }) => {
            SdkStart { location: StartLocation::Offset(offset.clone()), inclusive: false }
        }
        From::Position(Position { sequence: -1, .. }) => {
            SdkStart { location: StartLocation::Earliest, inclusive: false }
        }
        From::Position(Position { sequence, .. }) => {
            SdkStart { location: StartLocation::SequenceNumber(*sequence), inclusive: false }
        }
        From::Time(time) => SdkStart { location: StartLocation::EnqueuedTime(*time), inclusive: true },
    }
}

/// That message and whatever is there already, up to an error.
fn gather<S>(first: ReceivedEventData, stream: &mut S) -> Result<(Vec<Received>, Option<HubError>), HubError>
where
    S: Stream<Item = azure_messaging_eventhubs::Result<ReceivedEventData>> + Unpin,
{
    let first = take(&first)?;
    let mut bytes = first.message.body.len();
    let mut received = vec![first];
    while received.len() < MOST_MESSAGES && bytes < MOST_BYTES {
        match stream.next().now_or_never() {
            Some(Some(Ok(event))) => {
                let next = take(&event)?;
                bytes += next.message.body.len();
                received.push(next);
            }
            Some(Some(Err(error))) => return Ok((received, Some(error.into()))),
            Some(None) | None => break,
        }
    }
    Ok((received, None))
}

fn take(event: &ReceivedEventData) -> Result<Received, HubError> {
    let sequence = event
        .sequence_number()
        .ok_or_else(|| HubError::new(ErrorKind::Unavailable, "a message came without a sequence number"))?;
    let message = HubMessage {
        body: body(&event.raw_amqp_message().body),
        sequence_number: sequence,
        enqueued: event.enqueued_time(),
    };
    Ok(Received { message, position: Position { sequence, offset: event.offset().clone() } })
}

/// All forms in which a sender may write bytes.
fn body(body: &AmqpMessageBody) -> Bytes {
    match body {
        AmqpMessageBody::Binary(parts) => match parts.as_slice() {
            [part] => Bytes::copy_from_slice(part),
            parts => Bytes::from(parts.concat()),
        },
        AmqpMessageBody::Value(AmqpValue::Binary(bytes)) => Bytes::copy_from_slice(bytes),
        AmqpMessageBody::Value(AmqpValue::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
        _ => Bytes::new(),
    }
}
