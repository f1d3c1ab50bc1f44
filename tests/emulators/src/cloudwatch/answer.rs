//! Answers on their way to the client.
//!
//! Owns: bodies that may break off, the connection that may be reset, and the
//! moment at which an answer counts as given. Does not own: what is answered.

use super::books::Receipt;
use super::ledger::Ledger;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the body and the connection that carries it tell each other.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The connection is to end with RST instead of FIN.
    reset: AtomicBool,
    /// The answer whose last byte is in hyper's buffer, but not yet written.
    pending: Mutex<Option<Receipt>>,
    /// A body that waits until everything before it was written.
    drained: Mutex<Drained>,
}

#[derive(Debug, Default)]
enum Drained {
    #[default]
    Unasked,
    Asked(Waker),
    Done,
}

impl Link {
    /// The connection ends with RST as soon as it is dropped.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    fn written(&self) {
        let mut drained = self.drained.lock().unwrap();
        if let Drained::Asked(waker) = std::mem::take(&mut *drained) {
            *drained = Drained::Done;
            waker.wake();
        }
    }

    fn poll_drained(&self, cx: &Context<'_>) -> Poll<()> {
        let mut drained = self.drained.lock().unwrap();
        if matches!(*drained, Drained::Done) {
            return Poll::Ready(());
        }
        *drained = Drained::Asked(cx.waker().clone());
        Poll::Pending
    }
}

/// A connection that enters an answer into the books when its last byte is written.
pub(crate) struct Connection {
    stream: TcpStream,
    link: Arc<Link>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }

    /// `size` is all that hyper has buffered.
    ///
    /// The books stay locked over the write: a client that has read an answer
    /// finds it entered.
    fn write(
        &mut self,
        size: usize,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let mut pending = self.link.pending.lock().unwrap();
        let result = match pending.as_ref().map(|receipt| Arc::clone(receipt.state())) {
            None => write(stream),
            Some(state) => {
                let mut books = state.books();
                let result = write(stream);
                if matches!(result, Poll::Ready(Ok(written)) if written == size) {
                    pending.take().unwrap().enter(&mut books);
                }
                result
            }
        };
        if matches!(result, Poll::Ready(Ok(written)) if written == size) {
            self.link.written();
        }
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Relaxed) {
            // Without it the client would see an orderly end; failing to set it is no worse.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(buf.len(), |stream| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size = bufs.iter().map(|buf| buf.len()).sum();
        self.write(size, |stream| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of an answer.
pub(crate) struct Reply {
    content: Content,
    link: Arc<Link>,
}

enum Content {
    Whole(Bytes, Option<Receipt>),
    /// Half of it, out of so many bytes that were announced.
    Half(Option<Bytes>, u64),
    /// A line per event that was shown, made as it is sent.
    Shown(Box<Ledger>, u64),
    Done,
}

/// The connection is to break off here.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off on request")
    }
}

impl std::error::Error for BrokenOff {}

impl Reply {
    /// With a receipt, which is entered when the body has been written.
    pub(crate) fn whole(body: Vec<u8>, receipt: Option<Receipt>, link: Arc<Link>) -> Self {
        Self { content: Content::Whole(body.into(), receipt), link }
    }

    /// Announces all of the body, sends half of it, and resets the connection.
    pub(crate) fn reset_half_way(mut body: Vec<u8>, link: Arc<Link>) -> Self {
        let announced = body.len() as u64;
        body.truncate(body.len() / 2);
        Self { content: Content::Half(Some(body.into()), announced), link }
    }

    /// `auditID<TAB>times` for each event that was shown.
    pub(crate) fn shown(ledger: Ledger, link: Arc<Link>) -> Self {
        Self { content: Content::Shown(Box::new(ledger), 0), link }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        match &mut this.content {
            Content::Whole(body, receipt) => {
                let (body, receipt) = (std::mem::take(body), receipt.take());
                *this.link.pending.lock().unwrap() = receipt;
                this.content = Content::Done;
                Poll::Ready(Some(Ok(Frame::data(body))))
            }
            Content::Half(half, _) => match half.take() {
                Some(half) if !half.is_empty() => Poll::Ready(Some(Ok(Frame::data(half)))),
                _ => this.link.poll_drained(cx).map(|()| {
                    this.link.reset();
                    Some(Err(BrokenOff))
                }),
            },
            Content::Shown(ledger, next) => {
                let mut text = String::new();
                while text.len() < 1 << 16 {
                    let Some((id, times)) = ledger.entry(*next) else {
                        this.content = Content::Done;
                        break;
                    };
                    *next += 1;
                    if times > 0 {
                        text.push_str(&format!("{id}\t{times}\n"));
                    }
                }
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text.into()))))
            }
            Content::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(body, _) => SizeHint::with_exact(body.len() as u64),
            Content::Half(_, announced) => SizeHint::with_exact(*announced),
            Content::Shown(..) => SizeHint::default(),
            Content::Done => SizeHint::with_exact(0),
        }
    }
}
