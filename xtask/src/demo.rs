//! `cargo xtask demo`: an attack among ordinary traffic, as Falco would see it.
//!
//! Owns: the story, the order of the show, and which host gives the alerts. Does not own:
//! the service that the plugin reads from (`emulators`), loading the plugin (`k8saudit`,
//! which drives the same C ABI as Falco), and Falco itself.
//!
//! Nothing but loopback is asked for anything: the plugin runs in child processes whose
//! environment has dummy credentials and no way to real ones.

mod alert;
mod audience;
mod host;
mod rule;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use emulators::cloudwatch::{Config, Emulator, Story};

use self::host::Host;
use self::rule::Rule;
use crate::plugins::K8SAUDIT_EKS;
use crate::workspace::{Profile, Workspace};

const STORY: &str = include_str!("../demo/story.jsonl");
const RULES: &str = "rules/k8s_audit_dummy_rule.yaml";
const CLUSTER: &str = "demo";
const REGION: &str = "eu-west-1";
/// The show is over long before; this is for when it is not.
const PATIENCE: Duration = Duration::from_secs(25);

/// What every child gets, so that it can ask nobody but the emulator.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "dummy"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("NO_PROXY", "127.0.0.1"),
];

struct Args {
    profile: Profile,
    rules: Option<PathBuf>,
    host: String,
}

/// Everything that is needed to run the plugin on the story.
struct Stage {
    workspace: Workspace,
    library: PathBuf,
    config: String,
    rules: PathBuf,
    rule: Rule,
}

/// Runs the command.
///
/// # Errors
/// When something does not build, or the plugin or a host fails.
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
    println!("building {} ({})", K8SAUDIT_EKS.name, args.profile.folder());
    let library = K8SAUDIT_EKS.build(&workspace, args.profile, &["cli"])?;
    let viewer = workspace.target(args.profile.folder()).join("k8saudit");

    let emulator = Emulator::start(Config { region: REGION.to_owned(), ..Config::default() })
        .context("cannot start the emulator")?;
    let events = tell_story(&emulator)?;
    println!("CloudWatch Logs emulator with {events} audit events at {}\n", emulator.endpoint_url());

    let stage = Stage { config: init_config(&emulator.endpoint_url()), workspace, library, rules, rule };
    stage.show(&host, &viewer, events, &emulator)?;
    println!("\n{}", next_steps(&stage.library));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn parse(args: &[String]) -> Result<Self> {
        let mut parsed = Self { profile: Profile::Debug, rules: None, host: "auto".to_owned() };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            match (flag.as_str(), args.as_slice().first()) {
                ("--release", _) => parsed.profile = Profile::Release,
                ("--rules", Some(file)) => parsed.rules = Some(PathBuf::from(file)),
                ("--host", Some(host)) => parsed.host.clone_from(host),
                _ => bail!(
                    "usage: cargo xtask demo [--release] [--rules FILE] [--host auto|falco|sysdig|demo]"
                ),
            }
            if flag != "--release" {
                args.next();
            }
        }
        Ok(parsed)
    }
}

impl Stage {
    /// Prints the events as the plugin reads them, and the alerts: with the events where the
    /// demo matches the rule itself, after them where another program does.
    fn show(&self, host: &Host, viewer: &Path, events: usize, emulator: &Emulator) -> Result<()> {
        let rule = matches!(host, Host::Demo).then_some(&self.rule);
        let seen = audience::watch(&mut self.viewer(viewer, events)?, rule)?;
        ensure!(seen.events == events, "the plugin showed {} of {events} events", seen.events);
        let alerts = match host.command(self)? {
            None => seen.alerts,
            Some(mut command) => {
                println!("\nalerts of {}:\n", host.name());
                isolate(&mut command);
                let shown = emulator.ledger().showings();
                // One more reading of everything is what the other program does.
                let all = || emulator.ledger().showings() >= shown + events as u64;
                host::until_quiet(&mut command, &self.rule, all, PATIENCE)?
            }
        };
        println!("\n{events} events, {alerts} alerts of rule `{}`", self.rule.name);
        Ok(())
    }

    /// `k8saudit run`, with what the lines and the rule need.
    fn viewer(&self, program: &Path, events: usize) -> Result<Command> {
        let config = self.workspace.target("demo-init-config.json");
        std::fs::write(&config, &self.config)?;
        let mut command = Command::new(program);
        command.arg("run").arg(&self.library).args(["--open", CLUSTER, "--json", "--count"]);
        command.arg(events.to_string()).arg("--config").arg(config);
        command.arg("--fields").arg(audience::fields(&self.rule).join(","));
        isolate(&mut command);
        Ok(command)
    }
}

/// Puts the story into the cluster's log group, told from now; how many events it has.
fn tell_story(emulator: &Emulator) -> Result<usize> {
    let story = Story::parse(STORY).context("the demo's story")?;
    let group = format!("/aws/eks/{CLUSTER}/cluster");
    emulator.create_group(&group);
    for (stream, event) in story.told_at(emulator.clock().now_ms()) {
        emulator.put(&group, &stream, vec![event]);
    }
    Ok(story.len())
}

fn init_config(endpoint_url: &str) -> String {
    serde_json::json!({
        "endpoint_url": endpoint_url,
        "region": REGION,
        "start_position": "beginning",
        "polling_interval": 0.5,
        "log_level": "warn",
    })
    .to_string()
}

/// Takes out of a command's environment what would lead to real credentials or away from the emulator.
pub fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy().to_uppercase();
        if known.starts_with("AWS_") || known.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.envs(ENVIRONMENT);
}

fn next_steps(library: &Path) -> String {
    format!(
        "next:\n  \
         cargo xtask build-plugins        the plugin for your Falco: target/plugins/{file}\n  \
         cargo xtask run {name} --open YOUR_CLUSTER --count 10\n                                   \
         what it reads from your cluster, with your credentials, without Falco\n  \
         README.md                        falco.yaml, the IAM policy\n\
         this demo's plugin: {library}",
        file = K8SAUDIT_EKS.file_name(),
        name = K8SAUDIT_EKS.name,
        library = library.display(),
    )
}

#[cfg(test)]
mod tests {
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
        let args = parse(&["--rules", "r.yaml", "--release", "--host", "demo"]).unwrap();
        assert_eq!(
            (args.profile, args.rules, args.host.as_str()),
            (Profile::Release, Some("r.yaml".into()), "demo")
        );
        for wrong in [["--rules"], ["--host"], ["x"]] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
