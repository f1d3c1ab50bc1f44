//! What a webhook is told: [`WebhookOptions`].

use std::path::PathBuf;
use std::time::Duration;

use crate::Endpoint;

/// When a request is confirmed with 200.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it was evaluated: nothing that was confirmed can be lost.
    #[default]
    Evaluated,
    /// When it is in the queue: the sender waits for nobody, and what waits when the process ends is lost.
    Received,
}

/// The files of TLS, each in PEM. They are looked at again every [`Timeouts::reload`].
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and its chain; the key too, where it has no file of its own.
    pub certificate: PathBuf,
    /// The certificate's key, not encrypted.
    pub key: Option<PathBuf>,
    /// Who signs the certificates of clients. Set, no client without one gets through the handshake.
    pub client_ca: Option<PathBuf>,
}

/// How long a webhook waits for what.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For room in the queue and for the evaluation together; then the answer is 503. 10 s.
    pub evaluation: Duration,
    /// For a body, from its head on. 20 s: with `evaluation` the 30 s that a Go client waits by default.
    pub body: Duration,
    /// From a connection's beginning to the end of the first request's head, TLS included; and for the next one as
    /// long as none may be taken in. 10 s.
    pub first_request: Duration,
    /// For the next request's head on a connection. 120 s: longer than the 90 s that a Go client keeps one.
    pub idle: Duration,
    /// From one look at the files to the next. 5 s.
    pub reload: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            evaluation: Duration::from_secs(10),
            body: Duration::from_secs(20),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            reload: Duration::from_secs(5),
        }
    }
}

/// What to listen to, whom to let in, and the bounds.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Where requests arrive.
    pub endpoint: Endpoint,
    /// Needed for `https`, and not read for `http`.
    pub tls: Option<TlsFiles>,
    /// A file with the token that requests have to bring as `Authorization: Bearer TOKEN`.
    pub bearer_token_file: Option<PathBuf>,
    /// When a request is confirmed.
    pub acknowledge: Acknowledge,
    /// Bytes of a body after inflation; larger ones get 413.
    pub max_body_bytes: usize,
    /// Bytes of all bodies, from their arrival until they were evaluated, and 1024 for each.
    pub max_queue_bytes: usize,
    /// Connections at a time. When there is one more, the oldest that never sent what may be taken in is closed, or
    /// else the new one. Each may buffer up to 1 MiB besides the queue.
    pub max_connections: usize,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl WebhookOptions {
    /// Bodies of up to 12 MiB, 16 MiB of them, 64 connections, and neither TLS nor token.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            bearer_token_file: None,
            acknowledge: Acknowledge::default(),
            max_body_bytes: 12 << 20,
            max_queue_bytes: 16 << 20,
            max_connections: 64,
            timeouts: Timeouts::default(),
        }
    }
}
