//! One connection: TLS, then requests, until it is idle for too long or the source is closed.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use event_source::chain;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::activity::{Activity, UnderWay};
use crate::reception::Reception;

/// How long a connection has for its last answers.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Requests at a time on one connection of HTTP/2; an API server has one for all of its batches.
const STREAMS: u32 = 16;
/// What may be sent ahead of what is read, of one request.
const WINDOW: u32 = 64 << 10;
/// The same of all requests together: those that wait for room must not keep the others from being read.
const WINDOWS: u32 = STREAMS * WINDOW;
/// What is read at once; of HTTP/1.1, a head fits in.
const BUFFER: usize = 64 << 10;
/// Bytes of a head of HTTP/2. An API server's has some hundred.
const HEAD: u32 = 16 << 10;

/// Serves a connection until its end.
pub(crate) async fn serve<T: Send + 'static>(
    reception: Arc<Reception<T>>,
    stream: TcpStream,
    tls: Option<Arc<TlsAcceptor>>,
    peer: SocketAddr,
    activity: Arc<Activity>,
    mut stopped: watch::Receiver<bool>,
) {
    // An answer is one small piece: nothing follows that it could wait for.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return talk(reception, stream, peer, activity, stopped).await };
    let handshake = timeout(reception.timeouts.first_request, tls.accept(stream).into_fallible());
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    match shaken {
        Ok(Ok(stream)) => talk(reception, stream, peer, activity, stopped).await,
        Ok(Err((error, stream))) => {
            reception.metrics.connections_failed.increment();
            let (name, total) = (&reception.name, reception.metrics.connections_failed.get());
            // Whoever only looks whether the port is open says nothing.
            let is_probe = error.kind() == io::ErrorKind::UnexpectedEof;
            if !is_probe && reception.no_tls.is_due() {
                let error = chain(&error);
                log::warn!("`{name}`: no TLS with {peer}, {total} such connections so far: {error}");
            }
            part(stream).await;
        }
        Err(_) => reception.metrics.connections_failed.increment(),
    }
}

/// Lets the peer read why there is no TLS: by then it may have sent a request, and with bytes that were not read the
/// system would reset the connection.
async fn part(mut stream: TcpStream) {
    const MOST: u64 = 1 << 20;
    let _ = stream.shutdown().await;
    let _ = timeout(GRACE, copy(&mut stream.take(MOST), &mut sink())).await;
}

async fn talk<T: Send + 'static>(
    reception: Arc<Reception<T>>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    activity: Arc<Activity>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let (reception, under_way) = (Arc::clone(&reception), UnderWay::new(&activity));
        async move {
            let answer = reception.answer(request, peer, under_way.activity()).await;
            drop(under_way);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    // How long a head may take is looked after here, for both versions alike.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS)
        .max_header_list_size(HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        let ends = activity.ends();
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    log::debug!("`{}`: the connection of {peer} ended: {error}", reception.name);
                }
                return;
            }
            () = tokio::time::sleep_until(ends) => if activity.ends() <= Instant::now() { break },
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}
