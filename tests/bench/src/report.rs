//! [`Report`]: what every round took, by row.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    rows: BTreeMap<String, Vec<Sample>>,
    /// Rows that could not be measured, and why.
    skipped: BTreeMap<String, String>,
    #[serde(skip)]
    rounds: usize,
}

/// One round of one row.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// CPU time, nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Time that passed, nanoseconds.
    pub(crate) wall_ns: u64,
    /// Events that were worked on.
    pub(crate) events: u64,
    /// Bytes of them, or of what they came in.
    pub(crate) bytes: u64,
    /// Calls through the C ABI.
    pub(crate) calls: u64,
    /// Values that came back.
    pub(crate) values: u64,
}

impl Report {
    /// With room for that many rounds.
    pub(crate) fn new(rounds: usize) -> Self {
        Self { rounds, ..Self::default() }
    }

    pub(crate) fn add(&mut self, row: &str, sample: Sample) {
        match self.rows.get_mut(row) {
            Some(samples) => samples.push(sample),
            None => {
                // All room at once: who counts allocations counts those of the plugin.
                let mut samples = Vec::with_capacity(self.rounds);
                samples.push(sample);
                self.rows.insert(row.to_owned(), samples);
            }
        }
    }

    pub(crate) fn skip(&mut self, row: &str, why: &anyhow::Error) {
        self.skipped.insert(row.to_owned(), format!("{why:#}"));
    }
}
