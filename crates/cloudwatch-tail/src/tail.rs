//! [`Tail`]: a log group as an [`EventSource`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use bytes::Bytes;
use event_source::checkpoint::{CheckpointStore, Checkpointer};
use event_source::{
    Backoff, CheckpointDelta, Cursor, ErrorKind, EventSource, NextBatch, PartitionId, RecordBatch,
    SourceError, SourceMetrics, chain,
};
use tokio::task::JoinHandle;

use crate::error::CallError;
use crate::log_group::{LogGroup, LogGroupHome};
use crate::metrics::{Standing, TailBoard};
use crate::position::{FORMAT, Position, decode, encode};
use crate::seen::{EventKey, KeySet, Seen};
use crate::session::Session;
use crate::window::{Plan, Planner, Rhythm, Scan};

/// Which log group to follow, and how.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Its name, or the ARN of a group that another account shares with this one.
    pub log_group: String,
    /// The region, when it is not the session's.
    pub region: Option<String>,
    /// Read only streams whose names start so.
    pub stream_prefix: Option<String>,
    /// Read only what matches this CloudWatch filter pattern; CloudWatch applies it.
    pub filter_pattern: Option<String>,
    /// Where to begin when there is no checkpoint.
    pub start: StartPosition,
    /// Pause between polls, once caught up.
    pub polling_interval: Duration,
    /// What each poll reads again, once caught up; `settle` at most.
    pub overlap: Duration,
    /// The age at which time is read once more, and then never again.
    pub settle: Duration,
    /// Messages of one batch.
    pub batch_messages: usize,
    /// Where checkpoints are kept; `None`: nowhere.
    pub checkpoints: Option<Arc<CheckpointStore>>,
    /// Pause between checkpoints.
    pub checkpoint_interval: Duration,
}

/// Where a tail begins when there is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// That long before the moment at which the tail was opened, by the provider's clock.
    Latest {
        /// How long before.
        before: Duration,
    },
    /// With the oldest message that the group still has.
    Beginning,
    /// At that time, in milliseconds since the epoch.
    At(i64),
}

/// One message of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// Its text.
    pub message: Bytes,
    /// What the log says of its time, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// A log group, followed.
#[derive(Debug)]
pub struct Tail {
    group: Arc<LogGroup>,
    home: Option<LogGroupHome>,
    partition: PartitionId,
    rhythm: Rhythm,
    start: StartPosition,
    opened: Instant,
    batch_messages: usize,
    checkpointer: Checkpointer,
    /// `None` until the provider has answered once: before, nobody knows what time it is.
    progress: Option<Progress>,
    stored: Option<(Position, Seen)>,
    call: Option<Call>,
    /// Read, and not yet given.
    pending: VecDeque<LogMessage>,
    /// The cursor of the last message read.
    read: Cursor,
    /// The cursor of the last message evaluated.
    evaluated: Cursor,
    /// Read, and not yet evaluated.
    in_flight: VecDeque<EventKey>,
    /// Positions that hold as soon as the message of that cursor was evaluated.
    marks: VecDeque<(Cursor, Position)>,
    is_changed: bool,
    /// Tokens in a row that were not accepted.
    tokens_refused: u32,
    lateness_told: bool,
    /// What was told of bounds, so that each change is told once.
    told: Told,
}

/// The bounds that were reached, as far as the log knows.
#[derive(Debug, Default)]
struct Told {
    caught_up: bool,
    behind: bool,
    full: bool,
}

/// What was read.
#[derive(Debug)]
struct Progress {
    planner: Planner,
    seen: Seen,
    /// What would be found again after a crash: everything up to here was evaluated.
    durable: Position,
}

/// A call under way, in a task of its own: whoever waits for it may be cancelled.
#[derive(Debug)]
struct Call {
    /// `None`: the first call, which only asks whether calls work.
    scan: Option<Scan>,
    answer: JoinHandle<Result<FilterLogEventsOutput, CallError>>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// Being less behind, in milliseconds, is not worth a line.
const BEHIND: i64 = 60_000;
/// How often opening tries a call that fails for a reason that may pass.
const OPEN_TRIES: u32 = 4;
/// One refused token is an old one; when each is refused, reading does not get on.
const TOKENS_REFUSED: u32 = 3;
/// How long opening waits for what only sharpens its messages.
const DESCRIBE: Duration = Duration::from_secs(5);

impl Tail {
    /// Follows a log group: reads its checkpoint, and makes one call to see that it can be read.
    ///
    /// A call that is throttled or gets no answer is no reason to fail: the tail tries on.
    ///
    /// # Errors
    /// What will not pass by itself: a missing permission, a missing group, a checkpoint that is none. The message
    /// names the resource and what to do.
    pub async fn open(
        session: &Session,
        options: TailOptions,
        board: Arc<TailBoard>,
        metrics: Arc<SourceMetrics>,
    ) -> Result<Self, SourceError> {
        let connection = session.connect(options.region.as_deref())?;
        let prefix = options.stream_prefix.as_deref().unwrap_or_default();
        let partition = PartitionId::new(format!("{}:{}:{prefix}", connection.region, options.log_group));
        let group = Arc::new(LogGroup {
            connection,
            name: options.log_group,
            stream_prefix: options.stream_prefix,
            filter_pattern: options.filter_pattern,
            board,
        });
        let checkpointer = Checkpointer::new(
            options.checkpoints.clone(),
            partition.clone(),
            FORMAT,
            options.checkpoint_interval,
            metrics,
        );
        let settle = millis(options.settle);
        let mut tail = Self {
            group,
            home: None,
            partition,
            rhythm: Rhythm {
                polling_interval: options.polling_interval,
                overlap: millis(options.overlap).min(settle),
                settle,
            },
            start: options.start,
            opened: Instant::now(),
            batch_messages: options.batch_messages.max(1),
            checkpointer,
            progress: None,
            stored: None,
            call: None,
            pending: VecDeque::new(),
            read: Cursor(0),
            evaluated: Cursor(0),
            in_flight: VecDeque::new(),
            marks: VecDeque::new(),
            is_changed: false,
            tokens_refused: 0,
            lateness_told: false,
            told: Told::default(),
        };
        tail.load().await?;
        tail.probe().await?;
        Ok(tail)
    }

    /// Where the group lives, if that could be found out.
    pub const fn home(&self) -> Option<&LogGroupHome> {
        self.home.as_ref()
    }

    async fn load(&mut self) -> Result<(), SourceError> {
        let Some(body) = self.checkpointer.load().await? else { return Ok(()) };
        self.stored = decode(body);
        if self.stored.is_none() {
            let message = format!(
                "the checkpoint of `{}` is damaged: move it away to start without one",
                self.partition
            );
            return Err(SourceError::new(ErrorKind::Corrupt, message));
        }
        Ok(())
    }

    /// One call at open, so that what will not pass by itself is told there.
    async fn probe(&mut self) -> Result<(), SourceError> {
        let mut backoff = Backoff::new();
        for attempt in 1.. {
            match self.group.filter(None).await {
                Ok(_) => self.begin(),
                Err(error) if !error.kind.is_transient() => {
                    return Err(self.group.failed_to_open(error).await);
                }
                Err(error) if attempt == OPEN_TRIES => {
                    let error = self.group.asked("logs:FilterLogEvents").failed(error);
                    log::warn!("`{}`: {}; trying on", self.partition, chain(&error));
                }
                Err(_) => tokio::time::sleep(backoff.pause()).await,
            }
            // An answer whose time is doubtful begins nothing: the next one tells.
            if self.progress.is_some() || attempt == OPEN_TRIES {
                break;
            }
        }
        self.write_first_checkpoint().await?;
        let sharpen = async {
            self.group.warn_if_without_streams().await;
            self.group.home().await
        };
        self.home = tokio::time::timeout(DESCRIBE, sharpen).await.unwrap_or_default();
        Ok(())
    }

    /// Where reading begins is written down at once: who is killed before the first interval is over begins there
    /// again, not later. And a place that cannot be written to is told at open.
    async fn write_first_checkpoint(&mut self) -> Result<(), SourceError> {
        match self.checkpointer.finish(self.checkpoint()).await {
            Err(error) if error.kind().is_transient() => {
                log::warn!("`{}`: {}; trying on", self.partition, chain(&error));
                Ok(())
            }
            written => written,
        }
    }

    /// The provider has answered, so it is known what time it is.
    fn begin(&mut self) {
        let Some(now) = self.group.connection.clock.now_ms() else { return };
        let (position, seen) = self.stored.take().unwrap_or_else(|| {
            let at = match self.start {
                StartPosition::Latest { before } => now - millis(self.opened.elapsed()) - millis(before),
                StartPosition::Beginning => 0,
                StartPosition::At(at) => at,
            };
            (Position { settled: at, frontier: at }, Seen::default())
        });
        let behind = (now - position.frontier) / 1000;
        log::info!("`{}`: reading from {behind} s before now on", self.partition);
        self.is_changed = true;
        self.progress =
            Some(Progress { planner: Planner::new(self.rhythm, position), seen, durable: position });
    }

    /// Starts the next call, or says how long none is due.
    fn start_call(&mut self) -> Duration {
        let scan = match &mut self.progress {
            None => None,
            Some(progress) => {
                let now = self.group.connection.clock.now_ms().unwrap_or_default();
                match progress.planner.plan(now, Instant::now(), progress.seen.is_full()) {
                    Plan::Call(scan) => Some(scan),
                    Plan::Wait(pause) => return pause,
                }
            }
        };
        let (group, asked) = (Arc::clone(&self.group), scan.clone());
        let answer = tokio::spawn(async move { group.filter(asked.as_ref()).await });
        self.call = Some(Call { scan, answer });
        Duration::ZERO
    }

    fn answered(
        &mut self,
        scan: Option<Scan>,
        answer: Result<FilterLogEventsOutput, CallError>,
    ) -> Result<(), SourceError> {
        match (answer, scan) {
            (Ok(_), None) => self.begin(),
            (Ok(page), Some(scan)) => self.take_page(page, scan),
            (Err(mut error), Some(scan)) if error.kind == ErrorKind::Config && scan.token.is_some() => {
                // Tokens live 24 hours; the window is read again, and what is known of it is dropped.
                log::debug!("`{}`: {}: starting the window again", self.partition, error.text);
                self.group.board.metrics().windows_restarted.increment();
                if let Some(progress) = &mut self.progress {
                    progress.planner.restart(scan);
                }
                self.tokens_refused += 1;
                if self.tokens_refused >= TOKENS_REFUSED {
                    error.kind = ErrorKind::Unavailable;
                    return Err(self.group.asked("logs:FilterLogEvents").failed(error));
                }
            }
            (Err(mut error), _) => {
                // The same parameters worked when the tail was opened: they are not what is wrong.
                if error.kind == ErrorKind::Config && self.progress.is_some() {
                    error.kind = ErrorKind::Unavailable;
                }
                return Err(self.group.asked("logs:FilterLogEvents").failed(error));
            }
        }
        Ok(())
    }

    fn take_page(&mut self, page: FilterLogEventsOutput, scan: Scan) {
        if scan.token.is_some() {
            self.tokens_refused = 0;
        }
        let events = page.events.unwrap_or_default();
        let earliest = events.iter().filter_map(|event| event.timestamp).min();
        for event in events {
            self.take_event(event);
        }
        let Some(progress) = &mut self.progress else { return };
        let share = self.group.connection.budget.share(self.rhythm.polling_interval);
        let token = page.next_token.filter(|token| !token.is_empty());
        if progress.planner.page(scan, token, earliest, share) {
            self.marks.push_back((self.read, progress.planner.position()));
            self.move_durable();
        }
    }

    fn take_event(&mut self, event: FilteredLogEvent) {
        let Some(progress) = &mut self.progress else { return };
        // CloudWatch sends both; should it not, an odd message is better than none.
        let message = event.message.unwrap_or_default();
        let timestamp_ms = event.timestamp.or(event.ingestion_time);
        let timestamp_ms = timestamp_ms.unwrap_or(progress.planner.position().frontier);
        let metrics = self.group.board.metrics();
        metrics.messages_read.increment();
        metrics.bytes_read.add(message.len() as u64);
        let key = match event.event_id {
            Some(id) => EventKey::of(&id),
            None => EventKey::of(&format!("{timestamp_ms} {:?} {message}", event.log_stream_name)),
        };
        if !progress.seen.insert(timestamp_ms, key) {
            metrics.duplicates_dropped.increment();
            return;
        }
        if timestamp_ms < progress.planner.position().frontier {
            metrics.late_events.increment();
        }
        self.in_flight.push_back(key);
        self.read.0 += 1;
        self.pending.push_back(LogMessage { message: Bytes::from(message), timestamp_ms });
        if let Some(ingested) = event.ingestion_time {
            self.note_lateness(ingested - timestamp_ms);
        }
    }

    fn note_lateness(&mut self, lateness: i64) {
        let seconds = u64::try_from(lateness / 1000).unwrap_or_default();
        self.group.board.metrics().seconds_late_at_most.raise(seconds);
        if lateness >= self.rhythm.settle / 10 * 8 && !self.lateness_told {
            self.lateness_told = true;
            let settle = self.rhythm.settle / 1000;
            log::warn!(
                "`{}`: a message arrived {seconds} s late, and what becomes visible more than {settle} s late is lost: raise `settle`",
                self.partition
            );
        }
    }

    /// Whatever position was waiting for messages that are evaluated by now is one to start again from.
    fn move_durable(&mut self) {
        let Some(progress) = &mut self.progress else { return };
        while let Some((_, position)) = self.marks.pop_front_if(|(cursor, _)| *cursor <= self.evaluated) {
            progress.durable = position;
            self.is_changed = true;
        }
        // What is before the durable position is not written, and not read again.
        progress.seen.forget_before(progress.planner.floor().min(progress.durable.settled));
    }

    fn take_batch(&mut self) -> Option<RecordBatch<LogMessage>> {
        let count = self.pending.len().min(self.batch_messages);
        if count == 0 {
            return None;
        }
        let records: Vec<_> = self.pending.drain(..count).collect();
        let end = Cursor(self.read.0 - self.pending.len() as u64);
        Some(RecordBatch { partition: self.partition.clone(), records, end })
    }

    /// Whether there is something to write that no checkpoint says.
    fn has_news(&self) -> bool {
        self.is_changed || self.checkpointer.has_failed()
    }

    async fn keep_checkpoint(&mut self) {
        if self.checkpointer.is_due().await
            && self.has_news()
            && let Some(body) = self.checkpoint()
        {
            self.is_changed = false;
            self.checkpointer.save(body);
        }
    }

    fn checkpoint(&self) -> Option<Bytes> {
        let progress = self.progress.as_ref()?;
        let in_flight: KeySet = self.in_flight.iter().copied().collect();
        Some(encode(progress.durable, &progress.seen, &in_flight))
    }

    fn update_gauges(&mut self) {
        let (Some(progress), Some(now)) = (&self.progress, self.group.connection.clock.now_ms()) else {
            return;
        };
        let (partition, lag) = (&self.partition, progress.planner.lag(now));
        let is_full = progress.seen.is_full();
        if is_full && !self.told.full {
            log::warn!(
                "`{partition}`: more messages within `settle` than can be remembered: new ones wait until old ones have settled; lower `settle`, or narrow `filter_pattern`"
            );
        }
        self.told.full = is_full;
        let is_behind = lag > self.rhythm.settle.saturating_add(self.rhythm.overlap).max(BEHIND);
        match (is_behind, self.told.caught_up, self.told.behind) {
            (true, true, false) => {
                self.told.behind = true;
                log::warn!(
                    "`{partition}`: {} s behind and falling: the calls do not suffice, or Falco is slower than the log; see `max_calls_per_second`",
                    lag / 1000
                );
            }
            (false, _, true) => {
                self.told.behind = false;
                log::info!("`{partition}`: caught up again");
            }
            (false, false, _) => self.told.caught_up = true,
            _ => {}
        }
        let watermark_ms = progress.durable.frontier;
        self.group.board.update(
            &self.partition,
            Standing {
                lag_ms: (now - watermark_ms).max(0),
                watermark_ms,
                overlap_ms: progress.planner.overlap(),
                remembered: progress.seen.len(),
            },
        );
    }
}

impl EventSource for Tail {
    type Record = LogMessage;

    fn name(&self) -> &str {
        self.partition.as_str()
    }

    async fn next_batch(&mut self) -> Result<NextBatch<LogMessage>, SourceError> {
        loop {
            self.keep_checkpoint().await;
            self.update_gauges();
            // One page ahead: while the consumer works on one, the next is on its way.
            let pause = if self.call.is_none() { self.start_call() } else { Duration::ZERO };
            if let Some(batch) = self.take_batch() {
                return Ok(NextBatch::Records(batch));
            }
            // A checkpoint that is due waits neither for the next poll nor for a slow answer.
            let due = if self.has_news() { self.checkpointer.until_due() } else { Duration::MAX };
            let Some(call) = &mut self.call else { return Ok(NextBatch::Idle(pause.min(due))) };
            let answer = tokio::select! {
                answer = &mut call.answer => answer,
                () = tokio::time::sleep(due) => continue,
            };
            let scan = self.call.take().and_then(|mut call| call.scan.take());
            let answer = answer.unwrap_or_else(|panic| {
                Err(CallError {
                    kind: ErrorKind::Unavailable,
                    at_login: false,
                    code: None,
                    text: panic.to_string(),
                })
            });
            self.answered(scan, answer)?;
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        let count = usize::try_from(delta.to.0.saturating_sub(self.evaluated.0)).unwrap_or(usize::MAX);
        self.in_flight.drain(..count.min(self.in_flight.len()));
        self.evaluated = self.evaluated.max(delta.to);
        // Which messages were evaluated is part of a checkpoint, also where no position moved.
        self.is_changed |= count > 0;
        self.move_durable();
        self.keep_checkpoint().await;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.call = None;
        let body = self.checkpoint();
        self.checkpointer.finish(body).await
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
