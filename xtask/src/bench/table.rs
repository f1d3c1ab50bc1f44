//! [`Table`]: what was measured, beside the goals.

use std::fmt::Write;

use serde::Serialize;

use super::goal::{GOALS, Goal, REFERENCE_YARDSTICK};
use super::report::{Cost, Report};

/// The rows that were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    /// In the order of [`GOALS`].
    pub(crate) lines: Vec<Line>,
}

/// A row that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) title: String,
    /// What values are told in.
    pub(crate) unit: &'static str,
    /// Of the best round, in the unit.
    pub(crate) best: String,
    /// Of the round in the middle, in the unit.
    pub(crate) median: String,
    /// Nanoseconds.
    pub(crate) cost: Cost,
    /// Of what `serde_json::Value` cost, in percent; of the best rounds.
    pub(crate) percent: Option<f64>,
    /// In the unit, and in percent of `serde_json::Value`.
    pub(crate) goal: String,
    /// Whether the goal is met: `yes`, `no`, or by which of its two figures alone.
    pub(crate) met: &'static str,
    /// How many times as fast as the Go plugin, as far as the yardstick can tell.
    pub(crate) times_reference: Option<f64>,
    /// How many times as fast as the peer.
    pub(crate) times_peer: Option<f64>,
}

/// What the peer's rows are called.
pub(crate) fn of_peer(row: &str) -> String {
    format!("peer: {row}")
}

impl Table {
    /// `is_parity`: events and fields are those that goals and the Go plugin's figures are of.
    pub(crate) fn new(report: &Report, is_parity: bool) -> Self {
        let mut lines: Vec<Line> = GOALS.iter().filter_map(|goal| Line::new(goal, report)).collect();
        if !is_parity {
            lines.iter_mut().for_each(|line| line.times_reference = None);
        }
        Self { lines }
    }

    /// Adds how often an event makes the allocator be called.
    pub(crate) fn add_allocations(&mut self, row: &str, count: f64) {
        self.lines.push(Line {
            title: format!("heap allocations an event, warm: {row}"),
            unit: "",
            best: format!("{count:.2}"),
            median: String::new(),
            cost: Cost { best: 0.0, median: 0.0 },
            percent: None,
            goal: "0".to_owned(),
            met: verdict(Some(count == 0.0), None),
            times_reference: None,
            times_peer: None,
        });
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let has_peer = self.lines.iter().any(|line| line.times_peer.is_some());
        let mut text = format!(
            "{:45} {:>9} {:>9} {:8} {:>8}  {:18} {:8} {:>7}",
            "", "best", "median", "", "of Value", "goal", "met", "of Go"
        );
        text += if has_peer { " of peer\n" } else { "\n" };
        for line in &self.lines {
            let _ = write!(
                text,
                "{:45} {:>9} {:>9} {:8} {:>8}  {:18} {:8} {:>7}",
                line.title,
                line.best,
                line.median,
                line.unit,
                percent(line.percent),
                line.goal,
                line.met,
                times(line.times_reference)
            );
            let _ = if has_peer {
                writeln!(
                    text,
                    " {:>7}",
                    line.times_peer.map_or(String::new(), |times| format!("{times:.2}x"))
                )
            } else {
                writeln!(text)
            };
        }
        text
    }

    /// For a page.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            "| work | best | median | of `serde_json::Value` | goal | met | times the Go plugin |\n"
                .to_owned();
        text += "|---|--:|--:|--:|---|---|--:|\n";
        for line in &self.lines {
            let Line { title, unit, best, median, goal, met, .. } = line;
            let (percent, times) = (percent(line.percent), times(line.times_reference));
            let _ = writeln!(
                text,
                "| {title} | {best} {unit} | {median} {unit} | {percent} | {goal} | {met} | {times} |"
            );
        }
        text
    }
}

impl Line {
    fn new(goal: &Goal, report: &Report) -> Option<Self> {
        let cost = goal.measure.cost(report, str::to_owned)?;
        let yardstick = goal.measure.yardstick(report);
        let percent = yardstick.map(|yardstick| 100.0 * cost.best / yardstick.best);
        let nanos = goal.goal.map(|value| goal.unit.nanos(value));
        let is_met = nanos.map(|nanos| cost.best <= nanos);
        let is_met_by_ratio = goal.percent.zip(percent).map(|(goal, percent)| percent <= goal);
        let of_reference = |value: f64| {
            let yardstick = report.cost(
                super::goal::row::YARDSTICK,
                super::report::Time::Cpu,
                super::report::Per::Event,
            )?;
            Some(goal.unit.nanos(value) / REFERENCE_YARDSTICK / (cost.best / yardstick.best))
        };
        // Bytes cost what events cost: the sets are the same.
        let times_reference = goal.reference.and_then(of_reference);
        let times_peer = goal.measure.cost(report, of_peer).map(|peer| peer.best / cost.best);
        Some(Self {
            title: goal.title.to_owned(),
            unit: goal.unit.name(),
            best: goal.unit.text(goal.unit.of(cost.best)),
            median: goal.unit.text(goal.unit.of(cost.median)),
            cost,
            percent,
            goal: told(goal),
            met: verdict(is_met, is_met_by_ratio),
            times_reference,
            times_peer,
        })
    }
}

fn told(goal: &Goal) -> String {
    let value = goal.goal.map(|value| {
        let sign = if goal.unit.of(1.0) < goal.unit.of(2.0) { "<=" } else { ">=" };
        format!("{sign} {} {}", goal.unit.text(value), goal.unit.name())
    });
    let percent = goal.percent.map(|percent| format!("{percent:.0} %"));
    value.into_iter().chain(percent).collect::<Vec<_>>().join(", ")
}

/// Times drift with the machine, ratios do not: both are looked at.
fn verdict(by_time: Option<bool>, by_ratio: Option<bool>) -> &'static str {
    match (by_time, by_ratio) {
        (None, None) => "",
        (Some(true), Some(true) | None) | (None, Some(true)) => "yes",
        (Some(true), Some(false)) => "by time",
        (Some(false), Some(true)) => "by ratio",
        (Some(false), Some(false) | None) | (None, Some(false)) => "no",
    }
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or(String::new(), |percent| format!("{percent:.1} %"))
}

fn times(times: Option<f64>) -> String {
    times.map_or(String::new(), |times| format!("{times:.1}x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_told_in_their_direction() {
        let goal = |title: &str| told(GOALS.iter().find(|goal| goal.title == title).unwrap());
        assert_eq!(goal("parse + 1 field"), "<= 0.60 µs, 5 %");
        assert_eq!(goal("jevt.value[/stage], again"), "<= 60 ns");
        assert_eq!(goal("webhook bodies to events"), ">= 1.00 GB/s");
        assert_eq!(goal("file through next_batch, CPU of both threads"), ">= 400,000 events/s");
        assert_eq!(goal("serde_json::Value"), "");
    }

    #[test]
    fn a_report_becomes_a_table() {
        let row = |cpu_ns: u64, calls: u64| {
            serde_json::json!([{
                "cpu_ns": cpu_ns, "wall_ns": cpu_ns, "events": 10, "bytes": 1000, "calls": calls, "values": 0
            }])
        };
        let report = serde_json::json!({ "skipped": {}, "rows": {
            "yardstick": row(123_000, 0),
            "1 field": row(6_000, 10),
            "20 fields": row(20_000, 200),
            "peer: 20 fields": row(100_000, 200),
            "webhook bodies": row(500, 0),
        }});
        let table = Table::new(&serde_json::from_value(report).unwrap(), true);
        let line = |title: &str| table.lines.iter().find(|line| line.title == title).unwrap();
        let one = line("parse + 1 field");
        assert_eq!(
            (one.best.as_str(), one.met, times(one.times_reference).as_str()),
            ("0.60", "yes", "10.7x")
        );
        let twenty = line("parse + 20 fields");
        assert_eq!((twenty.met, times(twenty.times_peer).as_str()), ("no", "5.0x"));
        assert_eq!(line("webhook bodies to events").best, "2.00");
        assert_eq!(table.lines.len(), 4);
    }
}
