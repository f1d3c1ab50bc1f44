//! Debian packages that a tier needs on this system.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;

/// Installs a package; what is said on the way goes to `line`.
///
/// # Errors
/// Without root or apt, or with the last line of what failed.
pub(crate) fn install(package: &str, mut line: impl FnMut(&str)) -> Result<()> {
    ensure!(process::is_root(), "`{package}` is not installed, and installing it needs root");
    ensure!(
        process::on_path("apt-get").is_some(),
        "`{package}` is not installed, and there is no apt-get to install it"
    );
    let mut apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::checked(&mut command, &mut line)
    };
    // A fresh system has no lists; a source that fails need not be the one that has the package.
    let _ = apt(&["update"]);
    apt(&["install", "-y", package]).with_context(|| format!("cannot install `{package}`"))
}
