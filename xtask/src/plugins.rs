//! The plugins there are, and how cargo builds one.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::workspace::{Profile, Workspace};

/// A plugin: the name of its package, and of the plugin that Falco sees.
#[derive(Debug, Clone, Copy)]
pub struct PluginPackage {
    /// Both names.
    pub name: &'static str,
}

/// Every plugin.
pub const PLUGINS: [PluginPackage; 4] = [K8SAUDIT_EKS, K8SAUDIT_AKS, K8SAUDIT, JSON];

/// EKS, by CloudWatch Logs.
pub const K8SAUDIT_EKS: PluginPackage = PluginPackage { name: "k8saudit-eks" };

/// AKS, by Event Hubs.
pub const K8SAUDIT_AKS: PluginPackage = PluginPackage { name: "k8saudit-aks" };

/// Any cluster whose audit log is posted to a webhook, or in files.
pub const K8SAUDIT: PluginPackage = PluginPackage { name: "k8saudit" };

/// The fields of any event that is JSON.
pub const JSON: PluginPackage = PluginPackage { name: "json" };

impl PluginPackage {
    /// Name of the file that is installed.
    pub fn file_name(&self) -> String {
        format!("lib{}.so", self.name)
    }

    /// Where cargo puts the library: under the name of the crate, in which it allows no hyphen.
    pub fn artifact(&self, workspace: &Workspace, profile: Profile) -> PathBuf {
        workspace.target(profile.folder()).join(format!("lib{}.so", self.name.replace('-', "_")))
    }
}

/// Builds packages in one call of cargo, which is much faster than one after the other. Features of what they share
/// are those of all of them; what a plugin does not use of that is not linked.
///
/// # Errors
/// When the build fails; cargo has said why.
pub fn build(workspace: &Workspace, profile: Profile, packages: &[&str]) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.arg("build").args(profile.flags());
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    ensure!(cargo.status()?.success(), "cannot build `{}`", packages.join("`, `"));
    Ok(())
}
