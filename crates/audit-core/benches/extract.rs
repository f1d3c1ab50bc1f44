//! Fields of events: cold, with the event new to the index, and warm, with everything found already.
//!
//!     cargo bench --package audit-core --bench extract
#![allow(missing_docs, reason = "divan makes functions of these that nobody sees")]

#[path = "support/sets.rs"]
mod sets;

use std::hint::black_box;
use std::ops::Range;

use audit_core::{Index, Pointer, ValueSink, extract, extract_at};
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};

use sets::{FIELDS, SETS};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// As the plugin takes values: copied, one behind the other.
#[derive(Default)]
struct Arena(Vec<u8>);

impl ValueSink for Arena {
    fn value(&mut self, text: &str, _: Option<Range<usize>>) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// The top level alone.
#[divan::bench]
fn index(bencher: Bencher<'_, '_>) {
    let mut index = Index::default();
    bencher.counter(BytesCount::new(SETS.bytes())).bench_local(|| {
        for event in &SETS.events {
            let _ = black_box(index.rebuild(black_box(event.as_bytes())));
        }
    });
}

/// The top level of any document, validated, as the json plugin needs it.
#[divan::bench]
fn index_strictly(bencher: Bencher<'_, '_>) {
    let mut index = Index::default();
    bencher.counter(BytesCount::new(SETS.bytes())).bench_local(|| {
        for event in &SETS.events {
            let _ = black_box(index.rebuild_strictly(black_box(event.as_bytes())));
        }
    });
}

/// Every event, new to the index.
#[divan::bench(args = FIELDS)]
fn cold(bencher: Bencher<'_, '_>, fields: usize) {
    let (mut index, mut arena) = (Index::default(), Arena::default());
    bencher.counter(ItemsCount::new(SETS.events.len())).bench_local(|| {
        for event in &SETS.events {
            let _ = index.rebuild(black_box(event.as_bytes()));
            for &(field, argument) in SETS.asked(fields) {
                arena.0.clear();
                extract(field, argument, index.view(event.as_bytes()), &mut arena);
            }
        }
    });
}

/// Every event, with all that fields need found before.
#[divan::bench(args = FIELDS)]
fn warm(bencher: Bencher<'_, '_>, fields: usize) {
    let mut arena = Arena::default();
    let indexes: Vec<Index> =
        SETS.events.iter().map(|event| Index::parse(event.as_bytes()).unwrap_or_default()).collect();
    bencher.counter(ItemsCount::new(SETS.events.len())).bench_local(|| {
        for (event, index) in SETS.events.iter().zip(&indexes) {
            for &(field, argument) in SETS.asked(fields) {
                arena.0.clear();
                extract(field, argument, index.view(black_box(event.as_bytes())), &mut arena);
            }
        }
    });
}

/// A value by pointer: at the top level, below it, and deep in an object that only the request has.
#[divan::bench(args = ["/stage", "/user/username", "/requestObject/spec/containers/0/image"])]
fn pointer(bencher: Bencher<'_, '_>, pointer: &str) {
    let mut arena = Arena::default();
    let pointer = Pointer::parse(pointer);
    let indexes: Vec<Index> =
        SETS.events.iter().map(|event| Index::parse(event.as_bytes()).unwrap_or_default()).collect();
    bencher.counter(ItemsCount::new(SETS.events.len())).bench_local(|| {
        for (event, index) in SETS.events.iter().zip(&indexes) {
            arena.0.clear();
            extract_at(&pointer, index.view(black_box(event.as_bytes())), &mut arena);
        }
    });
}
