//! [`CommonConfig`]: the keys that mean the same in every plugin.

use std::time::Duration;

use event_source::{ErrorKind, PumpOptions, SourceError};
use log::LevelFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Seconds;

/// How much a plugin tells in the host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What a developer wants to know.
    Debug,
    /// What changes.
    Info,
    /// What recovers by itself.
    Warn,
    /// What is lost, or needs a hand.
    Error,
    /// Nothing.
    Off,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::Trace,
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
            LogLevel::Off => Self::Off,
        }
    }
}

/// The keys that mean the same in every plugin, with the values that are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonConfig {
    /// Bytes of one event; a larger one is salvaged, not dropped.
    pub max_event_size: usize,
    /// Bytes of events that may wait between reader and host, over all partitions.
    pub max_queue_bytes: usize,
    /// Time between two checkpoints.
    pub checkpoint_interval: Seconds,
    /// Time without one successful call after which the source ends with an error; 0 = never.
    pub give_up_after: Seconds,
    /// How much is told in the host's log.
    pub log_level: LogLevel,
}

impl CommonConfig {
    /// What holds where a plugin says nothing else; a plugin changes single values with
    /// `CommonConfig { max_event_size: 262_144, ..CommonConfig::DEFAULT }`.
    pub const DEFAULT: Self = Self {
        max_event_size: 1 << 20,
        max_queue_bytes: 16 << 20,
        checkpoint_interval: Seconds::new(5),
        give_up_after: Seconds::new(300),
        log_level: LogLevel::Info,
    };

    /// Smaller than that, an event has no room for what identifies it.
    const MIN_EVENT_SIZE: u64 = 1024;
    /// What fits into the 32-bit lengths of the host's event header, with room to spare.
    const MAX_EVENT_SIZE: u64 = 1 << 30;
    /// Bytes of one batch: large enough that the call costs nothing, small enough to be copied into cache.
    const MAX_BATCH_BYTES: usize = 1 << 20;

    /// The patience of the source; `None` is for ever.
    pub fn patience(&self) -> Option<Duration> {
        (!self.give_up_after.is_zero()).then(|| self.give_up_after.as_duration())
    }

    /// The bounds of a pump that obeys these keys, with a queue of that many events.
    pub fn pump_options(&self, max_queue_events: usize) -> PumpOptions {
        PumpOptions {
            max_queue_events,
            max_queue_bytes: self.max_queue_bytes,
            max_batch_bytes: Self::MAX_BATCH_BYTES.min(self.max_queue_bytes),
            give_up_after: self.patience(),
        }
    }
}

impl Default for CommonConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The same keys as they are written; the descriptions are those of the schema.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct CommonKeys {
    /// Bytes of one event; a larger one is salvaged, not dropped.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    max_event_size: Option<u64>,
    /// Bytes of events that may wait between reader and Falco, over all partitions.
    max_queue_bytes: Option<u64>,
    /// Seconds between two checkpoints.
    checkpoint_interval: Option<Seconds>,
    /// Seconds without one successful call after which the source ends with an error, so that the supervisor
    /// restarts it; 0 = never.
    give_up_after: Option<Seconds>,
    /// How much is told in Falco's log.
    log_level: Option<LogLevel>,
}

impl CommonKeys {
    /// What is in force: the key where it is given, else the plugin's default.
    pub(super) fn resolve(self, defaults: CommonConfig) -> Result<CommonConfig, SourceError> {
        let max_event_size = match self.max_event_size {
            None => defaults.max_event_size,
            Some(size) => Some(size)
                .filter(|size| (CommonConfig::MIN_EVENT_SIZE..=CommonConfig::MAX_EVENT_SIZE).contains(size))
                .and_then(|size| usize::try_from(size).ok())
                .ok_or_else(|| {
                    let (min, max) = (CommonConfig::MIN_EVENT_SIZE, CommonConfig::MAX_EVENT_SIZE);
                    let message = format!(
                        "`max_event_size`: expected a number of bytes from {min} to {max}, \
                         found the number `{size}`"
                    );
                    SourceError::new(ErrorKind::Config, message)
                })?,
        };
        Ok(CommonConfig {
            max_event_size,
            max_queue_bytes: self
                .max_queue_bytes
                .map_or(defaults.max_queue_bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            checkpoint_interval: self.checkpoint_interval.unwrap_or(defaults.checkpoint_interval),
            give_up_after: self.give_up_after.unwrap_or(defaults.give_up_after),
            log_level: self.log_level.unwrap_or(defaults.log_level),
        })
    }
}
