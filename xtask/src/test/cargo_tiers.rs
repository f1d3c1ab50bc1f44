//! The tiers that are cargo's.

use anyhow::Result;

use super::environment::{Environment, check, count};
use super::tally::Tally;
use crate::sysdig::{self, Sysdig};
use crate::workspace::Profile;
use crate::{build_plugins, codegen};

pub(super) fn format(environment: &Environment) -> Result<Tally> {
    check("format", environment.workspace.cargo().args(["fmt", "--all", "--check"]))
}

pub(super) fn clippy(environment: &Environment) -> Result<Tally> {
    let mut cargo = environment.workspace.cargo();
    check("clippy", cargo.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

pub(super) fn rendered(environment: &Environment) -> Result<Tally> {
    let stale = codegen::stale(&environment.workspace, false)?;
    stale.iter().for_each(|difference| println!("{difference}"));
    Ok(Tally::check("`cargo xtask codegen` changes files", stale.is_empty()))
}

pub(super) fn docs(environment: &Environment) -> Result<Tally> {
    let mut cargo = environment.workspace.cargo();
    check("docs", cargo.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

pub(super) fn unit(environment: &Environment) -> Result<Tally> {
    let mut cargo = environment.workspace.cargo();
    cargo.args(["test", "--workspace", "--exclude", "e2e", "--no-fail-fast", "--", "--show-output"]);
    count("cargo test", &mut cargo)
}

pub(super) fn plugins(environment: &Environment) -> Result<Tally> {
    build_plugins::build_all(&environment.workspace, Profile::Release)?;
    Ok(Tally::check("build-plugins", true))
}

/// The end-to-end tests, in release because they measure; what they find in their
/// environment, where it could be prepared:
///
/// | variable | what |
/// |---|---|
/// | `PLUGIN_DIR` | the plugins as built by the tier before |
/// | `EMULATOR` | the emulator's program, for tests that want it in another process |
/// | `K8SAUDIT` | the program `k8saudit` |
/// | `SYSDIG_ROOT` | a folder for `xtask::sysdig::Sysdig::find`; unset, and the reason in `SYSDIG_SKIPPED`, when there is none |
/// | `PYTHON` | a Python with `moto.server` and the official clients of Event Hubs and Blob storage |
/// | `NODE`, `AZURITE`, `NODE_PATH` | see `Environment::tell_node` |
/// | `FALCO`, `AUDIT_SHARED_DIR` | passed through |
pub(super) fn end_to_end(environment: &Environment) -> Result<Tally> {
    let workspace = &environment.workspace;
    // Emulators are optimised in this profile, too, and what the other one prints need not come fast.
    let programs = ["build", "--package", "emulators", "--package", "cli"];
    let built = check("programs", workspace.cargo().args(programs))?;
    if built.failed > 0 {
        return Ok(built);
    }
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--package", "e2e", "--no-fail-fast", "--", "--show-output"]);
    // Most of them mostly wait; those that measure run alone all the same.
    cargo.args(["--test-threads", "4"]);
    cargo.env("PLUGIN_DIR", build_plugins::folder(workspace));
    cargo.env("EMULATOR", environment.emulator("debug", "cloudwatch"));
    cargo.env("K8SAUDIT", workspace.target("debug/k8saudit"));
    if environment.has_python() {
        cargo.env("PYTHON", environment.python());
    }
    environment.tell_node(&mut cargo);
    let root = sysdig::folder(workspace);
    match Sysdig::prepare(&root, |line| println!("{line}")) {
        Ok(_) => cargo.env("SYSDIG_ROOT", root),
        Err(why) => cargo.env_remove("SYSDIG_ROOT").env("SYSDIG_SKIPPED", format!("{why:#}")),
    };
    count("cargo test -p e2e", &mut cargo)
}
