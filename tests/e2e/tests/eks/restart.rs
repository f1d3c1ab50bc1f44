//! Killed at any moment and started again, nothing is missing, and little is repeated.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::{Evaluated, Host, PATIENCE, State, beside};
use emulators::cloudwatch::{Config, Emulator, Generated, Lateness};
use serde_json::{Value, json};

use crate::setup::{Comparison, GROUP, compare, count, emulator, host};

/// Seconds; the plugin's configuration.
const INTERVAL: f64 = 0.5;
/// What writing a checkpoint and a tick of the reader may add, on a machine that is busy.
const SLACK_MS: i64 = 700;

fn checkpointed(folder: &tempfile::TempDir, changes: Value) -> Value {
    let mut all = json!({
        "checkpoint": format!("file://{}", folder.path().display()),
        "checkpoint_interval": INTERVAL,
        "start_position": "beginning",
    });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

/// When the last checkpoint was written, in milliseconds; `None` before the first.
fn last_checkpoint(folder: &tempfile::TempDir) -> Option<i64> {
    let files = std::fs::read_dir(folder.path()).expect("folder").map(Result::unwrap);
    let checkpoint = files.filter(|file| file.file_name().to_string_lossy().ends_with(".checkpoint"));
    let time = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    checkpoint.map(|file| time(file.metadata().unwrap().modified().unwrap())).max()
}

struct Tally {
    evaluated: Vec<Evaluated>,
    repeated: usize,
    allowed: usize,
}

impl Tally {
    /// Adds what one run evaluated. `checkpoint`: when the last checkpoint before it was written.
    fn add(&mut self, run: Vec<Evaluated>, checkpoint: Option<i64>) {
        let ids: HashSet<&str> = run.iter().map(|event| event.audit_id.as_str()).collect();
        assert_eq!(ids.len(), run.len(), "repeated within one run");
        // A checkpoint knows what was evaluated when it was begun to be written, and was written at most an
        // interval before the kill.
        let end = self.evaluated.iter().map(|event| event.at_ms).max().unwrap_or(i64::MIN);
        let interval = (INTERVAL * 1000.0) as i64;
        let since = checkpoint.map_or(i64::MIN, |at| at.max(end.saturating_sub(interval)) - SLACK_MS);
        let known: HashSet<&str> = self.evaluated.iter().map(|event| event.audit_id.as_str()).collect();
        let repeated = run.iter().filter(|event| known.contains(event.audit_id.as_str())).count();
        let allowed = self.evaluated.iter().filter(|event| event.at_ms >= since).count();
        self.repeated += repeated;
        self.allowed += allowed;
        self.evaluated.extend(run);
    }
}

/// Twenty kills while events arrive, some of them late.
#[test]
fn killed_twenty_times_nothing_is_missing() {
    let _beside = beside();
    let emulator = emulator(Config { page_bytes: 128 << 10, ..Config::default() });
    let plan = Generated {
        message_bytes: 500,
        lateness: Lateness::none().band(0.3, 100, 4000),
        ..Generated::live(30_000, emulator.clock().now_ms(), 1000.0)
    };
    emulator.generate(GROUP, plan);
    let tally = killed(&emulator, 20, 200..1500);
    println!(
        "20 kills: {} evaluated, {} repeated; {} had come after the last checkpoint",
        tally.evaluated.len(),
        tally.repeated,
        tally.allowed
    );
}

/// Kills in the middle of a backlog, where one slice of time holds more than a run gets through.
#[test]
fn killed_in_a_backlog_nothing_is_missing() {
    let _beside = beside();
    let emulator = emulator(Config { page_bytes: 64 << 10, ..Config::default() });
    let start = emulator.clock().now_ms() - 600_000;
    let plan = Generated { message_bytes: 500, per_second: 2000.0, ..Generated::backlog(60_000, start) };
    emulator.generate(GROUP, plan);
    let tally = killed(&emulator, 5, 300..900);
    println!("5 kills in a backlog: {} repeated of {}", tally.repeated, tally.evaluated.len());
}

fn killed(emulator: &Emulator, kills: u32, millis: std::ops::Range<u64>) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let start = || host(emulator, checkpointed(&folder, json!({})));
    let mut random = fastrand::Rng::with_seed(20);
    let mut tally = Tally { evaluated: Vec::new(), repeated: 0, allowed: 0 };
    let mut checkpoint = None;
    for _ in 0..kills {
        let host = start();
        // The moment of the kill is what is random here.
        std::thread::park_timeout(Duration::from_millis(random.u64(millis.clone())));
        tally.add(host.kill(), checkpoint);
        checkpoint = last_checkpoint(&folder);
    }
    assert!(checkpoint.is_some(), "no checkpoint was ever written");
    let host = start();
    wait_for_rest(&host, &tally.evaluated, emulator.ledger().known() as usize);
    tally.add(host.kill(), checkpoint);
    let Comparison { missing, unknown, .. } = compare(emulator, &count(&tally.evaluated));
    assert_eq!((missing, unknown), (0, 0));
    let Tally { repeated, allowed, .. } = tally;
    assert!(repeated <= allowed, "{repeated} repeated, where {allowed} were not in the checkpoint");
    tally
}

/// Waits until every event was evaluated, by this host or `before`; some may come again.
#[track_caller]
fn wait_for_rest(host: &Host, before: &[Evaluated], all: usize) {
    let mut known: HashSet<String> = before.iter().map(|event| event.audit_id.clone()).collect();
    let mut counted = 0;
    host.wait(PATIENCE, "the rest", |state| {
        known.extend(state.events[counted..].iter().map(|event| event.audit_id.clone()));
        counted = state.events.len();
        known.len() >= all
    });
}

/// A batch that the host holds when it closes was not evaluated: it comes again.
#[test]
fn a_clean_end_repeats_only_what_the_host_held() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let start = emulator.clock().now_ms() - 60_000;
    emulator.generate(GROUP, Generated { message_bytes: 500, ..Generated::backlog(20_000, start) });
    let folder = tempfile::tempdir().unwrap();
    // Only those at open and at the end are ever written.
    let config = checkpointed(&folder, json!({ "checkpoint_interval": 3600 }));
    let mut first: Host = host(&emulator, config.clone());
    first.wait(PATIENCE, "some events", |state| state.events.len() > 5000);
    first.quit();
    let before: Vec<_> = std::mem::take(&mut first.state().events);
    assert!(first.state().closed_ms.unwrap() < 5000);
    let mut second = host(&emulator, config);
    wait_for_rest(&second, &before, 20_000);
    second.quit();
    let state = second.state();
    let counts = count(before.iter().chain(&state.events));
    let Comparison { missing, repeated, unknown } = compare(&emulator, &counts);
    assert_eq!((missing, unknown), (0, 0));
    assert!(repeated <= 200, "{repeated} repeated, where a batch has 200 at most");
}

/// Whatever stands where the checkpoint should be: an error that names it, no fresh start.
#[test]
fn a_foreign_checkpoint_is_an_error() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let folder = tempfile::tempdir().unwrap();
    let config = checkpointed(&folder, json!({}));
    let mut first = host(&emulator, config.clone());
    first.quit();
    let file = std::fs::read_dir(folder.path()).unwrap().next().expect("written at open").unwrap().path();
    std::fs::write(&file, "something else").unwrap();
    let second = crate::setup::start(&crate::setup::options(&emulator, config));
    second.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let failure = second.state().failure.clone().unwrap();
    assert!(failure.contains(file.file_name().unwrap().to_str().unwrap()), "{failure}");
    assert_eq!(std::fs::read(&file).unwrap(), b"something else");
}

/// Whoever cannot be told later where to go on is told now, once; reading goes on.
#[test]
fn checkpoints_that_cannot_be_written_are_told_once() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    emulator.generate(
        GROUP,
        Generated { message_bytes: 500, ..Generated::live(20_000, emulator.clock().now_ms(), 1000.0) },
    );
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = folder.path().join("checkpoints");
    let place = format!("file://{}", checkpoints.display());
    let mut host = host(&emulator, checkpointed(&folder, json!({ "checkpoint": place })));
    std::fs::rename(&checkpoints, folder.path().join("aside")).unwrap();
    std::fs::write(&checkpoints, "in the way").unwrap();
    let errors = |state: &State| {
        let lines = state.logged("error");
        lines.iter().filter(|line| line.contains("a restart would repeat")).count()
    };
    host.wait(PATIENCE, "the error", |state| errors(state) > 0);
    let so_far = host.state().events.len();
    host.wait(PATIENCE, "reading goes on", |state| state.events.len() > so_far + 2000);
    std::fs::remove_file(&checkpoints).unwrap();
    host.wait(PATIENCE, "the end of it", |state| {
        state.logged("info").iter().any(|line| line.contains("checkpoints are written again"))
    });
    assert_eq!(errors(&host.state()), 1, "{:#?}", host.state().log);
    host.quit();
}
