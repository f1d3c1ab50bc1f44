//! Control over HTTP, for programs in other processes.
//!
//! | request | answer or effect |
//! |---|---|
//! | `GET /_emulator/stats` | [`Stats`](super::Stats) as JSON |
//! | `GET /_emulator/ledger?hub=H` | counts: generated records by kind, messages by partition |
//! | `GET /_emulator/ledger/records?hub=H` | text: `partition<TAB>sequence number<TAB>auditID<TAB>kind<TAB>times` for each generated record |
//! | `GET /_emulator/ledger/messages?hub=H` | text: `partition<TAB>sequence number<TAB>times` for each message |
//! | `GET /_emulator/partitions?hub=H` | for each partition: `begin`, `end` (sequence number of the next event), `last_offset`, `last_enqueued_ms` |
//! | `POST /_emulator/faults` | a [`Fault`] as JSON |
//! | `DELETE /_emulator/faults` | ends all that last |
//! | `POST /_emulator/events?hub=H` | `[{"body", "partition", "partition_key", "enqueued_ms"}]`, all but `body` may be missing; answers `[[partition, sequence number]]` |
//! | `POST /_emulator/drop?hub=H` | `{"partition": n, "before": sequence number}`: forgets events, as retention would |
//! | `GET`, `POST /_emulator/clock` | `{"offset_ms": n}`: how far the server's clock is ahead |
//! | `GET /_emulator/connection?hub=H` | the connection string, as text; `hub` may be missing |
//!
//! Without `hub`, the first hub is meant.

use super::event::Event;
use super::faults::Fault;
use super::state::{Place, State};
use crate::http::{Answer, Handler, json, parameter, text};
use bytes::Bytes;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the path of every control request starts with.
const PREFIX: &str = "/_emulator/";

#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) state: Arc<State>,
    pub(crate) address: SocketAddr,
}

impl Handler for Control {
    async fn answer(&self, head: Parts, body: Bytes) -> Option<Answer> {
        let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let query = head.uri.query().unwrap_or_default();
        let hub = match parameter(query, "hub") {
            None => 0,
            Some(name) => match self.state.hub(name) {
                Some(hub) => hub,
                None => return Some(json(Err((404, format!("no hub `{name}`"))))),
            },
        };
        Some(match (head.method.as_str(), path) {
            ("GET", "ledger/records") => text(200, "text/plain", self.state.ledger(hub).lines()),
            ("GET", "ledger/messages") => text(200, "text/plain", self.messages(hub)),
            ("GET", "connection") => {
                let name = parameter(query, "hub");
                text(200, "text/plain", self.state.config.connection_string(self.address, name))
            }
            (method, path) => json(self.values(method, path, hub, &body)),
        })
    }
}

impl Control {
    fn values(&self, method: &str, path: &str, hub: usize, body: &[u8]) -> Result<Value, (u16, String)> {
        let state = &self.state;
        match (method, path) {
            ("GET", "stats") => Ok(json!(state.stats())),
            ("GET", "ledger") => Ok(self.ledger(hub)),
            ("GET", "partitions") => Ok(self.partitions(hub)),
            ("POST", "faults") => parse(body).map(|fault: Fault| {
                state.inject(fault);
                json!({})
            }),
            ("DELETE", "faults") => {
                state.clear_faults();
                Ok(json!({}))
            }
            ("POST", "events") => {
                let events: Vec<Put> = parse(body)?;
                let partitions = state.hubs()[hub].config.partitions;
                if events.iter().any(|event| event.partition.is_some_and(|id| id >= partitions)) {
                    return Err((400, format!("there are {partitions} partitions")));
                }
                Ok(events.into_iter().map(|event| json!(event.put(state, hub))).collect())
            }
            ("POST", "drop") => {
                let Drop { partition, before } = parse(body)?;
                if partition >= state.hubs()[hub].config.partitions {
                    return Err((400, format!("no partition `{partition}`")));
                }
                state.drop_before(Place { hub, partition }, before);
                Ok(json!({}))
            }
            ("GET", "clock") => Ok(self.clock()),
            ("POST", "clock") => parse(body).map(|Offset { offset_ms }| {
                state.clock.set_offset_ms(offset_ms);
                self.clock()
            }),
            (method, _) => Err((404, format!("no `{method} {PREFIX}{path}`: see the module `control`"))),
        }
    }

    fn clock(&self) -> Value {
        let clock = &self.state.clock;
        json!({ "now_ms": clock.now_ms(), "offset_ms": clock.offset_ms() })
    }

    fn ledger(&self, hub: usize) -> Value {
        let ledger = self.state.ledger(hub);
        let partitions: Map<String, Value> =
            ledger.partitions().map(|id| (id.to_string(), json!(ledger.messages(id)))).collect();
        json!({ "records": ledger.counts(), "messages": partitions })
    }

    fn messages(&self, hub: usize) -> String {
        let ledger = self.state.ledger(hub);
        let mut lines = String::new();
        for partition in ledger.partitions() {
            for sequence in 0..self.state.extent(Place { hub, partition }).end {
                writeln!(lines, "{partition}\t{sequence}\t{}", ledger.times(partition, sequence)).unwrap();
            }
        }
        lines
    }

    fn partitions(&self, hub: usize) -> Value {
        let count = self.state.hubs()[hub].config.partitions;
        let partitions = (0..count).map(|partition| {
            let extent = self.state.extent(Place { hub, partition });
            json!({
                "partition": partition,
                "begin": extent.begin,
                "end": extent.end,
                "last_offset": extent.last_offset,
                "last_enqueued_ms": extent.last_enqueued_ms,
            })
        });
        partitions.collect()
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    body: String,
    partition: Option<u32>,
    partition_key: Option<String>,
    enqueued_ms: Option<i64>,
}

impl Put {
    fn put(self, state: &State, hub: usize) -> (u32, i64) {
        let mut event = Event::new(self.body);
        event.partition_key = self.partition_key;
        event.enqueued_ms = self.enqueued_ms;
        state.put(hub, self.partition, event)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drop {
    partition: u32,
    before: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    offset_ms: i64,
}
