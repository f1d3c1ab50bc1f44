//! [`FileRecord`]: what a file is made of.

use bytes::Bytes;

/// One line, or one JSON document over several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its bytes, without the end of the line (`\n`, `\r\n`); never blank.
    /// It owns them: it keeps no larger buffer alive.
    pub bytes: Bytes,
    /// Whether it was longer than the bound, so that its end is missing.
    pub is_cut: bool,
}
