//! Rotation by copying and truncating.

use std::fs;
use std::io::Write;

use crate::desk::{Desk, appender, compare, line};

#[tokio::test]
async fn a_hundred_truncations_lose_nothing_where_the_copies_stay() {
    let desk = Desk::new();
    let mut writer = appender(&desk.path("audit.log"));
    let mut reading = desk.follow("audit.log").await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut number = 0;
    for times in 0..100 {
        for _ in 0..random.usize(1..400) {
            writer.write_all(line(number).as_bytes()).expect("written");
            number += 1;
        }
        if random.bool() {
            reading.until(number / 2).await;
        }
        // No line is written in between: what is, nobody can know.
        let copy = desk.path(&format!("audit.log-20240501{times:02}"));
        fs::copy(desk.path("audit.log"), copy).expect("copied");
        desk.truncate("audit.log");
    }
    writer.write_all(line(number).as_bytes()).expect("written");
    reading.until(number + 1).await;
    reading.quiet().await;
    assert_eq!(compare(&reading.lines(), number + 1), (vec![], vec![]));
    assert_eq!(desk.metrics.bytes_missing.get(), 0);
    // Told once: who copies and truncates loses what comes in between.
    let logged = desk.logged();
    assert!(logged.len() <= 1 && logged.iter().all(|line| line.starts_with("WARN")), "{logged:?}");
}

#[tokio::test]
async fn a_hundred_truncations_without_copies_lose_only_what_the_log_names() {
    let mut desk = Desk::new();
    // So that the reader waits for the consumer, with more to read in sight.
    desk.options.max_batch_records = 10;
    let mut writer = appender(&desk.path("audit.log"));
    let mut reading = desk.follow("audit.log").await;
    let mut random = fastrand::Rng::with_seed(11);
    let (mut written, mut given, mut losses) = (0, 0, 0);
    for times in 1..=100 {
        let count = random.usize(1..500);
        let lines: Vec<_> =
            (0..count).map(|number| format!("{number} {:-<1$}\n", "", random.usize(..8000))).collect();
        writer.write_all(lines.concat().as_bytes()).expect("written");
        written += lines.concat().len();
        let is_caught_up = random.bool();
        reading.until(if is_caught_up { count } else { 1 }).await;
        desk.truncate("audit.log");
        while desk.metrics.truncations.get() < times {
            reading.next().await;
        }
        reading.quiet().await;
        let found: usize = reading.records.drain(..).map(|record| record.bytes.len() + 1).sum();
        let is_whole = found == lines.concat().len();
        assert!(!is_caught_up || is_whole, "caught up, and {found} bytes came");
        losses += usize::from(!is_whole);
        given += found;
    }
    // The line that was cut off by a truncation has no line feed.
    let lost = written - (given - desk.metrics.lines_unfinished.get() as usize);
    let named = desk.metrics.bytes_missing.get() as usize;
    // What was written after the last look is lost as well, and only the log's "or more" tells of that.
    assert!(named <= lost && named > lost / 2, "{named} of {lost}");
    assert!((10..90).contains(&losses), "{losses}");
    let logged = desk.logged();
    assert_eq!(logged.len(), 100, "one line for each");
    let errors: Vec<_> = logged.iter().filter(|line| line.starts_with("ERROR")).collect();
    // A file that was truncated before anybody saw how much was in it has a warning.
    assert!(errors.len() <= losses, "{} of {losses}", errors.len());
    let bytes = errors.iter().map(|line| {
        let (_, bytes) = line.split_once("was truncated when ").expect("the bytes");
        bytes.split(' ').next().and_then(|bytes| bytes.parse::<usize>().ok()).expect("a number")
    });
    assert_eq!(bytes.sum::<usize>(), named);
}

#[tokio::test]
async fn a_file_that_has_grown_past_the_old_place_is_read_from_its_beginning() {
    for kept in [true, false] {
        let mut desk = Desk::new();
        desk.options.look_interval = std::time::Duration::from_millis(300);
        let content: String = (0..50).map(line).collect();
        desk.append("audit.log", &content);
        let mut reading = desk.follow("audit.log").await;
        reading.until(50).await;
        if kept {
            fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
        }
        desk.truncate("audit.log");
        desk.append("audit.log", (50..150).map(line).collect::<String>());
        reading.until(150).await;
        reading.quiet().await;
        assert_eq!(compare(&reading.lines(), 150), (vec![], vec![]));
        assert_eq!(desk.logged().len(), 1, "{:?}", desk.logged());
        assert!(desk.logged().iter().all(|line| line.starts_with("WARN")));
    }
}

#[tokio::test]
async fn two_truncations_between_two_looks_lose_nothing_where_the_copies_stay() {
    let mut desk = Desk::new();
    desk.options.look_interval = std::time::Duration::from_millis(500);
    desk.append("audit.log", (0..30).map(line).collect::<String>() + "30 ha");
    let mut reading = desk.follow("audit.log").await;
    reading.until(30).await;
    // The rest of a line, and more of them, are in the first copy alone.
    desk.append("audit.log", "lf\n".to_owned() + &(31..40).map(line).collect::<String>());
    fs::copy(desk.path("audit.log"), desk.path("audit.log.2")).expect("copied");
    desk.truncate("audit.log");
    desk.append("audit.log", (40..70).map(line).collect::<String>());
    fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
    desk.truncate("audit.log");
    desk.append("audit.log", (70..120).map(line).collect::<String>());
    reading.until(120).await;
    reading.quiet().await;
    assert_eq!(compare(&reading.lines(), 120), (vec![], vec![]));
    assert_eq!(reading.lines()[30], "30 half");
}

#[tokio::test]
async fn the_end_that_is_cut_off_is_missing_and_no_more() {
    let mut desk = Desk::new();
    desk.options.max_batch_records = 1;
    let content: String = (0..5000).map(line).collect();
    desk.append("audit.log", &content);
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    let keep = content.len() as u64 - 50_000;
    fs::OpenOptions::new().write(true).open(desk.path("audit.log")).unwrap().set_len(keep).unwrap();
    while desk.metrics.bytes_missing.get() == 0 {
        reading.next().await;
    }
    assert_eq!(desk.metrics.bytes_missing.get(), 50_000);
    assert_eq!(desk.logged().len(), 1, "{:?}", desk.logged());
    reading.until(4600).await;
    reading.records.truncate(4600);
    assert_eq!(compare(&reading.lines(), 4600), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_written_between_copy_and_truncation_is_named() {
    for kept in [true, false] {
        let mut desk = Desk::new();
        desk.options.max_batch_records = 1;
        desk.append("audit.log", (0..50).map(line).collect::<String>());
        let mut reading = desk.follow("audit.log").await;
        reading.until(1).await;
        if kept {
            fs::copy(desk.path("audit.log"), desk.path("audit.log.1")).expect("copied");
        }
        let between = (50..60).map(line).collect::<String>();
        desk.append("audit.log", &between);
        // The reader waits for the consumer, and looks meanwhile.
        while desk.metrics.bytes_behind.get() < between.len() as u64 {
            tokio::task::yield_now().await;
        }
        desk.truncate("audit.log");
        desk.append("audit.log", (60..70).map(line).collect::<String>());
        reading.until(60).await;
        reading.quiet().await;
        assert_eq!(compare(&reading.lines(), 70), ((50..59).collect(), vec![]));
        assert_eq!(desk.metrics.bytes_missing.get(), between.len() as u64);
        let logged = desk.logged();
        assert_eq!(logged.len(), 1, "{logged:?}");
        let bytes = format!("{} bytes", between.len());
        assert!(logged[0].starts_with("ERROR") && logged[0].contains(&bytes), "{logged:?}");
    }
}
