//! A TCP connection that can be reset, or fall silent, from outside.
//!
//! Owns: reads and writes below TLS and websockets, so that a fault looks the same on
//! each of them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const OPEN: u8 = 0;
const SILENT: u8 = 1;
const RESET: u8 = 2;

/// The handle of a connection.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    mode: AtomicU8,
    /// Of the task that reads, and of the one that writes.
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Wire {
    /// Nothing is read or written any more; the connection stays open.
    pub(crate) fn fall_silent(&self) {
        let _ = self.mode.compare_exchange(OPEN, SILENT, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Breaks the connection off, with a RST.
    pub(crate) fn reset(&self) {
        self.mode.store(RESET, Ordering::Release);
        for waker in self.wakers.lock().unwrap().iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    fn gate(&self, side: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.mode.load(Ordering::Acquire) {
            OPEN => Poll::Ready(Ok(())),
            SILENT => {
                self.note(side, cx);
                Poll::Pending
            }
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn note(&self, side: usize, cx: &Context<'_>) {
        let mut wakers = self.wakers.lock().unwrap();
        match &mut wakers[side] {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            slot => *slot = Some(cx.waker().clone()),
        }
        drop(wakers);
        if self.mode.load(Ordering::Acquire) == RESET {
            cx.waker().wake_by_ref();
        }
    }
}

/// The connection itself.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }

    fn io<T>(
        &mut self,
        side: usize,
        cx: &mut Context<'_>,
        io: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.wire.gate(side, cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        let result = io(Pin::new(&mut self.stream), cx);
        if result.is_pending() {
            self.wire.note(side, cx);
        }
        result
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.wire.mode.load(Ordering::Acquire) == RESET {
            // Without it the client would see an orderly end; failing to set it is no worse.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io(0, cx, |stream, cx| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io(1, cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(1, cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(1, cx, |stream, cx| stream.poll_shutdown(cx))
    }
}
