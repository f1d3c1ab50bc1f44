//! One AMQP connection: its sessions, and where its links go.
//!
//! Owns: addresses, and what an attach is refused for. Does not own: what links do
//! then (`reader`, `writer`, `node`).

use super::error::{ARGUMENT, LinkError};
use super::node::{self, CBS, MANAGEMENT};
use super::peer::Peer;
use super::position::Position;
use super::reader;
use super::readers::Reader;
use super::sasl::Sasl;
use super::state::State;
use super::writer;
use super::{token, writer::Destination};
use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SessionAcceptor,
    SupportedReceiverSettleModes,
};
use fe2o3_amqp::types::definitions::{Fields, ReceiverSettleMode, Role};
use fe2o3_amqp::types::messaging::TargetArchetype;
use fe2o3_amqp::types::performatives::Attach;
use fe2o3_amqp::types::primitives::Symbol;
use serde_amqp::Value;
use serde_amqp::described::Described;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// How long a client may take to answer a detach.
const DETACH_ANSWER: Duration = Duration::from_secs(5);

/// Serves a connection to its end.
pub(crate) async fn serve<Io>(io: Io, peer: Arc<Peer>, state: Arc<State>)
where
    Io: AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static,
{
    let sasl = Sasl { state: Arc::clone(&state), peer: Arc::clone(&peer) };
    let acceptor = ConnectionAcceptor::builder()
        .container_id("event-hubs-emulator")
        .max_frame_size(state.config.max_frame_bytes)
        .channel_max(4_999)
        .idle_time_out(state.config.idle_timeout.as_millis() as u32)
        .properties(fields("emulator"))
        .buffer_size(BUFFER)
        .sasl_acceptor(sasl)
        .build();
    // Whoever cannot open a connection has been told.
    let Ok(mut connection) = acceptor.accept(io).await else { return };
    let sessions = SessionAcceptor::builder()
        .handle_max(255)
        .incoming_window(5_000)
        .outgoing_window(5_000)
        .properties(fields("emulator"))
        .buffer_size(BUFFER)
        .build();
    while let Some(incoming) = connection.next_incoming_session().await {
        let Ok(session) = sessions.accept_incoming_session(incoming, &mut connection).await else { break };
        tokio::spawn(links(session, Arc::clone(&peer), Arc::clone(&state)));
    }
    let _ = connection.on_close().await;
}

/// Frames that wait between tasks: few, so that what a reset loses has hardly been counted as sent.
const BUFFER: usize = 64;

/// The official Python client reads this field whether it is there or not.
fn fields(product: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert(Symbol::from("product"), Value::String(product.into()));
    fields
}

async fn links(mut session: ListenerSessionHandle, peer: Arc<Peer>, state: Arc<State>) {
    while let Some(attach) = session.next_incoming_attach().await {
        let number = state.number();
        let wanted = Wanted::of(&attach, number, &peer, &state);
        let acceptor = LinkAcceptor::builder()
            .supported_receiver_settle_modes(SupportedReceiverSettleModes::First)
            .fallback_receiver_settle_mode(ReceiverSettleMode::First)
            .verify_incoming_source(false)
            .verify_incoming_target(false)
            .properties(fields("emulator"));
        let acceptor = match attach.role {
            Role::Sender => acceptor.max_message_size(state.config.max_message_bytes).build(),
            Role::Receiver => acceptor.build(),
        };
        let Ok(link) = acceptor.accept_incoming_attach(attach, &mut session).await else { continue };
        let (peer, state) = (Arc::clone(&peer), Arc::clone(&state));
        match (link, wanted) {
            (LinkEndpoint::Sender(link), Err(error)) => {
                note(&state, &error);
                tokio::spawn(tokio::time::timeout(DETACH_ANSWER, link.close_with_error(error.into_amqp())));
            }
            (LinkEndpoint::Receiver(link), Err(error)) => {
                note(&state, &error);
                tokio::spawn(tokio::time::timeout(DETACH_ANSWER, link.close_with_error(error.into_amqp())));
            }
            (LinkEndpoint::Sender(link), Ok(Wanted::Events(source))) => {
                tokio::spawn(reader::serve(link, source, state));
            }
            (LinkEndpoint::Receiver(link), Ok(Wanted::Hub(destination))) => {
                tokio::spawn(writer::serve(link, destination, state));
            }
            (LinkEndpoint::Sender(link), Ok(Wanted::Replies(node, address))) => {
                let replies = peer.add_replies(number, node, address);
                tokio::spawn(node::reply(link, node, number, replies, peer));
            }
            (LinkEndpoint::Receiver(link), Ok(Wanted::Requests(node))) => {
                tokio::spawn(node::serve(link, node, peer, state));
            }
            // The direction of a link follows from the attach that `Wanted` was made of.
            (_, Ok(_)) => unreachable!(),
        }
    }
    let _ = session.on_end().await;
}

/// Counts a detach by its condition.
pub(crate) fn note(state: &State, error: &LinkError) {
    state.count(|stats| *stats.detaches.entry(error.condition.clone()).or_default() += 1);
}

/// Where an attach leads.
enum Wanted {
    Events(reader::Source),
    Hub(Destination),
    Replies(&'static str, Option<String>),
    Requests(&'static str),
}

impl Wanted {
    fn of(attach: &Attach, number: u64, peer: &Peer, state: &State) -> Result<Self, LinkError> {
        let target = match attach.target.as_deref() {
            Some(TargetArchetype::Target(target)) => target.address.clone(),
            None => None,
        };
        let source = attach.source.as_ref().and_then(|source| source.address.clone());
        match attach.role {
            Role::Receiver => {
                let address = local(&source.unwrap_or_default());
                match node_of(&address) {
                    Some(CBS) if !peer.take_cbs(1) => Err(second_cbs()),
                    Some(node) => Ok(Self::Replies(node, target)),
                    None => events(attach, &address, number, peer, state).map(Self::Events),
                }
            }
            Role::Sender => {
                let address = local(&target.unwrap_or_default());
                match node_of(&address) {
                    Some(CBS) if !peer.take_cbs(0) => Err(second_cbs()),
                    Some(node) => Ok(Self::Requests(node)),
                    None => destination(&address, peer, state).map(Self::Hub),
                }
            }
        }
    }
}

/// The part of an address behind the namespace.
fn local(address: &str) -> String {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.trim_matches('/').to_owned()
}

fn node_of(address: &str) -> Option<&'static str> {
    let last = address.rsplit('/').next().unwrap_or_default();
    [CBS, MANAGEMENT].into_iter().find(|node| node.eq_ignore_ascii_case(last))
}

fn second_cbs() -> LinkError {
    LinkError::new("amqp:not-allowed", "A connection has one $cbs link in each direction.")
}

fn events(
    attach: &Attach,
    address: &str,
    number: u64,
    peer: &Peer,
    state: &State,
) -> Result<reader::Source, LinkError> {
    let parts: Vec<&str> = address.split('/').collect();
    let (hub, group, partition) = match parts.as_slice() {
        [hub, groups, group, partitions, partition]
            if groups.eq_ignore_ascii_case("ConsumerGroups")
                && partitions.eq_ignore_ascii_case("Partitions") =>
        {
            (*hub, *group, *partition)
        }
        _ => return Err(LinkError::not_found(address)),
    };
    let Some(until_ms) = peer.allowed(address, false, state.clock.now_ms()) else {
        return Err(LinkError::unauthorized(address));
    };
    state.check_busy()?;
    let place = state.place(hub, partition).ok_or_else(|| LinkError::not_found(address))?;
    if !state.hubs()[place.hub].has_group(group) {
        return Err(LinkError::not_found(address));
    }
    let selector = selector(attach);
    let position = match selector.as_deref() {
        None => Position::Earliest,
        Some(text) => Position::parse(text)
            .ok_or_else(|| LinkError::new("amqp:invalid-field", format!("Invalid filter '{text}'")))?,
    };
    let next = state.resolve(place, &position).ok_or_else(|| {
        LinkError::new(
            ARGUMENT,
            format!("The supplied offset in '{}' is invalid.", selector.unwrap_or_default()),
        )
    })?;
    let property = |name: &str| attach.properties.as_ref().and_then(|fields| fields.get(&Symbol::from(name)));
    let epoch = match property("com.microsoft:epoch") {
        Some(Value::Long(epoch)) => Some(*epoch),
        Some(Value::Int(epoch)) => Some(i64::from(*epoch)),
        Some(Value::Uint(epoch)) => Some(i64::from(*epoch)),
        Some(Value::Ulong(epoch)) => Some(*epoch as i64),
        _ => None,
    };
    let name = match property("com.microsoft:receiver-name") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Symbol(name)) => name.as_str().to_owned(),
        _ => "nil".into(),
    };
    let wished = attach.desired_capabilities.as_ref();
    let metrics = wished.is_some_and(|all| all.iter().any(|it| it.as_str() == METRICS));
    let (detach, detached) = mpsc::unbounded_channel();
    let (hub, group) = (hub.to_ascii_lowercase(), group.to_ascii_lowercase());
    state.attach(Reader {
        number,
        connection: peer.number,
        hub,
        group,
        partition: place.partition,
        epoch,
        name,
        detach,
    })?;
    Ok(reader::Source { number, place, next, metrics, until_ms, detached })
}

const METRICS: &str = "com.microsoft:enable-receiver-runtime-metric";

/// The text of the selector filter.
fn selector(attach: &Attach) -> Option<String> {
    let filters = attach.source.as_ref()?.filter.as_ref()?;
    filters.iter().find_map(|(name, value)| {
        let value = match value {
            Value::Described(described) => {
                let Described { value, .. } = described.as_ref();
                value
            }
            other => other,
        };
        match value {
            Value::String(text) if name.as_str().contains("selector") => Some(text.clone()),
            _ => None,
        }
    })
}

fn destination(address: &str, peer: &Peer, state: &State) -> Result<Destination, LinkError> {
    let parts: Vec<&str> = address.split('/').collect();
    let (hub, partition) = match parts.as_slice() {
        [hub] => (*hub, None),
        [hub, partitions, partition] if partitions.eq_ignore_ascii_case("Partitions") => {
            (*hub, Some(*partition))
        }
        _ => return Err(LinkError::not_found(address)),
    };
    if peer.allowed(address, true, state.clock.now_ms()).is_none() {
        return Err(LinkError::unauthorized(address));
    }
    state.check_busy()?;
    let missing = || LinkError::not_found(address);
    match partition {
        None => Ok(Destination { hub: state.hub(hub).ok_or_else(missing)?, partition: None }),
        Some(partition) => {
            let place = state.place(hub, partition).ok_or_else(missing)?;
            Ok(Destination { hub: place.hub, partition: Some(place.partition) })
        }
    }
}

/// The path of a resource as tokens name it, for other modules' checks.
pub(crate) fn allowed_to_manage(peer: &Peer, hub: &str, now_ms: i64) -> bool {
    let path = token::path(&format!("sb://namespace/{hub}"));
    peer.allowed(&path, false, now_ms).or_else(|| peer.allowed(&path, true, now_ms)).is_some()
}
