//! A link on which a client reads a partition.
//!
//! Owns: the order of events, annotations, pace, and the ways in which the link ends.

use super::connection::note;
use super::error::{LinkError, UNAUTHORIZED};
use super::event::{body_bytes, data};
use super::state::{Outgoing, Place, State, Step};
use super::store::{Item, Kept};
use fe2o3_amqp::Sender;
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{Annotations, DeliveryAnnotations, MessageAnnotations};
use fe2o3_amqp::types::primitives::Timestamp;
use serde_amqp::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What is read, from where.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) number: u64,
    pub(crate) place: Place,
    pub(crate) next: i64,
    /// Whether each event says how far the partition is.
    pub(crate) metrics: bool,
    /// When the token ends.
    pub(crate) until_ms: i64,
    pub(crate) detached: mpsc::UnboundedReceiver<LinkError>,
}

/// Takes the reader out of the books, however its task ends.
struct Registered {
    number: u64,
    state: Arc<State>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.state.detach(self.number);
    }
}

/// Sends events until the client leaves or is made to.
pub(crate) async fn serve(mut link: Sender, mut source: Source, state: Arc<State>) {
    let _registered = Registered { number: source.number, state: Arc::clone(&state) };
    let mut changed = state.watch();
    let expiry = expiry(source.until_ms, state.clock.now_ms());
    let error = tokio::select! {
        biased;
        Some(error) = source.detached.recv() => error,
        () = expiry => LinkError::new(UNAUTHORIZED, "ExpiredToken: The token is expired."),
        error = send(&mut link, &mut source.next, source.place, source.number, source.metrics, &state, &mut changed) => {
            match error {
                Some(error) => error,
                None => return,
            }
        }
    };
    note(&state, &error);
    // The client may have gone already.
    let _ = tokio::time::timeout(Duration::from_secs(5), link.close_with_error(error.into_amqp())).await;
}

async fn expiry(until_ms: i64, now_ms: i64) {
    match u64::try_from(until_ms - now_ms) {
        Ok(ms) if until_ms < i64::MAX => tokio::time::sleep(Duration::from_millis(ms)).await,
        _ => std::future::pending().await,
    }
}

/// Ends when the client has left (`None`), or with the error to detach it with.
async fn send(
    link: &mut Sender,
    next: &mut i64,
    place: Place,
    number: u64,
    metrics: bool,
    state: &State,
    changed: &mut watch::Receiver<u64>,
) -> Option<LinkError> {
    loop {
        changed.borrow_and_update();
        let (silent, delay) = {
            let faults = state.faults();
            (faults.silent_readers.contains(&number), faults.delay)
        };
        let step = if silent { Step::Wait(None) } else { state.step(place, *next) };
        let outgoing = match step {
            Step::Send(outgoing) => outgoing,
            Step::Wait(wait) => {
                tokio::select! {
                    _ = link.on_detach() => return None,
                    _ = changed.changed() => {}
                    () = sleep(wait) => {}
                }
                continue;
            }
        };
        let (sequence, message) = (outgoing.sequence, message(*outgoing, metrics, state.clock.now_ms()));
        let bytes = body_bytes(&message);
        let wait = match state.take_out(bytes) {
            Ok(wait) => wait + delay,
            Err(error) => return Some(error),
        };
        if !wait.is_zero() {
            tokio::select! {
                _ = link.on_detach() => return None,
                () = tokio::time::sleep(wait) => {}
            }
        }
        // Waits for credit; fails when the client leaves.
        if link.send_batchable(message).await.is_err() {
            return None;
        }
        state.note_sent(place, sequence, bytes);
        *next = sequence + 1;
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn message(outgoing: Outgoing, metrics: bool, now_ms: i64) -> Kept {
    let Outgoing { sequence, offset, enqueued_ms, item, extent } = outgoing;
    let (mut message, key) = match item {
        Item::Stored(stored) => (stored.message.clone(), stored.partition_key.clone()),
        Item::Generated { plan, partition, message } => (data(plan.message(partition, message)), None),
    };
    let annotations =
        message.message_annotations.get_or_insert_with(|| MessageAnnotations(Annotations::new()));
    let mut annotate = |name: &str, value| annotations.0.insert(OwnedKey::from(name), value);
    annotate("x-opt-sequence-number", Value::Long(sequence));
    annotate("x-opt-offset", Value::String(offset));
    annotate("x-opt-enqueued-time", Value::Timestamp(Timestamp::from(enqueued_ms)));
    if let Some(key) = key {
        annotate("x-opt-partition-key", Value::String(key));
    }
    if metrics {
        let mut annotations = Annotations::new();
        let mut annotate = |name: &str, value| annotations.insert(OwnedKey::from(name), value);
        annotate("last_enqueued_sequence_number", Value::Long(extent.end - 1));
        annotate("last_enqueued_offset", Value::String(extent.last_offset));
        annotate("last_enqueued_time_utc", Value::Timestamp(Timestamp::from(extent.last_enqueued_ms)));
        annotate("runtime_info_retrieval_time_utc", Value::Timestamp(Timestamp::from(now_ms)));
        message.delivery_annotations = Some(DeliveryAnnotations(annotations));
    }
    message
}
