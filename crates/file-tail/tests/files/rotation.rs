//! Rotation by renaming.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use crate::desk::{Desk, appender, compare, line};

/// How files are called when they are rotated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    /// `audit-TIME.log`, as the API server does.
    Times,
    /// `audit.log.1`, then `audit.log.2` and so on, as logrotate does.
    Numbers,
}

fn rotate(folder: &Path, names: Names, times: usize) -> PathBuf {
    let path = |name: String| folder.join(name);
    let live = path("audit.log".to_owned());
    let to = match names {
        Names::Times => path(format!("audit-2024-05-01T10-00-{:02}.{:03}.log", times / 1000, times % 1000)),
        Names::Numbers => {
            for number in (1..=times).rev() {
                let from = path(format!("audit.log.{number}"));
                fs::rename(from, path(format!("audit.log.{}", number + 1))).expect("renamed");
            }
            path("audit.log.1".to_owned())
        }
    };
    fs::rename(&live, to).expect("renamed");
    live
}

/// Writes `count` lines and rotates `rotations` times meanwhile.
fn write(
    folder: PathBuf,
    names: Names,
    count: usize,
    rotations: usize,
    pause: Duration,
    written: &AtomicUsize,
) {
    let mut file = appender(&folder.join("audit.log"));
    let mut rotated = 0;
    for number in 0..count {
        let line = line(number);
        let half = line.len() / 2;
        // A line in two writes.
        file.write_all(&line.as_bytes()[..half]).expect("written");
        file.write_all(&line.as_bytes()[half..]).expect("written");
        written.store(number + 1, SeqCst);
        if (number + 1) * (rotations + 1) / count > rotated && rotated < rotations {
            let live = rotate(&folder, names, rotated);
            rotated += 1;
            std::thread::sleep(pause);
            file = appender(&live);
        }
    }
}

#[track_caller]
fn check(names: Names, look: u64, pause: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let mut desk = Desk::new();
        desk.options.look_interval = Duration::from_millis(look);
        desk.append("audit.log", "");
        let mut reading = desk.follow("audit.log").await;
        let (count, rotations) = (50_000, 100);
        let (folder, written) = (desk.folder.path().to_owned(), Arc::new(AtomicUsize::new(0)));
        let shared = Arc::clone(&written);
        let pause = Duration::from_millis(pause);
        let writer = std::thread::spawn(move || write(folder, names, count, rotations, pause, &shared));
        reading.until(count).await;
        writer.join().expect("writer");
        reading.quiet().await;
        assert_eq!(compare(&reading.lines(), count), (vec![], vec![]));
        let in_order = (0..count).map(line).collect::<String>();
        assert!(reading.lines().iter().map(String::as_str).eq(in_order.lines().map(str::trim_end)));
        assert_eq!(desk.metrics.rotations.get(), rotations as u64);
        assert_eq!(desk.logged(), [""; 0]);
        reading.close().await;
    });
}

#[test]
fn a_hundred_rotations_under_load_lose_nothing() {
    check(Names::Times, 10, 5);
    check(Names::Numbers, 10, 5);
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    check(Names::Times, 250, 0);
    check(Names::Numbers, 250, 0);
}

#[tokio::test]
async fn a_line_without_its_end_is_given_when_the_file_is_rotated() {
    let desk = Desk::new();
    desk.append("audit.log", "a\nb");
    let mut reading = desk.follow("audit.log").await;
    reading.quiet().await;
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "c\n");
    reading.until(3).await;
    assert_eq!(reading.lines(), ["a", "b", "c"]);
    assert_eq!(desk.metrics.lines_unfinished.get(), 1);
}

#[tokio::test]
async fn a_writer_may_go_on_in_the_old_file_for_a_while() {
    let desk = Desk::new();
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(b"a\n").expect("written");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "");
    reading.quiet().await;
    writer.write_all(b"b\n").expect("written");
    reading.until(2).await;
    writer.write_all(b"c\n").expect("written");
    desk.append("audit.log", "d\n");
    reading.until(4).await;
    assert_eq!(reading.lines(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_rotated_file_may_be_deleted_at_once() {
    let desk = Desk::new();
    desk.append("audit.log", "a\n");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(b"b\n").expect("written");
    fs::remove_file(desk.path("audit.log")).expect("removed");
    desk.append("audit.log", "c\n");
    reading.until(3).await;
    assert_eq!(reading.lines(), ["a", "b", "c"]);
}

#[tokio::test]
async fn copies_and_other_files_beside_it_are_not_read() {
    let desk = Desk::new();
    let content: String = (0..20).map(line).collect();
    desk.append("audit.log", &content);
    desk.append("audit.log.5", "old\n");
    // Who compresses or restores an old file touches it late.
    let late = SystemTime::now() + Duration::from_secs(60);
    fs::File::options().write(true).open(desk.path("audit.log.5")).unwrap().set_modified(late).unwrap();
    let mut reading = desk.follow("audit.log").await;
    reading.until(20).await;
    desk.rename("audit.log", "audit.log.2");
    fs::copy(desk.path("audit.log.2"), desk.path("audit.log.1")).expect("copied");
    desk.append("audit-webhook.log", "other\n");
    desk.append("audit.log", "20\n");
    reading.until(21).await;
    reading.quiet().await;
    assert_eq!(reading.lines().split_off(20), ["20"]);
}

#[tokio::test]
async fn what_is_written_late_to_a_rotated_file_is_read() {
    let desk = Desk::new();
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(b"a\n").expect("written");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "b\nha");
    reading.until(2).await;
    reading.quiet().await;
    writer.write_all(b"c\n").expect("written");
    reading.until(3).await;
    desk.append("audit.log", "lf\n");
    reading.until(4).await;
    writer.write_all(b"d\n").expect("written");
    desk.append("audit.log", "e\n");
    reading.until(6).await;
    reading.quiet().await;
    let mut lines = reading.lines();
    assert_eq!(lines.drain(..4).collect::<Vec<_>>(), ["a", "b", "c", "half"]);
    lines.sort();
    assert_eq!(lines, ["d", "e"]);
    assert_eq!(desk.metrics.rotations.get(), 1);
}

#[tokio::test]
async fn half_a_line_that_is_written_late_to_a_rotated_file_is_waited_for() {
    let desk = Desk::new();
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(b"a\n").expect("written");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "b\n");
    reading.until(2).await;
    reading.quiet().await;
    writer.write_all(b"ha").expect("written");
    reading.quiet().await;
    desk.append("audit.log", "c\n");
    reading.quiet().await;
    writer.write_all(b"lf\n").expect("written");
    reading.until(4).await;
    assert_eq!(reading.lines(), ["a", "b", "half", "c"]);
    assert_eq!(desk.metrics.lines_unfinished.get(), 0);
    // Its end does not come.
    writer.write_all(b"d").expect("written");
    reading.quiet().await;
    desk.append("audit.log", "e\n");
    reading.until(6).await;
    assert_eq!(reading.lines(), ["a", "b", "half", "c", "d", "e"]);
    assert_eq!(desk.metrics.lines_unfinished.get(), 1);
}

#[tokio::test]
async fn whoever_does_not_notice_a_rotation_is_read_on() {
    let desk = Desk::with_checkpoints();
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(line(0).as_bytes()).expect("written");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "");
    reading.quiet().await;
    desk.rename("audit.log.1", "audit.log.2");
    desk.rename("audit.log", "audit.log.1");
    desk.append("audit.log", "");
    reading.quiet().await;
    writer.write_all(line(1).as_bytes()).expect("written");
    reading.until(2).await;
    reading.quiet().await;
    reading.close().await;
    // Nor is it left after a restart.
    let mut reading = desk.follow("audit.log").await;
    reading.quiet().await;
    writer.write_all(line(2).as_bytes()).expect("written");
    reading.until(1).await;
    desk.append("audit.log", line(3));
    reading.until(2).await;
    assert_eq!(compare(&reading.lines(), 4).0, [0, 1]);
    assert_eq!(desk.logged(), [""; 0]);
}

#[tokio::test]
async fn a_link_with_the_name_of_a_rotated_file_holds_nothing_up() {
    let desk = Desk::new();
    desk.append("audit.log", "a\n");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    desk.append("new", "b\n");
    fs::hard_link(desk.path("new"), desk.path("audit-20240501.log")).expect("linked");
    desk.rename("audit.log", "audit.log.1");
    desk.rename("new", "audit.log");
    reading.until(2).await;
    desk.append("audit.log", "c\n");
    reading.until(3).await;
    reading.quiet().await;
    assert_eq!(reading.lines(), ["a", "b", "c"]);
}

/// Reads the first of ten lines and waits for the consumer, while the file is rotated five times, a line in each.
async fn rotated_while_it_waits(desk: &mut Desk) -> crate::desk::Reading {
    // So that the reader waits, and its next look comes after all that is done to the files.
    desk.options.max_batch_records = 1;
    desk.append("audit.log", (0..10).map(line).collect::<String>());
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    for times in 0..5 {
        rotate(desk.folder.path(), Names::Times, times);
        desk.append("audit.log", line(10 + times));
    }
    reading
}

#[tokio::test]
async fn what_was_rotated_and_deleted_between_two_looks_is_named() {
    for (kept, missing) in [(5, vec![]), (2, vec![10, 11])] {
        let mut desk = Desk::new();
        let mut reading = rotated_while_it_waits(&mut desk).await;
        for times in 0..5 - kept {
            fs::remove_file(desk.path(&format!("audit-2024-05-01T10-00-00.00{times}.log"))).expect("removed");
        }
        reading.until(15 - missing.len()).await;
        reading.quiet().await;
        assert_eq!(compare(&reading.lines(), 15), (missing, vec![]));
        let logged = desk.logged();
        let is_lost = kept < 5;
        assert_eq!(
            (logged.len(), desk.metrics.files_lost.get()),
            (is_lost.into(), is_lost.into()),
            "{logged:?}"
        );
        let is_told =
            |line: &String| line.starts_with("ERROR") && line.contains("T10-00-00.003.log`, with which");
        assert!(logged.iter().all(is_told), "{logged:?}");
    }
}

#[tokio::test]
async fn a_rotated_file_that_is_compressed_at_once_is_not_missing() {
    let mut desk = Desk::new();
    let mut reading = rotated_while_it_waits(&mut desk).await;
    let name = desk.path("audit-2024-05-01T10-00-00.000.log");
    let (content, time) = (fs::read(&name).unwrap(), fs::metadata(&name).unwrap().modified().unwrap());
    let compressed =
        ruzstd::encoding::compress_to_vec(&content[..], ruzstd::encoding::CompressionLevel::Fastest);
    desk.append("audit-2024-05-01T10-00-00.000.log.zst", compressed);
    let copy = desk.path("audit-2024-05-01T10-00-00.000.log.zst");
    fs::File::options().write(true).open(copy).unwrap().set_modified(time).unwrap();
    fs::remove_file(name).expect("removed");
    reading.until(15).await;
    reading.quiet().await;
    assert_eq!(compare(&reading.lines(), 15), (vec![], vec![]));
    assert_eq!(desk.logged(), [""; 0]);
}
