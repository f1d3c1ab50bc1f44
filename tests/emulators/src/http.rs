//! A small HTTP server for whole requests and whole answers.
//!
//! Owns: connections, and the way from a request's bytes to its answer's. Does not own:
//! what is answered.

use crate::wire::{Tcp, Wire};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// An answer, ready to be written.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one; `None` resets the connection instead.
    fn answer(&self, head: Parts, body: Bytes) -> impl Future<Output = Option<Answer>> + Send;
}

/// Serves until dropped.
pub(crate) async fn run<H: Handler>(listener: std::net::TcpListener, handler: Arc<H>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        // An error here concerns one connection that is gone already.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&handler)));
        }
    }
}

async fn serve<H: Handler>(stream: TcpStream, handler: Arc<H>) {
    // Without it, only latency suffers.
    let _ = stream.set_nodelay(true);
    let wire = Arc::new(Wire::default());
    let io = TokioIo::new(Tcp::new(stream, Arc::clone(&wire)));
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (handler, wire) = (Arc::clone(&handler), Arc::clone(&wire));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
            match handler.answer(head, body).await {
                Some(answer) => Ok(answer),
                None => {
                    wire.reset();
                    Err(BrokenOff)
                }
            }
        }
    });
    // Ends with an error whenever a client goes away or a fault breaks the connection.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

/// The connection is gone.
#[derive(Debug)]
struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was broken off")
    }
}

impl std::error::Error for BrokenOff {}

/// An answer of a control endpoint: the value, or `{"error": ...}` with a status.
pub(crate) fn json(result: Result<Value, (u16, String)>) -> Answer {
    let (status, value) = match result {
        Ok(value) => (200, value),
        Err((status, message)) => (status, serde_json::json!({ "error": message })),
    };
    text(status, "application/json", value.to_string())
}

/// An answer with a body.
pub(crate) fn text(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).header("content-type", kind).body(Full::new(body.into())).unwrap()
}

/// The value behind `name=` in a query, as it stands there.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}
