//! How often, how fast and with what outcome the server was called.
//!
//! Owns: counters. Does not own: which events were shown (`ledger`).

use super::operations::Operation;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The counters, as they were when [`Emulator::stats`](super::Emulator::stats) was called.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Answers by operation and outcome: `ok`, an error code (`ThrottlingException`), a fault of
    /// the transport (`reset`, `reset_in_body`, `never_answer`, `invalid_json`, `cut_body`), or
    /// `unfinished` when the client went away before the answer was written.
    pub outcomes: BTreeMap<Operation, BTreeMap<String, u64>>,
    /// Calls over time by operation, faulted ones included unless they were told not to count.
    pub rates: BTreeMap<Operation, CallRate>,
    /// Connections accepted.
    pub connections: u64,
    /// Pages of events written whole.
    pub pages: u64,
    /// Of these, pages without an event.
    pub empty_pages: u64,
    /// Events in these pages.
    pub events: u64,
    /// Bytes of messages in these pages, before JSON escapes them.
    pub message_bytes: u64,
    /// Bytes of these pages as sent, without HTTP headers.
    pub page_bytes: u64,
}

/// Calls over time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallRate {
    /// Calls in each second since the server started.
    pub per_second: Vec<u32>,
    /// Most calls in any second, wherever it begins.
    pub max_in_one_second: u32,
    #[serde(skip)]
    recent: VecDeque<Duration>,
}

impl Stats {
    /// Calls of an operation that were answered, or failed, in any way.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.outcomes.get(&operation).map_or(0, |outcomes| outcomes.values().sum())
    }

    /// Calls of an operation with one outcome; see [`Stats::outcomes`].
    pub fn outcome(&self, operation: Operation, outcome: &str) -> u64 {
        self.outcomes.get(&operation).and_then(|outcomes| outcomes.get(outcome)).copied().unwrap_or(0)
    }

    /// Most calls of an operation in any second, wherever it begins.
    pub fn max_calls_per_second(&self, operation: Operation) -> u32 {
        self.rates.get(&operation).map_or(0, |rate| rate.max_in_one_second)
    }

    pub(crate) fn note_call(&mut self, operation: Operation, since_start: Duration) {
        let rate = self.rates.entry(operation).or_default();
        let second = since_start.as_secs() as usize;
        if rate.per_second.len() <= second {
            rate.per_second.resize(second + 1, 0);
        }
        rate.per_second[second] += 1;
        rate.recent.push_back(since_start);
        while rate.recent.front().is_some_and(|first| since_start - *first >= Duration::from_secs(1)) {
            rate.recent.pop_front();
        }
        rate.max_in_one_second = rate.max_in_one_second.max(rate.recent.len() as u32);
    }

    pub(crate) fn note_outcome(&mut self, operation: Operation, outcome: &str) {
        let outcomes = self.outcomes.entry(operation).or_default();
        match outcomes.get_mut(outcome) {
            Some(count) => *count += 1,
            None => drop(outcomes.insert(outcome.to_owned(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_second_may_begin_anywhere() {
        let mut stats = Stats::default();
        for ms in [0, 600, 900, 1_100, 1_500, 1_599, 5_000] {
            stats.note_call(Operation::FilterLogEvents, Duration::from_millis(ms));
        }
        assert_eq!(stats.rates[&Operation::FilterLogEvents].per_second, [3, 3, 0, 0, 0, 1]);
        assert_eq!(stats.max_calls_per_second(Operation::FilterLogEvents), 5);
        assert_eq!(stats.max_calls_per_second(Operation::PutLogEvents), 0);
    }
}
