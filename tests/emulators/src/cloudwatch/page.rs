//! FilterLogEvents: one page of a window.
//!
//! Owns: the request's parameters, where a page ends, and its token. Does not own:
//! the order of events (`store`), the form of tokens (`token`).

use super::pattern::Pattern;
use super::state::State;
use super::store::{Group, Position, Window};
use super::token::Token;
use super::wire::{Answered, ApiError, GroupParameter, bounded, read};
use serde::Deserialize;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::ops::ControlFlow;

/// What AWS adds to each message when it measures a page or a batch.
pub(crate) const OVERHEAD: usize = 26;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request {
    #[serde(flatten)]
    group: GroupParameter,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

/// What the scan has gathered.
#[derive(Default)]
struct Page {
    events: Vec<Item>,
    bytes: usize,
    /// Something that belongs into the window did not fit.
    more: bool,
}

struct Item {
    position: Position,
    stream: String,
    message: String,
}

pub(crate) fn filter_log_events(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let request: Request = read(body)?;
    let group_name = request.group.resolve(&state.config)?;
    let limit = bounded(request.limit, "limit", 10_000, 10_000)?.min(state.config.page_events).max(1);
    request.check()?;
    let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|problem| ApiError::invalid_parameter(format!("Invalid filter pattern: {problem}")))?;
    let store = state.store();
    let group = store.group(group_name).ok_or_else(ApiError::no_group)?;
    let names = request.log_stream_names.as_deref().unwrap_or_default();
    if names.iter().any(|name| !group.streams.contains_key(name)) {
        return Err(ApiError::no_stream());
    }
    let after = request.position(state, group_name)?;

    let choice = Choice::draw(state);
    let mut page = match choice {
        Choice::Empty => Page { more: true, ..Page::default() },
        Choice::Full | Choice::Partial(_) => {
            let window = Window {
                from_ms: request.start_time.unwrap_or(0),
                to_ms: request.end_time.unwrap_or(i64::MAX),
                after,
                now_ms: state.clock.now_ms(),
            };
            gather(group, window, &request, &pattern, limit, state.config.page_bytes)
        }
    };
    if let (Choice::Partial(part), true) = (choice, page.events.len() > 1) {
        page.events.truncate(1 + (part * (page.events.len() - 1) as f64) as usize);
        page.more = true;
    }
    let next_token = page.more.then(|| {
        let after = page.events.last().map(|item| item.position).or(after);
        let issued_ms = state.started.elapsed().as_millis() as u64;
        Token::new(request.fingerprint(group_name), issued_ms, after).encode(state.config.seed)
    });
    Ok(answer(&page, next_token.as_deref()))
}

/// What becomes of a page by chance; drawn once per call, so that a seed repeats a run.
#[derive(Clone, Copy)]
enum Choice {
    Full,
    Empty,
    /// This much of it, from 0 to 1.
    Partial(f64),
}

impl Choice {
    fn draw(state: &State) -> Self {
        let mut random = state.random();
        let (empty, partial, part) = (random.unit(), random.unit(), random.unit());
        if empty < state.config.empty_pages {
            Self::Empty
        } else if partial < state.config.partial_pages {
            Self::Partial(part)
        } else {
            Self::Full
        }
    }
}

fn gather(
    group: &Group,
    window: Window,
    request: &Request,
    pattern: &Pattern,
    limit: usize,
    page_bytes: usize,
) -> Page {
    let mut page = Page::default();
    group.scan(window, |found| {
        if !request.wants_stream(found.stream) {
            return ControlFlow::Continue(());
        }
        let full = page.events.len() >= limit;
        if full && pattern.is_empty() {
            page.more = true;
            return ControlFlow::Break(());
        }
        let message = found.message();
        if !pattern.matches(&message) {
            return ControlFlow::Continue(());
        }
        let size = message.len() + OVERHEAD;
        // One event is always served, however large.
        if full || (!page.events.is_empty() && page.bytes + size > page_bytes) {
            page.more = true;
            return ControlFlow::Break(());
        }
        page.bytes += size;
        page.events.push(Item {
            position: found.position,
            stream: found.stream.to_owned(),
            message: message.into_owned(),
        });
        ControlFlow::Continue(())
    });
    page
}

fn answer(page: &Page, next_token: Option<&str>) -> Answered {
    let mut body = Vec::with_capacity(page.bytes + page.bytes / 4 + 256);
    let mut message_bytes = 0;
    body.extend_from_slice(b"{\"events\":[");
    for (n, item) in page.events.iter().enumerate() {
        let Position { timestamp_ms, ingestion_ms, event } = item.position;
        let comma = if n == 0 { "" } else { "," };
        write!(
            body,
            "{comma}{{\"eventId\":\"{}\",\"ingestionTime\":{ingestion_ms},\"logStreamName\":",
            event.event_id()
        )
        .unwrap();
        serde_json::to_writer(&mut body, &item.stream).unwrap();
        body.extend_from_slice(b",\"message\":");
        serde_json::to_writer(&mut body, &item.message).unwrap();
        write!(body, ",\"timestamp\":{timestamp_ms}}}").unwrap();
        message_bytes += item.message.len() as u64;
    }
    body.push(b']');
    if let Some(token) = next_token {
        write!(body, ",\"nextToken\":\"{token}\"").unwrap();
    }
    body.extend_from_slice(b",\"searchedLogStreams\":[]}");
    Answered { body, shown: page.events.iter().map(|item| item.position.event).collect(), message_bytes }
}

impl Request {
    fn check(&self) -> Result<(), ApiError> {
        for (member, value) in [("startTime", self.start_time), ("endTime", self.end_time)] {
            if let Some(value @ ..0) = value {
                return Err(ApiError::constraint(
                    &value.to_string(),
                    member,
                    "have value greater than or equal to 0",
                ));
            }
        }
        if self.log_stream_names.is_some() && self.log_stream_name_prefix.is_some() {
            return Err(ApiError::invalid_parameter(
                "LogStreamNames and LogStreamNamePrefix cannot be used together in the same request.",
            ));
        }
        if self.log_stream_names.as_ref().is_some_and(|names| names.is_empty() || names.len() > 100) {
            return Err(ApiError::constraint("[]", "logStreamNames", "have between 1 and 100 items"));
        }
        if self.log_stream_name_prefix.as_deref() == Some("") {
            let constraint = "have length greater than or equal to 1";
            return Err(ApiError::constraint("", "logStreamNamePrefix", constraint));
        }
        Ok(())
    }

    fn wants_stream(&self, stream: &str) -> bool {
        match (&self.log_stream_names, &self.log_stream_name_prefix) {
            (Some(names), _) => names.iter().any(|name| name == stream),
            (None, Some(prefix)) => stream.starts_with(prefix.as_str()),
            (None, None) => true,
        }
    }

    /// Where the token says that the scan goes on.
    fn position(&self, state: &State, group: &str) -> Result<Option<Position>, ApiError> {
        let Some(text) = &self.next_token else { return Ok(None) };
        let invalid = |why| ApiError::invalid_parameter(format!("The specified nextToken is invalid{why}."));
        let token = Token::decode(state.config.seed, text).ok_or_else(|| invalid(""))?;
        if token.request != self.fingerprint(group) {
            return Err(invalid(": it belongs to a request with other parameters"));
        }
        let age_ms = (state.started.elapsed().as_millis() as u64).saturating_sub(token.issued_ms);
        if u128::from(age_ms) > state.config.token_lifetime.as_millis() {
            return Err(invalid(": it has expired"));
        }
        Ok(token.after)
    }

    /// Everything that a token is bound to: all parameters but the limit.
    fn fingerprint(&self, group: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Self { log_stream_names, log_stream_name_prefix, start_time, end_time, filter_pattern, .. } =
            self;
        (group, log_stream_names, log_stream_name_prefix, start_time, end_time, filter_pattern)
            .hash(&mut hasher);
        hasher.finish()
    }
}
