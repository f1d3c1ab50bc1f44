//! Control over HTTP, for programs in other processes.
//!
//! | request | answer or effect |
//! |---|---|
//! | `GET /_emulator/ledger?missing=100` | counts, and at most so many auditIDs that were not shown (default 100) |
//! | `GET /_emulator/ledger/shown` | text: `auditID<TAB>times` for each event that was shown, streamed |
//! | `GET /_emulator/stats` | [`Stats`](super::Stats) as JSON |
//! | `GET /_emulator/faults` | the faults that are on, with ids and hits |
//! | `POST /_emulator/faults` | switches one on ([`Fault`](super::Fault) as JSON); answers `{"id": n}` |
//! | `DELETE /_emulator/faults[?id=n]` | switches one, or all, off |
//! | `GET /_emulator/clock` | the server's time, and both offsets |
//! | `POST /_emulator/clock` | `{"offset_ms": n, "date_offset_ms": n}`, either may be missing |
//! | `POST /_emulator/events` | `{"group", "stream", "events": [{"timestamp_ms", "message", "visible_at_ms"}]}` |
//!
//! Owns: these forms. They are neither counted nor subject to faults, and need no signature.

use super::answer::{Link, Reply};
use super::faults::Fault;
use super::state::State;
use super::store::Event;
use hyper::Response;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the path of every control request starts with.
pub(crate) const PREFIX: &str = "/_emulator/";

pub(crate) fn answer(head: &Parts, body: &[u8], state: &State, link: Arc<Link>) -> Response<Reply> {
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let number = |name: &str| parameter(head.uri.query().unwrap_or_default(), name);
    let result = match (head.method.as_str(), path) {
        ("GET", "ledger") => Ok(ledger(state, number("missing").unwrap_or(100))),
        ("GET", "ledger/shown") => {
            let ledger = state.books().ledger.clone();
            let shown = Response::builder().header("content-type", "text/plain");
            return shown.body(Reply::shown(ledger, link)).unwrap();
        }
        ("GET", "stats") => Ok(json!(state.books().stats)),
        ("GET", "faults") => Ok(json!(state.faults.active())),
        ("POST", "faults") => parse(body).map(|fault: Fault| json!({ "id": state.faults.add(fault) })),
        ("DELETE", "faults") => match number("id") {
            None => {
                state.faults.clear();
                Ok(json!({}))
            }
            Some(id) if state.faults.remove(id) => Ok(json!({})),
            Some(id) => Err((404, format!("no fault with id `{id}`"))),
        },
        ("GET", "clock") => Ok(clock(state)),
        ("POST", "clock") => parse(body).map(|offsets| set_clock(state, &offsets)),
        ("POST", "events") => parse(body).map(|events| put(state, events)),
        (method, _) => Err((404, format!("no `{method} {PREFIX}{path}`: see the module `control`"))),
    };
    let (status, value) = match result {
        Ok(value) => (200, value),
        Err((status, message)) => (status, json!({ "error": message })),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Reply::whole(value.to_string().into_bytes(), None, link))
        .unwrap()
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

/// The number behind `name=` in a query.
fn parameter(query: &str, name: &str) -> Option<u64> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok())
}

fn ledger(state: &State, missing: u64) -> Value {
    let books = state.books();
    let ledger = &books.ledger;
    json!({
        "known": ledger.known(),
        "shown": ledger.shown(),
        "repeated": ledger.repeated(),
        "showings": ledger.showings(),
        "missing_count": ledger.missing_count(),
        "missing": ledger.missing(missing as usize),
    })
}

fn clock(state: &State) -> Value {
    json!({
        "now_ms": state.clock.now_ms(),
        "offset_ms": state.clock.offset_ms(),
        "date_offset_ms": state.clock.date_offset_ms(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offsets {
    offset_ms: Option<i64>,
    date_offset_ms: Option<i64>,
}

fn set_clock(state: &State, offsets: &Offsets) -> Value {
    if let Some(offset) = offsets.offset_ms {
        state.clock.set_offset_ms(offset);
    }
    if let Some(offset) = offsets.date_offset_ms {
        state.clock.set_date_offset_ms(offset);
    }
    clock(state)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    group: String,
    stream: String,
    events: Vec<PutEvent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutEvent {
    timestamp_ms: i64,
    message: String,
    visible_at_ms: Option<i64>,
}

fn put(state: &State, put: Put) -> Value {
    let events = put.events.into_iter().map(|event| {
        let visible_at = event.visible_at_ms.unwrap_or(event.timestamp_ms);
        Event::new(event.timestamp_ms, event.message).visible_at(visible_at)
    });
    state.put(&put.group, &put.stream, events.collect());
    json!({})
}
