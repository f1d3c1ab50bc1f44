//! A followed file over kills and rotations.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use e2e::{Evaluated, PATIENCE, add_run, beside};
use emulators::cloudwatch::Generated;
use serde_json::json;

use crate::setup::host;

/// Seconds; the plugin's configuration.
const INTERVAL: f64 = 0.5;
/// What writing a checkpoint and a tick of the reader may add, on a machine that is busy.
const SLACK_MS: i64 = 700;
const CHECKPOINTED_MS: i64 = (INTERVAL * 1000.0) as i64 + SLACK_MS;

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Writes 2,000 lines per second, half of each at a time, and renames the file every 150 ms, as logrotate does: the
/// older ones move up by one.
fn write(folder: &Path, plan: &Generated, ends: &AtomicBool, written: &AtomicU64) -> u32 {
    let path = folder.join("audit.log");
    let mut file = open(&path);
    let (start, mut rotations) = (Instant::now(), 0u32);
    for index in 0..plan.count {
        let line = plan.message(index) + "\n";
        let (head, tail) = line.as_bytes().split_at(line.len() / 2);
        file.write_all(head).unwrap();
        file.write_all(tail).unwrap();
        written.store(index + 1, SeqCst);
        if ends.load(SeqCst) {
            break;
        }
        let elapsed = start.elapsed();
        if elapsed > Duration::from_millis(150) * (rotations + 1) {
            for number in (0..rotations.min(50)).rev() {
                let name = |number| folder.join(format!("audit.log.{number}"));
                // The oldest ones are gone by then.
                let _ = fs::rename(name(number + 1), name(number + 2));
            }
            fs::rename(&path, folder.join("audit.log.1")).unwrap();
            file = open(&path);
            rotations += 1;
        }
        let due = Duration::from_micros(500) * u32::try_from(index).unwrap();
        std::thread::sleep(due.saturating_sub(elapsed));
    }
    rotations
}

#[test]
fn killed_twenty_times_over_a_hundred_rotations_nothing_is_missing() {
    let _beside = beside();
    let folder = tempfile::tempdir().unwrap();
    let (logs, checkpoints) = (folder.path().join("logs"), folder.path().join("checkpoints"));
    fs::create_dir(&logs).unwrap();
    let plan = Generated::backlog(1_000_000, 1_790_000_000_000);
    let config = json!({
        "checkpoint": format!("file://{}", checkpoints.display()),
        "checkpoint_interval": INTERVAL,
        "start_position": "beginning",
    });
    let open = format!("file://{}", logs.join("audit.log").display());
    let (ends, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut evaluated: Vec<Evaluated> = Vec::new();
    let (mut repeated, mut allowed) = (0, 0);
    let rotations = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&logs, &plan, &ends, &written));
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..20 {
            let host = host(config.clone(), &open);
            host.wait(PATIENCE, "some events", |state| !state.events.is_empty());
            std::thread::sleep(Duration::from_millis(random.u64(0..1400)));
            let (again, since) = add_run(&mut evaluated, host.kill(), CHECKPOINTED_MS);
            repeated += again;
            allowed += since;
            // Some rotations come while nobody reads.
            std::thread::sleep(Duration::from_millis(random.u64(0..400)));
        }
        ends.store(true, SeqCst);
        writer.join().unwrap()
    });
    let written = written.load(SeqCst);
    let host = host(config, &open);
    let before: HashSet<String> = evaluated.iter().map(|event| event.audit_id.clone()).collect();
    host.wait(PATIENCE, "the rest", |state| {
        let rest = state.events.iter().map(|event| &event.audit_id).filter(|id| !before.contains(*id));
        rest.collect::<HashSet<_>>().len() + before.len() >= written as usize
    });
    let lines: Vec<_> = host.state().logged("error").iter().map(|line| (*line).to_owned()).collect();
    let (again, since) = add_run(&mut evaluated, host.kill(), CHECKPOINTED_MS);
    repeated += again;
    allowed += since;
    let ids: HashSet<&str> = evaluated.iter().map(|event| event.audit_id.as_str()).collect();
    let missing = (0..written).filter(|index| !ids.contains(plan.id(*index).as_str())).count();
    println!(
        "20 kills, {rotations} rotations: {missing} missing of {written}, {repeated} repeated; at most {allowed} had come after the last checkpoint"
    );
    assert_eq!(missing, 0, "{lines:#?}");
    assert!(rotations >= 100, "{rotations}");
    assert!(repeated <= allowed, "{repeated} repeated, where at most {allowed} were in no checkpoint");
}
