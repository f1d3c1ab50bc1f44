//! The lines of files, read once or followed without loss, for any plugin that reads one.
//!
//! - **Read once**: a file, the files of a folder (the oldest first), or standard input, to the end; `.gz` and `.zst`
//!   are inflated, and known by their first bytes. A record is a line; or, when the first line opens a JSON document
//!   and does not close it, as a pretty printer writes it, a record is a document. One that
//!   was cut off ends where a line begins with `{` that is no item of a list. What is damaged is read as far as it
//!   goes, and is an error after everything else was read.
//! - **Followed**: a record is a line. What is written is given 0.2 s later at most, if the consumer takes it.
//!
//! The promise for a followed file, and its bounds:
//!
//! | what happens to the file | what is lost |
//! |---|---|
//! | renamed, and a new one made, also several times between two looks | nothing, as long as the files stay beside it until the next look; the one that is open may even be deleted; where others were rotated after that one, what was in between may be gone: counted, one ERROR |
//! | copied and truncated, and the copy stays beside it | what was written between the copying and the truncation: one WARN; what was seen of that and not read: counted, one ERROR |
//! | truncated without a copy | what was written since the last look: one WARN each time; what was seen and not read: counted, one ERROR |
//! | its end is gone after a power loss, and lines were written since | nothing but the line that was written to the torn one: one WARN, and up to 16 times as much as was cut off, or some 300 KiB, comes again; where more than 16 MiB, or all but the first 300 KiB, are gone, the whole file: one ERROR |
//! | mounted alone into a container, and rotated | all that is written to the new file, which cannot be seen: one ERROR once the old one is removed; mount the folder |
//! | missing for 5 s, or not to be read | nothing: told once, tried again; after the pump's patience the source ends with an error |
//! | in a folder that may not be listed | what was rotated twice between two looks, or while nobody reads: one WARN |
//! | the process is killed | nothing: what came after the last checkpoint is given again |
//! | rotated while nobody reads | nothing, as long as the files stay beside it, compressed or not; otherwise one ERROR |
//! | rotated twice or more while the clock was set back, and files are named after the time | what has an earlier name than the file that was read last; while nobody reads: one WARN |
//!
//! A truncation is noticed by the size and by the up to 1 KiB before the place up to which the file was read, so also
//! where the file has grown past that place again. A line without its end waits until it is complete, or until the
//! file is rotated or truncated. A rotated file is read until the new one has content, for its writer may still be at
//! it, and what is written to it after that is read as long as no pause is longer than 10 s; half a line of that is waited
//! for so long, before more of the new one is read. While a file grows it is looked at every 0.02 s, also while the
//! consumer takes nothing; of several truncations during one such pause, only what the first one cost is known.
//!
//! Memory: of a line or document, [`FileOptions::max_record_bytes`] are read; a longer one loses its end: counted, and
//! one ERROR a minute at most. Three batches at most are on their way, each of `max_batch_bytes` and one record, and
//! one record is being put together. Inflating takes up to 128 MiB for a zstd file that was written with `--long` or `--ultra`, 8 MiB
//! otherwise.
//!
//! It knows nothing of Kubernetes. A plugin that gives each line to a host:
//!
//! ```no_run
//! use std::{sync::Arc, time::{Duration, SystemTime, UNIX_EPOCH}};
//! use event_source::checkpoint::CheckpointStore;
//! use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceError, SourceMetrics};
//! use file_tail::{FileMetrics, FileOptions, FileRecord, FileSource, Target};
//!
//! struct Lines;
//! impl Decode<FileRecord> for Lines {
//!     fn decode(&mut self, line: FileRecord, events: &mut Vec<Event>) {
//!         let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
//!         events.push(Event::new(line.bytes, now.as_nanos() as u64));
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let metrics = Arc::new(SourceMetrics::default());
//!     let counted = Arc::clone(&metrics);
//!     let target = Target::parse("file:///var/log/payments.log")?;
//!     let folder = "file:///var/lib/payments".parse()?;
//!     let open = async move {
//!         let checkpoints = Some(Arc::new(CheckpointStore::local(&folder)?));
//!         let options = FileOptions { checkpoints, ..FileOptions::default() };
//!         let files = FileSource::open(target, options, Arc::new(FileMetrics::default()), counted).await?;
//!         Ok::<_, SourceError>(vec![Decoded::new(files, Lines)])
//!     };
//!     let bounds = PumpOptions {
//!         max_queue_events: 2000, max_queue_bytes: 16 << 20, max_batch_bytes: 1 << 20, give_up_after: None,
//!     };
//!     let mut pump = Pump::start(&bounds, metrics, open)?;
//!     while let Next::Batch(_) | Next::Timeout = pump.next_batch(Duration::from_millis(100)) {}
//!     Ok(())
//! }
//! ```

mod cuts;
mod follower;
mod inflate;
mod metrics;
mod once;
mod outbox;
mod pipe;
mod position;
mod reader;
mod record;
mod rotations;
mod siblings;
mod source;
mod splitter;
mod stop;
mod target;
mod track;
mod trouble;

pub use metrics::FileMetrics;
pub use record::FileRecord;
pub use source::{FileOptions, FileSource, StartPosition};
pub use target::Target;
