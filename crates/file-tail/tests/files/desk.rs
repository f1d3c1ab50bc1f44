//! A folder with files, and whoever reads them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use event_source::checkpoint::CheckpointStore;
use event_source::{CheckpointDelta, Cursor, EventSource, NextBatch, SourceError, SourceMetrics};
use file_tail::{FileMetrics, FileOptions, FileRecord, FileSource, StartPosition, Target};
use tempfile::TempDir;
use tokio::time::timeout;
use url::Url;

/// Nothing here takes that long, unless it never happens.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
    fn flush(&self) {}
}

/// A folder, options and counters.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) options: FileOptions,
    pub(crate) metrics: Arc<FileMetrics>,
    pub(crate) source_metrics: Arc<SourceMetrics>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        static LISTEN: Once = Once::new();
        LISTEN.call_once(|| {
            log::set_logger(&Lines).expect("the only logger");
            log::set_max_level(log::LevelFilter::Info);
        });
        let options = FileOptions {
            start: StartPosition::Beginning,
            checkpoint_interval: Duration::ZERO,
            look_interval: Duration::from_millis(10),
            ..FileOptions::default()
        };
        let folder = tempfile::tempdir().expect("folder");
        Self { folder, options, metrics: Arc::default(), source_metrics: Arc::default() }
    }

    /// With checkpoints in a folder of its own.
    pub(crate) fn with_checkpoints() -> Self {
        let mut desk = Self::new();
        let url = Url::from_directory_path(desk.path("checkpoints")).expect("absolute");
        desk.options.checkpoints = Some(Arc::new(CheckpointStore::local(&url).expect("folder")));
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends to a file, which is made when it is not there.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        appender(&self.path(name)).write_all(content.as_ref()).expect("written");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    pub(crate) fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).truncate(true).open(self.path(name)).expect("truncated");
    }

    pub(crate) async fn open(&self, target: Target) -> Result<Reading, SourceError> {
        let (metrics, sources) = (Arc::clone(&self.metrics), Arc::clone(&self.source_metrics));
        let source = FileSource::open(target, self.options.clone(), metrics, sources).await?;
        Ok(Reading { source, records: Vec::new(), given: Cursor(0), evaluated: Cursor(0) })
    }

    pub(crate) async fn read(&self, name: &str) -> Reading {
        self.open(Target::Path(self.path(name))).await.expect("open")
    }

    pub(crate) async fn follow(&self, name: &str) -> Reading {
        self.open(Target::Follow(self.path(name))).await.expect("open")
    }

    /// Level and text of what was logged of files in this folder, but for INFO.
    pub(crate) fn logged(&self) -> Vec<String> {
        logged_of(self.folder.path())
    }
}

/// Level and text of what was logged of a path, but for INFO.
pub(crate) fn logged_of(path: &Path) -> Vec<String> {
    let path = path.to_string_lossy();
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line.contains(&*path) && !line.starts_with("INFO")).cloned().collect()
}

pub(crate) fn appender(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("file")
}

/// A source and what it gave.
pub(crate) struct Reading {
    pub(crate) source: FileSource,
    pub(crate) records: Vec<FileRecord>,
    given: Cursor,
    evaluated: Cursor,
}

/// What a call gave.
#[derive(Debug)]
pub(crate) enum Given {
    Records,
    Idle,
    End,
    Failed(SourceError),
}

impl Reading {
    /// Acknowledges what the call before gave, as the pump does, and asks for more.
    pub(crate) async fn next(&mut self) -> Given {
        self.acknowledge().await;
        self.next_unacknowledged().await
    }

    pub(crate) async fn acknowledge(&mut self) {
        if self.given > self.evaluated {
            let partition = event_source::PartitionId::new(self.source.name());
            let delta = CheckpointDelta { partition, from: self.evaluated, to: self.given };
            self.source.acknowledge(delta).await.expect("acknowledged");
            self.evaluated = self.given;
        }
    }

    pub(crate) async fn next_unacknowledged(&mut self) -> Given {
        match timeout(DEADLINE, self.source.next_batch()).await.expect("an answer in time") {
            Ok(NextBatch::Records(batch)) => {
                self.given.0 += batch.records.len() as u64;
                assert_eq!(batch.end, self.given);
                self.records.extend(batch.records);
                Given::Records
            }
            Ok(NextBatch::Idle(_)) => Given::Idle,
            Ok(NextBatch::End) => Given::End,
            Err(error) => Given::Failed(error),
        }
    }

    /// Reads until there are that many records.
    #[track_caller]
    pub(crate) fn until(&mut self, count: usize) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let wait = async {
                while self.records.len() < count {
                    self.next().await;
                }
            };
            if timeout(DEADLINE, wait).await.is_err() {
                let mut logged = LINES.lock().unwrap_or_else(PoisonError::into_inner).clone();
                logged.drain(..logged.len().saturating_sub(20));
                panic!(
                    "{} of {count} records came, at {caller}; logged last: {logged:#?}",
                    self.records.len()
                );
            }
        }
    }

    /// Reads until the end, or the error that stands in its place.
    pub(crate) async fn finish(&mut self) -> Result<(), SourceError> {
        loop {
            match self.next().await {
                Given::End => return Ok(()),
                Given::Failed(error) => return Err(error),
                Given::Records | Given::Idle => {}
            }
        }
    }

    /// Reads until an error comes.
    pub(crate) async fn failure(&mut self) -> SourceError {
        loop {
            if let Given::Failed(error) = self.next().await {
                return error;
            }
        }
    }

    /// Reads until the file was looked at, and there was nothing.
    pub(crate) async fn quiet(&mut self) {
        // The first may have waited in the channel, and the second look have begun before this.
        for _ in 0..3 {
            while !matches!(self.next().await, Given::Idle) {}
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.records.iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect()
    }

    pub(crate) async fn close(mut self) {
        timeout(DEADLINE, self.source.close()).await.expect("in time").expect("closed");
    }
}

/// Of the numbers below `count`, those that are missing, and those that came more than once: the first of them.
pub(crate) fn compare(lines: &[String], count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut seen = BTreeMap::<usize, u32>::new();
    for line in lines {
        let number = line.split([' ', ':']).next().and_then(|number| number.parse().ok());
        *seen.entry(number.unwrap_or_else(|| panic!("no line of ours: `{line}`"))).or_default() += 1;
    }
    let missing = (0..count).filter(|number| !seen.contains_key(number)).take(9).collect();
    let repeated = seen.iter().filter(|(_, times)| **times > 1).map(|(number, _)| *number).take(9).collect();
    (missing, repeated)
}

/// Line number `number`: long enough that a few of them are more than 1 KiB.
pub(crate) fn line(number: usize) -> String {
    format!("{number} {:-<1$}\n", "", 20 + number * 7919 % 300)
}
