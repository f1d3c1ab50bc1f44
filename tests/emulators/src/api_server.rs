//! An API server's side of the audit webhook: batches that are posted until they are confirmed.
//!
//! Owns: how batches are made and sent, broken connections on request, and a record of what became of each.
//! Does not own: TLS, which tests leave to other programs.
//!
//! Like an API server's, a sender waits for an answer before it sends the next batch, sends again after the time
//! that a 503 names, and sends again when a connection is lost. Unlike it, it never gives up, and waits 50 ms
//! where an API server waits 10 s: a webhook that loses nothing is to be shown at any pace.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::random::{hash, unit};

/// An audit event as JSON, by its index.
pub type MakeEvent = dyn Fn(u64) -> String + Send + Sync;

/// What is posted, and how.
#[derive(Clone)]
pub struct Config {
    /// Where to.
    pub address: SocketAddr,
    /// The webhook's path.
    pub path: String,
    /// Senders; each sends one batch at a time.
    pub senders: u32,
    /// Whether they share one connection of HTTP/2, as an API server's do over TLS; else each has one of HTTP/1.1.
    pub is_http2: bool,
    /// How many events there are.
    pub count: u64,
    /// Makes one.
    pub event: Arc<MakeEvent>,
    /// Events of a batch at most; how many it has is drawn.
    pub batch: u64,
    /// Share of the attempts whose connection is reset while the request is sent or its answer waited for.
    pub resets: f64,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("address", &self.address)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its events.
    pub events: Range<u64>,
    /// Bytes of its body.
    pub bytes: u64,
    /// Attempts that were answered with 503.
    pub refused: u32,
    /// Attempts without an answer.
    pub unanswered: u32,
}

/// Senders at work, on a thread of their own.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Vec<Batch>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// No more batches.
    ends: AtomicBool,
    /// Not even the ones at hand.
    gives_up: AtomicBool,
    /// The next event that is in no batch.
    next: AtomicU64,
    confirmed: AtomicU64,
    /// The connection of all.
    http2: Mutex<Option<http2::SendRequest<Full<Bytes>>>>,
}

/// How long a sender waits for an answer, as a Go client does by default.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until the next attempt, after a connection was lost.
const PAUSE: Duration = Duration::from_millis(50);

impl ApiServer {
    /// Begins to post.
    pub fn start(config: Config) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                runtime.block_on(async {
                    let mut senders = JoinSet::new();
                    for number in 0..config.senders {
                        senders.spawn(Sender::new(number, config.clone(), Arc::clone(&shared)).run());
                    }
                    senders.join_all().await.into_iter().flatten().collect()
                })
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Events that were confirmed so far.
    pub fn confirmed(&self) -> u64 {
        self.shared.confirmed.load(SeqCst)
    }

    /// Begins no more batches, waits until those at hand are confirmed, and tells of all.
    pub fn finish(mut self) -> Vec<Batch> {
        self.shared.ends.store(true, SeqCst);
        self.thread.take().expect("it runs").join().expect("no panic")
    }
}

impl Drop for ApiServer {
    /// Gives up what is not confirmed.
    fn drop(&mut self) {
        self.shared.ends.store(true, SeqCst);
        self.shared.gives_up.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Sender {
    number: u32,
    config: Config,
    shared: Arc<Shared>,
    http1: Option<http1::SendRequest<Full<Bytes>>>,
    attempts: u64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What came of an attempt.
enum Outcome {
    Confirmed,
    Refused(Duration),
    Unanswered,
}

impl Sender {
    fn new(number: u32, config: Config, shared: Arc<Shared>) -> Self {
        Self { number, config, shared, http1: None, attempts: 0 }
    }

    async fn run(mut self) -> Vec<Batch> {
        let mut batches = Vec::new();
        while !self.shared.ends.load(SeqCst) {
            let most = 1 + hash(u64::from(self.number), 1, self.attempts) % self.config.batch;
            let first = self.shared.next.fetch_add(most, SeqCst);
            let events = first.min(self.config.count)..(first + most).min(self.config.count);
            if events.is_empty() {
                break;
            }
            let Some(batch) = self.post(events).await else { break };
            self.shared.confirmed.fetch_add(batch.events.end - batch.events.start, SeqCst);
            batches.push(batch);
        }
        batches
    }

    /// Until it is confirmed; `None` when nobody waits for that any more.
    async fn post(&mut self, events: Range<u64>) -> Option<Batch> {
        let items: Vec<_> = events.clone().map(|index| (self.config.event)(index)).collect();
        let body = format!(
            "{{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{{}},\"items\":[{}]}}",
            items.join(",")
        );
        let body = Bytes::from(body);
        let mut batch = Batch { events, bytes: body.len() as u64, refused: 0, unanswered: 0 };
        while !self.shared.gives_up.load(SeqCst) {
            match self.attempt(body.clone()).await {
                Outcome::Confirmed => return Some(batch),
                Outcome::Refused(pause) => {
                    batch.refused += 1;
                    sleep(pause).await;
                }
                Outcome::Unanswered => {
                    batch.unanswered += 1;
                    // With HTTP/2 the one request is called off, and the connection stays.
                    self.http1 = None;
                    sleep(PAUSE).await;
                }
            }
        }
        None
    }

    async fn attempt(&mut self, body: Bytes) -> Outcome {
        self.attempts += 1;
        let draw = |salt| unit(hash(u64::from(self.number), salt, self.attempts));
        // From before it is written to long after it was evaluated.
        let patience =
            (draw(2) < self.config.resets).then(|| Duration::from_secs_f64(0.05 * draw(3).powi(3)));
        let asked = timeout(patience.unwrap_or(PATIENCE), self.ask(body)).await;
        match asked {
            Ok(Ok((StatusCode::OK, _))) => Outcome::Confirmed,
            Ok(Ok((StatusCode::SERVICE_UNAVAILABLE, pause))) => Outcome::Refused(pause),
            Ok(Ok((status, _))) => panic!("a batch was answered with {status}"),
            Ok(Err(_)) | Err(_) => Outcome::Unanswered,
        }
    }

    /// Status, and how long to wait before the next attempt.
    async fn ask(&mut self, body: Bytes) -> Result<(StatusCode, Duration), Failure> {
        let authority = self.config.address.to_string();
        let request = Request::post(format!("http://{authority}{}", self.config.path))
            .header("content-type", "application/json")
            .header("accept", "application/json, */*");
        let response = if self.config.is_http2 {
            self.ask_http2(request.body(Full::new(body))?).await?
        } else {
            let request = request.uri(&self.config.path).header("host", authority);
            self.ask_http1(request.body(Full::new(body))?).await?
        };
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
        response.into_body().collect().await?;
        Ok((status, Duration::from_secs(after.unwrap_or(1))))
    }

    async fn ask_http1(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        if self.http1.as_ref().is_none_or(http1::SendRequest::is_closed) {
            let (sender, connection) = http1::handshake(self.dial().await?).await?;
            // Ends when its sender is dropped, or the other side hangs up.
            tokio::spawn(connection);
            self.http1 = Some(sender);
        }
        let connection = self.http1.as_mut().expect("it was made above");
        connection.ready().await?;
        Ok(connection.send_request(request).await?)
    }

    async fn ask_http2(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let mut connection = self.shared.http2.lock().await;
        if connection.as_ref().is_none_or(http2::SendRequest::is_closed) {
            let (sender, made) = http2::handshake(TokioExecutor::new(), self.dial().await?).await?;
            tokio::spawn(made);
            *connection = Some(sender);
        }
        let mut sender = connection.clone().expect("it was made above");
        drop(connection);
        sender.ready().await?;
        Ok(sender.send_request(request).await?)
    }

    async fn dial(&self) -> Result<TokioIo<TcpStream>, Failure> {
        let stream = TcpStream::connect(self.config.address).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(stream))
    }
}
