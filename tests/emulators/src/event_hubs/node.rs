//! The nodes that answer requests: `$cbs` for tokens, `$management` for properties.
//!
//! Owns: requests and replies, and what they contain.

use super::connection::allowed_to_manage;
use super::peer::Peer;
use super::state::State;
use super::store::Kept;
use super::token;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{Array, OrderedMap, SimpleValue, Timestamp};
use fe2o3_amqp::{Receiver, Sender};
use serde_amqp::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

pub(crate) const CBS: &str = "$cbs";
pub(crate) const MANAGEMENT: &str = "$management";

/// Sends replies until the client leaves.
pub(crate) async fn reply(
    mut link: Sender,
    node: &'static str,
    number: u64,
    mut replies: mpsc::UnboundedReceiver<Kept>,
    peer: Arc<Peer>,
) {
    loop {
        let message = tokio::select! {
            _ = link.on_detach() => break,
            message = replies.recv() => message,
        };
        let Some(message) = message else { break };
        if link.send_batchable(message).await.is_err() {
            break;
        }
    }
    peer.remove_replies(number);
    if node == CBS {
        peer.free_cbs(1);
    }
}

/// Answers requests until the client leaves.
pub(crate) async fn serve(mut link: Receiver, node: &'static str, peer: Arc<Peer>, state: Arc<State>) {
    while let Ok(delivery) = link.recv::<Body<Value>>().await {
        if link.accept(&delivery).await.is_err() {
            break;
        }
        let request = delivery.message();
        let answer =
            if node == CBS { put_token(request, &peer, &state) } else { read(request, &peer, &state) };
        let properties = request.properties.as_ref();
        let reply_to = properties.and_then(|it| it.reply_to.clone());
        let id = properties.and_then(|it| it.message_id.clone());
        peer.reply(node, reply_to.as_deref(), answer.into_message(id, reply_to.clone()));
    }
    if node == CBS {
        peer.free_cbs(0);
    }
}

struct Answer {
    status: i32,
    description: String,
    condition: Option<&'static str>,
    body: Value,
}

impl Answer {
    fn failed(status: i32, condition: &'static str, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), condition: Some(condition), body: Value::Null }
    }

    fn into_message(self, id: Option<MessageId>, to: Option<String>) -> Kept {
        let mut properties = OrderedMap::new();
        properties.insert("status-code".to_owned(), SimpleValue::Int(self.status));
        properties.insert("status-description".to_owned(), SimpleValue::String(self.description));
        if let Some(condition) = self.condition {
            properties.insert("error-condition".to_owned(), SimpleValue::String(condition.into()));
        }
        Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: Some(Properties { correlation_id: id, to, ..Properties::default() }),
            application_properties: Some(ApplicationProperties(properties)),
            body: Body::Value(AmqpValue(self.body)),
            footer: None,
        }
    }
}

/// A text of the request's application properties.
fn text(request: &Kept, name: &str) -> Option<String> {
    match request.application_properties.as_ref()?.0.get(name)? {
        SimpleValue::String(text) => Some(text.clone()),
        SimpleValue::Symbol(text) => Some(text.as_str().to_owned()),
        SimpleValue::Binary(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    }
}

fn put_token(request: &Kept, peer: &Peer, state: &State) -> Answer {
    let refused = |description: String| {
        state.count(|stats| stats.bad_tokens += 1);
        Answer::failed(401, "amqp:unauthorized-access", description)
    };
    let (Some(operation), Some(audience)) = (text(request, "operation"), text(request, "name")) else {
        return Answer::failed(400, "amqp:not-allowed", "operation or name is missing");
    };
    let token = match &request.body {
        Body::Value(AmqpValue(Value::String(token))) => token.clone(),
        Body::Value(AmqpValue(Value::Binary(token))) => String::from_utf8_lossy(token).into_owned(),
        _ => return Answer::failed(400, "amqp:not-allowed", "the token is missing"),
    };
    if operation != "put-token" {
        return Answer::failed(400, "amqp:not-allowed", format!("operation '{operation}' is unknown"));
    }
    if state.faults().refuses_token() {
        return refused("InvalidSignature: The token has an invalid signature.".into());
    }
    match token::check(&state.config, &token, &audience, state.clock.now_ms()) {
        Ok(grant) => {
            peer.grant(grant);
            state.count(|stats| stats.tokens += 1);
            Answer { status: 202, description: "Accepted".into(), condition: None, body: Value::Null }
        }
        Err(description) => refused(description),
    }
}

fn read(request: &Kept, peer: &Peer, state: &State) -> Answer {
    state.count(|stats| stats.management += 1);
    let now_ms = state.clock.now_ms();
    let (operation, kind) = (text(request, "operation"), text(request, "type"));
    let Some(hub) = text(request, "name") else {
        return Answer::failed(400, "com.microsoft:argument-error", "name is missing");
    };
    let by_token = text(request, "security_token").is_some_and(|token| {
        token::check(&state.config, &token, &format!("sb://namespace/{hub}"), now_ms).is_ok()
    });
    if !by_token && !allowed_to_manage(peer, &hub, now_ms) {
        return Answer::failed(
            401,
            "amqp:unauthorized-access",
            "Unauthorized access to the management node.",
        );
    }
    if state.check_busy().is_err() {
        return Answer::failed(503, "com.microsoft:server-busy", "The entity is being throttled.");
    }
    let missing = |what: &str| {
        let description = format!("The messaging entity 'sb://namespace/{what}' could not be found.");
        Answer::failed(404, "amqp:not-found", description)
    };
    let Some(at) = state.hub(&hub) else { return missing(&hub) };
    let entries = match (operation.as_deref(), kind.as_deref()) {
        (Some("READ"), Some("com.microsoft:eventhub")) => hub_properties(at, state),
        (Some("READ"), Some("com.microsoft:partition")) => {
            let partition = text(request, "partition").unwrap_or_default();
            match state.place(&hub, &partition) {
                Some(place) => {
                    let extent = state.extent(place);
                    vec![
                        ("name", Value::String(hub)),
                        ("type", Value::String("com.microsoft:partition".into())),
                        ("partition", Value::String(partition)),
                        ("begin_sequence_number", Value::Long(extent.begin)),
                        // The Rust SDK demands this one, of a failover that never happens here.
                        ("last_enqueued_sequence_number_epoch", Value::Int(-1)),
                        ("last_enqueued_sequence_number", Value::Long(extent.end - 1)),
                        ("last_enqueued_offset", Value::String(extent.last_offset)),
                        ("last_enqueued_time_utc", time(extent.last_enqueued_ms)),
                        ("is_partition_empty", Value::Bool(extent.begin == extent.end)),
                    ]
                }
                None => return missing(&format!("{hub}/Partitions/{partition}")),
            }
        }
        _ => return Answer::failed(400, "com.microsoft:argument-error", "operation or type is unknown"),
    };
    let entries = entries.into_iter().map(|(name, value)| (Value::String(name.into()), value));
    let body = Value::Map(entries.collect());
    Answer { status: 200, description: "OK".into(), condition: None, body }
}

fn hub_properties(at: usize, state: &State) -> Vec<(&'static str, Value)> {
    let hubs = state.hubs();
    let hub = &hubs[at];
    let ids = (0..hub.config.partitions).map(|id| Value::String(id.to_string()));
    vec![
        ("name", Value::String(hub.config.name.clone())),
        ("type", Value::String("com.microsoft:eventhub".into())),
        ("created_at", time(hub.created_ms)),
        ("partition_count", Value::Int(hub.config.partitions as i32)),
        ("partition_ids", Value::Array(Array(ids.collect()))),
        ("georeplication_factor", Value::Int(1)),
    ]
}

fn time(ms: i64) -> Value {
    Value::Timestamp(Timestamp::from(ms))
}
