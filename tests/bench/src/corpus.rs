//! [`Corpus`]: the events that everything is measured on.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use plugin_host::{Event, EventBuffer};

/// Audit events as a host holds them, each of them several times, at addresses of their own.
pub(crate) struct Corpus {
    buffers: Vec<EventBuffer>,
    /// How many different ones there are; they come first.
    distinct: usize,
    bytes: u64,
    /// The number of the event that was handed out last: a host counts them and never starts again.
    number: Cell<u64>,
}

impl Corpus {
    /// The lines of a file, `copies` times.
    pub(crate) fn read(path: &Path, copies: usize) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        ensure!(!lines.is_empty(), "`{}` holds no event", path.display());
        Self::new(&lines, copies)
    }

    /// Events, `copies` times.
    pub(crate) fn new<T: AsRef<[u8]>>(events: &[T], copies: usize) -> Result<Self> {
        let mut buffers = Vec::new();
        let mut bytes = 0;
        for _ in 0..copies.max(1) {
            for event in events {
                let time = buffers.len() as u64 + 1;
                bytes += event.as_ref().len() as u64;
                // As a host does that has an extractor and no source: plugin id 1 is that of `k8saudit`.
                let buffer = EventBuffer::new(1, "k8s_audit", time, event.as_ref());
                buffers.push(buffer.context("an event is larger than an event can be")?);
            }
        }
        Ok(Self { buffers, distinct: events.len(), bytes, number: Cell::new(0) })
    }

    /// Every event in turn, under a number that it has not had before.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.buffers.iter().map(|buffer| {
            self.number.set(self.number.get() + 1);
            buffer.event(self.number.get())
        })
    }

    /// What the different ones hold.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers.iter().take(self.distinct).map(|buffer| buffer.event(0).payload())
    }

    /// How many there are, copies included.
    pub(crate) fn len(&self) -> u64 {
        self.buffers.len() as u64
    }

    /// Bytes of all payloads, copies included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
