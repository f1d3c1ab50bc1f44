//! What transports deliver, split into events: a body of each sort with all events in it.
//!
//!     cargo bench --package audit-core --bench split
#![allow(missing_docs, reason = "divan makes functions of these that nobody sees")]

#[path = "../tests/support/hub.rs"]
mod hub;
#[path = "support/sets.rs"]
mod sets;

use std::hint::black_box;

use audit_core::envelope::azure::{self, Categories};
use audit_core::envelope::{self, cloudwatch};
use audit_core::{Limits, UnixNanos};
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};

use sets::SETS;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const ARRIVED: UnixNanos = UnixNanos(1);

fn bench(bencher: Bencher<'_, '_>, payload: String, split: impl Fn(&Bytes) -> usize) {
    let payload = Bytes::from(payload);
    bencher.counter(BytesCount::new(payload.len())).bench_local(|| black_box(split(black_box(&payload))));
}

/// As an API server posts them.
#[divan::bench]
fn event_list(bencher: Bencher<'_, '_>) {
    let body = format!(r#"{{"kind":"EventList","items":[{}]}}"#, SETS.events.join(","));
    bench(bencher, body, |body| envelope::split(body, ARRIVED, &Limits::default()).events.len());
}

/// As they stand in a file.
#[divan::bench]
fn lines(bencher: Bencher<'_, '_>) {
    bench(bencher, SETS.events.join("\n"), |body| {
        envelope::split(body, ARRIVED, &Limits::default()).events.len()
    });
}

/// As messages of CloudWatch Logs: each gets the annotations of its origin.
#[divan::bench(args = [false, true])]
fn cloudwatch_messages(bencher: Bencher<'_, '_>, origin_is_known: bool) {
    let part = |text: &str| origin_is_known.then(|| text.to_owned());
    let origin = cloudwatch::Origin {
        cluster: part("shop"),
        region: part("eu-central-1"),
        account: part("123456789012"),
    };
    let messages: Vec<Bytes> =
        SETS.events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
    bencher.counter(BytesCount::new(SETS.bytes())).bench_local(|| {
        for message in &messages {
            black_box(cloudwatch::split(black_box(message).clone(), 1, &origin, &Limits::default()));
        }
    });
}

/// As a message of an Event Hub, with the event as AKS writes it: as a string; or as an object.
#[divan::bench(args = ["string", "object"])]
fn hub(bencher: Bencher<'_, '_>, log: &str) {
    let record = if log == "string" { hub::record } else { hub::record_of };
    let records: Vec<String> = SETS.events.iter().map(|event| record(event)).collect();
    bench(bencher, hub::body(&records), |body| {
        azure::split(body, ARRIVED, &azure::Options::default(), &Limits::default()).split.events.len()
    });
}

/// As a message of an Event Hub in which nothing is wanted.
#[divan::bench]
fn hub_skipped(bencher: Bencher<'_, '_>) {
    let records: Vec<String> = SETS.events.iter().map(|event| hub::record(event)).collect();
    let options = azure::Options { categories: Categories::new(["other"]), cluster: None };
    bench(bencher, hub::body(&records), |body| {
        azure::split(body, ARRIVED, &options, &Limits::default()).skipped
    });
}
