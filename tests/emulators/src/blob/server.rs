//! A call's way from its headers to its answer.
//!
//! Besides the service's own, `/_emulator/...` needs no signature:
//!
//! | request | answer or effect |
//! |---|---|
//! | `GET /_emulator/stats` | calls by operation and status: `{"put_blob 201": n}` |
//! | `GET /_emulator/blobs?container=C` | each blob's metadata, ETag and times, by name |
//! | `POST /_emulator/faults` | switches one on ([`Fault`] as JSON) |
//! | `DELETE /_emulator/faults` | switches all off |

use super::config::Config;
use super::error::BlobError;
use super::faults::{Fault, FaultKind, Faults};
use super::list::{self, Query};
use super::operation::Operation;
use super::signature::{self, decode};
use super::store::{Blob, Conditions, Store};
use crate::clock::{Clock, http_date};
use crate::http::{Answer, Handler, json, parameter, text};
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Parts;
use hyper::http::response::Builder;
use hyper::{HeaderMap, Response};
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    store: Mutex<Store>,
    stats: Mutex<BTreeMap<String, u64>>,
}

impl Handler for Server {
    async fn answer(&self, head: Parts, body: Bytes) -> Option<Answer> {
        if let Some(path) = head.uri.path().strip_prefix("/_emulator/") {
            return Some(self.control(&head, path, &body));
        }
        let place = match Place::of(&head, &self.config.account) {
            Ok(place) => place,
            Err(error) => return Some(self.failed(&error, &head)),
        };
        let (delay, failure) = self.faults.judge(place.operation);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let result = match failure {
            Some(FaultKind::Reset) => {
                self.count(place.operation, "reset");
                return None;
            }
            Some(FaultKind::ServerBusy) => Err(BlobError::BUSY),
            Some(FaultKind::InternalError) => Err(BlobError::INTERNAL),
            Some(FaultKind::Forbidden) => Err(BlobError::AUTHENTICATION),
            Some(FaultKind::ResetAfter | FaultKind::Slow) | None => self.call(&place, &head, body),
        };
        let answer = result.unwrap_or_else(|error| self.failed(&error, &head));
        if failure == Some(FaultKind::ResetAfter) {
            self.count(place.operation, "reset");
            return None;
        }
        self.count(place.operation, answer.status().as_str());
        Some(answer)
    }
}

/// What a path leads to.
struct Place {
    operation: Operation,
    container: String,
    blob: String,
}

impl Place {
    fn of(head: &Parts, account: &str) -> Result<Self, BlobError> {
        let path = decode(head.uri.path());
        let rest = path.trim_start_matches('/').strip_prefix(account).ok_or(BlobError::NO_ACCOUNT)?;
        let rest = rest.strip_prefix('/').ok_or(BlobError::NO_ACCOUNT)?;
        let (container, blob) = rest.split_once('/').unwrap_or((rest, ""));
        let query = head.uri.query().unwrap_or_default();
        let operation = Operation::of(head.method.as_str(), query, !blob.is_empty())?;
        Ok(Self { operation, container: container.to_owned(), blob: blob.to_owned() })
    }
}

impl Server {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::default(),
            faults: Faults::default(),
            store: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    pub(crate) fn stats(&self) -> BTreeMap<String, u64> {
        self.stats.lock().unwrap().clone()
    }

    fn count(&self, operation: Operation, outcome: &str) {
        *self.stats.lock().unwrap().entry(format!("{} {outcome}", operation.name())).or_default() += 1;
    }

    fn call(&self, place: &Place, head: &Parts, body: Bytes) -> Result<Answer, BlobError> {
        let now_ms = self.clock.now_ms();
        if !signature::accepted(&self.config, head, now_ms) {
            return Err(BlobError::AUTHENTICATION);
        }
        let Place { operation, container, blob } = place;
        let conditions = Conditions {
            matches: value(&head.headers, "if-match"),
            none_matches: value(&head.headers, "if-none-match"),
        };
        let mut store = self.store();
        Ok(match operation {
            Operation::CreateContainer => {
                store.create(container)?;
                empty(
                    self.respond(201)
                        .header("etag", "\"0x8DD000000000001\"")
                        .header("last-modified", http_date(now_ms)),
                )
            }
            Operation::GetContainer => {
                store.blobs(container)?;
                empty(
                    self.respond(200)
                        .header("etag", "\"0x8DD000000000001\"")
                        .header("last-modified", http_date(now_ms)),
                )
            }
            Operation::DeleteContainer => {
                store.remove_container(container)?;
                empty(self.respond(202))
            }
            Operation::ListBlobs => {
                let query = query(head.uri.query().unwrap_or_default());
                let xml = list::xml(&self.config.account, container, store.blobs(container)?, &query);
                let answer = self.respond(200).header("content-type", "application/xml");
                answer.body(Full::new(Bytes::from(xml))).unwrap()
            }
            Operation::PutBlob => {
                let content_type = value(&head.headers, "x-ms-blob-content-type")
                    .or_else(|| value(&head.headers, "content-type"))
                    .unwrap_or_else(|| "application/octet-stream".into());
                let new = Blob {
                    body: body.to_vec(),
                    metadata: metadata(&head.headers),
                    etag: String::new(),
                    content_type,
                    created_ms: now_ms,
                    modified_ms: now_ms,
                };
                let blob = store.put(container, blob, new, &conditions)?;
                empty(tagged(self.respond(201), &blob).header("x-ms-request-server-encrypted", "true"))
            }
            Operation::SetMetadata => {
                let metadata = metadata(&head.headers);
                let blob = store.set_metadata(container, blob, metadata, &conditions, now_ms)?;
                empty(tagged(self.respond(200), &blob).header("x-ms-request-server-encrypted", "true"))
            }
            Operation::DeleteBlob => {
                store.delete(container, blob, &conditions)?;
                empty(self.respond(202))
            }
            Operation::GetBlob | Operation::HeadBlob => {
                let blob = store.get(container, blob)?;
                conditions.for_read(&blob.etag)?;
                let range = range(&head.headers, blob.body.len())?;
                let status = if range.is_some() { 206 } else { 200 };
                let part = range.clone().unwrap_or(0..blob.body.len());
                let mut answer = tagged(self.respond(status), blob)
                    .header("content-type", &blob.content_type)
                    .header("content-length", part.len())
                    .header("accept-ranges", "bytes")
                    .header("x-ms-blob-type", "BlockBlob")
                    .header("x-ms-creation-time", http_date(blob.created_ms));
                if let Some(range) = range {
                    let of = format!("bytes {}-{}/{}", range.start, range.end - 1, blob.body.len());
                    answer = answer.header("content-range", of);
                }
                for (name, value) in &blob.metadata {
                    answer = answer.header(format!("x-ms-meta-{name}"), value);
                }
                let body = match operation {
                    Operation::GetBlob => Bytes::copy_from_slice(&blob.body[part]),
                    _ => Bytes::new(),
                };
                answer.body(Full::new(body)).unwrap()
            }
        })
    }

    fn respond(&self, status: u16) -> Builder {
        Response::builder()
            .status(status)
            .header("x-ms-version", "2021-12-02")
            .header("x-ms-request-id", "00000000-0000-0000-0000-000000000000")
            .header("date", http_date(self.clock.now_ms()))
    }

    fn failed(&self, error: &BlobError, head: &Parts) -> Answer {
        let answer = self.respond(error.status.as_u16()).header("x-ms-error-code", error.code);
        if head.method == hyper::Method::HEAD || error.status == hyper::StatusCode::NOT_MODIFIED {
            return empty(answer);
        }
        answer.header("content-type", "application/xml").body(Full::new(Bytes::from(error.xml()))).unwrap()
    }

    fn control(&self, head: &Parts, path: &str, body: &[u8]) -> Answer {
        let container = parameter(head.uri.query().unwrap_or_default(), "container").map(decode);
        json(match (head.method.as_str(), path) {
            ("GET", "stats") => Ok(json!(self.stats())),
            ("GET", "blobs") => match self.store().blobs(&container.unwrap_or_default()) {
                Ok(blobs) => Ok(json!(blobs)),
                Err(error) => Err((404, error.message.into())),
            },
            ("POST", "faults") => match serde_json::from_slice::<Fault>(body) {
                Ok(fault) => {
                    self.faults.add(fault);
                    Ok(json!({}))
                }
                Err(error) => Err((400, error.to_string())),
            },
            ("DELETE", "faults") => {
                self.faults.clear();
                Ok(json!({}))
            }
            (method, path) => return text(404, "text/plain", format!("no `{method} /_emulator/{path}`")),
        })
    }
}

fn empty(answer: Builder) -> Answer {
    answer.body(Full::default()).unwrap()
}

fn tagged(answer: Builder, blob: &Blob) -> Builder {
    answer.header("etag", format!("\"{}\"", blob.etag)).header("last-modified", http_date(blob.modified_ms))
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The bytes that `Range: bytes=FIRST-LAST` asks for.
fn range(headers: &HeaderMap, length: usize) -> Result<Option<Range<usize>>, BlobError> {
    let asked = value(headers, "x-ms-range").or_else(|| value(headers, "range"));
    let parsed = asked.as_deref().and_then(|text| {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
        Some((first.parse::<usize>().ok()?, last))
    });
    match parsed {
        None => Ok(None),
        Some((first, last)) if first < length && last >= first => {
            Ok(Some(first..last.saturating_add(1).min(length)))
        }
        Some(_) => Err(BlobError::RANGE),
    }
}

fn metadata(headers: &HeaderMap) -> BTreeMap<String, String> {
    let named = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-ms-meta-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    named.collect()
}

fn query(text: &str) -> Query {
    let get = |name: &str| parameter(text, name).map(decode).unwrap_or_default();
    Query {
        prefix: get("prefix"),
        delimiter: get("delimiter"),
        marker: get("marker"),
        most: get("maxresults").parse().unwrap_or(5_000),
        metadata: get("include").split(',').any(|it| it == "metadata"),
    }
}
