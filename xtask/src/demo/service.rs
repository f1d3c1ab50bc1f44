//! What a plugin reads in the show, and who reads it.

use serde_json::Value;

/// Who reads the story in an act, one after the other: each all of it, whatever was read before.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    /// `k8saudit run`.
    Viewer,
    /// The program that gives the alerts.
    Host,
}

/// A cloud's service on loopback that was told the story.
pub(super) trait Service {
    /// What it is, and what it holds.
    fn introduction(&self) -> String;
    /// How many audit events it holds.
    fn events(&self) -> usize;
    /// The plugin's open parameters.
    fn open_params(&self) -> &str;
    /// Another reader is about to begin.
    fn begin(&self) {}
    /// The plugin's configuration for this reader.
    fn init_config(&self, reader: Reader) -> Value;
    /// How many events it has handed out, each as often as it was.
    fn showings(&self) -> u64;
}
