//! [`SourceFile`]: a file through the plugin's own source.

use anyhow::{Result, bail, ensure};
use plugin_host::{Batch, Plugin, Prepared};

use crate::Bench;
use crate::clock::Clock;
use crate::extraction::requests;
use crate::plan::File;
use crate::report::{Report, Sample};

/// A file that is read twice in a round: once for its own sake, once to ask for fields.
pub(crate) struct SourceFile<'c> {
    plugin: &'c Plugin,
    file: &'c File,
    prepared: Prepared<'c>,
}

impl<'c> SourceFile<'c> {
    /// # Errors
    /// When the plugin does not have one of the fields.
    pub(crate) fn new(plugin: &'c Plugin, file: &'c File) -> Result<Self> {
        let requests = requests(plugin, &file.extract)?;
        Ok(Self { plugin, file, prepared: plugin.prepare(&requests)? })
    }

    /// Reads the file to its end; `look` gets every batch's events.
    fn read(&mut self, mut step: impl FnMut(&mut Prepared<'c>, Step<'_>) -> Result<()>) -> Result<()> {
        let mut source = self.plugin.open(&self.file.open)?;
        loop {
            step(&mut self.prepared, Step::Asking)?;
            match source.next_batch() {
                Batch::Events(events) => step(&mut self.prepared, Step::Events(events))?,
                Batch::Timeout => {}
                Batch::Eof => return Ok(()),
                Batch::Failure(why) => bail!("reading `{}`: {why}", self.file.open),
            }
        }
    }
}

/// What happens on Falco's thread, in turn.
enum Step<'s> {
    /// The next batch is asked for.
    Asking,
    /// It is there.
    Events(plugin_host::Events<'s>),
}

impl Bench for SourceFile<'_> {
    fn round(&mut self, report: &mut Report) -> Result<()> {
        let bytes = self.file.bytes;
        let read = Clock::Process.time(|| {
            let mut events = 0;
            self.read(|_, step| {
                if let Step::Events(batch) = step {
                    events += batch.len() as u64;
                }
                Ok(())
            })?;
            Ok::<_, anyhow::Error>(Sample { events, bytes, ..Sample::default() })
        })?;
        ensure!(read.events > 0, "`{}` gave no events", self.file.open);
        report.add(&self.file.read, read);

        let clock = Clock::Thread;
        let (mut asked, mut extracted) = (Sample::default(), Sample::default());
        let mut from = clock.now();
        self.read(|prepared, step| {
            let Step::Events(batch) = step else {
                from = clock.now();
                return Ok(());
            };
            let there = clock.now();
            for event in batch {
                extracted.values += prepared.ask_each(&event)?;
                extracted.events += 1;
            }
            asked.calls += 1;
            asked.cpu_ns += there.saturating_sub(from);
            extracted.cpu_ns += clock.now().saturating_sub(there);
            Ok(())
        })?;
        extracted.calls = extracted.events * self.prepared.len() as u64;
        (extracted.bytes, asked.bytes, asked.events) = (bytes, bytes, extracted.events);
        report.add(&self.file.hand_over, asked);
        report.add(&self.file.extract.row, extracted);
        Ok(())
    }
}
