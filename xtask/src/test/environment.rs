//! What the tiers share: the checkout, what was prepared for them, and how a run is counted.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::tally::Tally;
use crate::process;
use crate::workspace::Workspace;

/// In a folder of packages: holds what they were installed from.
pub(super) const INSTALLED: &str = "installed.txt";

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
        self.workspace.target("python").join(INSTALLED)
    }

    /// Where the packages of Node.js are, whether they are there or not.
    pub(super) fn node(&self) -> PathBuf {
        self.workspace.target("node")
    }

    /// Tells a command where they are: `NODE` is the program, `AZURITE` the script of its Blob storage, and
    /// `NODE_PATH` the folder of all; nothing where they could not be installed.
    pub(super) fn tell_node(&self, command: &mut Command) {
        let packages = self.node().join("node_modules");
        let node = process::on_path("node").filter(|_| self.node().join(INSTALLED).is_file());
        if let Some(node) = node {
            command.env("AZURITE", packages.join("azurite/dist/src/blob/main.js"));
            command.env("NODE", node).env("NODE_PATH", packages);
        }
    }

    /// The program of a service's emulator.
    pub(super) fn emulator(&self, profile: &str, service: &str) -> PathBuf {
        self.workspace.target(profile).join(format!("{service}-emulator"))
    }
}

/// What says nothing: with it, a failure would be a line among thousands.
const NOISE: [&str; 9] = [
    "Compiling ",
    "Checking ",
    "Documenting ",
    "Downloading ",
    "Downloaded ",
    "Fresh ",
    "Locking ",
    "Adding ",
    "successes:",
];

/// Shows a line of a command, unless it only says that all is well.
fn say(line: &str) {
    let text = line.trim_start();
    let is_passed_test = text.starts_with("test ") && text.ends_with(" ... ok");
    if !(text.is_empty() || is_passed_test || NOISE.iter().any(|noise| text.starts_with(noise))) {
        println!("{line}");
    }
}

/// Runs a command that is one check by itself.
pub(super) fn check(name: &str, command: &mut Command) -> Result<Tally> {
    let status = process::lines(command, say)?;
    Ok(Tally::check(name, status.success()))
}

/// Runs a command whose output says how many tests passed.
pub(super) fn count(name: &str, command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = process::lines(command, |line| {
        say(line);
        tally.read(line);
    })?;
    tally.end(name, status.success());
    Ok(tally)
}
