//! [`Extraction`]: fields of events that lie in the host's memory.

use anyhow::Result;
use plugin_host::{Plugin, Prepared, Request};

use crate::Bench;
use crate::clock::Clock;
use crate::corpus::Corpus;
use crate::plan::Row;
use crate::report::{Report, Sample};

/// Calls for nothing in a round, on one event.
const EMPTY_CALLS: u64 = 100_000;

/// One set of fields, asked of every event, one field a call.
pub(crate) struct Extraction<'c> {
    row: &'c str,
    prepared: Prepared<'c>,
    corpus: &'c Corpus,
}

impl<'c> Extraction<'c> {
    /// # Errors
    /// When the plugin does not have one of the fields.
    pub(crate) fn new(plugin: &'c Plugin, row: &'c Row, corpus: &'c Corpus) -> Result<Self> {
        let requests = requests(plugin, row)?;
        Ok(Self { row: &row.row, prepared: plugin.prepare(&requests)?, corpus })
    }

    fn ask(&mut self) -> Result<Sample, plugin_host::Error> {
        let mut values = 0;
        for event in self.corpus.events() {
            values += self.prepared.ask_each(&event)?;
        }
        let (events, bytes) = (self.corpus.len(), self.corpus.bytes());
        Ok(Sample { events, bytes, calls: events * self.prepared.len() as u64, values, ..Sample::default() })
    }

    fn ask_nothing(&mut self) -> Result<Sample, plugin_host::Error> {
        if let Some(event) = self.corpus.events().next() {
            for _ in 0..EMPTY_CALLS {
                self.prepared.ask_together(&event)?;
            }
        }
        Ok(Sample { calls: EMPTY_CALLS, ..Sample::default() })
    }
}

impl Bench for Extraction<'_> {
    fn round(&mut self, report: &mut Report) -> Result<()> {
        let sample = Clock::Process.time(|| match self.prepared.is_empty() {
            true => self.ask_nothing(),
            false => self.ask(),
        })?;
        report.add(self.row, sample);
        Ok(())
    }
}

/// The requests of a row, as the plugin numbers them.
///
/// # Errors
/// When the plugin does not have one of the fields.
pub(crate) fn requests(plugin: &Plugin, row: &Row) -> Result<Vec<Request>> {
    Ok(row.requests.iter().map(|text| plugin.request(text)).collect::<Result<Vec<_>, _>>()?)
}
