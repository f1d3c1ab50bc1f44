//! A client that shows everything: one connection, one version of HTTP, no retries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::hook::DEADLINE;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A connection; dropped, it is closed.
pub(crate) struct Client {
    sender: Sender,
    _connection: JoinSet<()>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, protocol: Protocol) -> Result<Self, Failure> {
        Self::talk(dial(address).await?, protocol).await
    }

    /// Over TLS; the protocol has to be what both agree on.
    pub(crate) async fn connect_tls(
        address: SocketAddr,
        protocol: Protocol,
        config: ClientConfig,
    ) -> Result<Self, Failure> {
        let mut config = config;
        let name = match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        };
        config.alpn_protocols = vec![name.clone()];
        let stream = dial(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into()?, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(name.as_slice()));
        Self::talk(stream, protocol).await
    }

    async fn talk<S>(stream: S, protocol: Protocol) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, mut tasks) = (TokioIo::new(stream), JoinSet::new());
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tasks.spawn(async { drop(connection.await) });
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tasks.spawn(async { drop(connection.await) });
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, _connection: tasks })
    }

    /// For requests beside those of this one, on the same connection of HTTP/2 while this one lives.
    pub(crate) fn beside(&self) -> Self {
        let Sender::Http2(sender) = &self.sender else { panic!("one request at a time") };
        Self { sender: Sender::Http2(sender.clone()), _connection: JoinSet::new() }
    }

    /// A request with the fields `headers` besides those that belong to any.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        let uri = match self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("http://localhost{path}"),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let answered = async {
            let response = match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
                Sender::Http2(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
            };
            let (head, body) = response.into_parts();
            let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, text })
        };
        tokio::time::timeout(DEADLINE, answered).await?
    }

    /// JSON, to the right path.
    pub(crate) async fn post(&mut self, body: impl Into<Bytes>) -> Result<Answer, Failure> {
        self.send("POST", "/events", &[("content-type", "application/json")], body).await
    }

    pub(crate) async fn health(&mut self) -> u16 {
        self.send("GET", "/healthz", &[], "").await.expect("an answer").status
    }
}

/// As most clients do: what is written is sent at once.
async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Posts on a connection of its own, and closes it after `patience`: whether there was an answer.
pub(crate) async fn post_impatiently(
    address: SocketAddr,
    protocol: Protocol,
    body: impl Into<Bytes>,
    patience: Duration,
) -> Option<u16> {
    let mut client = Client::connect(address, protocol).await.ok()?;
    let answer = tokio::time::timeout(patience, client.post(body)).await.ok()?.ok()?;
    Some(answer.status)
}
