//! What is known after a restart.

use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime};

use event_source::ErrorKind;
use file_tail::StartPosition;

use crate::desk::{Desk, Given, compare, line};

/// Reads lines `0..30`, has 20 of them evaluated and written down, and is killed.
async fn killed_after_20() -> Desk {
    let mut desk = Desk::with_checkpoints();
    desk.options.max_batch_records = 10;
    desk.append("audit.log", (0..30).map(line).collect::<String>());
    let mut reading = desk.follow("audit.log").await;
    reading.until(20).await;
    // Not acknowledged: it was given, and nobody knows whether it was evaluated.
    reading.until(30).await;
    reading.close().await;
    desk
}

/// What a restart gives, until line `last` has come.
async fn restarted(desk: &Desk, last: usize) -> Vec<String> {
    let mut reading = desk.follow("audit.log").await;
    let last = line(last);
    while reading.lines().last().map(String::as_str) != Some(last.trim_end()) {
        reading.next().await;
    }
    reading.quiet().await;
    reading.lines()
}

#[track_caller]
fn check(lines: &[String], range: std::ops::Range<usize>) {
    let expect: Vec<_> = range.map(|number| line(number).trim_end().to_owned()).collect();
    assert_eq!(lines, expect);
}

#[tokio::test]
async fn what_was_not_acknowledged_is_given_again() {
    let desk = killed_after_20().await;
    desk.append("audit.log", line(30));
    check(&restarted(&desk, 30).await, 20..31);
    // All of that was acknowledged but for the last call; closing acknowledges nothing, nor does dropping.
    assert_eq!(desk.logged(), [""; 0]);
}

#[tokio::test]
async fn a_crash_in_a_backlog_repeats_no_more_than_the_last_batches() {
    let mut desk = Desk::with_checkpoints();
    desk.options.max_batch_records = 7;
    let count = 2000;
    desk.append("audit.log", (0..count).map(line).collect::<String>());
    let (mut all, mut lives) = (Vec::new(), 0);
    let mut random = fastrand::Rng::with_seed(3);
    while !compare(&all, count).0.is_empty() {
        let mut reading = desk.follow("audit.log").await;
        for _ in 0..random.usize(2..40) {
            if reading.records.len() + all.len() >= count && compare(&reading.lines(), count).0.is_empty() {
                break;
            }
            if !matches!(reading.next().await, Given::Records) {
                break;
            }
        }
        all.extend(reading.lines());
        // Killed: nothing is written at the end.
        drop(reading);
        lives += 1;
        assert!(lives < 1000, "it does not get on");
    }
    // One batch in flight, and those that came while a checkpoint was written.
    assert!(all.len() < count + lives * 40 * 7, "{} lines in {lives} lives", all.len());
}

#[tokio::test]
async fn rotated_while_nobody_reads() {
    for steps in 1..4 {
        let desk = killed_after_20().await;
        for step in 0..steps {
            for number in (1..=step).rev() {
                desk.rename(&format!("audit.log.{number}"), &format!("audit.log.{}", number + 1));
            }
            desk.rename("audit.log", "audit.log.1");
            desk.append("audit.log", (30 + step * 10..40 + step * 10).map(line).collect::<String>());
        }
        let last = 29 + steps * 10;
        check(&restarted(&desk, last).await, 20..last + 1);
        assert_eq!(desk.logged(), [""; 0]);
    }
}

#[tokio::test]
async fn rotated_while_the_clock_was_set_back() {
    for is_set_back in [false, true] {
        let desk = killed_after_20().await;
        let name = |day: u32| format!("audit-2024-05-{day:02}T10-00-00.000.log");
        desk.append(&name(1), "old\n");
        desk.rename("audit.log", &name(3));
        desk.append(&name(if is_set_back { 2 } else { 4 }), (30..40).map(line).collect::<String>());
        desk.append("audit.log", (40..50).map(line).collect::<String>());
        let now = SystemTime::now();
        let set = |name: &str, day: u64| {
            let time = if is_set_back { now - Duration::from_secs(86400 * (10 - day)) } else { now };
            fs::File::options().write(true).open(desk.path(name)).unwrap().set_modified(time).unwrap();
        };
        set(&name(if is_set_back { 2 } else { 4 }), 2);
        set("audit.log", 3);
        set(&name(3), 4);
        let lines = restarted(&desk, 49).await;
        let logged = desk.logged();
        assert_eq!(logged.len(), usize::from(is_set_back), "{logged:?}");
        if is_set_back {
            assert!(logged[0].starts_with("WARN") && logged[0].contains(&name(2)), "{logged:?}");
        } else {
            check(&lines, 20..50);
        }
    }
}

#[tokio::test]
async fn rotated_and_compressed_while_nobody_reads() {
    // What some programs write first: a frame that is to be skipped.
    let skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd";
    for (ending, front) in [("gz", &b""[..]), ("zst", b""), ("zst", skipped)] {
        let desk = killed_after_20().await;
        desk.append("audit.log", (30..40).map(line).collect::<String>());
        for (from, to, next) in
            [("audit.log", "audit-20240501.log", 40..50), ("audit.log", "audit-20240502.log", 50..60)]
        {
            desk.rename(from, to);
            let content = fs::read(desk.path(to)).expect("content");
            let compressed = if ending == "gz" {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&content).expect("memory");
                encoder.finish().expect("memory")
            } else {
                ruzstd::encoding::compress_to_vec(&content[..], ruzstd::encoding::CompressionLevel::Fastest)
            };
            desk.append(&format!("{to}.{ending}"), [front, &compressed].concat());
            fs::remove_file(desk.path(to)).expect("removed");
            desk.append("audit.log", next.map(line).collect::<String>());
        }
        check(&restarted(&desk, 59).await, 20..60);
        assert_eq!(desk.logged(), [""; 0]);
    }
}

#[tokio::test]
async fn truncated_while_nobody_reads() {
    for kept in [true, false] {
        let desk = killed_after_20().await;
        if kept {
            fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
        }
        desk.truncate("audit.log");
        desk.append("audit.log", (30..90).map(line).collect::<String>());
        let lines = restarted(&desk, 89).await;
        check(&lines, if kept { 20..90 } else { 30..90 });
        let logged = desk.logged();
        assert_eq!(logged.len(), usize::from(!kept), "{logged:?}");
        assert!(
            logged.iter().all(|line| line.starts_with("ERROR") && line.contains("truncated")),
            "{logged:?}"
        );
        assert_eq!(desk.metrics.files_lost.get(), u64::from(!kept));
    }
}

#[tokio::test]
async fn the_end_is_missing_after_a_power_loss() {
    // Shorter than it was, or longer by now.
    for written in [1, 100] {
        let desk = Desk::with_checkpoints();
        let count = 5000;
        for number in 0..10 {
            desk.append("audit.log", (number * 500..(number + 1) * 500).map(line).collect::<String>());
        }
        let mut reading = desk.follow("audit.log").await;
        reading.until(count).await;
        reading.quiet().await;
        reading.close().await;
        let file = fs::File::options().write(true).open(desk.path("audit.log")).expect("opened");
        file.set_len(file.metadata().expect("size").len() - 4096).expect("cut off");
        // The rest of the torn line is that of the next one.
        desk.append("audit.log", (count..=count + written).map(line).collect::<String>());
        let lines = restarted(&desk, count + written).await;
        let since = (count - 3500..=count + written).collect::<Vec<_>>();
        let number = |line: &String| line.split(' ').next().and_then(|number| number.parse().ok());
        let numbers: Vec<usize> = lines.iter().filter_map(number).collect();
        assert!(numbers.is_sorted() && numbers.iter().all(|number| since.contains(number)), "{numbers:?}");
        assert!((count + 1..=count + written).all(|number| numbers.contains(&number)), "{numbers:?}");
        let logged = desk.logged();
        assert_eq!((logged.len(), desk.metrics.files_lost.get()), (1, 0), "{logged:?}");
        assert!(logged[0].starts_with("WARN") && logged[0].contains("power loss"), "{logged:?}");
    }
}

#[tokio::test]
async fn gone_while_nobody_reads() {
    let desk = killed_after_20().await;
    fs::remove_file(desk.path("audit.log")).expect("removed");
    desk.append("audit.log.1", (30..40).map(line).collect::<String>());
    desk.append("audit.log", (40..50).map(line).collect::<String>());
    check(&restarted(&desk, 49).await, 30..50);
    let logged = desk.logged();
    assert_eq!(logged.len(), 1, "{logged:?}");
    // The new file may have got the old one's number.
    let is_told = logged[0].contains("not there any more") || logged[0].contains("made anew");
    assert!(logged[0].starts_with("ERROR") && is_told, "{logged:?}");
}

#[tokio::test]
async fn copied_elsewhere_and_back_it_is_the_same_file() {
    let desk = killed_after_20().await;
    fs::copy(desk.path("audit.log"), desk.path("backup")).expect("copied");
    fs::remove_file(desk.path("audit.log")).expect("removed");
    desk.rename("backup", "audit.log");
    desk.append("audit.log", line(30));
    check(&restarted(&desk, 30).await, 20..31);
    assert_eq!(desk.logged(), [""; 0]);
}

#[tokio::test]
async fn the_end_at_which_it_began_is_written_down_at_once() {
    for is_there in [true, false] {
        let mut desk = Desk::with_checkpoints();
        desk.options.start = StartPosition::End;
        if is_there {
            desk.append("audit.log", "old\n");
        }
        drop(desk.follow("audit.log").await);
        desk.append("audit.log", line(0));
        check(&restarted(&desk, 0).await, 0..1);
    }
}

#[tokio::test]
async fn truncated_before_the_first_line_was_read() {
    let desk = Desk::with_checkpoints();
    desk.append("audit.log.1", "old\n");
    desk.append("audit.log", "");
    drop(desk.follow("audit.log").await);
    for step in 0..2 {
        desk.rename("audit.log.1", "audit.log.2");
        desk.append("audit.log", line(step));
        // Later than the empty file, also where time goes by in steps.
        while fs::metadata(desk.path("audit.log")).unwrap().modified().unwrap()
            == fs::metadata(desk.path("audit.log.2")).unwrap().modified().unwrap()
        {
            desk.truncate("audit.log");
            desk.append("audit.log", line(step));
        }
        fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
        desk.truncate("audit.log");
        if step == 0 {
            check(&restarted(&desk, 0).await, 0..1);
        }
    }
    desk.append("audit.log", line(2));
    check(&restarted(&desk, 2).await, 1..3);
    assert_eq!(desk.logged(), [""; 0]);
}

#[tokio::test]
async fn what_is_no_checkpoint_is_told_at_open() {
    let desk = killed_after_20().await;
    let folder = fs::read_dir(desk.path("checkpoints")).expect("folder");
    for object in folder.flatten() {
        fs::write(object.path(), "rubbish").expect("written");
    }
    let target = file_tail::Target::Follow(desk.path("audit.log"));
    let error = desk.open(target).await.map(|_| ()).expect_err("no checkpoint");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn half_a_line_is_no_place_to_begin_again() {
    let mut desk = Desk::with_checkpoints();
    desk.options.look_interval = Duration::from_millis(500);
    desk.append("audit.log", (0..30).map(line).collect::<String>() + "30 ha");
    let mut reading = desk.follow("audit.log").await;
    reading.until(30).await;
    reading.quiet().await;
    // The rest of the line is in the copy alone.
    desk.append("audit.log", "lf\n");
    fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
    desk.truncate("audit.log");
    desk.append("audit.log", (31..40).map(line).collect::<String>());
    while !matches!(reading.next().await, Given::Records) {}
    // Given, and not evaluated.
    reading.close().await;
    let lines = restarted(&desk, 39).await;
    assert_eq!(lines.first().map(String::as_str), Some("30 half"));
    assert_eq!(compare(&lines, 40).0, (0..9).collect::<Vec<_>>());
    assert_eq!(lines.len(), 10);
}
