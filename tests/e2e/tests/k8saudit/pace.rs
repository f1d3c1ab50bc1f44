//! How fast, and in how much memory.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{PATIENCE, alone, skip};
use emulators::api_server::{ApiServer, Config};
use emulators::cloudwatch::Generated;
use serde_json::json;

use crate::setup::{api_server, host, webhook};

const EVENT_BYTES: usize = 2500;

/// Two gigabytes of lines; only the auditIDs of a block differ, and those of all blocks are the same.
#[test]
fn a_file_of_2_gb_is_read_in_little_memory() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let plan = Generated { message_bytes: EVENT_BYTES, ..Generated::backlog(4000, 1_790_000_000_000) };
    let block: String = (0..plan.count).map(|index| plan.message(index) + "\n").collect();
    let mut file = std::fs::File::create(&path).unwrap();
    let mut written = 0u64;
    let mut events = 0;
    while written < 2_000_000_000 {
        match file.write_all(block.as_bytes()) {
            // What has filled the disk are mostly builds, and other tests need what is left.
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                return skip("a file of 2 GB", &format!("{error}: {}", folder.path().display()));
            }
            result => result.unwrap(),
        }
        written += block.len() as u64;
        events += plan.count;
    }
    drop(file);
    let start = Instant::now();
    let host = host(json!({}), path.to_str().unwrap());
    host.wait(PATIENCE, "all events", |state| state.events.len() as u64 >= events);
    let seconds = start.elapsed().as_secs_f64();
    let peak = host.peak_memory_kib() as f64 / 1024.0;
    println!(
        "{:.1} GB of lines: {:.0} events/s, {:.0} MB/s, {peak:.0} MiB resident",
        written as f64 / 1e9,
        events as f64 / seconds,
        written as f64 / 1e6 / seconds
    );
    // Twice the most that was seen: how far the reader is ahead of the host depends on the machine.
    assert!(peak < 96.0, "{peak} MiB");
}

/// Bodies are made before, so that making them costs nothing while it is measured.
#[test]
fn a_webhook_takes_what_comes() {
    let _alone = alone();
    let (host, address) = webhook(json!({}), "http");
    let plan = Generated { message_bytes: EVENT_BYTES, ..Generated::backlog(200_000, 1_790_000_000_000) };
    let events: Arc<Vec<String>> = Arc::new((0..plan.count).map(|index| plan.message(index)).collect());
    let start = Instant::now();
    let server = ApiServer::start(Config {
        event: Arc::new(move |index| events[index as usize].clone()),
        ..api_server(address, &plan, 8)
    });
    host.wait(PATIENCE, "all events", |state| state.events.len() as u64 >= plan.count);
    let seconds = start.elapsed().as_secs_f64();
    while server.confirmed() < plan.count {
        assert!(start.elapsed() < PATIENCE, "not all are confirmed");
        std::thread::sleep(Duration::from_millis(1));
    }
    println!(
        "webhook, 8 connections, batches of up to 400 events: {:.0} events/s, {:.0} MB/s, {} MiB resident",
        plan.count as f64 / seconds,
        plan.count as f64 * EVENT_BYTES as f64 / 1e6 / seconds,
        host.peak_memory_kib() >> 10
    );
    assert!(server.finish().iter().all(|batch| batch.unanswered == 0));
}
