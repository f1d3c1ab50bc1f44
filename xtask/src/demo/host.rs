//! Which program gives the alerts: Falco, sysdig, or the demo itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::rule::Rule;
use super::{Run, Stage};
use crate::process::{self, Running};
use crate::sysdig::{self, Capture, Sysdig};
use crate::workspace::Workspace;

/// How long a program prints nothing before it is taken to be done.
const QUIET: Duration = Duration::from_millis(1500);

/// Who evaluates the rule.
pub(super) enum Host {
    Falco(PathBuf),
    Sysdig(Sysdig),
    Demo,
}

impl Host {
    /// `auto` is Falco when `FALCO` names it or it is on the `PATH`, else sysdig when there
    /// is one, else the demo.
    pub(super) fn choose(wish: &str, workspace: &Workspace, rule: &Rule) -> Result<Self> {
        let falco = || match std::env::var_os("FALCO").filter(|path| !path.is_empty()) {
            Some(path) => {
                let path = PathBuf::from(path);
                ensure!(process::is_program(&path), "FALCO names `{}`, which is no program", path.display());
                Ok(Some(Self::Falco(path)))
            }
            None => Ok(process::on_path("falco").map(Self::Falco)),
        };
        let of_libs = || Sysdig::find(&sysdig::folder(workspace)).map(Self::Sysdig);
        let host = match wish {
            "auto" => falco()?.or_else(of_libs).unwrap_or(Self::Demo),
            "falco" => falco()?.context("no `falco` on the PATH; name it with FALCO=...")?,
            "sysdig" => of_libs().context("no `sysdig`; `cargo xtask test e2e` makes a folder with one")?,
            "demo" => Self::Demo,
            other => bail!("no host `{other}`: auto, falco, sysdig, demo"),
        };
        if matches!(host, Self::Demo) {
            rule.membership()?;
        }
        Ok(host)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Falco(_) => "Falco",
            Self::Sysdig(_) => "sysdig",
            Self::Demo => "the demo",
        }
    }

    /// The demo's first line.
    pub(super) fn introduction(&self) -> String {
        match self {
            Self::Falco(path) => format!("alerts below are Falco's own ({})", path.display()),
            Self::Sysdig(_) => "alerts below are sysdig's, which is made of Falco's libraries: no falco on the PATH".to_owned(),
            Self::Demo => "alerts below are matched by this demo, not by Falco: no falco on the PATH (or FALCO=...), and no sysdig".to_owned(),
        }
    }

    /// The program that prints the alerts; `None` when that is the demo.
    pub(super) fn command(&self, stage: &Stage, run: &Run<'_>) -> Result<Option<Command>> {
        Ok(match self {
            Self::Falco(program) => {
                let config = stage.workspace.target("demo-falco.yaml");
                fs::write(&config, falco_yaml(&stage.rules, run)?)?;
                let mut command = Command::new(program);
                command.arg("-c").arg(config).args(["--disable-source", "syscall"]);
                Some(command)
            }
            Self::Sysdig(sysdig) => {
                let rule = &stage.rule;
                Some(sysdig.command(&Capture {
                    library: run.library,
                    plugin: run.act.plugin.name,
                    extractors: &[],
                    config: &run.config.to_string(),
                    open: &run.open,
                    filter: rule.condition.trim(),
                    format: &format!("%evt.time: {} {}", rule.priority(), rule.output.trim()),
                    count: None,
                })?)
            }
            Self::Demo => None,
        })
    }
}

/// What Falco needs to run the plugin and nothing else.
fn falco_yaml(rules: &Path, run: &Run<'_>) -> Result<String> {
    let name = run.act.plugin.name;
    let library = run.library.to_str().context("the plugin's path is not UTF-8")?;
    let rules = fs::canonicalize(rules)?;
    let config = serde_json::json!({
        "plugins": [{
            "name": name,
            "library_path": library,
            "init_config": run.config,
            "open_params": run.open,
        }],
        "load_plugins": [name],
        "rules_files": [rules],
        "stdout_output": { "enabled": true },
        "syslog_output": { "enabled": false },
        "buffered_outputs": false,
        "webserver": { "enabled": false },
        "watch_config_files": false,
    });
    Ok(serde_yaml_ng::to_string(&config)?)
}

/// Runs a program that never ends by itself until it has read everything (`all`) and printed
/// nothing for a while; how many alerts it printed.
pub(super) fn until_quiet(
    command: &mut Command,
    rule: &Rule,
    all: impl Fn() -> bool,
    patience: Duration,
) -> Result<usize> {
    let mut alerts = 0;
    let mark = format!(": {} ", rule.priority());
    let mut running = Running::start(command)?;
    let deadline = Instant::now() + patience;
    loop {
        let quiet = Instant::now() + QUIET;
        match running.next_line(quiet) {
            Some(line) => {
                alerts += usize::from(line.contains(&mark));
                println!("{line}");
            }
            // Outputs end a moment before the program does.
            None if Instant::now() < quiet || !running.is_running() => {
                bail!("it ended before it had read everything, see above")
            }
            None if all() => break,
            None => ensure!(
                Instant::now() < deadline,
                "it did not read everything within {} s",
                patience.as_secs()
            ),
        }
    }
    running.interrupt(Duration::from_secs(5))?;
    Ok(alerts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::act::ACTS;

    const RULE: &str = "- rule: R\n  condition: x.y = 1\n  output: o\n  priority: NOTICE";

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_is_quiet_and_has_read_everything_is_ended() {
        let rule = Rule::parse(RULE).unwrap();
        let script = "trap 'exit 0' INT; echo 'starting'; echo '1: Notice a'; echo '2: Notice b'; while :; do sleep 0.05; done";
        assert_eq!(until_quiet(&mut sh(script), &rule, || true, Duration::from_secs(20)).unwrap(), 2);
        let stuck = until_quiet(&mut sh(script), &rule, || false, Duration::ZERO).unwrap_err();
        assert!(stuck.to_string().contains("did not read everything"), "{stuck}");
        let gone = until_quiet(&mut sh("echo error"), &rule, || true, Duration::from_secs(20)).unwrap_err();
        assert!(gone.to_string().contains("ended before"), "{gone}");
    }

    #[test]
    fn a_condition_that_only_falco_can_evaluate_is_no_demo() {
        let (workspace, rule) = (Workspace::find().unwrap(), Rule::parse(RULE).unwrap());
        let refused = Host::choose("demo", &workspace, &rule).err().unwrap().to_string();
        assert!(refused.contains("`x.y = 1`") && refused.contains("falco"), "{refused}");
        assert!(Host::choose("nobody", &workspace, &rule).is_err());
    }

    #[test]
    fn falco_gets_the_plugin_and_nothing_else() {
        let rules = Workspace::find().unwrap().root().join("rules/k8s_audit_dummy_rule.yaml");
        for act in &ACTS {
            let config = json!({ "region": "r", "polling_interval": 0.5 });
            let run = Run { act, library: Path::new("/p/libx.so"), config, open: "somewhere".to_owned() };
            let yaml: serde_yaml_ng::Value =
                serde_yaml_ng::from_str(&falco_yaml(&rules, &run).unwrap()).unwrap();
            assert_eq!(yaml["plugins"][0]["library_path"], "/p/libx.so");
            assert_eq!(yaml["plugins"][0]["init_config"]["polling_interval"], 0.5);
            assert_eq!(yaml["plugins"][0]["open_params"], "somewhere");
            assert_eq!(yaml["plugins"][0]["name"], act.plugin.name);
            assert_eq!(yaml["load_plugins"][0], act.plugin.name);
            assert_eq!(yaml["stdout_output"]["enabled"], true);
        }
    }
}
