//! `cargo xtask demo`: an attack among ordinary traffic, as Falco would see it.
//!
//! Owns: the story, the order of the show, and which host gives the alerts. Does not own:
//! the services that the plugins read from (`emulators`), loading a plugin (`k8saudit`,
//! which drives the same C ABI as Falco), and Falco itself.
//!
//! Nothing but loopback is asked for anything: the plugins run in child processes whose
//! environment has dummy credentials and no way to real ones.

mod act;
mod alert;
mod api_server;
mod audience;
mod cloudwatch;
mod event_hubs;
mod host;
mod rule;
mod service;
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::act::{ACTS, Act};
use self::host::Host;
use self::rule::Rule;
use self::service::{Reader, Service};
use crate::plugins;
use crate::workspace::{Profile, Workspace};

const STORY: &str = include_str!("../demo/story.jsonl");
const RULES: &str = "rules/k8s_audit_dummy_rule.yaml";
/// An act is over long before; this is for when it is not.
const PATIENCE: Duration = Duration::from_secs(25);

/// What every child gets, so that it can ask nobody but the emulators.
const ENVIRONMENT: [(&str, &str); 8] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "dummy"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    // Where a managed identity would be asked for; nobody listens there.
    ("IDENTITY_ENDPOINT", "http://127.0.0.1:1"),
    ("IDENTITY_HEADER", "dummy"),
    ("NO_PROXY", "127.0.0.1"),
];

/// How variables begin that lead to somebody's credentials: AWS's, Azure's, and those of its managed identities.
const CREDENTIALS: [&str; 5] = ["AWS_", "AZURE_", "IDENTITY_", "IMDS_", "MSI_"];

const USAGE: &str =
    "usage: cargo xtask demo [eks|aks|k8saudit] [--release] [--rules FILE] [--host auto|falco|sysdig|demo]";

struct Args {
    acts: Vec<&'static Act>,
    profile: Profile,
    rules: Option<PathBuf>,
    host: String,
}

/// Everything that an act is played with.
struct Stage {
    workspace: Workspace,
    rules: PathBuf,
    rule: Rule,
    /// The program `k8saudit`.
    viewer: PathBuf,
}

/// A plugin to be run.
struct Run<'a> {
    act: &'a Act,
    library: &'a Path,
    config: Value,
    open: String,
}

/// Runs the command.
///
/// # Errors
/// When something does not build, or a plugin or a host fails.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let args = Args::parse(args)?;
    let workspace = Workspace::find()?;
    let rules = args.rules.unwrap_or_else(|| workspace.root().join(RULES));
    let text =
        std::fs::read_to_string(&rules).with_context(|| format!("cannot read `{}`", rules.display()))?;
    let rule = Rule::parse(&text).with_context(|| format!("`{}`", rules.display()))?;
    let host = Host::choose(&args.host, &workspace, &rule)?;
    println!("{}", host.introduction());

    // Debug is the default because it builds several times faster, and a demo needs no speed.
    let names: Vec<_> = args.acts.iter().map(|act| act.plugin.name).collect();
    println!("building {} ({})", names.join(", "), args.profile.folder());
    plugins::build(&workspace, args.profile, &[names.as_slice(), &["cli"]].concat())?;
    let viewer = workspace.target(args.profile.folder()).join("k8saudit");

    let stage = Stage { workspace, rules, rule, viewer };
    let libraries = args.acts.iter().map(|act| act.plugin.artifact(&stage.workspace, args.profile));
    let shows: Vec<_> = args.acts.iter().copied().zip(libraries).collect();
    for (act, library) in &shows {
        stage.play(act, library, &host).with_context(|| format!("the demo of {}", act.plugin.name))?;
    }
    println!("\n{}", next_steps(&shows));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn parse(args: &[String]) -> Result<Self> {
        let mut parsed =
            Self { acts: Vec::new(), profile: Profile::Debug, rules: None, host: "auto".to_owned() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--release" => parsed.profile = Profile::Release,
                "--rules" => parsed.rules = Some(args.next().context(USAGE)?.into()),
                "--host" => parsed.host.clone_from(args.next().context(USAGE)?),
                name => parsed.acts.push(ACTS.iter().find(|act| act.name == name).context(USAGE)?),
            }
        }
        if parsed.acts.is_empty() {
            parsed.acts.extend(&ACTS);
        }
        Ok(parsed)
    }
}

impl Stage {
    /// Prints the events as the plugin reads them, and the alerts: with the events where the
    /// demo matches the rule itself, after them where another program does.
    fn play(&self, act: &Act, library: &Path, host: &Host) -> Result<()> {
        let service = (act.start)(STORY, act.cluster)?;
        println!("\n{}\n", service.introduction());
        let events = service.events();
        let run = |reader| {
            service.begin();
            Run { act, library, config: service.init_config(reader), open: service.open_params().to_owned() }
        };
        let rule = matches!(host, Host::Demo).then_some(&self.rule);
        let seen = audience::watch(&mut self.viewer(&run(Reader::Viewer), events)?, rule)?;
        ensure!(seen.events == events, "the plugin showed {} of {events} events", seen.events);
        let alerts = match host.command(self, &run(Reader::Host))? {
            None => seen.alerts,
            Some(command) => self.alerts(command, host, service.as_ref())?,
        };
        println!("\n{events} events, {alerts} alerts of rule `{}`", self.rule.name);
        Ok(())
    }

    /// Runs the program that gives the alerts until it has read everything; how many there were.
    fn alerts(&self, mut command: Command, host: &Host, service: &dyn Service) -> Result<usize> {
        println!("\nalerts of {}:\n", host.name());
        isolate(&mut command);
        let expect = service.showings() + service.events() as u64;
        host::until_quiet(&mut command, &self.rule, || service.showings() >= expect, PATIENCE)
    }

    /// `k8saudit run`, with what the lines and the rule need.
    fn viewer(&self, run: &Run<'_>, events: usize) -> Result<Command> {
        let config = self.workspace.target("demo-init-config.json");
        std::fs::write(&config, run.config.to_string())?;
        let mut command = Command::new(&self.viewer);
        command.arg("run").arg(run.library).args(["--open", &run.open, "--json", "--count"]);
        command.arg(events.to_string()).arg("--config").arg(config);
        command.arg("--fields").arg(audience::fields(&self.rule).join(","));
        isolate(&mut command);
        Ok(command)
    }
}

/// Takes out of a command's environment what would lead to real credentials or away from the emulators.
pub fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if leads_away(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command.envs(ENVIRONMENT);
}

fn leads_away(variable: &str) -> bool {
    let name = variable.to_uppercase();
    CREDENTIALS.iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("_PROXY")
}

fn next_steps(shows: &[(&Act, PathBuf)]) -> String {
    let install = ("cargo xtask build-plugins", "the plugins for your Falco: target/plugins");
    let steps = std::iter::once(install).chain(shows.iter().flat_map(|(act, _)| act.next));
    let steps: String = steps.map(|(what, why)| step(what, why)).collect();
    let libraries: Vec<_> = shows.iter().map(|(_, library)| library.display().to_string()).collect();
    format!("next:\n{steps}this demo's plugins: {}", libraries.join(", "))
}

/// Two columns; what does not fit into the first has a line of its own.
fn step(what: &str, why: &str) -> String {
    const WIDTH: usize = 32;
    match what.len() {
        0..=WIDTH => format!("  {what:WIDTH$} {why}\n"),
        _ => format!("  {what}\n  {:WIDTH$} {why}\n", ""),
    }
}

#[cfg(test)]
mod tests {
    use emulators::cloudwatch::Story;

    use super::*;

    #[test]
    fn the_bundled_story_and_rule_are_well_formed() {
        let story = Story::parse(STORY).unwrap();
        assert!(story.len() >= 40);
        let text = std::fs::read_to_string(Workspace::find().unwrap().root().join(RULES)).unwrap();
        let rule = Rule::parse(&text).unwrap();
        assert!(rule.membership().is_ok());
        // Some of the story is an alert, and some is not.
        let messages: Vec<_> = story.told_at(0).into_iter().map(|(_, event)| event.message).collect();
        for verb in ["get", "create", "delete", "update", "list", "watch"] {
            let of_verb = format!("\"verb\":\"{verb}\"");
            assert!(messages.iter().any(|message| message.contains(&of_verb)), "{verb}");
        }
    }

    #[test]
    fn arguments_are_read() {
        let parse =
            |words: &[&str]| Args::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let names = |args: &Args| args.acts.iter().map(|act| act.name).collect::<Vec<_>>();
        let args = parse(&["--rules", "r.yaml", "aks", "--release", "--host", "demo"]).unwrap();
        assert_eq!(
            (args.profile, &args.rules, args.host.as_str()),
            (Profile::Release, &Some("r.yaml".into()), "demo")
        );
        assert_eq!(names(&args), ["aks"]);
        assert_eq!(names(&parse(&[]).unwrap()), ["eks", "aks", "k8saudit"]);
        for wrong in ["--rules", "--host", "x", "gke"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[track_caller]
    fn check_variable(name: &str, expect: bool) {
        assert_eq!(leads_away(name), expect, "{name}");
    }

    #[test]
    fn no_variable_leads_to_credentials_or_a_proxy() {
        check_variable("AWS_PROFILE", true);
        check_variable("AZURE_CLIENT_SECRET", true);
        check_variable("AZURE_FEDERATED_TOKEN_FILE", true);
        check_variable("IDENTITY_ENDPOINT", true);
        check_variable("MSI_SECRET", true);
        check_variable("IMDS_ENDPOINT", true);
        check_variable("https_proxy", true);
        check_variable("PATH", false);
        check_variable("FALCO", false);
    }
}
