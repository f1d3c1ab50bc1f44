//! AMQP over websockets: `/$servicebus/websocket`, subprotocol `amqp`.
//!
//! Owns: the handshake, and a stream of bytes made of binary messages.

use bytes::{Buf, Bytes};
use futures::{Sink, Stream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::{Error, Message};

const PATH: &str = "/$servicebus/websocket";

/// The specification's name, and the one that the Python SDK offers.
const PROTOCOLS: [&str; 2] = ["amqp", "AMQPWSB10"];

/// Shakes hands; `None` when the client wants something else, which it has been told.
pub(crate) async fn accept<Io>(io: Io) -> Option<WebSocket<Io>>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let check = |request: &Request, mut response: Response| {
        let offered = request.headers().get("sec-websocket-protocol").and_then(|it| it.to_str().ok());
        let offered = offered.unwrap_or_default().split(',').map(str::trim);
        let chosen =
            PROTOCOLS.into_iter().find(|known| offered.clone().any(|it| it.eq_ignore_ascii_case(known)));
        let path = request.uri().path().trim_end_matches('/');
        let Some(chosen) = chosen.filter(|_| path.eq_ignore_ascii_case(PATH)) else {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            return Err(refusal);
        };
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(chosen));
        Ok(response)
    };
    let inner = tokio_tungstenite::accept_hdr_async(io, check).await.ok()?;
    Some(WebSocket { inner, left: Bytes::new() })
}

/// The bytes of a websocket's binary messages.
#[derive(Debug)]
pub(crate) struct WebSocket<Io> {
    inner: WebSocketStream<Io>,
    left: Bytes,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.left = bytes,
                // Answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.left.len().min(buf.remaining());
        buf.put_slice(&self.left[..count]);
        self.left.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = Pin::new(&mut self.inner);
        ready!(inner.as_mut().poll_ready(cx)).map_err(broken)?;
        inner.start_send(Message::Binary(Bytes::copy_from_slice(buf))).map_err(broken)?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(broken)
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
