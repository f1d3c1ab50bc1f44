//! The crate `log`, spoken into the host's log.
//!
//! It owns which line passes (a level for our own crates, errors alone for all others) and which host hears it.
//! A process has one logger and may hold a plugin several times: the line goes to the host that came last and is
//! still there. Before the first host and after the last, lines are dropped.
//!
//! **Architecture invariant:** a [`Registration`] that was dropped is never called again, not even by a call that
//! began before: dropping it waits for that.

use std::ffi::CString;
use std::sync::{PoisonError, RwLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Our crates below the providers, by the targets of their log lines.
const TARGETS: &[&str] = &["audit_core", "audit_plugin", "event_source"];

/// A host's log.
pub(crate) trait HostLog: Send + Sync {
    /// Writes one line.
    fn write(&self, level: Level, line: &std::ffi::CStr);
}

/// Whom to tell how much.
pub(crate) struct Audience {
    pub(crate) host: Box<dyn HostLog>,
    pub(crate) level: LevelFilter,
    /// A module of the plugin's own crate.
    pub(crate) own_target: &'static str,
    /// Crates that it names: its transport.
    pub(crate) targets: &'static [&'static str],
}

impl Audience {
    fn hears(&self, metadata: &Metadata<'_>) -> bool {
        // SDKs tell much, and little of it to the user.
        let level =
            if self.is_ours(metadata.target()) { self.level } else { self.level.min(LevelFilter::Error) };
        metadata.level() <= level
    }

    fn is_ours(&self, target: &str) -> bool {
        let root = crate_of(target);
        root == crate_of(self.own_target) || TARGETS.contains(&root) || self.targets.contains(&root)
    }
}

/// A target is the path of a module, unless the line says otherwise.
fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

/// A host that is told; until this is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    number: u64,
}

impl Registration {
    pub(crate) fn new(audience: Audience) -> Self {
        // Fails when it was set before: by this line, since the crate `log` is linked into each plugin on its own.
        let _ = log::set_logger(&LOGGER);
        LOGGER.change(|audiences| {
            let number = audiences.last().map_or(0, |(number, _)| number + 1);
            audiences.push((number, audience));
            Self { number }
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Waits for every call that is under way: the host's log may be gone when this returns.
        LOGGER.change(|audiences| audiences.retain(|(number, _)| *number != self.number));
    }
}

static LOGGER: Logger = Logger { audiences: RwLock::new(Vec::new()) };

struct Logger {
    audiences: RwLock<Vec<(u64, Audience)>>,
}

impl Logger {
    fn change<T>(&self, change: impl FnOnce(&mut Vec<(u64, Audience)>) -> T) -> T {
        let mut audiences = self.audiences.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut audiences);
        log::set_max_level(audiences.last().map_or(LevelFilter::Off, |(_, audience)| audience.level));
        result
    }

    fn with<T>(&self, told: impl FnOnce(&Audience) -> T) -> Option<T> {
        let audiences = self.audiences.read().unwrap_or_else(PoisonError::into_inner);
        audiences.last().map(|(_, audience)| told(audience))
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.with(|audience| audience.hears(metadata)).unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        let Some(Some(is_ours)) = self
            .with(|audience| audience.hears(record.metadata()).then(|| audience.is_ours(record.target())))
        else {
            return;
        };
        // Written without the lock: what is shown may log itself.
        let mut line = if is_ours {
            record.args().to_string()
        } else {
            format!("{}: {}", record.target(), record.args())
        };
        line.retain(|character| character != '\0');
        if let Ok(line) = CString::new(line) {
            self.with(|audience| audience.host.write(record.level(), &line));
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<String>>>);

    impl HostLog for Memory {
        fn write(&self, level: Level, line: &CStr) {
            self.0.lock().unwrap().push(format!("{level} {}", line.to_string_lossy()));
        }
    }

    fn audience(level: LevelFilter) -> (Memory, Audience) {
        let memory = Memory::default();
        let host = Box::new(memory.clone());
        (memory, Audience { host, level, own_target: "k8saudit_x::plugin", targets: &["x_tail"] })
    }

    #[track_caller]
    fn check(level: LevelFilter, target: &str, line: Level, expect: bool) {
        let audience = audience(level).1;
        let metadata = Metadata::builder().target(target).level(line).build();
        assert_eq!(audience.hears(&metadata), expect, "{level} {target} {line}");
    }

    #[test]
    fn our_crates_at_the_level_others_only_errors() {
        check(LevelFilter::Info, "k8saudit_x", Level::Info, true);
        check(LevelFilter::Info, "k8saudit_x::open", Level::Debug, false);
        check(LevelFilter::Debug, "event_source::pump", Level::Debug, true);
        check(LevelFilter::Info, "x_tail::window", Level::Info, true);
        check(LevelFilter::Info, "x_tailor", Level::Info, false);
        check(LevelFilter::Trace, "aws_config::profile", Level::Warn, false);
        check(LevelFilter::Trace, "hyper::client", Level::Error, true);
        check(LevelFilter::Off, "hyper::client", Level::Error, false);
        check(LevelFilter::Off, "event_source", Level::Error, false);
        check(LevelFilter::Error, "event_source", Level::Warn, false);
    }

    /// One test for all that goes through the one logger of the process.
    #[test]
    fn the_last_host_that_is_there_hears_each_line_once() {
        let told = |memory: &Memory| {
            let mut lines = std::mem::take(&mut *memory.0.lock().unwrap());
            // Other tests log too.
            lines.retain(|line| line.contains("told:"));
            lines
        };
        log::info!(target: "x_tail", "told: nobody");
        let (first, audience_1) = audience(LevelFilter::Info);
        let registration_1 = Registration::new(audience_1);
        log::info!(target: "x_tail", "told: one\0two");
        log::debug!(target: "x_tail", "told: too much");
        log::error!(target: "sdk", "told: broken");
        assert_eq!(told(&first), ["INFO told: onetwo", "ERROR sdk: told: broken"]);

        let (second, audience_2) = audience(LevelFilter::Debug);
        let registration_2 = Registration::new(audience_2);
        log::debug!(target: "x_tail", "told: the second");
        assert_eq!(told(&first), [""; 0]);
        assert_eq!(told(&second), ["DEBUG told: the second"]);

        drop(registration_2);
        log::info!(target: "x_tail", "told: the first again");
        assert_eq!(told(&second), [""; 0]);
        assert_eq!(told(&first), ["INFO told: the first again"]);

        drop(registration_1);
        log::error!(target: "x_tail", "told: nobody");
        assert_eq!(told(&first), [""; 0]);
        assert_eq!(log::max_level(), LevelFilter::Off);
    }
}
