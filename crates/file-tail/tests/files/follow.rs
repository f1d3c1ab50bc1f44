//! A file as it grows, comes and goes.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

use event_source::{ErrorKind, chain};
use file_tail::{StartPosition, Target};

use crate::desk::{Desk, Given, appender, line, logged_of};

#[tokio::test]
async fn a_line_is_given_when_it_is_complete() {
    let desk = Desk::new();
    desk.append("audit.log", "a\nb");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    reading.quiet().await;
    assert_eq!(reading.lines(), ["a"]);
    desk.append("audit.log", "c");
    reading.quiet().await;
    desk.append("audit.log", "d\ne\r\n\nf");
    reading.until(3).await;
    assert_eq!(reading.lines(), ["a", "bcd", "e"]);
    reading.close().await;
}

#[tokio::test]
async fn lines_that_are_too_long_are_told_together() {
    let mut desk = Desk::new();
    desk.options.max_record_bytes = 1024;
    let mut reading = desk.follow("audit.log").await;
    let long = "x".repeat(1030) + "\n";
    desk.append("audit.log", &long);
    reading.until(1).await;
    desk.append("audit.log", long.repeat(2));
    reading.until(3).await;
    reading.close().await;
    let logged = desk.logged();
    // The first one at once, the others at the end, which comes within the minute.
    assert_eq!(logged.len(), 2, "{logged:?}");
    let ends =
        ["1 lines or documents before byte 1031 are longer than what is read of one; 6 bytes", "; 12 bytes"];
    assert!(
        logged.iter().zip(ends).all(|(line, end)| line.starts_with("ERROR") && line.contains(end)),
        "{logged:?}"
    );
}

#[tokio::test]
async fn it_begins_at_the_end_or_at_the_beginning() {
    for (start, content, expect) in [
        (StartPosition::Beginning, "a\nb\n", vec!["a", "b", "new"]),
        (StartPosition::End, "a\nb\n", vec!["new"]),
        (StartPosition::End, "a\nb", vec!["bnew"]),
        (StartPosition::End, "a", vec!["anew"]),
        (StartPosition::End, "", vec!["new"]),
    ] {
        let mut desk = Desk::new();
        desk.options.start = start;
        desk.append("audit.log", content);
        let mut reading = desk.follow("audit.log").await;
        desk.append("audit.log", "new\n");
        reading.until(expect.len()).await;
        assert_eq!(reading.lines(), expect, "{start:?} of {content:?}");
    }
}

#[tokio::test]
async fn a_file_may_come_later_and_is_read_from_its_beginning() {
    for start in [StartPosition::Beginning, StartPosition::End] {
        let mut desk = Desk::new();
        desk.options.start = start;
        let mut reading = desk.follow("logs/audit.log").await;
        let error = reading.failure().await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(chain(&error).contains("audit.log` does not exist"), "{}", chain(&error));
        fs::create_dir(desk.path("logs")).expect("folder");
        desk.append("logs/audit.log", "a\n");
        reading.until(1).await;
        assert_eq!(reading.lines(), ["a"]);
        reading.quiet().await;
        assert_eq!(desk.logged(), [""; 0]);
    }
}

#[tokio::test]
async fn a_removed_file_is_read_on_until_there_is_another_one() {
    let desk = Desk::new();
    let mut writer = appender(&desk.path("audit.log"));
    writer.write_all(b"a\n").expect("written");
    let mut reading = desk.follow("audit.log").await;
    reading.until(1).await;
    fs::remove_file(desk.path("audit.log")).expect("removed");
    writer.write_all(b"b\n").expect("written");
    reading.until(2).await;
    let error = reading.failure().await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    writer.write_all(b"c\nd").expect("written");
    reading.until(3).await;
    desk.append("audit.log", "e\n");
    reading.until(5).await;
    assert_eq!(reading.lines(), ["a", "b", "c", "d", "e"]);
    reading.quiet().await;
}

#[tokio::test]
async fn what_is_no_file_is_told_until_it_is_one() {
    let desk = Desk::new();
    let mut reading = desk.follow("audit.log").await;
    reading.failure().await;
    fs::create_dir(desk.path("audit.log")).expect("folder");
    while !chain(&reading.failure().await).contains("no regular file") {}
    fs::remove_dir(desk.path("audit.log")).expect("removed");
    std::os::unix::fs::symlink("audit.log", desk.path("audit.log")).expect("a link to itself");
    while !chain(&reading.failure().await).contains("symbolic link") {}
    fs::remove_file(desk.path("audit.log")).expect("removed");
    desk.append("audit.log", "a\n");
    reading.until(1).await;
}

#[tokio::test]
async fn what_may_not_be_read_is_told_and_tried_again() {
    let desk = Desk::new();
    let allow = |name: &str, mode| {
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(mode)).expect("allowed");
    };
    fs::create_dir(desk.path("logs")).expect("folder");
    desk.append("logs/audit.log", "a\n");
    allow("logs/audit.log", 0);
    if fs::File::open(desk.path("logs/audit.log")).is_ok() {
        eprintln!("skipped: root may read everything");
        return;
    }
    // A file in it can be opened; what there is besides cannot be seen.
    allow("logs", 0o311);
    let mut reading = desk.follow("logs/audit.log").await;
    assert_eq!(reading.failure().await.kind(), ErrorKind::Denied);
    allow("logs/audit.log", 0o600);
    reading.until(1).await;
    desk.rename("logs/audit.log", "logs/audit.log.1");
    desk.append("logs/audit.log", "b\n");
    reading.until(2).await;
    reading.quiet().await;
    assert_eq!(desk.logged().len(), 1, "{:?}", desk.logged());
    assert!(desk.logged()[0].contains("may not be listed"), "{:?}", desk.logged());
    let missing = desk.open(Target::Path(desk.path("logs"))).await.map(|_| ()).expect_err("not to be listed");
    assert_eq!(missing.kind(), ErrorKind::Denied);
    allow("logs", 0o700);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_a_rotation() {
    let desk = Desk::new();
    for name in ["one", "two"] {
        fs::create_dir(desk.path(name)).expect("folder");
        desk.append(&format!("{name}/audit.log"), format!("{name}\n"));
    }
    let link = |to: &str| {
        std::os::unix::fs::symlink(desk.path(to), desk.path("link")).expect("link");
        desk.rename("link", "current.log");
    };
    link("one/audit.log");
    let mut reading = desk.follow("current.log").await;
    reading.until(1).await;
    // Beside the file, not beside the link.
    desk.rename("one/audit.log", "one/audit.log.2");
    desk.append("one/audit.log.1", "between\n");
    link("two/audit.log");
    reading.until(3).await;
    assert_eq!(reading.lines(), ["one", "between", "two"]);
}

#[tokio::test]
async fn an_editor_that_replaces_the_file_repeats_nothing() {
    let desk = Desk::new();
    let content: String = (0..20).map(line).collect();
    desk.append("audit.log", &content);
    let mut reading = desk.follow("audit.log").await;
    reading.until(20).await;
    assert_eq!(desk.metrics.bytes_behind.get(), 0);
    desk.append("new", content + &line(20));
    desk.rename("new", "audit.log");
    reading.until(21).await;
    reading.quiet().await;
    assert_eq!(reading.records.len(), 21);
}

#[tokio::test]
async fn a_hole_left_by_a_writer_that_does_not_append_is_passed_over() {
    let desk = Desk::new();
    desk.append("audit.log", "a\n".repeat(1000));
    let mut reading = desk.follow("audit.log").await;
    reading.until(1000).await;
    desk.truncate("audit.log");
    let mut writer = fs::OpenOptions::new().write(true).open(desk.path("audit.log")).expect("file");
    writer.seek(SeekFrom::Start(3 << 20)).expect("seek");
    writer.write_all(b"b\n").expect("written");
    reading.until(1001).await;
    assert_eq!(reading.lines().last().map(String::as_str), Some("b"));
}

#[tokio::test]
async fn whoever_does_not_listen_any_more_leaves_no_thread() {
    let desk = Desk::new();
    desk.append("audit.log", "a\n".repeat(3 << 20));
    let mut reading = desk.follow("audit.log").await;
    assert!(matches!(reading.next().await, Given::Records));
    // Threads of other tests run beside it: this one's is told by the file that it holds.
    let held = || {
        let open = fs::read_dir("/proc/self/fd").expect("files").flatten();
        open.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == desk.path("audit.log"))).count()
    };
    assert_eq!(held(), 1);
    drop(reading);
    assert_eq!(held(), 0);
}

#[tokio::test]
async fn a_mounted_file_that_was_removed_is_told() {
    let desk = Desk::new();
    desk.append("audit.log", "a\n");
    let mut writer = appender(&desk.path("audit.log"));
    // Like a file that a container mounts alone: the path leads to it wherever it goes.
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
    let mut reading = desk.open(Target::Follow(path.clone())).await.expect("open");
    reading.until(1).await;
    fs::remove_file(desk.path("audit.log")).expect("removed");
    writer.write_all(b"b\n").expect("written");
    reading.until(2).await;
    reading.quiet().await;
    let logged = logged_of(&path);
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].starts_with("ERROR") && logged[0].contains("mount the folder"), "{logged:?}");
}
