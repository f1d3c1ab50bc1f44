//! [`FileRecord`]: what a file is made of.

use bytes::Bytes;

/// One line, or one JSON document over several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its bytes, without the end of the line (`\n`, `\r\n`); never blank; without its end, when it is longer than
    /// [`FileOptions::max_record_bytes`](crate::FileOptions::max_record_bytes).
    /// It owns them: it keeps no larger buffer alive.
    pub bytes: Bytes,
}
