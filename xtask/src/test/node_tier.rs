//! The tier that needs Node.js: the official JavaScript client and Azurite, in a folder below the target folder.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::environment::{Environment, INSTALLED};
use super::tally::Tally;
use crate::process;

/// Below the checkout: what to install.
const PACKAGES: &str = "tests/emulators/fidelity/node";
const LOCK: &str = "package-lock.json";
/// What npm reads there.
const FILES: [&str; 3] = ["package.json", LOCK, ".npmrc"];

/// Installs the packages, once for each state of the lock file; it checks nothing.
pub(super) fn prepare(environment: &Environment) -> Result<Tally> {
    let source = environment.workspace.root().join(PACKAGES);
    let wanted =
        fs::read_to_string(source.join(LOCK)).with_context(|| format!("cannot read `{PACKAGES}/{LOCK}`"))?;
    let folder = environment.node();
    let installed = folder.join(INSTALLED);
    if fs::read_to_string(&installed).is_ok_and(|it| it == wanted) {
        println!("{} is up to date", folder.display());
        return Ok(Tally::default());
    }
    let (Some(_), Some(npm)) = (process::on_path("node"), process::on_path("npm")) else {
        return Ok(Tally::skip("no node and npm on the PATH".to_owned()));
    };
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for file in FILES {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy `{file}`"))?;
    }
    let mut first_error = None;
    // None of the packages needs its scripts.
    let status =
        process::lines(Command::new(npm).args(["ci", "--ignore-scripts"]).current_dir(&folder), |line| {
            println!("{line}");
            if line.to_lowercase().starts_with("npm err") {
                first_error.get_or_insert_with(|| line.to_owned());
            }
        })?;
    if !status.success() {
        let why = first_error.unwrap_or_else(|| status.to_string());
        return Ok(Tally::skip(format!("cannot install {PACKAGES}/{LOCK}: {why}")));
    }
    fs::write(installed, wanted)?;
    Ok(Tally::default())
}
