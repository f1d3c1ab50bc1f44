//! Where things are: the checkout, and the target folder that cargo uses.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The workspace, as `cargo metadata` tells it.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo cannot be run, or does not answer.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        let output = cargo(root)
            .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
            .output()
            .context("cannot run cargo")?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
        let Some(target) = metadata.get("target_directory").and_then(serde_json::Value::as_str) else {
            bail!("cargo metadata names no target directory");
        };
        Ok(Self { root: root.to_path_buf(), target: PathBuf::from(target) })
    }

    /// The checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The target folder, or a place in it.
    pub fn target(&self, place: &str) -> PathBuf {
        self.target.join(place)
    }

    /// `cargo`, to be run in the checkout.
    pub fn cargo(&self) -> Command {
        cargo(&self.root)
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    // What cargo sets for the package it runs would be taken for this one's by build scripts.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
        {
            command.env_remove(name);
        }
    }
    command
}

/// A cargo profile, by the folder that it writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    Debug,
    /// What ships.
    Release,
}

impl Profile {
    /// Name of its folder below the target folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }

    /// What cargo takes to build with it.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Debug => &[],
            Self::Release => &["--release"],
        }
    }
}
