//! [`Falco`]: what a whole Falco takes for a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;

use crate::process;
use crate::workspace::Workspace;

/// A Falco with rules: `FALCO` names the program, `FALCO_RULES` the rules, or else those of the repository.
pub(crate) struct Falco {
    program: PathBuf,
    rules: PathBuf,
}

/// Plugins that it loads, and the file that it reads.
pub(crate) struct Load<'l> {
    /// The source, as `k8saudit`.
    pub(crate) source: &'l Path,
    /// `init_config` of the source.
    pub(crate) config: &'l str,
    /// The plugin `json`, which the public rules want.
    pub(crate) json: &'l Path,
    /// Audit events, one a line.
    pub(crate) file: &'l Path,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Outcome {
    /// CPU time of all threads, seconds, start and rules included.
    pub(crate) cpu_seconds: f64,
    /// Lines in the file of alerts.
    pub(crate) alerts: usize,
}

impl Falco {
    /// `None` when `FALCO` is not set.
    ///
    /// # Errors
    /// When it names no program.
    pub(crate) fn find(workspace: &Workspace) -> Result<Option<Self>> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let Some(program) = variable("FALCO") else { return Ok(None) };
        ensure!(process::is_program(&program), "FALCO names `{}`, which is no program", program.display());
        let rules = variable("FALCO_RULES");
        let rules = rules.unwrap_or_else(|| workspace.root().join("rules/k8s_audit_dummy_rule.yaml"));
        Ok(Some(Self { program, rules }))
    }

    /// Runs it to the end of the file.
    ///
    /// # Errors
    /// When it does not end well.
    pub(crate) fn run(&self, folder: &Path, load: &Load<'_>) -> Result<Outcome> {
        let alerts = folder.join("falco.alerts");
        if alerts.exists() {
            fs::remove_file(&alerts)?;
        }
        let config = folder.join("falco.yaml");
        let init_config: serde_json::Value = serde_json::from_str(load.config).unwrap_or_else(|_| json!({}));
        let text = serde_yaml_ng::to_string(&json!({
            "plugins": [
                { "name": "k8saudit", "library_path": load.source, "init_config": init_config, "open_params": load.file },
                { "name": "json", "library_path": load.json },
            ],
            "load_plugins": ["k8saudit", "json"],
            "rules_files": [self.rules],
            "file_output": { "enabled": true, "keep_alive": true, "filename": alerts },
            "stdout_output": { "enabled": false },
            "syslog_output": { "enabled": false },
            "buffered_outputs": true,
            "webserver": { "enabled": false },
            "watch_config_files": false,
        }))?;
        fs::write(&config, text)?;
        let before = ended_children_seconds()?;
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&config).args(["--disable-source", "syscall"]);
        process::checked(&mut command, |_| {}).context("falco")?;
        let alerts = fs::read_to_string(&alerts).unwrap_or_default().lines().count();
        Ok(Outcome { cpu_seconds: ended_children_seconds()? - before, alerts })
    }
}

/// CPU time of all children of this process that have ended.
fn ended_children_seconds() -> Result<f64> {
    children_seconds(&fs::read_to_string("/proc/self/stat")?).context("cannot read `/proc/self/stat`")
}

/// The same, from the text of that file: `man proc_pid_stat`.
fn children_seconds(stat: &str) -> Option<f64> {
    // In user's space and in the kernel.
    const FIELDS: [usize; 2] = [16, 17];
    // The kernel tells it so on every architecture.
    const TICKS: f64 = 100.0;
    // The second field is the program's name, in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = FIELDS.iter().map(|field| fields.get(field - 3)?.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_children_that_ended_is_read() {
        let stat = "7 (a) (b)) S 1 7 7 0 -1 4194304 1 2 3 4 11 12 250 50 20 0 1 0 9";
        assert_eq!(children_seconds(stat), Some(3.0));
        assert_eq!(children_seconds("7 (a) S 1"), None);
        assert!(ended_children_seconds().is_ok());
    }

    #[test]
    fn alerts_of_a_run_are_counted() {
        use std::os::unix::fs::PermissionsExt;
        let workspace = Workspace::find().unwrap();
        let folder = workspace.target("bench-falco-test");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("falco");
        // It is told where to write by its configuration, and by nothing else.
        let script =
            "#!/bin/sh\nfile=$(sed -n 's/^  filename: //p' \"$2\")\nprintf 'one\\ntwo\\n' > \"$file\"\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let falco = Falco { program, rules: folder.join("rules.yaml") };
        let (so, file) = (Path::new("/p/lib.so"), Path::new("/p/audit.log"));
        let load = Load { source: so, config: "", json: so, file };
        assert_eq!(falco.run(&folder, &load).unwrap().alerts, 2);
    }
}
