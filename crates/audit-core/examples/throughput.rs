//! How fast events are indexed, read and split, beside what `serde_json::Value` takes for the same bytes:
//! the parity set, whose folder `AUDIT_SHARED_DIR` names. Each round takes its turn with all others, and the
//! best of all rounds counts: other work on the machine shows in most of them.
//!
//!     AUDIT_SHARED_DIR=.. cargo run --release -p audit-core --example throughput [NAME]
#![allow(clippy::print_stdout, clippy::expect_used, reason = "it prints its result")]

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use audit_core::envelope::{azure, cloudwatch};
use audit_core::{Argument, FieldId, Index, Limits, UnixNanos, ValueSink, envelope, extract, fields};
use bytes::Bytes;

const ROUNDS: usize = 30;

struct Nowhere;

impl ValueSink for Nowhere {
    fn value(&mut self, text: &str, _: Option<Range<usize>>) {
        black_box(text);
    }

    fn plain(&mut self, text: &[u8], _: Option<Range<usize>>) {
        black_box(text);
    }
}

/// What is measured: its name, how many bytes it takes, and one round of it.
type Work = (&'static str, usize, Box<dyn FnMut()>);

fn main() {
    let folder = std::env::var("AUDIT_SHARED_DIR").expect("AUDIT_SHARED_DIR");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/parity/{name}")).expect(name);
    let set = read("synthetic.events.jsonl");
    let events: Vec<Bytes> = set.lines().map(|line| Bytes::copy_from_slice(line.as_bytes())).collect();
    let asked: Vec<FieldId> = read("rules-fields.txt").lines().filter_map(fields::find).collect();
    let whole = Bytes::from(set.clone());
    let limits = Limits::default();
    let origin = cloudwatch::Origin {
        cluster: Some("prod".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some("123456789012".to_owned()),
    };
    let options = azure::Options::default();
    let bodies: Vec<Bytes> = events.chunks(50).map(body).collect();
    let (mut index, mut strict) = (Index::default(), Index::default());

    let mut works: Vec<Work> = vec![
        ("serde_json::Value", set.len(), {
            let events = events.clone();
            Box::new(move || {
                for event in &events {
                    black_box(serde_json::from_slice::<serde_json::Value>(event).is_ok());
                }
            })
        }),
        ("index", set.len(), {
            let events = events.clone();
            Box::new(move || {
                for event in &events {
                    black_box(index.rebuild(event).is_ok());
                }
            })
        }),
        ("index, strict", set.len(), {
            let events = events.clone();
            Box::new(move || {
                for event in &events {
                    black_box(strict.rebuild_strictly(event).is_ok());
                }
            })
        }),
        ("index and 20 fields", set.len(), {
            let (events, mut index) = (events.clone(), Index::default());
            Box::new(move || {
                for event in &events {
                    black_box(index.rebuild(event).is_ok());
                    for field in &asked {
                        extract(*field, Argument::None, index.view(event), &mut Nowhere);
                    }
                }
            })
        }),
        (
            "split, all in one",
            set.len(),
            Box::new(move || {
                black_box(envelope::split(&whole, UnixNanos(1), &limits));
            }),
        ),
        (
            "split, CloudWatch",
            set.len(),
            Box::new(move || {
                for event in &events {
                    black_box(cloudwatch::split(event.clone(), 1, &origin, &limits));
                }
            }),
        ),
        (
            "split, Azure",
            bodies.iter().map(Bytes::len).sum(),
            Box::new(move || {
                for body in &bodies {
                    black_box(azure::split(body, UnixNanos(1), &options, &limits));
                }
            }),
        ),
    ];
    // Only the yardstick, and what has this in its name.
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut number = 0;
    works.retain(|(name, ..)| {
        number += 1;
        number == 1 || name.contains(&wanted)
    });
    let mut best = vec![Duration::MAX; works.len()];
    for _ in 0..ROUNDS {
        for ((_, _, work), best) in works.iter_mut().zip(&mut best) {
            let started = Instant::now();
            work();
            *best = started.elapsed().min(*best);
        }
    }
    let yardstick = best.first().map_or(1.0, Duration::as_secs_f64);
    let count = set.lines().count() as f64;
    for ((name, bytes, _), best) in works.iter().zip(best) {
        let seconds = best.as_secs_f64();
        println!(
            "{name:<22} {:>8.0} ns per event {:>6.1} % {:>6.2} GB/s",
            seconds / count * 1e9,
            seconds / yardstick * 100.0,
            *bytes as f64 / seconds / 1e9
        );
    }
}

/// The events as AKS sends them: each as a string in a record.
fn body(events: &[Bytes]) -> Bytes {
    let record = |event: &Bytes| {
        let log = serde_json::to_string(&format!("{}\n", String::from_utf8_lossy(event))).expect("a string");
        format!(
            r#"{{ "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "category": "kube-audit", "resourceId": "/SUBSCRIPTIONS/7B3A8F4C/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD", "properties": {{"log":{log},"stream":"stdout","pod":"kube-apiserver-7d9c"}}, "time": "2026-03-14T09:00:00.0000000Z"}}"#
        )
    };
    let records: Vec<String> = events.iter().map(record).collect();
    Bytes::from(format!(r#"{{"records": [{}]}}"#, records.join(",")))
}
