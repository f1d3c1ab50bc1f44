//! Threads and time at `close`. One test, alone in its process: it counts the threads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "abi/host.rs"]
mod host;

use std::time::{Duration, Instant};

use host::Plugin;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// A thread that was joined is still listed for a moment.
#[track_caller]
fn wait_for(expect: usize, what: &str) {
    let start = Instant::now();
    while threads() != expect {
        assert!(start.elapsed() < Duration::from_secs(10), "{} threads, not {expect}: {what}", threads());
        std::thread::yield_now();
    }
}

/// Opens, reads that many batches, closes; nothing of it is left, within 5 s.
#[track_caller]
fn check(script: &str, batches: usize) {
    let before = threads();
    let plugin = Plugin::alone("");
    assert_eq!(threads(), before, "`init` starts no thread");
    match plugin.open(script) {
        Ok(mut opening) => {
            for _ in 0..batches {
                let _ = opening.next();
            }
            let start = Instant::now();
            drop(opening);
            assert!(start.elapsed() < Duration::from_secs(5), "{:?} for {script}", start.elapsed());
        }
        Err(error) => assert!(error.contains("told to"), "{error}"),
    }
    wait_for(before, script);
}

#[track_caller]
fn a_thread_reads() {
    let plugin = Plugin::alone("");
    let before = threads();
    let opening = plugin.open("").unwrap();
    assert_eq!(threads(), before + 1);
    drop(opening);
    wait_for(before, "idle");
}

/// Invariant 4: no thread outlives `close`, and `close` returns within 5 s.
#[test]
fn close_leaves_no_thread_and_takes_no_time() {
    a_thread_reads();
    check(r#"{"then":"idle"}"#, 1);
    check(r#"{"then":"hang"}"#, 1);
    check(r#"{"then":"end"}"#, 3);
    check(r#"{"then":"error"}"#, 3);
    check(r#"{"then":"panic"}"#, 3);
    check(r#"{"events":1000000}"#, 0);
    check(r#"{"events":1000000}"#, 20);
    check(r#"{"close_ms":60000}"#, 1);
    check(r#"{"open":"error"}"#, 0);
    check(r#"{"open":"panic"}"#, 0);
    check(r#"{"open":"panic_at_once"}"#, 0);
}
