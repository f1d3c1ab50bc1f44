//! [`Harness`]: the program that measures, built like the plugins, and those of the plugins that it measures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::report::Report;
use crate::plugins::{self, JSON, K8SAUDIT, PLUGINS, PluginPackage};
use crate::workspace::{Profile, Workspace};

/// `bench-host` and the plugins, built.
pub(crate) struct Harness {
    program: PathBuf,
    folder: PathBuf,
    k8saudit: PathBuf,
    json: PathBuf,
}

impl Harness {
    /// Builds everything: the plugins as what ships is.
    pub(crate) fn build(workspace: &Workspace) -> Result<Self> {
        plugins::build(workspace, Profile::Release, &PLUGINS.map(|plugin| plugin.name))?;
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--profile", "harness", "--package", "bench-host"]);
        ensure!(cargo.status()?.success(), "cannot build `bench-host`");
        let built = |plugin: PluginPackage| plugin.artifact(workspace, Profile::Release);
        Ok(Self {
            program: workspace.target("harness/bench-host"),
            folder: super::folder(workspace)?,
            k8saudit: built(K8SAUDIT),
            json: built(JSON),
        })
    }

    /// The plugin for audit events.
    pub(crate) fn k8saudit(&self) -> &Path {
        &self.k8saudit
    }

    /// The plugin for JSON.
    pub(crate) fn json(&self) -> &Path {
        &self.json
    }

    /// The command that carries a plan out; `name` tells plans apart.
    pub(crate) fn command(&self, name: &str, plan: &Value) -> Result<Vec<PathBuf>> {
        let path = self.folder.join(format!("{name}.plan.json"));
        fs::write(&path, plan.to_string()).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(vec![self.program.clone(), path])
    }

    /// Carries a plan out.
    pub(crate) fn run(&self, name: &str, plan: &Value) -> Result<Report> {
        let words = self.command(name, plan)?;
        let (program, arguments) = words.split_first().context("no program")?;
        let output = Command::new(program).args(arguments).output().context("cannot run `bench-host`")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bench-host: {}", errors.trim());
        if !errors.trim().is_empty() {
            eprintln!("{}", errors.trim());
        }
        serde_json::from_slice(&output.stdout).context("bench-host gave no report")
    }
}
