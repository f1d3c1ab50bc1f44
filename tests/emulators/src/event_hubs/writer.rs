//! A link on which a client sends to a hub or to a partition.

use super::error::LinkError;
use super::event::{Event, body_bytes};
use super::state::State;
use super::store::Kept;
use fe2o3_amqp::Receiver;
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::message::__private::Deserializable;
use fe2o3_amqp::types::messaging::{Body, Message};
use serde_amqp::Value;
use std::sync::Arc;

/// Where events go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    pub(crate) hub: usize,
    pub(crate) partition: Option<u32>,
}

/// The message format in which each data section is a message of its own.
const BATCH: u32 = 0x8001_3700;

/// Takes events in until the client leaves.
pub(crate) async fn serve(mut link: Receiver, to: Destination, state: Arc<State>) {
    while let Ok(delivery) = link.recv::<Body<Value>>().await {
        let format = delivery.message_format().unwrap_or(0);
        let result = take(delivery.message(), format, to, &state);
        let answered = match result {
            Ok(()) => link.accept(&delivery).await,
            Err(error) => {
                state.count(|stats| stats.rejected += 1);
                link.reject(&delivery, Some(error.into_amqp())).await
            }
        };
        if answered.is_err() {
            return;
        }
    }
}

fn take(message: &Kept, format: u32, to: Destination, state: &State) -> Result<(), LinkError> {
    let bytes = body_bytes(message);
    if bytes as u64 > state.config.max_message_bytes {
        return Err(LinkError::new(
            "amqp:link:message-size-exceeded",
            format!(
                "The received message (size: {bytes}) exceeds the limit ({} bytes) currently allowed on the link.",
                state.config.max_message_bytes
            ),
        ));
    }
    let events = match (&message.body, format) {
        (Body::Data(sections), BATCH) => {
            let events = sections.iter().map(|section| {
                serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(&section.0)
                    .map(|decoded| decoded.0)
                    .map_err(|error| LinkError::new("amqp:decode-error", error.to_string()))
            });
            events.collect::<Result<Vec<_>, _>>()?
        }
        _ => vec![message.clone()],
    };
    state.take_in(bytes, events.len())?;
    let of_batch = key(message);
    // A batch goes to one partition as a whole.
    let mut partition = to.partition;
    let count = events.len() as u64;
    for message in events {
        let partition_key = key(&message).or_else(|| of_batch.clone());
        let event = Event { partition_key, enqueued_ms: None, message };
        partition = Some(state.put(to.hub, partition, event).0);
    }
    state.count(|stats| stats.received += count);
    Ok(())
}

fn key(message: &Kept) -> Option<String> {
    let annotations = message.message_annotations.as_ref()?;
    match annotations.0.get(&OwnedKey::from("x-opt-partition-key"))? {
        Value::String(key) => Some(key.clone()),
        Value::Symbol(key) => Some(key.as_str().to_owned()),
        _ => None,
    }
}
