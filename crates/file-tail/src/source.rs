//! [`FileSource`]: files as an [`EventSource`].

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event_source::checkpoint::{CheckpointStore, Checkpointer};
use event_source::{
    CheckpointDelta, Cursor, ErrorKind, EventSource, NextBatch, PartitionId, RecordBatch, SourceError,
    SourceMetrics, chain,
};
use tokio::sync::mpsc::{Receiver, channel};

use crate::follower::{Follower, Start};
use crate::metrics::FileMetrics;
use crate::once::{Input, Once};
use crate::outbox::{Message, Outbox};
use crate::position::{FORMAT, Position};
use crate::reader::Reader;
use crate::record::FileRecord;
use crate::stop::Stop;
use crate::target::Target;
use crate::trouble::Trouble;

/// Where a followed file begins when there is no checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartPosition {
    /// With the line that is being written when it is opened.
    /// A file that is not there yet is read from its beginning; one that may not be read yet, from its end then.
    #[default]
    End,
    /// With the first line of the file; not of those that were rotated before.
    Beginning,
}

/// How to read, and what bounds it.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Bytes of one line or document, 1024 at least; a longer one loses its end.
    pub max_record_bytes: usize,
    /// Bytes of one batch; the last record may go beyond.
    pub max_batch_bytes: usize,
    /// Records of one batch.
    pub max_batch_records: usize,
    /// Where a followed file begins.
    pub start: StartPosition,
    /// Where checkpoints of a followed file are kept; `None`: nowhere.
    pub checkpoints: Option<Arc<CheckpointStore>>,
    /// Pause between checkpoints.
    pub checkpoint_interval: Duration,
    /// Pause between two looks at a followed file.
    pub look_interval: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            max_record_bytes: 16 << 20,
            max_batch_bytes: 1 << 20,
            max_batch_records: 1000,
            start: StartPosition::End,
            checkpoints: None,
            checkpoint_interval: Duration::from_secs(5),
            // A log is behind by this at most. Five looks in a second, some microseconds each, cost nothing, and
            // what is rotated or truncated between two of them is found beside the file.
            look_interval: Duration::from_millis(200),
        }
    }
}

/// Files, read once or followed.
#[derive(Debug)]
pub struct FileSource {
    partition: PartitionId,
    /// In front of the reader, so that it is dropped first: the reader may wait for room in it.
    messages: Receiver<Message>,
    reader: Reader,
    checkpointer: Checkpointer,
    /// What came while it was opened.
    first: Option<RecordBatch<FileRecord>>,
    /// The cursor of the last record given.
    read: Cursor,
    evaluated: Cursor,
    /// Positions that hold as soon as the record of that cursor was evaluated.
    marks: VecDeque<(Cursor, Position)>,
    /// What would be found again after a crash: everything up to there was evaluated.
    durable: Option<Position>,
    is_changed: bool,
    /// Whether the reader looks again and again, and tells of it.
    is_followed: bool,
    /// For how long nothing was heard of the reader while something should have been.
    silent: Duration,
    failing: Option<Failing>,
    is_ended: bool,
}

/// An outage, which the pump is told of again and again, at growing intervals: it pauses after each time, for longer
/// and longer, and meanwhile would not hear of the end.
#[derive(Debug)]
struct Failing {
    trouble: Trouble,
    next: Instant,
    pause: Duration,
}

impl Failing {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);

    fn new(trouble: Trouble) -> Self {
        Self { trouble, next: Instant::now(), pause: Self::FIRST }
    }

    fn tell(&mut self) -> SourceError {
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(Self::LONGEST);
        self.trouble.error()
    }
}

/// No bound is smaller: a record would not tell what it was.
const MIN_RECORD: usize = 1024;
/// How long opening waits for the first look.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// The pump hears that often that all is well.
const QUIET: Duration = Duration::from_secs(1);
/// A file system that does not answer for that long is an error.
const SILENCE: Duration = Duration::from_secs(15);

impl FileSource {
    /// Begins to read.
    ///
    /// A followed file may come later: that is told, and waited for. All else has to be there.
    ///
    /// # Errors
    /// What will not pass by itself: a path that is not there or may not be read, a folder without files or one that
    /// is to be followed, a checkpoint that is none or cannot be written. The message names it and what to do.
    pub async fn open(
        target: Target,
        options: FileOptions,
        metrics: Arc<FileMetrics>,
        source_metrics: Arc<SourceMetrics>,
    ) -> Result<Self, SourceError> {
        match target {
            Target::Stdin => Self::read_once("-", vec![Input::Stdin], &options, metrics, source_metrics),
            Target::Path(path) => {
                // Once, and before anything is read: it may block as long as it likes.
                let inputs = Input::list(&path)?;
                Self::read_once(&path.to_string_lossy(), inputs, &options, metrics, source_metrics)
            }
            Target::Follow(path) => Self::follow(path, options, metrics, source_metrics).await,
        }
    }

    fn read_once(
        name: &str,
        inputs: Vec<Input>,
        options: &FileOptions,
        metrics: Arc<FileMetrics>,
        source_metrics: Arc<SourceMetrics>,
    ) -> Result<Self, SourceError> {
        let partition = PartitionId::new(name);
        // Where it would begin again after a crash is its beginning.
        let checkpointer =
            Checkpointer::new(None, partition.clone(), FORMAT, options.checkpoint_interval, source_metrics);
        let max_record_bytes = options.max_record_bytes.max(MIN_RECORD);
        Self::start(checkpointer, partition, options, |outbox, stop| {
            move || Once { inputs, max_record_bytes, outbox, stop, metrics }.run()
        })
    }

    async fn follow(
        path: PathBuf,
        options: FileOptions,
        metrics: Arc<FileMetrics>,
        source_metrics: Arc<SourceMetrics>,
    ) -> Result<Self, SourceError> {
        check_followed(&path)?;
        let partition = PartitionId::new(path.to_string_lossy());
        let checkpointer = Checkpointer::new(
            options.checkpoints.clone(),
            partition.clone(),
            FORMAT,
            options.checkpoint_interval,
            source_metrics,
        );
        let stored = match checkpointer.load().await? {
            Some(body) => Some(Position::decode(&body).ok_or_else(|| {
                let message =
                    format!("the checkpoint of `{partition}` is damaged: move it away to start without one");
                SourceError::new(ErrorKind::Corrupt, message)
            })?),
            None => None,
        };
        let start = match (stored, options.start) {
            (Some(position), _) => Start::At(position),
            (None, StartPosition::End) => Start::End,
            (None, StartPosition::Beginning) => Start::Beginning,
        };
        let (max_record_bytes, look) = (options.max_record_bytes.max(MIN_RECORD), options.look_interval);
        let mut source = Self::start(checkpointer, partition, &options, |outbox, stop| {
            let follower = Follower::new(path, start, max_record_bytes, outbox, (stop, look), metrics);
            move || follower.run()
        })?;
        source.durable = stored;
        source.is_followed = true;
        source.settle().await?;
        Ok(source)
    }

    fn start<W>(
        checkpointer: Checkpointer,
        partition: PartitionId,
        options: &FileOptions,
        work: impl FnOnce(Outbox, Arc<Stop>) -> W,
    ) -> Result<Self, SourceError>
    where
        W: FnOnce() -> Result<(), crate::outbox::Stopped> + Send + 'static,
    {
        let (sender, messages) = channel(1);
        let outbox = Outbox::new(sender, options.max_batch_bytes, options.max_batch_records);
        let stop = Arc::new(Stop::default());
        let reader = Reader::start(Arc::clone(&stop), work(outbox, stop)).map_err(|error| {
            SourceError::new(ErrorKind::Unavailable, "cannot start the thread that reads files")
                .because(error)
        })?;
        Ok(Self {
            partition,
            messages,
            reader,
            checkpointer,
            first: None,
            read: Cursor(0),
            evaluated: Cursor(0),
            marks: VecDeque::new(),
            durable: None,
            is_changed: false,
            is_followed: false,
            silent: Duration::ZERO,
            failing: None,
            is_ended: false,
        })
    }

    /// Waits for the first look, so that "the end" is the end at opening, and writes down where reading begins: who
    /// is killed before the first interval is over begins there again, not later. And a place that cannot be written
    /// to is told at open.
    async fn settle(&mut self) -> Result<(), SourceError> {
        while let Ok(message) = tokio::time::timeout(FIRST_LOOK, self.messages.recv()).await {
            let is_look = matches!(message, Some(Message::Looked));
            // Most often without records, for the position is told before anything is read.
            match self.take(message) {
                Some(Ok(NextBatch::Records(batch))) => self.first = Some(batch),
                _ if is_look => continue,
                _ => {}
            }
            break;
        }
        let Some(position) = self.durable else { return Ok(()) };
        match self.checkpointer.finish(Some(position.encode())).await {
            Err(error) if error.kind().is_transient() => {
                log::warn!("`{}`: {}; trying on", self.partition, chain(&error));
                Ok(())
            }
            written => written.inspect(|()| self.is_changed = false),
        }
    }

    fn mark(&mut self, position: Option<Position>) {
        if let Some(position) = position {
            self.marks.push_back((self.read, position));
            self.move_durable();
        }
    }

    fn move_durable(&mut self) {
        while let Some((_, position)) = self.marks.pop_front_if(|(cursor, _)| *cursor <= self.evaluated) {
            self.is_changed |= self.durable != Some(position);
            self.durable = Some(position);
        }
    }

    /// Whether there is something to write that no checkpoint says.
    fn has_news(&self) -> bool {
        self.is_changed || self.checkpointer.has_failed()
    }

    async fn keep_checkpoint(&mut self) {
        if self.checkpointer.is_due().await
            && self.has_news()
            && let Some(position) = self.durable
        {
            self.is_changed = false;
            self.checkpointer.save(position.encode());
        }
    }

    /// When to look again at what no message tells of.
    fn wake(&self) -> Duration {
        let due = if self.has_news() { self.checkpointer.until_due() } else { QUIET };
        let next =
            self.failing.as_ref().map(|failing| failing.next.saturating_duration_since(Instant::now()));
        QUIET.min(due).min(next.unwrap_or(QUIET))
    }

    /// What a message means for the pump, if it has to hear of it.
    fn take(&mut self, message: Option<Message>) -> Option<Result<NextBatch<FileRecord>, SourceError>> {
        if std::mem::take(&mut self.silent) > SILENCE {
            // It answers again; if what it answers is an error, that is told next.
            self.failing = None;
        }
        match message {
            Some(Message::Records(records, position)) => {
                self.read.0 += records.len() as u64;
                self.mark(position);
                let (partition, end) = (self.partition.clone(), self.read);
                let batch = RecordBatch { partition, records, end };
                (!batch.records.is_empty()).then_some(Ok(NextBatch::Records(batch)))
            }
            Some(Message::Failing(trouble)) => {
                match &mut self.failing {
                    // The same as before: it is told when its time comes.
                    Some(failing) if failing.trouble.kind == trouble.kind => failing.trouble = trouble,
                    failing => *failing = Some(Failing::new(trouble)),
                }
                None
            }
            Some(Message::Recovered) => {
                self.failing = None;
                Some(Ok(NextBatch::Idle(Duration::ZERO)))
            }
            Some(Message::Looked) => Some(Ok(NextBatch::Idle(Duration::ZERO))),
            Some(Message::End(trouble)) => {
                self.is_ended = true;
                self.failing = trouble.map(Failing::new);
                None
            }
            None => {
                self.is_ended = true;
                let message = "the thread that reads files has panicked; this is a defect, please report it";
                self.failing = Some(Failing::new(Trouble::new(ErrorKind::Corrupt, message)));
                None
            }
        }
    }

    /// What is to be told without a message.
    fn tell(&mut self) -> Option<Result<NextBatch<FileRecord>, SourceError>> {
        let now = Instant::now();
        if self.is_ended {
            return Some(match &mut self.failing {
                Some(failing) => Err(failing.tell()),
                None => Ok(NextBatch::End),
            });
        }
        if self.is_followed && self.failing.is_none() && self.silent > SILENCE {
            let message = format!("the file system of `{}` does not answer", self.partition);
            self.failing = Some(Failing::new(Trouble::new(ErrorKind::Unavailable, message)));
        }
        let failing = self.failing.as_mut().filter(|failing| failing.next <= now)?;
        Some(Err(failing.tell()))
    }
}

impl EventSource for FileSource {
    type Record = FileRecord;

    fn name(&self) -> &str {
        self.partition.as_str()
    }

    async fn next_batch(&mut self) -> Result<NextBatch<FileRecord>, SourceError> {
        loop {
            self.keep_checkpoint().await;
            if let Some(batch) = self.first.take() {
                return Ok(NextBatch::Records(batch));
            }
            if let Some(told) = self.tell() {
                return told;
            }
            let pause = self.wake();
            tokio::select! {
                biased;
                // Nothing is lost when this is dropped: a message stays in the channel until it is given.
                message = self.messages.recv() => {
                    if let Some(told) = self.take(message) {
                        return told;
                    }
                }
                () = tokio::time::sleep(pause) => {
                    self.silent += pause;
                    // Of a followed file, only a look says so.
                    if self.failing.is_none() && !self.is_followed {
                        return Ok(NextBatch::Idle(Duration::ZERO));
                    }
                }
            }
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.evaluated = self.evaluated.max(delta.to);
        self.move_durable();
        self.keep_checkpoint().await;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        // The reader may wait for room.
        self.messages.close();
        self.reader.end().await;
        let body: Option<Bytes> = self.durable.map(|position| position.encode());
        self.checkpointer.finish(body).await
    }
}

/// What cannot be followed, and never will.
fn check_followed(path: &Path) -> Result<(), SourceError> {
    let name = path.display();
    let config =
        |why: &str| Err(SourceError::new(ErrorKind::Config, format!("`{name}` cannot be followed: {why}")));
    if path.is_dir() {
        return config(
            "it is a folder; name the file in it, or the folder without `file://` to read it once",
        );
    }
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return config("it is no regular file; without `file://` it is read as it comes");
    }
    if path.extension().is_some_and(|end| end == "gz" || end == "zst") {
        return config("nobody adds to a compressed file; without `file://` it is read once");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
