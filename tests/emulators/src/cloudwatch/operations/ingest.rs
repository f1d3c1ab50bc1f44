//! CreateLogGroup, CreateLogStream and PutLogEvents.

use crate::cloudwatch::page::OVERHEAD;
use crate::cloudwatch::state::State;
use crate::cloudwatch::store::Event;
use crate::cloudwatch::wire::{Answered, ApiError, GroupParameter, read};
use serde::Deserialize;
use serde_json::json;

/// Most bytes in a batch, each event counting 26 more than its message.
const BATCH_BYTES: usize = 1 << 20;
/// Most events in a batch.
const BATCH_EVENTS: usize = 10_000;
/// Longest span of timestamps in a batch.
const BATCH_SPAN_MS: i64 = 24 * 3_600_000;
/// How far an event may lie ahead of the server's clock.
const TOO_NEW_MS: i64 = 2 * 3_600_000;
/// How far an event may lie behind the server's clock.
const TOO_OLD_MS: i64 = 14 * 24 * 3_600_000;

pub(super) fn create_log_group(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let group: GroupParameter = read(body)?;
    let name = group.resolve(&state.config)?;
    if state.create_group(name) { Ok(Answered::nothing()) } else { Err(exists("log group")) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StreamRequest {
    #[serde(flatten)]
    group: GroupParameter,
    log_stream_name: String,
}

pub(super) fn create_log_stream(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let request: StreamRequest = read(body)?;
    let group = request.group.resolve(&state.config)?;
    let stream = request.log_stream_name.as_str();
    if stream.is_empty() || stream.contains([':', '*']) {
        return Err(ApiError::constraint(
            stream,
            "logStreamName",
            "satisfy regular expression pattern: [^:*]*",
        ));
    }
    let mut store = state.store();
    store.group(group).ok_or_else(ApiError::no_group)?;
    let created = store.create_stream(group, stream, state.clock.now_ms());
    if created { Ok(Answered::nothing()) } else { Err(exists("log stream")) }
}

fn exists(what: &str) -> ApiError {
    ApiError::client("ResourceAlreadyExistsException", format!("The specified {what} already exists"))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutRequest {
    #[serde(flatten)]
    group: GroupParameter,
    log_stream_name: String,
    log_events: Vec<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    timestamp: i64,
    message: String,
}

/// Events put over the wire are visible at once, unlike those put by
/// [`Emulator::put`](crate::cloudwatch::Emulator::put).
pub(super) fn put_log_events(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let request: PutRequest = read(body)?;
    let group = request.group.resolve(&state.config)?;
    check_batch(&request.log_events)?;
    {
        let store = state.store();
        let group = store.group(group).ok_or_else(ApiError::no_group)?;
        group.streams.get(&request.log_stream_name).ok_or_else(ApiError::no_stream)?;
    }
    let now_ms = state.clock.now_ms();
    let events = request.log_events;
    let too_old = events.iter().take_while(|event| event.timestamp < now_ms - TOO_OLD_MS).count();
    let too_new =
        events.iter().position(|event| event.timestamp > now_ms + TOO_NEW_MS).unwrap_or(events.len());
    let mut answer = json!({ "nextSequenceToken": format!("{:056}", now_ms) });
    if too_old > 0 {
        answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] = json!(too_old);
    }
    if too_new < events.len() {
        answer["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] = json!(too_new);
    }
    let accepted = events.into_iter().take(too_new).skip(too_old);
    let put = accepted.map(|input| Event::new(input.timestamp, input.message).visible_at(now_ms)).collect();
    state.put(group, &request.log_stream_name, put);
    Ok(Answered::json(&answer))
}

fn check_batch(events: &[Input]) -> Result<(), ApiError> {
    let size: usize = events.iter().map(|event| event.message.len() + OVERHEAD).sum();
    let problem = match (events.first(), events.last()) {
        (Some(first), Some(last)) => {
            if events.len() > BATCH_EVENTS {
                "Log events in a single PutLogEvents request must be at most 10000."
            } else if size > BATCH_BYTES {
                "Upload too large: the maximum is 1048576 bytes."
            } else if !events.is_sorted_by_key(|event| event.timestamp) {
                "Log events in a single PutLogEvents request must be in chronological order."
            } else if last.timestamp - first.timestamp > BATCH_SPAN_MS {
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
            } else if events.iter().any(|event| event.message.is_empty()) {
                "Log event message must not be empty."
            } else {
                return Ok(());
            }
        }
        _ => "Log events must not be empty.",
    };
    Err(ApiError::invalid_parameter(problem))
}
