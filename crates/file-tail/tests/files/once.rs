//! Files that are read once.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use event_source::{ErrorKind, chain};
use file_tail::Target;

use crate::desk::{DEADLINE, Desk, Given};

#[tokio::test]
async fn a_file_is_read_to_its_end() {
    for (content, expect) in [
        ("", vec![]),
        ("\n\n", vec![]),
        ("{\"a\":1}\n{\"b\":2}\n", vec!["{\"a\":1}", "{\"b\":2}"]),
        ("{\"a\":1}\r\n{\"b\":2}", vec!["{\"a\":1}", "{\"b\":2}"]),
        ("{\n  \"a\": 1\n}\n", vec!["{\n  \"a\": 1\n}"]),
    ] {
        let desk = Desk::new();
        desk.append("audit.log", content);
        let mut reading = desk.read("audit.log").await;
        reading.finish().await.expect("whole");
        assert!(matches!(reading.next().await, Given::End), "and again");
        assert_eq!(reading.lines(), expect);
        reading.close().await;
    }
}

#[tokio::test]
async fn a_first_line_that_was_cut_off_costs_the_others_nothing() {
    let desk = Desk::new();
    let lines: Vec<_> = (0..500).map(|number| format!("{{\"number\":{number},\"a\":{{}}}}")).collect();
    desk.append("audit.log", format!("{{\"kind\":\"Event\",\n{}\n", lines.join("\n")));
    let mut reading = desk.read("audit.log").await;
    reading.finish().await.expect("whole");
    assert_eq!(reading.lines().split_off(1), lines);
}

#[tokio::test]
async fn the_files_of_a_folder_are_read_oldest_first() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("logs/folder")).expect("folder");
    assert!(Command::new("mkfifo").arg(desk.path("logs/pipe")).status().expect("mkfifo").success());
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"third\n").expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd =
        ruzstd::encoding::compress_to_vec(&b"second\n"[..], ruzstd::encoding::CompressionLevel::Fastest);
    let files =
        [("c", &b"first"[..]), ("d.zst", &zstd), ("a.gz", &gzip), ("b", b"fourth\r\n"), ("empty", b"")];
    for (age, (name, content)) in files.into_iter().rev().enumerate() {
        desk.append(&format!("logs/{name}"), content);
        let time = SystemTime::now() - Duration::from_secs(60 * age as u64);
        File::options()
            .write(true)
            .open(desk.path(&format!("logs/{name}")))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    let mut reading = desk.read("logs").await;
    reading.finish().await.expect("whole");
    assert_eq!(reading.lines(), ["first", "second", "third", "fourth"]);
    assert_eq!(desk.metrics.files_opened.get(), 5);
}

#[tokio::test]
async fn a_damaged_file_costs_the_others_nothing_and_is_an_error_at_the_end() {
    let desk = Desk::new();
    fs::create_dir(desk.path("logs")).expect("folder");
    desk.append("logs/a.gz", b"\x1f\x8b\x08rubbish");
    desk.append("logs/b", "line\n");
    let mut reading = desk.read("logs").await;
    let error = reading.finish().await.expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(chain(&error).contains("logs/a.gz"), "{}", chain(&error));
    assert_eq!(reading.lines(), ["line"]);
    assert_eq!(desk.metrics.files_damaged.get(), 1);
    assert_eq!(desk.logged().len(), 1, "{:?}", desk.logged());
    assert!(desk.logged()[0].starts_with("ERROR"), "{:?}", desk.logged());
}

#[tokio::test]
async fn what_cannot_be_read_is_told_at_open() {
    let desk = Desk::new();
    fs::create_dir(desk.path("empty")).expect("folder");
    desk.append("audit.log.gz", "");
    assert!(Command::new("mkfifo").arg(desk.path("pipe")).status().expect("mkfifo").success());
    for (target, kind) in [
        (Target::Path(desk.path("missing")), ErrorKind::NotFound),
        (Target::Path(desk.path("empty")), ErrorKind::NotFound),
        (Target::Follow(desk.path("empty")), ErrorKind::Config),
        (Target::Follow(desk.path("audit.log.gz")), ErrorKind::Config),
        (Target::Follow(desk.path("pipe")), ErrorKind::Config),
    ] {
        let error = desk.open(target).await.map(|_| ()).expect_err("nothing to read");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&*desk.folder.path().to_string_lossy()), "{error}");
    }
}

#[tokio::test]
async fn a_line_of_50_mb_is_read_whole_or_cut() {
    for (bound, length, is_cut) in [(64 << 20, 50 << 20, false), (1 << 20, 1 << 20, true)] {
        let mut desk = Desk::new();
        desk.options.max_record_bytes = bound;
        desk.append("audit.log", [&b"a\n"[..], &vec![b'x'; 50 << 20], b"\nb"].concat());
        let mut reading = desk.read("audit.log").await;
        let end = reading.finish().await;
        let found: Vec<_> = reading.records.iter().map(|one| one.bytes.len()).collect();
        assert_eq!(found, [1, length, 1]);
        let logged = desk.logged();
        if is_cut {
            let left_out = 49_usize << 20;
            assert_eq!(desk.metrics.bytes_cut.get(), left_out as u64);
            assert_eq!(logged.len(), 1, "{logged:?}");
            let told = format!("1 lines or documents before byte {}", (50 << 20) + 3);
            assert!(logged[0].starts_with("ERROR") && logged[0].contains(&told), "{logged:?}");
            let error = end.expect_err("something was not read");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&format!("{left_out} bytes of lines")), "{error}");
        } else {
            end.expect("whole");
            assert_eq!(logged, [""; 0]);
        }
    }
}

#[tokio::test]
async fn binary_rubbish_is_handed_over() {
    let desk = Desk::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut rubbish: Vec<u8> = (0..3 << 20).map(|_| random.u8(1..)).filter(|byte| *byte != b'\r').collect();
    // Nothing that would tell of a format.
    rubbish[0] = b'x';
    desk.append("audit.log", &rubbish);
    let mut reading = desk.read("audit.log").await;
    reading.finish().await.expect("whole");
    let lines = rubbish.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    assert!(reading.records.iter().map(|record| &record.bytes[..]).eq(lines));
}

#[tokio::test]
async fn batches_are_bounded() {
    let mut desk = Desk::new();
    for (bytes, records) in [(100, 1000), (1 << 20, 10)] {
        (desk.options.max_batch_bytes, desk.options.max_batch_records) = (bytes, records);
        desk.append("audit.log", "123456789\n".repeat(500));
        let mut reading = desk.read("audit.log").await;
        let mut before = 0;
        while let Given::Records = reading.next().await {
            let count = reading.records.len() - before;
            assert!(count <= records && count * 9 <= bytes + 9, "{count}");
            before += count;
        }
        assert!(before >= 500);
    }
}

#[tokio::test]
async fn a_pipe_is_read_as_it_comes_and_can_be_left() {
    for is_left in [false, true] {
        let desk = Desk::new();
        let path = desk.path("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let mut reading = desk.read("pipe").await;
        // No writer yet: opening must not wait for one.
        let mut writer = tokio::task::spawn_blocking(move || File::options().write(true).open(path))
            .await
            .expect("joined")
            .expect("the other end");
        writer.write_all(b"first line\nsecond").expect("written");
        reading.until(1).await;
        assert_eq!(reading.lines(), ["first line"]);
        if !is_left {
            writer.write_all(b" line").expect("written");
            drop(writer);
            reading.finish().await.expect("whole");
            assert_eq!(reading.lines(), ["first line", "second line"]);
        }
        let start = Instant::now();
        reading.close().await;
        assert!(
            start.elapsed() < Duration::from_secs(2) && DEADLINE > Duration::ZERO,
            "{:?}",
            start.elapsed()
        );
    }
}
