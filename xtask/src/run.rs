//! `cargo xtask run`: forwards to `k8saudit run`, which packages ship.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::build_plugins;
use crate::workspace::Workspace;

/// Where `k8saudit` looks for a plugin that is given by name.
const PLUGIN_DIR: &str = "K8SAUDIT_PLUGIN_DIR";

/// Runs the command; its exit code is the program's.
///
/// # Errors
/// When cargo cannot be run.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "cli", "--manifest-path"]);
    cargo.arg(workspace.root().join("Cargo.toml")).args(["--", "run"]).args(args);
    // Relative paths are those of the caller.
    cargo.current_dir(std::env::current_dir()?);
    if std::env::var_os(PLUGIN_DIR).is_none() {
        cargo.env(PLUGIN_DIR, build_plugins::folder(&workspace));
    }
    let status = cargo.status().context("cannot run cargo")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
