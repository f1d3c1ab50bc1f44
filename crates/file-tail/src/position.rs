//! [`Position`]: a place in a file that is known again wherever the file went, and its form in a checkpoint.
//!
//! A checkpoint's body is JSON: the fields of [`Position`].

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The name of the format, for the checkpoint's header.
pub(crate) const FORMAT: &str = "file-tail/1";

/// Bytes before a place by which it is known: one line of nearly any log, and read together with what follows.
pub(crate) const TAIL: usize = 1024;

/// Names a file on this machine as long as it is there; afterwards another one may get the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    /// Of no file at all.
    const NONE: Self = Self { device: 0, inode: 0 };

    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Nanoseconds since the epoch at which a file was written to.
pub(crate) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// A place in a file, between two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) file: FileId,
    /// Bytes before it; in a compressed file, of its content.
    pub(crate) offset: u64,
    /// A hash of the up to [`TAIL`] bytes before it.
    pub(crate) hash: u64,
    /// When the file was written to, as far as was known, in nanoseconds since the epoch.
    pub(crate) modified: i64,
    /// What is known of the file besides; not in older checkpoints.
    #[serde(default)]
    pub(crate) earlier: Earlier,
}

/// A part of a file that was read: long enough that it is like no part of another content at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub(crate) struct Part {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Of all its bytes.
    pub(crate) hash: u64,
}

impl Part {
    /// No part is shorter.
    pub(crate) const LEAST: u64 = 64 << 10;
}

impl From<(u64, u64, u64)> for Part {
    fn from((start, end, hash): (u64, u64, u64)) -> Self {
        Self { start, end, hash }
    }
}

impl From<Part> for (u64, u64, u64) {
    fn from(part: Part) -> Self {
        (part.start, part.end, part.hash)
    }
}

/// Parts that were read before, the last one first, each far before the one in front of it: a power loss may cut off
/// the end of a file that a checkpoint, which is synced, says was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Earlier([Option<Part>; 4]);

impl Earlier {
    /// How far each moves at least. So what comes again is some times as long as what was cut off, up to 16 MiB, and a
    /// checkpoint stays small. The first one may be at the very end, and the second one is for that case.
    const STEPS: [u64; 4] = [Part::LEAST, Part::LEAST, 1 << 20, 16 << 20];

    /// This part was read.
    pub(crate) fn pass(&mut self, mut part: Part) {
        for (slot, step) in self.0.iter_mut().zip(Self::STEPS) {
            if slot.is_some_and(|old| part.end < old.end.saturating_add(step)) {
                return;
            }
            let Some(old) = slot.replace(part) else { return };
            part = old;
        }
    }

    /// Those that are not behind `offset`.
    pub(crate) fn until(self, offset: u64) -> Self {
        Self(self.0.map(|part| part.filter(|part| part.end <= offset)))
    }

    /// The last one first.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        self.0.into_iter().flatten()
    }
}

impl Position {
    /// Behind `tail`, which ends at `offset`.
    pub(crate) fn new(file: FileId, offset: u64, tail: &[u8], modified: i64) -> Self {
        Self { file, offset, hash: xxh3_64(tail), modified, earlier: Earlier::default() }
    }

    /// There is no file: what comes after this moment is to be read.
    pub(crate) fn before_any(now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self::new(FileId::NONE, 0, &[], i64::try_from(now).unwrap_or(i64::MAX))
    }

    /// Whether it is a place in a file at all.
    pub(crate) fn is_in_a_file(&self) -> bool {
        self.file != FileId::NONE
    }

    /// How many bytes [`holds`](Self::holds) wants.
    pub(crate) fn tail(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(TAIL).min(TAIL)
    }

    /// Whether these bytes are the ones before it.
    pub(crate) fn holds(&self, tail: &[u8]) -> bool {
        tail.len() == self.tail() && xxh3_64(tail) == self.hash
    }

    pub(crate) fn encode(&self) -> Bytes {
        // Numbers only: there is nothing that could not be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` when it did not.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let file = FileId { device: u64::MAX, inode: 7 };
        let position = Position::new(file, 3, b"abc", i64::MAX);
        assert_eq!(Position::decode(&position.encode()), Some(position));
        assert_eq!(Position::decode(b"{}"), None);
        assert_eq!(Position::decode(b""), None);
    }

    #[test]
    fn an_older_checkpoint_has_no_earlier_places() {
        let body = br#"{"file":{"device":1,"inode":2},"offset":3,"hash":4,"modified":5}"#;
        let position = Position::decode(body).expect("a position");
        assert_eq!((position.offset, position.earlier), (3, Earlier::default()));
    }

    #[test]
    fn earlier_places_are_further_and_further_back() {
        let mut earlier = Earlier::default();
        let offsets = |earlier: &Earlier| earlier.parts().map(|part| part.end).collect::<Vec<_>>();
        for end in (0..=100 << 20).step_by(64 << 10).skip(1) {
            earlier.pass(Part { start: end - Part::LEAST, end, hash: 0 });
        }
        let found = offsets(&earlier);
        let mut nearest = 0;
        for (offset, step) in found.iter().zip(Earlier::STEPS) {
            let back = (100 << 20) - offset;
            assert!((nearest..=3 * step).contains(&back), "{found:?}");
            nearest = step.min(back + 1);
        }
        assert_eq!(found.len(), 4);
        assert_eq!(offsets(&earlier.until(found[2])), found[2..]);
    }

    #[test]
    fn a_place_is_known_by_the_bytes_before_it() {
        let tail = [b'x'; TAIL];
        let file = FileId { device: 1, inode: 1 };
        let position = Position::new(file, 5000, &tail, 0);
        assert!(position.holds(&tail));
        assert!(!position.holds(tail.get(1..).unwrap_or_default()));
        assert!(!position.holds(&[b'y'; TAIL]));
        let start = Position::new(file, 0, &[], 0);
        assert!(start.holds(&[]) && !start.holds(b"a"));
        assert!(start.is_in_a_file() && !Position::before_any(SystemTime::now()).is_in_a_file());
    }
}
