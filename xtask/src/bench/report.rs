//! [`Report`]: what `bench-host` measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was measured, by row; `tests/bench/src/report.rs` writes it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    rows: BTreeMap<String, Vec<Sample>>,
    /// Rows that could not be measured, and why.
    pub(crate) skipped: BTreeMap<String, String>,
}

/// One round of one row.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Sample {
    cpu_ns: u64,
    wall_ns: u64,
    events: u64,
    bytes: u64,
    calls: u64,
    values: u64,
}

/// Which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// What the processor gave.
    Cpu,
    /// What passed.
    Wall,
}

/// Of what a cost is the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    /// An event.
    Event,
    /// A call through the C ABI.
    Call,
    /// A byte.
    Byte,
}

/// Nanoseconds, over all rounds of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Of the round that was disturbed least.
    pub(crate) best: f64,
    /// Of the one in the middle.
    pub(crate) median: f64,
}

impl Report {
    /// What a row cost; `None` when it was not measured.
    pub(crate) fn cost(&self, row: &str, time: Time, per: Per) -> Option<Cost> {
        let mut costs: Vec<f64> = self.rows.get(row)?.iter().map(|sample| sample.cost(time, per)).collect();
        costs.sort_by(f64::total_cmp);
        let median = *costs.get(costs.len() / 2)?;
        Some(Cost { best: *costs.first()?, median })
    }

    /// What each call costs after the first, where `many` asks as often as `one` and then some.
    pub(crate) fn further(&self, one: &str, many: &str) -> Option<Cost> {
        let first = |row: &str| self.rows.get(row).and_then(|samples| samples.first());
        let (few, more) = (first(one)?, first(many)?);
        let further = (more.calls.checked_sub(few.calls)? as f64) / (more.events as f64);
        let (one, many) = (self.cost(one, Time::Cpu, Per::Event)?, self.cost(many, Time::Cpu, Per::Event)?);
        let of = |many: f64, one: f64| (many - one) / further;
        Some(Cost { best: of(many.best, one.best), median: of(many.median, one.median) })
    }

    /// Values that came back for an event.
    pub(crate) fn values(&self, row: &str) -> Option<f64> {
        let sample = self.rows.get(row)?.first()?;
        Some(sample.values as f64 / sample.events as f64)
    }

    /// Events of a round, and bytes of each, on average.
    pub(crate) fn size(&self, row: &str) -> Option<(u64, f64)> {
        let sample = self.rows.get(row)?.first()?;
        Some((sample.events, sample.bytes as f64 / sample.events as f64))
    }
}

impl Sample {
    fn cost(&self, time: Time, per: Per) -> f64 {
        let time = match time {
            Time::Cpu => self.cpu_ns,
            Time::Wall => self.wall_ns,
        };
        let work = match per {
            Per::Event => self.events,
            Per::Call => self.calls,
            Per::Byte => self.bytes,
        };
        time as f64 / work.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let sample =
            |cpu_ns, calls| Sample { cpu_ns, wall_ns: 2 * cpu_ns, events: 10, bytes: 100, calls, values: 20 };
        let rows = [
            ("one".to_owned(), vec![sample(1000, 10), sample(1200, 10), sample(9000, 10)]),
            ("many".to_owned(), vec![sample(1500, 60), sample(1800, 60), sample(9900, 60)]),
        ];
        Report { rows: BTreeMap::from(rows), skipped: BTreeMap::new() }
    }

    #[test]
    fn a_cost_is_that_of_the_best_round_and_of_the_one_in_the_middle() {
        let check = |time, per, best, median| {
            assert_eq!(report().cost("one", time, per), Some(Cost { best, median }));
        };
        check(Time::Cpu, Per::Event, 100.0, 120.0);
        check(Time::Wall, Per::Event, 200.0, 240.0);
        check(Time::Cpu, Per::Byte, 10.0, 12.0);
        check(Time::Cpu, Per::Call, 100.0, 120.0);
        assert_eq!(report().cost("other", Time::Cpu, Per::Event), None);
    }

    #[test]
    fn what_comes_after_the_first_call_is_the_difference() {
        assert_eq!(report().further("one", "many"), Some(Cost { best: 10.0, median: 12.0 }));
        assert_eq!((report().values("one"), report().size("one")), (Some(2.0), Some((10, 10.0))));
    }
}
