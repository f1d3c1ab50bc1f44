//! [`Track`]: one file, read from a place on, which notices when what it has read is not there any more.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::inflate;
use crate::position::{Earlier, FileId, Part, Position, TAIL, modified};

/// Bytes read at once.
pub(crate) const CHUNK: usize = 256 << 10;

/// Bytes that are not alike by chance.
const ALIKE: usize = 128;

/// Opens for reading; a pipe without a writer does not block.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let (file, metadata) = open(path)?;
    if metadata.is_file() {
        return Ok((file, metadata));
    }
    let message = "it is no regular file, and only those can be followed";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

/// A file and how far it was read.
pub(crate) struct Track {
    content: Content,
    pub(crate) path: PathBuf,
    /// What its siblings are siblings of: the path, without links, of the file that was followed.
    pub(crate) home: PathBuf,
    /// Whether it was at the path that is followed, so that somebody may write to it.
    pub(crate) is_live: bool,
    pub(crate) id: FileId,
    /// Up to there it was read; of a compressed file, its content.
    pub(crate) offset: u64,
    /// The up to [`TAIL`] bytes before `offset`.
    tail: Vec<u8>,
    /// What was read before the part that is being read.
    earlier: Earlier,
    /// Where that part begins, and what was read of it.
    part: (u64, Box<Xxh3>),
    /// The size at the last look; of a compressed file, nothing that counts.
    pub(crate) size: u64,
    pub(crate) modified: i64,
}

enum Content {
    Plain(File),
    /// A rotated file that was compressed: nobody writes to it.
    Compressed(Box<dyn Read + Send>),
}

/// What was found behind the place up to which a track was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// That many bytes.
    Bytes(usize),
    /// Nothing yet.
    End,
    /// Something else than what was read before: the file was truncated. What was seen and not read, in bytes.
    Truncated { missing: u64 },
}

impl Track {
    /// The file that is followed, from its beginning on.
    pub(crate) fn live(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        let home = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Self { is_live: true, ..Self::new(Content::Plain(file), &metadata, path.to_owned(), home) })
    }

    /// A file that was rotated, from its beginning on; inflated, when it is compressed.
    pub(crate) fn rotated(path: &Path, home: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        let mut first = [0; 4];
        let read = file.read_at(&mut first, 0)?;
        let content = if inflate::is_compressed(first.get(..read).unwrap_or_default()) {
            Content::Compressed(inflate::open(file)?)
        } else {
            Content::Plain(file)
        };
        Ok(Self::new(content, &metadata, path.to_owned(), home.to_owned()))
    }

    fn new(content: Content, metadata: &Metadata, path: PathBuf, home: PathBuf) -> Self {
        Self {
            content,
            path,
            home,
            is_live: false,
            id: FileId::of(metadata),
            offset: 0,
            tail: Vec::new(),
            earlier: Earlier::default(),
            part: (0, Box::default()),
            size: metadata.len(),
            modified: modified(metadata),
        }
    }

    /// Whether what is read is inflated.
    pub(crate) const fn is_compressed(&self) -> bool {
        matches!(self.content, Content::Compressed(_))
    }

    /// Goes to `offset`, which is the beginning or further; whether there are that many bytes.
    pub(crate) fn seek(&mut self, offset: u64) -> io::Result<bool> {
        let Content::Plain(file) = &self.content else { return self.skip(offset) };
        self.tail.resize(usize::try_from(offset).unwrap_or(TAIL).min(TAIL), 0);
        self.offset = offset;
        self.earlier = self.earlier.until(offset);
        self.part.0 = offset;
        self.part.1.reset();
        let start = offset - self.tail.len() as u64;
        match file.read_exact_at(&mut self.tail, start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| true),
        }
    }

    fn skip(&mut self, offset: u64) -> io::Result<bool> {
        let mut window = Window::default();
        while self.offset < offset {
            let most = usize::try_from(offset - self.offset).unwrap_or(CHUNK);
            match self.fill(&mut window, most)? {
                Found::Bytes(_) => self.accept(&window),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Goes to `position`, when this is the file that it is a place in.
    pub(crate) fn seek_to(&mut self, position: &Position) -> io::Result<bool> {
        let is_there = self.seek(position.offset)? && position.holds(&self.tail);
        if is_there {
            self.earlier = position.earlier.until(position.offset);
        }
        Ok(is_there)
    }

    /// Goes to the beginning of a line before `position`, when this is the file that it was a place in, and only its
    /// end has become another one.
    pub(crate) fn seek_before(&mut self, position: &Position) -> io::Result<bool> {
        for part in position.earlier.until(position.offset).parts() {
            if self.holds(&part)? {
                let start = self.last_line(part.end)?;
                self.earlier = position.earlier;
                return self.seek(start);
            }
        }
        Ok(false)
    }

    fn holds(&self, part: &Part) -> io::Result<bool> {
        // No part is longer than what was read at once with what was before that.
        let length = part.end.checked_sub(part.start).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= 2 * CHUNK);
        let (Some(file), Some(length)) = (self.plain(), length) else { return Ok(false) };
        let mut bytes = vec![0; length];
        match file.read_exact_at(&mut bytes, part.start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| xxh3_64(&bytes) == part.hash),
        }
    }

    /// Where it is.
    pub(crate) fn position(&self) -> Position {
        let earlier = self.earlier;
        Position { earlier, ..Position::new(self.id, self.offset, &self.tail, self.modified) }
    }

    /// Where it was `read` bytes into `window`, which was accepted.
    pub(crate) fn position_in(&self, window: &Window, read: usize) -> Position {
        let end = window.tail + read;
        let bytes = window.bytes.get(end.saturating_sub(TAIL)..end).unwrap_or_default();
        let offset = self.offset - (window.read - read) as u64;
        Position { earlier: self.earlier, ..Position::new(self.id, offset, bytes, self.modified) }
    }

    /// Reads what comes next into `window`.
    pub(crate) fn read(&mut self, window: &mut Window) -> io::Result<Found> {
        self.fill(window, CHUNK)
    }

    fn fill(&mut self, window: &mut Window, most: usize) -> io::Result<Found> {
        window.bytes.resize(TAIL + CHUNK, 0);
        window.tail = self.tail.len();
        let most = window.tail + most.min(CHUNK);
        let Some((before, rest)) =
            window.bytes.get_mut(..most).and_then(|bytes| bytes.split_at_mut_checked(window.tail))
        else {
            return Ok(Found::End);
        };
        let read = match &mut self.content {
            Content::Compressed(content) => {
                before.copy_from_slice(&self.tail);
                content.read(rest)?
            }
            Content::Plain(file) => {
                let seen = self.size;
                let metadata = file.metadata()?;
                self.size = metadata.len();
                // The bytes before are read along, in one call: they tell whether what follows belongs to them.
                let place = self.offset - window.tail as u64;
                let bytes = window.bytes.get_mut(..most).unwrap_or_default();
                let read = file.read_at(bytes, place)?;
                let is_same = bytes.get(..window.tail) == Some(&self.tail) && read >= window.tail;
                if !is_same || self.size < seen {
                    return Ok(Found::Truncated { missing: self.missing(seen, is_same) });
                }
                // Not before: what is there after a truncation is younger than a copy of what was there.
                self.modified = modified(&metadata);
                read - window.tail
            }
        };
        window.read = read;
        Ok(if read == 0 { Found::End } else { Found::Bytes(read) })
    }

    /// Of what was seen, what is gone: where what was read before is still there, only the end was cut off.
    fn missing(&self, seen: u64, is_same: bool) -> u64 {
        let kept = if is_same && self.offset > 0 { self.offset.max(self.size) } else { self.offset };
        seen.saturating_sub(kept)
    }

    /// Looks at its size.
    pub(crate) fn measure(&mut self) -> io::Result<()> {
        if let Content::Plain(file) = &self.content {
            self.size = file.metadata()?.len();
        }
        Ok(())
    }

    fn plain(&self) -> Option<&File> {
        match &self.content {
            Content::Plain(file) => Some(file),
            Content::Compressed(_) => None,
        }
    }

    /// Looks how much there is, while nobody takes what was read: so it is known what a truncation costs.
    pub(crate) fn watch(&mut self) {
        // Without bytes before it nothing tells whose size that is.
        let Some(file) = self.plain().filter(|_| !self.tail.is_empty()) else { return };
        let Ok(metadata) = file.metadata() else { return };
        let mut before = vec![0; self.tail.len()];
        let place = self.offset - before.len() as u64;
        // What was truncated and has grown again says nothing of what was lost.
        if metadata.len() > self.size && file.read_exact_at(&mut before, place).is_ok() && before == self.tail
        {
            self.size = metadata.len();
        }
    }

    /// What `window` holds was read.
    pub(crate) fn accept(&mut self, window: &Window) {
        let end = window.tail + window.read;
        self.offset += window.read as u64;
        self.tail.clear();
        self.tail.extend_from_slice(window.bytes.get(end.saturating_sub(TAIL)..end).unwrap_or_default());
        let (start, hasher) = &mut self.part;
        hasher.update(window.bytes.get(window.tail..end).unwrap_or_default());
        if self.offset - *start >= Part::LEAST {
            self.earlier.pass(Part { start: *start, end: self.offset, hash: hasher.digest() });
            *start = self.offset;
            hasher.reset();
        }
    }

    /// The first bytes, up to [`TAIL`]; of a plain file only, for the others cannot go back.
    fn head(&self) -> io::Result<Vec<u8>> {
        let Content::Plain(file) = &self.content else { return Ok(Vec::new()) };
        let mut head = vec![0; TAIL];
        let read = file.read_at(&mut head, 0)?;
        head.truncate(read);
        Ok(head)
    }

    /// Whether both begin alike: one is a copy of the other. Two lines may be alike by chance, so short ones do not
    /// count.
    pub(crate) fn begins_like(&self, other: &Self) -> io::Result<bool> {
        let (mut head, mut other) = (self.head()?, other.head()?);
        let length = head.len().min(other.len());
        head.truncate(length);
        other.truncate(length);
        Ok(length >= ALIKE && head == other)
    }

    /// Behind the last line feed of the first `size` bytes, or at their end when none is near: who begins there gets
    /// the line that is being written as a whole.
    pub(crate) fn last_line(&self, size: u64) -> io::Result<u64> {
        let Content::Plain(file) = &self.content else { return Ok(size) };
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(CHUNK).min(CHUNK)];
        let start = size - bytes.len() as u64;
        match file.read_exact_at(&mut bytes, start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(size),
            read => read?,
        }
        Ok(match memchr::memrchr(b'\n', &bytes) {
            Some(end) => start + end as u64 + 1,
            None if start == 0 => 0,
            None => size,
        })
    }
}

/// What was read last, with the bytes before it in front.
#[derive(Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    tail: usize,
    read: usize,
}

impl Window {
    /// What was read, from `start` on.
    pub(crate) fn from(&self, start: usize) -> &[u8] {
        self.bytes.get(self.tail + start..self.tail + self.read).unwrap_or_default()
    }
}
