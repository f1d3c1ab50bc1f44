//! [`Host`]: the program `e2e-host` with a plugin in it, watched.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One evaluation.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// When, in milliseconds of the local clock since the epoch.
    pub at_ms: i64,
    /// Of which event.
    pub audit_id: String,
}

/// A line of the plugin's log.
#[derive(Clone, Debug)]
pub struct Log {
    /// As the host calls it.
    pub level: String,
    /// The text.
    pub text: String,
}

/// What the host has said so far.
#[derive(Debug, Default)]
pub struct State {
    /// In the order of evaluation.
    pub events: Vec<Evaluated>,
    /// In their order.
    pub log: Vec<Log>,
    /// The last ones told.
    pub metrics: HashMap<String, f64>,
    /// Complete tellings of metrics.
    pub tellings: u32,
    /// The source was opened.
    pub is_open: bool,
    /// How the source failed, or what the host said when it ended.
    pub failure: Option<String>,
    /// How long closing took.
    pub closed_ms: Option<u64>,
    /// Nothing more will be said.
    pub is_over: bool,
}

impl State {
    /// Log lines of that level.
    pub fn logged(&self, level: &str) -> Vec<&str> {
        self.log.iter().filter(|line| line.level == level).map(|line| line.text.as_str()).collect()
    }
}

/// What to run.
#[derive(Debug)]
pub struct HostOptions {
    /// The library.
    pub plugin: PathBuf,
    /// `init_config`.
    pub config: Value,
    /// `open_params`.
    pub open: String,
    /// Fields to extract of each event.
    pub fields: Vec<&'static str>,
    /// Environment; everything that leads to credentials is set already.
    pub environment: Vec<(&'static str, String)>,
}

impl HostOptions {
    /// That plugin, configured and opened so; nothing is extracted.
    pub fn new(plugin: PathBuf, config: Value, open: &str) -> Self {
        Self { plugin, config, open: open.to_owned(), fields: Vec::new(), environment: Vec::new() }
    }
}

/// What stands for the secret: nothing that is told may have it in it.
pub const SECRET: &str = "qL7rN0zVbXw2-secret-access-key";

/// Dummy credentials, and no way to any other.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_REGION", "us-east-1"),
    ("AWS_CONFIG_FILE", "/nonexistent"),
];

/// A host that runs.
#[derive(Debug)]
pub struct Host {
    child: Child,
    orders: Option<ChildStdin>,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Host {
    /// Starts `program`, the path of `e2e-host`.
    pub fn start(program: &str, options: &HostOptions) -> Self {
        let mut command = Command::new(program);
        command.arg(&options.plugin).arg(options.config.to_string()).arg(&options.open).args(&options.fields);
        command
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(options.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("e2e-host");
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            let (mut output, mut line) = (BufReader::new(output), String::new());
            // Whoever is killed may leave half a line.
            while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
                note(
                    &mut reader.0.lock().unwrap_or_else(PoisonError::into_inner),
                    line.trim_end_matches('\n'),
                );
                reader.1.notify_all();
                line.clear();
            }
            // What it says when it gives up.
            let words: Vec<_> = BufReader::new(errors).lines().map_while(Result::ok).collect();
            let mut state = reader.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !words.is_empty() && state.failure.is_none() {
                state.failure = Some(words.join(" "));
            }
            state.is_over = true;
            reader.1.notify_all();
        });
        let orders = child.stdin.take();
        Self { child, orders, shared }
    }

    /// What it has said so far.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails while it looks is reported once, not again by whoever looks next.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so`; fails after `patience`, or when the host is over before.
    #[track_caller]
    pub fn wait(&self, patience: Duration, what: &str, mut is_so: impl FnMut(&State) -> bool) {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        while !is_so(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.is_over {
                let (events, failure, over) = (state.events.len(), &state.failure, state.is_over);
                panic!(
                    "{what}: not so; {events} events, failure {failure:?}, over {over}, log {:#?}",
                    state.log
                );
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says something to it.
    pub fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it obeys");
        writeln!(orders, "{order}").expect("it listens");
    }

    /// The metrics of the moment.
    pub fn metrics(&mut self) -> HashMap<String, f64> {
        let before = self.state().tellings;
        self.order("metrics");
        self.wait(crate::PATIENCE, "metrics", |state| state.tellings > before);
        self.state().metrics.clone()
    }

    /// Kills it, without a word.
    pub fn kill(mut self) -> Vec<Evaluated> {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.wait_until_over();
        let mut state = self.state();
        std::mem::take(&mut state.events)
    }

    /// Lets it close, and waits for its end.
    pub fn quit(&mut self) {
        self.orders = None;
        self.wait_until_over();
        let status = self.child.wait().expect("wait");
        assert!(status.success(), "{status}: {:?}", self.state().failure);
    }

    /// Its outputs end with the process.
    fn wait_until_over(&self) {
        self.wait(crate::PATIENCE, "its end", |state| state.is_over);
    }

    /// The most memory that it has held resident, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note(state: &mut State, line: &str) {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    match kind {
        "event" => {
            let at_ms = first.parse().expect("a time");
            state.events.push(Evaluated { at_ms, audit_id: second.to_owned() });
        }
        "log" => state.log.push(Log { level: first.to_owned(), text: second.to_owned() }),
        "metric" if first == "end" => state.tellings += 1,
        "metric" => {
            state.metrics.insert(first.to_owned(), second.parse().expect("a number"));
        }
        "open" => state.is_open = true,
        "failed" => state.failure = Some(rest.to_owned()),
        "closed" => state.closed_ms = first.parse().ok(),
        "end" => {}
        _ => panic!("e2e-host said `{line}`"),
    }
}
