//! [`Link`]: a partition's messages, from one connection; it ends with the first error.
//!
//! Whoever has lost a link makes a new one where the last message came from. What the SDK does by itself to go on
//! after an error would repeat messages or leave some out.

use std::pin::pin;
use std::sync::Arc;
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
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

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
    /// The sequence number of the last message.
    pub(crate) last: i64,
}

/// What comes through a link.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It stands, and the partition is this large.
    Extent(Extent),
    Messages(Vec<Received>),
    /// It is over.
    Failed(HubError),
}

/// A link that reads, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    arrivals: mpsc::Receiver<Arrival>,
    abort: Option<AbortHandle>,
    told: mpsc::Receiver<AbortHandle>,
    pub(crate) credit: u32,
}

/// What a link is to read.
#[derive(Clone, Debug)]
pub(crate) struct LinkOptions {
    pub(crate) hub: Arc<Hub>,
    pub(crate) partition: String,
    pub(crate) from: From,
    /// Messages that the hub may send ahead.
    pub(crate) credit: u32,
}

/// After that long without a message, or between two looks at how much there is.
const PROBE: Duration = Duration::from_secs(8);
/// What the hub has for us and does not give within that time, it has forgotten about.
const GRACE: Duration = Duration::from_secs(4);
/// The hub answers a look within that time, or not at all.
const ANSWER: Duration = Duration::from_secs(8);
/// Messages of one arrival.
const MOST_MESSAGES: usize = 64;
/// Bytes of one arrival, unless one message is larger.
const MOST_BYTES: usize = 256 << 10;

impl Link {
    pub(crate) fn start(thread: &LocalThread, options: LinkOptions) -> Self {
        // One arrival waits while another is worked on; what is further ahead is the credit's.
        let (sender, arrivals) = mpsc::channel(1);
        let (tell, told) = mpsc::channel(1);
        let credit = options.credit;
        thread.spawn(move || async move {
            let reading = tokio::task::spawn_local(async move {
                if let Err(error) = read(&options, &sender).await {
                    // Nobody listens any more when the link was given up.
                    let _ = sender.send(Arrival::Failed(error)).await;
                }
            });
            let _ = tell.send(reading.abort_handle()).await;
            let _ = reading.await;
        });
        Self { arrivals, abort: None, told, credit }
    }

    /// The next arrival. Safe to cancel. The last one is [`Arrival::Failed`].
    pub(crate) async fn next(&mut self) -> Arrival {
        if self.abort.is_none() {
            self.abort = self.told.try_recv().ok();
        }
        match self.arrivals.recv().await {
            Some(arrival) => arrival,
            None => Arrival::Failed(HubError::new(
                ErrorKind::Unavailable,
                "the reader of the partition has ended",
            )),
        }
    }

    /// Whether nothing waits to be taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.arrivals.is_empty()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The connection goes with the task that holds it.
        if let Some(abort) = self.abort.take().or_else(|| self.told.try_recv().ok()) {
            abort.abort();
        }
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
        last: if found.is_empty && found.last_enqueued_sequence_number < 0 {
            -1
        } else {
            found.last_enqueued_sequence_number
        },
    };
    let offset = Some(found.last_enqueued_offset.clone());
    (extent, offset.filter(|offset| !offset.is_empty() && offset != "-1"))
}

async fn read(options: &LinkOptions, arrivals: &mpsc::Sender<Arrival>) -> Result<(), HubError> {
    let LinkOptions { hub, partition, from, credit } = options;
    let client = hub.connect().await?;
    let (extent, _) = ask(&client, partition).await?;
    if arrivals.send(Arrival::Extent(extent)).await.is_err() {
        return Ok(());
    }
    let receiver_options = OpenReceiverOptions {
        // As the processors of all SDKs have it: the next reader displaces this one.
        owner_level: Some(0),
        prefetch: Some(*credit),
        start_position: Some(start(from)),
        receive_timeout: None,
    };
    let receiver = client.open_receiver_on_partition(partition.clone(), Some(receiver_options)).await?;
    let mut stream = pin!(receiver.stream_events());
    // `None`: nobody knows which message is to come first.
    let mut last = match from {
        From::Position(position) => Some(position.sequence),
        From::Time(_) => None,
    };
    // Only what was there when a look was made, and still does not come, is a reason to doubt the link.
    let mut missing = false;
    let mut look_at = Instant::now() + PROBE;
    loop {
        let next = tokio::time::timeout_at(look_at.into(), stream.next()).await;
        match next {
            Ok(Some(event)) => {
                let (received, end) = gather(event?, &mut stream)?;
                if let Some(newest) = received.last() {
                    last = Some(newest.position.sequence);
                }
                missing = false;
                // While nobody takes it, the queue is full or the rate limited: that is not the hub's silence.
                if arrivals.send(Arrival::Messages(received)).await.is_err() {
                    return Ok(());
                }
                if let Some(error) = end {
                    return Err(error);
                }
                if Instant::now() < look_at {
                    continue;
                }
                // It is alive: a look that fails says nothing against it.
                if let Ok((extent, _)) = ask(&client, partition).await
                    && arrivals.send(Arrival::Extent(extent)).await.is_err()
                {
                    return Ok(());
                }
                look_at = Instant::now() + PROBE;
            }
            Ok(None) => return Err(HubError::new(ErrorKind::Unavailable, "the hub has ended the link")),
            Err(_) => {
                let (extent, _) = ask(&client, partition).await?;
                let waits = last.is_some_and(|last| extent.last > last && extent.last >= extent.first);
                if waits && missing {
                    return Err(HubError::new(
                        ErrorKind::Unavailable,
                        format!("the partition is silent, though it has messages up to {}", extent.last),
                    ));
                }
                missing = waits;
                if arrivals.send(Arrival::Extent(extent)).await.is_err() {
                    return Ok(());
                }
                look_at = Instant::now() + if missing { GRACE } else { PROBE };
            }
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
