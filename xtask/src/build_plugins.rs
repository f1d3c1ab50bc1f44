//! `cargo xtask build-plugins`: the plugins under the names that Falco's configuration uses.
//!
//! Owns: `target/plugins`, and what may stand in a plugin that ships. Does not own: packages.

mod inspection;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use self::inspection::{Glibc, Inspection};
use crate::plugins::{self, PLUGINS, PluginPackage};
use crate::workspace::{Profile, Workspace};

/// The newest glibc that a local build may need: that of Debian 12, the oldest system that
/// local builds are made on. Release packages are built against 2.28.
const GLIBC_FLOOR: Glibc = Glibc(2, 36);

/// Runs the command.
///
/// # Errors
/// When a plugin does not build, or must not ship as it is.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let profile = match args {
        [] => Profile::Release,
        [flag] if flag == "--debug" => Profile::Debug,
        _ => bail!("usage: cargo xtask build-plugins [--debug]"),
    };
    build_all(&Workspace::find()?, profile)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds, checks and installs every plugin.
///
/// # Errors
/// When a plugin does not build, or must not ship as it is.
pub fn build_all(workspace: &Workspace, profile: Profile) -> Result<()> {
    // Together, so that what they share is built once.
    plugins::build(workspace, profile, &PLUGINS.map(|plugin| plugin.name))?;
    PLUGINS.iter().try_for_each(|plugin| check(workspace, plugin, profile))
}

/// Where the plugins are put.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target("plugins")
}

fn check(workspace: &Workspace, plugin: &PluginPackage, profile: Profile) -> Result<()> {
    let built = plugin.artifact(workspace, profile);
    let bytes = fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    let inspection =
        Inspection::of(&bytes).with_context(|| format!("`{}` is not an ELF library", built.display()))?;
    let problems = inspection.problems(GLIBC_FLOOR);
    if !problems.is_empty() {
        bail!("`{}` must not ship: {}", plugin.name, problems.join("; "));
    }
    let path = folder(workspace).join(plugin.file_name());
    install(&bytes, &path).with_context(|| format!("cannot write `{}`", path.display()))?;
    let glibc = inspection.glibc.map_or_else(|| "none".to_owned(), |version| version.to_string());
    println!(
        "{} {:.1} MB, needs glibc {glibc} (at most {GLIBC_FLOOR}), exports {} functions",
        path.display(),
        bytes.len() as f64 / 1e6,
        inspection.exports.len(),
    );
    Ok(())
}

/// Writes beside and renames: whoever has the old file loaded keeps it whole.
fn install(bytes: &[u8], path: &Path) -> Result<()> {
    fs::create_dir_all(path.parent().context("no folder")?)?;
    let beside = path.with_extension("so.new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)?;
    Ok(())
}
