//! Events that were cut off, that are too large, or that are not UTF-8.
//!
//!     cargo bench --package audit-core --bench salvage
#![allow(missing_docs, reason = "divan makes functions of these that nobody sees")]

#[path = "support/sets.rs"]
mod sets;

use std::hint::black_box;

use audit_core::{Limits, UnixNanos, envelope};
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};

use sets::SETS;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn bench(bencher: Bencher<'_, '_>, payloads: &[Bytes], limits: Limits) {
    let bytes: usize = payloads.iter().map(Bytes::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for payload in payloads {
            black_box(envelope::split(black_box(payload), UnixNanos(1), &limits));
        }
    });
}

/// Each event, without what comes behind so many percent of it.
#[divan::bench(args = [25, 50, 90])]
fn cut_off(bencher: Bencher<'_, '_>, percent: usize) {
    let cut =
        |event: &String| Bytes::copy_from_slice(event.as_bytes().split_at(event.len() * percent / 100).0);
    let payloads: Vec<Bytes> = SETS.events.iter().map(cut).collect();
    bench(bencher, &payloads, Limits::default());
}

/// An event of so many bytes that has to fit into 64 KiB.
#[divan::bench(args = [128 << 10, 1 << 20, 8 << 20])]
fn too_large(bencher: Bencher<'_, '_>, size: usize) {
    let item = r#"{"metadata":{"name":"web-7d9c","labels":{"app":"shop"}}}"#;
    let items = vec![item; size / item.len()].join(",");
    let event = format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete","verb":"list","#,
            r#""responseObject":{{"kind":"PodList","items":[{items}]}},"stageTimestamp":"2026-03-14T09:00:00.234567Z"}}"#
        ),
        items = items
    );
    bench(bencher, &[Bytes::from(event)], Limits { max_event_size: 64 << 10 });
}

/// Each event with a byte in it that no UTF-8 has.
#[divan::bench]
fn not_utf8(bencher: Bencher<'_, '_>) {
    let spoil = |event: &String| {
        let mut bytes = event.clone().into_bytes();
        if let Some(byte) = bytes.iter_mut().rev().find(|byte| byte.is_ascii_alphabetic()) {
            *byte = 0xff;
        }
        Bytes::from(bytes)
    };
    let payloads: Vec<Bytes> = SETS.events.iter().map(spoil).collect();
    bench(bencher, &payloads, Limits::default());
}
