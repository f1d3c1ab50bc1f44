//! Accepting connections.
//!
//! Owns: which protocol a connection speaks, by its first byte, and that connections
//! may be refused.

use super::connection;
use super::peer::Peer;
use super::state::State;
use super::websocket;
use crate::wire::{Tcp, Wire};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Serves until `stopped` is dropped or sent to.
pub(crate) async fn run(
    listener: std::net::TcpListener,
    state: Arc<State>,
    tls: Option<TlsAcceptor>,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                // An error here concerns one connection that is gone already.
                if let Ok((stream, _)) = accepted {
                    accept(stream, &state, tls.clone());
                }
            }
        }
    }
}

fn accept(stream: TcpStream, state: &Arc<State>, tls: Option<TlsAcceptor>) {
    // Without it, only latency suffers.
    let _ = stream.set_nodelay(true);
    let refused = state.faults().refuses(Instant::now());
    if refused {
        state.count(|stats| stats.refused += 1);
        let _ = stream.set_zero_linger();
        return;
    }
    let number = state.number();
    let wire = Arc::new(Wire::default());
    state.connected(number, Arc::clone(&wire));
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let (io, peer) = (BufReader::new(Tcp::new(stream, wire)), Arc::new(Peer::new(number)));
        unwrap(io, tls, peer, &state).await;
        state.disconnected(number);
    });
}

/// Takes TLS off, if there is any.
async fn unwrap(mut io: BufReader<Tcp>, tls: Option<TlsAcceptor>, peer: Arc<Peer>, state: &Arc<State>) {
    const HANDSHAKE: u8 = 0x16;
    let first = io.fill_buf().await.ok().and_then(|bytes| bytes.first().copied());
    match (first, tls) {
        (Some(HANDSHAKE), Some(tls)) => {
            // A client that does not trust the authority leaves here.
            if let Ok(io) = tls.accept(io).await {
                state.count(|stats| stats.tls += 1);
                speak(BufReader::new(io), peer, state).await;
            }
        }
        (Some(HANDSHAKE) | None, _) => {}
        (Some(_), _) => speak(io, peer, state).await,
    }
}

/// AMQP, or a websocket with AMQP in it.
async fn speak<Io>(mut io: BufReader<Io>, peer: Arc<Peer>, state: &Arc<State>)
where
    Io: AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static,
{
    let first = io.fill_buf().await.ok().and_then(|bytes| bytes.first().copied());
    match first {
        Some(b'G') => {
            if let Some(io) = websocket::accept(io).await {
                state.count(|stats| stats.websockets += 1);
                connection::serve(io, peer, Arc::clone(state)).await;
            }
        }
        Some(_) => connection::serve(io, peer, Arc::clone(state)).await,
        None => {}
    }
}
