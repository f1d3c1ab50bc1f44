//! [`Once`]: reads files, or standard input, from beginning to end, on the reader's thread.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use event_source::{ErrorKind, SourceError};

use crate::inflate;
use crate::metrics::FileMetrics;
use crate::outbox::{Message, Outbox, Stopped};
use crate::pipe::Pipe;
use crate::position::modified;
use crate::splitter::Splitter;
use crate::stop::Stop;
use crate::track::{self, CHUNK};
use crate::trouble::Trouble;

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Stdin,
    File(PathBuf),
}

impl Input {
    /// The file at `path`, or the files in that folder, the one first that was written to longest ago.
    ///
    /// # Errors
    /// When there is nothing that can be read; it names what to do.
    pub(crate) fn list(path: &Path) -> Result<Vec<Self>, SourceError> {
        let failed = |path: &Path, error: io::Error| Trouble::of(path, &error).error();
        if !fs::metadata(path).map_err(|error| failed(path, error))?.is_dir() {
            // Whether it can be read is told here, and not as an end without events. A pipe is not opened twice.
            if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
                track::open(path).map_err(|error| failed(path, error))?;
            }
            return Ok(vec![Self::File(path.to_owned())]);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| failed(path, error))? {
            let file = entry.map_err(|error| failed(path, error))?.path();
            // A link that leads nowhere, or a file that was deleted since, is none.
            match fs::metadata(&file) {
                Ok(metadata) if metadata.is_file() => files.push((modified(&metadata), file)),
                _ => log::info!("`{}` is no file, and left out", file.display()),
            }
        }
        if files.is_empty() {
            let message = format!("the folder `{}` has no files: check the path", path.display());
            return Err(SourceError::new(ErrorKind::NotFound, message));
        }
        files.sort();
        Ok(files.into_iter().map(|(_, file)| Self::File(file)).collect())
    }

    fn path(&self) -> &Path {
        match self {
            Self::Stdin => Path::new("standard input"),
            Self::File(path) => path,
        }
    }

    fn open(&self, stop: &Arc<Stop>) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Stdin => inflate::open(Pipe::stdin(Arc::clone(stop))?),
            Self::File(path) => match track::open(path)? {
                (file, metadata) if metadata.is_file() => inflate::open(file),
                (file, _) => inflate::open(Pipe::new(file, Arc::clone(stop))),
            },
        }
    }
}

/// Files, one after the other.
pub(crate) struct Once {
    pub(crate) inputs: Vec<Input>,
    pub(crate) max_record_bytes: usize,
    pub(crate) outbox: Outbox,
    pub(crate) stop: Arc<Stop>,
    pub(crate) metrics: Arc<FileMetrics>,
}

/// Why a file was not read to its end.
enum Halt {
    Stopped,
    Damaged(io::Error),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error)
    }
}

impl Once {
    /// Reads all of them. What cannot be read is told, and does not keep the others from being read; at the end it
    /// is an error, as is what was too long.
    pub(crate) fn run(mut self) -> Result<(), Stopped> {
        let inputs = std::mem::take(&mut self.inputs);
        let mut damaged = Vec::new();
        for input in &inputs {
            match self.read(input) {
                Ok(0) => {}
                Ok(bytes) => damaged.push(format!(
                    "`{}`: {bytes} bytes of lines or documents that are too long were not read",
                    input.path().display()
                )),
                Err(Halt::Stopped) => return Err(Stopped),
                Err(Halt::Damaged(error)) => {
                    self.metrics.files_damaged.increment();
                    let trouble = Trouble::of(input.path(), &error);
                    log::error!("{}: the rest of it is not read", trouble.message);
                    damaged.push(trouble.message);
                }
            }
        }
        self.outbox.flush(None)?;
        // No kind that is tried again: it was read as far as it goes.
        let trouble = damaged.first().map(|first| {
            let (count, all) = (damaged.len(), inputs.len());
            let message = match all {
                1 => first.clone(),
                _ => format!("{count} of {all} files could not be read as a whole: {first}"),
            };
            Trouble::new(ErrorKind::Corrupt, message)
        });
        self.outbox.send(Message::End(trouble))
    }

    /// Returns how many bytes were left out of what is too long.
    fn read(&mut self, input: &Input) -> Result<u64, Halt> {
        let mut stream = input.open(&self.stop)?;
        self.metrics.files_opened.increment();
        log::info!("reading `{}`", input.path().display());
        let mut splitter = Splitter::either(self.max_record_bytes);
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        let end = loop {
            if self.stop.is_stopped() {
                return Err(Halt::Stopped);
            }
            let read = match stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => break Ok(()),
                Ok(read) => read,
                Err(error) => break Err(error),
            };
            self.metrics.bytes_read.add(read as u64);
            let mut rest = buffer.get(..read).unwrap_or_default();
            while !rest.is_empty() {
                let read = splitter.feed(rest, &mut self.outbox, &self.metrics);
                rest = rest.get(read..).unwrap_or_default();
                offset += read as u64;
                splitter.cuts.tell(input.path(), offset);
                if self.outbox.is_full() {
                    self.outbox.flush(None)?;
                }
            }
            // Less than was asked for: the next read may have to wait for the writer.
            if read < buffer.len() {
                self.outbox.flush(None)?;
            }
        };
        if self.stop.is_stopped() {
            return Err(Halt::Stopped);
        }
        // What there is of the last line is handed over also where the file is damaged.
        splitter.end(&mut self.outbox, &self.metrics);
        splitter.cuts.tell_rest(input.path(), offset);
        end?;
        Ok(splitter.cuts.total())
    }
}
