//! [`Pump`]: drives sources on a thread of its own, and hands their events to a consumer that has no runtime.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::queue::{Item, Queue, Taken};
use crate::{
    Backoff, CheckpointDelta, Cursor, ErrorKind, Event, EventSource, Health, HealthChange, NextBatch,
    PartitionId, SourceError, SourceMetrics, chain,
};

/// The bounds of a pump.
#[derive(Clone, Debug)]
pub struct PumpOptions {
    /// Events that may wait between readers and consumer.
    pub max_queue_events: usize,
    /// Bytes of events that may wait between readers and consumer.
    pub max_queue_bytes: usize,
    /// Bytes of one batch for the consumer; a single larger event still passes.
    pub max_batch_bytes: usize,
    /// How long one source may go without a successful call before the pump ends with an error; `None`: for ever.
    pub give_up_after: Option<Duration>,
}

/// What the consumer gets.
#[derive(Debug)]
pub enum Next {
    /// Events to evaluate; never empty.
    Batch(Vec<Event>),
    /// None arrived within the time.
    Timeout,
    /// None will come any more.
    End,
    /// The source has failed for good.
    Failed(SourceError),
}

/// Sources on a thread of their own.
#[derive(Debug)]
pub struct Pump {
    queue: Arc<Queue>,
    metrics: Arc<SourceMetrics>,
    max_batch_bytes: usize,
    acknowledgements: Vec<UnboundedSender<(PartitionId, Cursor)>>,
    /// What the consumer holds: evaluated for sure only when it asks for more.
    handed: Vec<(usize, PartitionId, Cursor, u64)>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    finished: mpsc::Receiver<()>,
}

/// How long a source has to write its last checkpoint and let go of its connections.
const CLOSE_SOURCE: Duration = Duration::from_millis(2500);
/// How long threads of the runtime that resolve a host name have to end.
const CLOSE_RUNTIME: Duration = Duration::from_millis(1500);
/// The longest that [`Pump::close`] takes: both of these and a margin, below the host's 5 s.
const CLOSE: Duration = Duration::from_millis(4500);

impl Pump {
    /// Starts the thread, opens the sources on it, and waits until they are open.
    ///
    /// # Errors
    /// What `open` answers, or [`ErrorKind::Unavailable`] when the thread cannot be started.
    pub fn start<S, F>(
        options: &PumpOptions,
        metrics: Arc<SourceMetrics>,
        open: F,
    ) -> Result<Self, SourceError>
    where
        S: EventSource<Record = Event>,
        F: Future<Output = Result<Vec<S>, SourceError>> + Send + 'static,
    {
        let queue = Arc::new(Queue::new(options.max_queue_events, options.max_queue_bytes));
        let (stop, stopped) = watch::channel(false);
        let (opened, is_open) = mpsc::sync_channel(1);
        let (finish, finished) = mpsc::sync_channel(1);
        let crew = Crew {
            queue: Arc::clone(&queue),
            metrics: Arc::clone(&metrics),
            give_up_after: options.give_up_after,
            reading: Arc::default(),
            stopped,
        };
        let thread = std::thread::Builder::new()
            .name("event-source".to_owned())
            .spawn(move || {
                crew.work(open, &opened);
                // The pump may have stopped to listen.
                let _ = finish.send(());
            })
            .map_err(|error| unavailable("cannot start the reader's thread", error))?;
        let mut pump = Self {
            queue,
            metrics,
            max_batch_bytes: options.max_batch_bytes,
            acknowledgements: Vec::new(),
            handed: Vec::new(),
            stop,
            thread: Some(thread),
            finished,
        };
        // An error leaves the scope through `close`, so the thread is gone when the caller hears of it.
        pump.acknowledgements = is_open.recv().unwrap_or_else(|_| {
            Err(SourceError::new(
                ErrorKind::Unavailable,
                "the reader's thread ended while it opened the source",
            ))
        })?;
        Ok(pump)
    }

    /// Acknowledges what the call before gave, then waits for up to `wait` for more.
    pub fn next_batch(&mut self, wait: Duration) -> Next {
        self.acknowledge();
        match self.queue.take(wait, self.max_batch_bytes) {
            Taken::Items(items) => self.hand_over(items),
            Taken::Nothing => Next::Timeout,
            Taken::End => Next::End,
            Taken::Failed(error) => Next::Failed(error),
        }
    }

    fn acknowledge(&mut self) {
        for (source, partition, end, events) in self.handed.drain(..) {
            self.metrics.acknowledged.add(events);
            if let Some(sender) = self.acknowledgements.get(source) {
                // A source that has ended needs no acknowledgement.
                let _ = sender.send((partition, end));
            }
        }
    }

    fn hand_over(&mut self, items: Vec<Item>) -> Next {
        let mut events = Vec::with_capacity(items.iter().map(|item| item.events.len()).sum());
        for item in items {
            self.handed.push((item.source, item.partition, item.end, item.events.len() as u64));
            events.extend(item.events);
        }
        if events.is_empty() {
            return Next::Timeout;
        }
        self.metrics.batches.increment();
        self.metrics.events.add(events.len() as u64);
        self.metrics.bytes.add(events.iter().map(|event| event.payload.len() as u64).sum());
        Next::Batch(events)
    }

    /// Ends the thread, within 5 s. What the consumer holds is not acknowledged: nobody said that it was evaluated.
    pub fn close(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let _ = self.stop.send(true);
        match self.finished.recv_timeout(CLOSE) {
            // Disconnected: the thread has ended too.
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                let _ = thread.join();
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                log::error!("the reader's thread did not end within {} s", CLOSE.as_secs_f32());
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread and its tasks share.
#[derive(Clone, Debug)]
struct Crew {
    queue: Arc<Queue>,
    metrics: Arc<SourceMetrics>,
    give_up_after: Option<Duration>,
    /// Sources that may still give something.
    reading: Arc<AtomicUsize>,
    stopped: watch::Receiver<bool>,
}

type Opened = Result<Vec<UnboundedSender<(PartitionId, Cursor)>>, SourceError>;

impl Crew {
    fn work<S, F>(mut self, open: F, opened: &mpsc::SyncSender<Opened>)
    where
        S: EventSource<Record = Event>,
        F: Future<Output = Result<Vec<S>, SourceError>> + Send + 'static,
    {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = opened.send(Err(unavailable("cannot start the reader's runtime", error)));
                return;
            }
        };
        runtime.block_on(async {
            // A panic while opening must reach the caller as an error.
            let sources = match AssertUnwindSafe(open).catch_unwind().await {
                Ok(Ok(sources)) => sources,
                Ok(Err(error)) => {
                    let _ = opened.send(Err(error));
                    return;
                }
                Err(panic) => {
                    let _ = opened.send(Err(panicked("while opening", &panic)));
                    return;
                }
            };
            let mut tasks = JoinSet::new();
            let mut senders = Vec::new();
            let mut vitals = Vec::new();
            self.reading.store(sources.len(), Relaxed);
            for (index, source) in sources.into_iter().enumerate() {
                let (sender, acknowledged) = unbounded_channel();
                let vital = Arc::new(Vital::new());
                senders.push(sender);
                vitals.push(Arc::clone(&vital));
                tasks.spawn(Reader::new(self.clone(), index, source, acknowledged, vital).run());
            }
            let _ = opened.send(Ok(senders));
            self.watch(tasks, &vitals).await;
        });
        runtime.shutdown_timeout(CLOSE_RUNTIME);
    }

    /// Waits for the end of every reader, and keeps the gauges current.
    async fn watch(&mut self, mut tasks: JoinSet<()>, vitals: &[Arc<Vital>]) {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(ended)) => {
                        let error = panicked("while reading", &panic_of(ended));
                        // Nobody asks the queue any more.
                        if *self.stopped.borrow() {
                            log::error!("{error}");
                        }
                        self.queue.end(Err(error));
                    }
                    None => return,
                },
                _ = tick.tick() => self.observe(vitals),
            }
        }
    }

    /// A source gives nothing more: the consumer hears of it when it was the last one, or failed.
    fn ended(&self, end: Result<(), SourceError>) {
        let was_last = self.reading.fetch_sub(1, Relaxed) == 1;
        if end.is_err() || was_last {
            self.queue.end(end);
        }
    }

    fn observe(&self, vitals: &[Arc<Vital>]) {
        let (events, bytes) = self.queue.size();
        self.metrics.events_queued.set(events as u64);
        self.metrics.bytes_queued.set(bytes as u64);
        let failing = vitals.iter().filter(|vital| vital.failing.load(Relaxed)).count();
        self.metrics.failing.set(failing as u64);
        let longest = vitals.iter().map(|vital| vital.since_success()).max().unwrap_or_default();
        self.metrics.seconds_since_success.set(longest.as_secs());
    }
}

/// What can be seen of a reader from outside.
#[derive(Debug)]
struct Vital {
    last_success: Mutex<Instant>,
    failing: AtomicBool,
    /// For the consumer: no call is made, so none can succeed.
    waits: AtomicBool,
}

impl Vital {
    fn new() -> Self {
        Self {
            last_success: Mutex::new(Instant::now()),
            failing: AtomicBool::new(false),
            waits: AtomicBool::new(false),
        }
    }

    fn set(&self, failing: bool) {
        self.failing.store(failing, Relaxed);
        if !failing {
            *self.last_success.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    fn since_success(&self) -> Duration {
        if self.waits.load(Relaxed) {
            return Duration::ZERO;
        }
        self.last_success.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// One source and its road into the queue.
struct Reader<S> {
    crew: Crew,
    index: usize,
    source: S,
    acknowledged: UnboundedReceiver<(PartitionId, Cursor)>,
    cursors: HashMap<PartitionId, Cursor>,
    health: Health,
    vital: Arc<Vital>,
}

enum Step {
    Read(Result<NextBatch<Event>, SourceError>),
    Acknowledge(PartitionId, Cursor),
    Stop,
}

impl<S: EventSource<Record = Event>> Reader<S> {
    fn new(
        crew: Crew,
        index: usize,
        source: S,
        acknowledged: UnboundedReceiver<(PartitionId, Cursor)>,
        vital: Arc<Vital>,
    ) -> Self {
        let (cursors, health) = (HashMap::new(), Health::new());
        Self { crew, index, source, acknowledged, cursors, health, vital }
    }

    /// Reads until the source ends, fails for good, or is stopped; then closes it.
    async fn run(mut self) {
        let end = self.read().await;
        self.crew.ended(end);
        // What the consumer still evaluates is still acknowledged.
        while let Some((partition, cursor)) = self.next_acknowledgement().await {
            self.acknowledge(partition, cursor).await;
        }
        while let Ok((partition, cursor)) = self.acknowledged.try_recv() {
            self.acknowledge(partition, cursor).await;
        }
        match tokio::time::timeout(CLOSE_SOURCE, self.source.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!("closing `{}`: {}", self.source.name(), chain(&error)),
            Err(_) => log::error!(
                "closing `{}` took over {CLOSE_SOURCE:?}, its last checkpoint may be missing",
                self.source.name()
            ),
        }
    }

    async fn next_acknowledgement(&mut self) -> Option<(PartitionId, Cursor)> {
        tokio::select! {
            _ = self.crew.stopped.wait_for(|stopped| *stopped) => None,
            acknowledged = self.acknowledged.recv() => acknowledged,
        }
    }

    async fn read(&mut self) -> Result<(), SourceError> {
        let mut backoff = Backoff::new();
        loop {
            let pause = match self.step().await {
                Step::Stop => return Ok(()),
                Step::Acknowledge(partition, cursor) => {
                    self.acknowledge(partition, cursor).await;
                    continue;
                }
                Step::Read(Ok(batch)) => {
                    self.succeeded();
                    backoff.reset();
                    match batch {
                        NextBatch::Records(batch) => {
                            let (source, partition) = (self.index, batch.partition);
                            let item = Item { source, partition, events: batch.records, end: batch.end };
                            if self.push(item).await.is_err() {
                                return Ok(());
                            }
                            continue;
                        }
                        NextBatch::Idle(pause) => pause,
                        NextBatch::End => return Ok(()),
                    }
                }
                Step::Read(Err(error)) => {
                    self.failed(error)?;
                    backoff.pause()
                }
            };
            if self.wait(pause).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn step(&mut self) -> Step {
        tokio::select! {
            biased;
            _ = self.crew.stopped.wait_for(|stopped| *stopped) => Step::Stop,
            Some((partition, cursor)) = self.acknowledged.recv() => Step::Acknowledge(partition, cursor),
            batch = self.source.next_batch() => Step::Read(batch),
        }
    }

    async fn push(&mut self, item: Item) -> Result<(), Stopped> {
        let queue = Arc::clone(&self.crew.queue);
        self.vital.waits.store(true, Relaxed);
        let pushed = self.meanwhile(queue.push(item)).await;
        self.vital.waits.store(false, Relaxed);
        self.vital.set(false);
        pushed
    }

    async fn wait(&mut self, pause: Duration) -> Result<(), Stopped> {
        self.meanwhile(tokio::time::sleep(pause)).await
    }

    /// Waits for `future`; takes acknowledgements meanwhile.
    async fn meanwhile(&mut self, future: impl Future<Output = ()>) -> Result<(), Stopped> {
        tokio::pin!(future);
        loop {
            let (partition, cursor) = tokio::select! {
                biased;
                _ = self.crew.stopped.wait_for(|stopped| *stopped) => return Err(Stopped),
                () = &mut future => return Ok(()),
                Some(acknowledged) = self.acknowledged.recv() => acknowledged,
            };
            self.acknowledge(partition, cursor).await;
        }
    }

    async fn acknowledge(&mut self, partition: PartitionId, to: Cursor) {
        let from = self.cursors.insert(partition.clone(), to).unwrap_or_default();
        if let Err(error) = self.source.acknowledge(CheckpointDelta { partition, from, to }).await {
            log::error!("`{}`: {}", self.source.name(), chain(&error));
        }
    }

    fn succeeded(&mut self) {
        self.vital.set(false);
        if let HealthChange::Recovered { failures, outage } = self.health.succeeded(Instant::now()) {
            let name = self.source.name();
            log::info!(
                "`{name}`: reading again, after {failures} failed calls in {:.1} s; nothing is lost",
                outage.as_secs_f32()
            );
        }
    }

    /// Tells, and decides whether to go on.
    fn failed(&mut self, error: SourceError) -> Result<(), SourceError> {
        let kind = error.kind();
        self.crew.metrics.errors(kind).increment();
        self.vital.set(true);
        let name = self.source.name();
        match self.health.failed(Instant::now(), kind) {
            HealthChange::Failing if !kind.is_fatal() => {
                log::warn!("`{name}`: {}; trying again", chain(&error));
            }
            _ => log::debug!("`{name}`: {}", chain(&error)),
        }
        if kind.is_fatal() {
            return Err(error);
        }
        let outage = self.health.outage(Instant::now());
        match self.crew.give_up_after {
            Some(patience) if outage > patience => {
                let message = format!(
                    "`{name}`: no call has worked for {:.0} s, which is longer than `give_up_after` allows",
                    outage.as_secs_f32()
                );
                Err(SourceError::new(kind, message).because(error))
            }
            _ => Ok(()),
        }
    }
}

struct Stopped;

/// What a task left behind; a cancelled one left nothing.
fn panic_of(ended: JoinError) -> Box<dyn Any + Send> {
    ended.try_into_panic().unwrap_or_else(|_| Box::new(()))
}

fn panicked(when: &str, panic: &Box<dyn Any + Send>) -> SourceError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let message = format!("the source panicked {when}: {text}; this is a defect, please report it");
    SourceError::new(ErrorKind::Unavailable, message)
}

fn unavailable(message: &str, cause: impl Into<io::Error>) -> SourceError {
    SourceError::new(ErrorKind::Unavailable, message).because(cause.into())
}

#[cfg(test)]
mod tests;
