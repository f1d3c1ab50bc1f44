//! [`Plan`]: what to measure.

use std::path::PathBuf;

use serde::Deserialize;

/// What to measure.
#[derive(Debug, Deserialize)]
pub(crate) struct Plan {
    /// A file with an audit event a line.
    pub(crate) events: PathBuf,
    /// How often each event lies in memory.
    pub(crate) copies: usize,
    /// How often each row is measured.
    pub(crate) rounds: usize,
    /// The plugins.
    pub(crate) subjects: Vec<Subject>,
    /// Whether envelopes are measured, too.
    #[serde(default)]
    pub(crate) envelopes: bool,
    /// Without the yardstick, and without a report: for programs that count what this one does.
    #[serde(default)]
    pub(crate) silent: bool,
}

/// A plugin, and what is asked of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Subject {
    /// The `.so`.
    pub(crate) library: PathBuf,
    /// `init_config`.
    #[serde(default)]
    pub(crate) config: String,
    /// Each measures the events in memory.
    #[serde(default)]
    pub(crate) rows: Vec<Row>,
    /// Read through the plugin's own source.
    #[serde(default)]
    pub(crate) file: Option<File>,
}

/// Requests under a name.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    /// Name in the report.
    pub(crate) row: String,
    /// Asked of each event in that order, one a call; none is a call for nothing, many times over.
    pub(crate) requests: Vec<String>,
}

/// A file that the plugin reads.
#[derive(Debug, Deserialize)]
pub(crate) struct File {
    /// `open_params`.
    pub(crate) open: String,
    /// Bytes in it.
    pub(crate) bytes: u64,
    /// Name of the row of a file that is read and not looked at: CPU time of the whole process.
    pub(crate) read: String,
    /// Name of the row of what `next_batch` takes of the caller's thread.
    pub(crate) hand_over: String,
    /// What is asked of each event, and the name of the row: CPU time of the caller's thread, without
    /// `next_batch`.
    pub(crate) extract: Row,
}
