//! The plugin's owner as the plugin sees it: an opaque pointer that log lines come
//! back with.
//!
//! An [`Owner`] outlives the plugin that it belongs to, because a plugin that keeps
//! its logger past `plugin_destroy` would otherwise write through a dead pointer,
//! here as in Falco; here such a line is counted instead.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, ptr};

use falco_plugin_api::{ss_plugin_log_severity, ss_plugin_owner_t};

/// Severity of a plugin's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the plugin API's own names")]
pub enum Level {
    Fatal,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
    Trace,
}

/// By value of `ss_plugin_log_severity`, which counts from 1.
const LEVELS: [(Level, &str); 8] = [
    (Level::Fatal, "fatal"),
    (Level::Critical, "critical"),
    (Level::Error, "error"),
    (Level::Warning, "warning"),
    (Level::Notice, "notice"),
    (Level::Info, "info"),
    (Level::Debug, "debug"),
    (Level::Trace, "trace"),
];

impl Level {
    fn from_severity(severity: ss_plugin_log_severity) -> Self {
        // An unknown severity is a newer plugin's: told rather than hidden.
        let index = (severity as usize).wrapping_sub(1);
        LEVELS.get(index).map_or(Self::Notice, |(level, _)| *level)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = LEVELS.iter().find(|(level, _)| level == self).map_or("notice", |(_, name)| name);
        f.pad(name)
    }
}

/// Where a plugin's log lines go; called from any of its threads.
pub(crate) type Log = Box<dyn Fn(Level, &str) + Send + Sync>;

pub(crate) struct Owner {
    plugin: String,
    log: RwLock<Option<Log>>,
    late: AtomicU64,
}

impl Owner {
    pub(crate) fn new(plugin: &str, log: Log) -> Self {
        Self { plugin: plugin.to_owned(), log: RwLock::new(Some(log)), late: AtomicU64::new(0) }
    }

    pub(crate) fn as_ptr(&self) -> *mut ss_plugin_owner_t {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// Ends logging; what comes later is only counted.
    pub(crate) fn retire(&self) {
        let mut log = self.log.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *log = None;
    }

    /// Lines that came after [`Owner::retire`].
    pub(crate) fn late_lines(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    fn write(&self, component: Option<&str>, message: &str, level: Level) {
        let log = self.log.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*log {
            Some(log) => log(level, &format!("{}: {message}", component.unwrap_or(&self.plugin))),
            None => {
                self.late.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// `ss_plugin_log_fn_t`.
pub(crate) unsafe extern "C-unwind" fn log_line(
    owner: *mut ss_plugin_owner_t,
    component: *const c_char,
    message: *const c_char,
    severity: ss_plugin_log_severity,
) {
    // SAFETY: the plugin API obliges a plugin to pass the owner it was given in init,
    // which is an `Owner` that lives as long as the library stays loaded.
    let Some(owner) = (unsafe { owner.cast::<Owner>().as_ref() }) else { return };
    // SAFETY: the plugin API obliges a plugin to pass NUL-terminated strings or NULL.
    let (component, message) = unsafe { (text(component), text(message)) };
    // A panic of the host's closure must not unwind through the plugin's frames.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        owner.write(component.as_deref(), &message.unwrap_or_default(), Level::from_severity(severity));
    }));
}

/// The text at `pointer`, `None` for NULL; what is not UTF-8 is replaced.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string that lives for the call.
pub(crate) unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not NULL, and NUL-terminated by this function's contract.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}
