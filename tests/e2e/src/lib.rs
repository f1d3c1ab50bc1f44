//! What the end-to-end tests share: a plugin in a host in a process of its own.
//!
//! It depends on nothing that the plugins are made of but the C ABI's other side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code: it fails by panicking"
)]

mod host;

pub use host::{Evaluated, Host, HostOptions, Log, SECRET, State};

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// More than what is waited for takes on the busiest machine, other SDKs' own deadlines included: it ends what hangs,
/// and measures nothing.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The folder with the plugins as they were built: `PLUGIN_DIR`, or `target/plugins`.
pub fn plugin(name: &str) -> PathBuf {
    let folder = std::env::var_os("PLUGIN_DIR").map(PathBuf::from);
    let folder =
        folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"));
    let file = folder.join(format!("lib{name}.so"));
    assert!(file.is_file(), "`{}` is not built: run `cargo xtask build-plugins`", file.display());
    file
}

static TURN: RwLock<()> = RwLock::new(());

/// While it is held, no other test runs: on two cores, measuring needs both.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(PoisonError::into_inner)
}

/// While it is held, no test measures: this one may run beside others that wait as much as it does.
pub fn beside() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a tier is left out, in the form that is counted.
pub fn skip(tier: &str, why: &str) {
    println!("test-tier skipped: {tier}: {why}");
}

/// Adds what a run evaluated that was killed: how much of it was known, and how much may have been in no checkpoint,
/// when everything is in one that was evaluated `checkpointed_ms` before the end.
pub fn add_run(evaluated: &mut Vec<Evaluated>, run: Vec<Evaluated>, checkpointed_ms: i64) -> (usize, usize) {
    let known: HashSet<&str> = evaluated.iter().map(|event| event.audit_id.as_str()).collect();
    let repeated = run.iter().filter(|event| known.contains(event.audit_id.as_str())).count();
    let end = evaluated.iter().map(|event| event.at_ms).max().unwrap_or(i64::MIN + 100_000);
    let since = end - checkpointed_ms;
    let allowed = evaluated.iter().filter(|event| event.at_ms >= since).count();
    evaluated.extend(run);
    (repeated, allowed)
}
