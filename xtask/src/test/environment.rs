//! What the tiers share: the checkout, what was prepared for them, and how a run is counted.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::tally::Tally;
use crate::process;
use crate::workspace::Workspace;

/// What the tiers share.
pub(super) struct Environment {
    pub(super) workspace: Workspace,
}

impl Environment {
    pub(super) fn find() -> Result<Self> {
        Ok(Self { workspace: Workspace::find()? })
    }

    /// The Python of the virtual environment, whether it is there or not.
    pub(super) fn python(&self) -> PathBuf {
        self.workspace.target("python/bin/python")
    }

    /// Whether everything that Python needs is installed there; the file is written last.
    pub(super) fn has_python(&self) -> bool {
        self.installed().is_file()
    }

    /// Holds the requirements that were installed.
    pub(super) fn installed(&self) -> PathBuf {
        self.workspace.target("python/installed.txt")
    }

    /// The emulator's program.
    pub(super) fn emulator(&self, profile: &str) -> PathBuf {
        self.workspace.target(profile).join("cloudwatch-emulator")
    }
}

/// Runs a command that is one check by itself.
pub(super) fn check(name: &str, command: &mut Command) -> Result<Tally> {
    let status = process::lines(command, |line| println!("{line}"))?;
    Ok(Tally::check(name, status.success()))
}

/// Runs a command whose output says how many tests passed.
pub(super) fn count(name: &str, command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = process::lines(command, |line| {
        println!("{line}");
        tally.read(line);
    })?;
    tally.end(name, status.success());
    Ok(tally)
}
