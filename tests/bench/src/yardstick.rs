//! [`Yardstick`]: what everybody knows the cost of, on the same events in the same minute.

use std::hint::black_box;

use anyhow::Result;
use serde_json::Value;

use crate::Bench;
use crate::clock::Clock;
use crate::corpus::Corpus;
use crate::report::{Report, Sample};

/// `serde_json::from_slice::<Value>` of every event.
pub(crate) struct Yardstick<'c> {
    corpus: &'c Corpus,
}

impl<'c> Yardstick<'c> {
    /// The row's name.
    pub(crate) const ROW: &'static str = "yardstick";

    pub(crate) fn new(corpus: &'c Corpus) -> Self {
        Self { corpus }
    }
}

impl Bench for Yardstick<'_> {
    fn round(&mut self, report: &mut Report) -> Result<()> {
        let sample = Clock::Process.time(|| {
            for event in self.corpus.events() {
                // Freeing it is part of it.
                black_box(serde_json::from_slice::<Value>(black_box(event.payload()))?);
            }
            Ok::<_, serde_json::Error>(Sample {
                events: self.corpus.len(),
                bytes: self.corpus.bytes(),
                ..Sample::default()
            })
        })?;
        report.add(Self::ROW, sample);
        Ok(())
    }
}
