//! Ledger and counters under one lock, so that a page enters both at once.

use super::ledger::Ledger;
use super::operations::Operation;
use super::state::State;
use super::stats::Stats;
use super::store::EventRef;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) ledger: Ledger,
    pub(crate) stats: Stats,
}

/// What is to be entered once an answer has been written; dropped before, it counts as unfinished.
#[derive(Debug)]
pub(crate) struct Receipt {
    state: Arc<State>,
    operation: Operation,
    shown: Vec<EventRef>,
    message_bytes: u64,
    page_bytes: u64,
    entered: bool,
}

impl Receipt {
    pub(crate) fn new(
        state: Arc<State>,
        operation: Operation,
        shown: Vec<EventRef>,
        message_bytes: u64,
        page_bytes: u64,
    ) -> Self {
        Self { state, operation, shown, message_bytes, page_bytes, entered: false }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(crate) fn enter(mut self, books: &mut Books) {
        self.entered = true;
        for event in &self.shown {
            books.ledger.note(*event);
        }
        let stats = &mut books.stats;
        stats.note_outcome(self.operation, "ok");
        if self.operation == Operation::FilterLogEvents {
            stats.pages += 1;
            stats.empty_pages += u64::from(self.shown.is_empty());
            stats.events += self.shown.len() as u64;
            stats.message_bytes += self.message_bytes;
            stats.page_bytes += self.page_bytes;
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.entered {
            self.state.books().stats.note_outcome(self.operation, "unfinished");
        }
    }
}
