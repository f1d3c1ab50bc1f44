//! [`GOALS`]: the rows of the table, and what they shall be.

use super::report::{Cost, Per, Report, Time};

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Goal {
    /// Its name, for people.
    pub(crate) title: &'static str,
    /// Where its cost comes from.
    pub(crate) measure: Measure,
    /// How it is told.
    pub(crate) unit: Unit,
    /// What it shall be, in that unit.
    pub(crate) goal: Option<f64>,
    /// What it shall cost of what `serde_json::Value` does with the same events, in percent.
    pub(crate) percent: Option<f64>,
    /// What the Go plugin took, in that unit, where `serde_json::Value` took [`REFERENCE_YARDSTICK`].
    pub(crate) reference: Option<f64>,
}

/// What `serde_json::from_slice::<Value>` took on the machine and the day when the reference was measured,
/// in nanoseconds an event.
pub(crate) const REFERENCE_YARDSTICK: f64 = 12_300.0;

/// Where a cost comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// From one row of the report.
    Row(&'static str, Time, Per),
    /// From the difference of two.
    Further(&'static str, &'static str),
}

/// How a cost is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// µs an event.
    Micros,
    /// ns a call.
    Nanos,
    /// Events in a second.
    EventsPerSecond,
    /// 10^9 bytes in a second.
    GigabytesPerSecond,
}

/// Names of the rows in plans and reports.
pub(crate) mod row {
    pub(crate) const YARDSTICK: &str = "yardstick";
    pub(crate) const EMPTY: &str = "empty call";
    pub(crate) const ONE: &str = "1 field";
    pub(crate) const TWENTY: &str = "20 fields";
    pub(crate) const ALL: &str = "209 requests";
    pub(crate) const OWN: &str = "own source, 20 fields";
    pub(crate) const HAND_OVER: &str = "own source, next_batch";
    pub(crate) const FILE: &str = "file";
    pub(crate) const POINTER: &str = "pointer";
    pub(crate) const POINTER_AGAIN: &str = "pointer, 101 times";
    pub(crate) const WEBHOOK: &str = "webhook bodies";
    pub(crate) const CLOUDWATCH: &str = "CloudWatch messages";
    pub(crate) const HUB: &str = "hub messages";
}

const fn cpu(row: &'static str) -> Measure {
    Measure::Row(row, Time::Cpu, Per::Event)
}

const NONE: Goal =
    Goal { title: "", measure: cpu(""), unit: Unit::Micros, goal: None, percent: None, reference: None };

/// Every row, in order.
pub(crate) const GOALS: [Goal; 15] = [
    Goal { title: "serde_json::Value", measure: cpu(row::YARDSTICK), ..NONE },
    Goal {
        title: "a call for no field",
        measure: Measure::Row(row::EMPTY, Time::Cpu, Per::Call),
        unit: Unit::Nanos,
        ..NONE
    },
    Goal {
        title: "parse + 1 field",
        measure: cpu(row::ONE),
        goal: Some(0.6),
        percent: Some(5.0),
        reference: Some(6.4),
        ..NONE
    },
    Goal {
        title: "parse + 20 fields",
        measure: cpu(row::TWENTY),
        goal: Some(1.3),
        percent: Some(11.0),
        reference: Some(13.4),
        ..NONE
    },
    Goal {
        title: "parse + 209 requests",
        measure: cpu(row::ALL),
        goal: Some(8.5),
        percent: Some(70.0),
        reference: Some(85.5),
        ..NONE
    },
    Goal {
        title: "events of our own source: 20 fields",
        measure: cpu(row::OWN),
        goal: Some(1.0),
        percent: Some(8.0),
        reference: Some(13.4),
        ..NONE
    },
    Goal { title: "events of our own source: next_batch", measure: cpu(row::HAND_OVER), ..NONE },
    Goal { title: "jevt.value[/stage], the first", measure: cpu(row::POINTER), ..NONE },
    Goal {
        title: "jevt.value[/stage], again",
        measure: Measure::Further(row::POINTER, row::POINTER_AGAIN),
        unit: Unit::Nanos,
        goal: Some(60.0),
        ..NONE
    },
    Goal {
        title: "file through next_batch, CPU of both threads",
        measure: cpu(row::FILE),
        unit: Unit::EventsPerSecond,
        goal: Some(400_000.0),
        reference: Some(58_000.0),
        ..NONE
    },
    Goal {
        title: "file through next_batch, time that passes",
        measure: Measure::Row(row::FILE, Time::Wall, Per::Event),
        unit: Unit::EventsPerSecond,
        goal: Some(580_000.0),
        reference: Some(58_000.0),
        ..NONE
    },
    Goal {
        title: "file through next_batch, bytes by CPU time",
        measure: Measure::Row(row::FILE, Time::Cpu, Per::Byte),
        unit: Unit::GigabytesPerSecond,
        reference: Some(0.147),
        ..NONE
    },
    Goal { title: "webhook bodies to events", ..split(row::WEBHOOK) },
    Goal { title: "CloudWatch messages to events", ..split(row::CLOUDWATCH) },
    Goal { title: "hub messages to events", ..split(row::HUB) },
];

const fn split(row: &'static str) -> Goal {
    let measure = Measure::Row(row, Time::Cpu, Per::Byte);
    Goal { measure, unit: Unit::GigabytesPerSecond, goal: Some(1.0), ..NONE }
}

impl Measure {
    /// What it cost in a report, the rows of which are named by `name`.
    pub(crate) fn cost(self, report: &Report, name: impl Fn(&str) -> String) -> Option<Cost> {
        match self {
            Self::Row(row, time, per) => report.cost(&name(row), time, per),
            Self::Further(one, many) => report.further(&name(one), &name(many)),
        }
    }

    /// What the yardstick cost for as much.
    pub(crate) fn yardstick(self, report: &Report) -> Option<Cost> {
        match self {
            Self::Row(_, time, per @ (Per::Event | Per::Byte)) => report.cost(row::YARDSTICK, time, per),
            // A call is no event.
            Self::Row(..) | Self::Further(..) => None,
        }
    }
}

impl Unit {
    /// From nanoseconds.
    pub(crate) fn of(self, nanos: f64) -> f64 {
        match self {
            Self::Micros => nanos / 1e3,
            Self::Nanos => nanos,
            Self::EventsPerSecond => 1e9 / nanos,
            Self::GigabytesPerSecond => 1.0 / nanos,
        }
    }

    /// To nanoseconds.
    pub(crate) fn nanos(self, value: f64) -> f64 {
        match self {
            Self::Micros => value * 1e3,
            Self::Nanos => value,
            Self::EventsPerSecond => 1e9 / value,
            Self::GigabytesPerSecond => 1.0 / value,
        }
    }

    /// A value, as it is printed.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Micros | Self::GigabytesPerSecond => format!("{value:.2}"),
            Self::Nanos => format!("{value:.0}"),
            Self::EventsPerSecond => format!("{:.0},000", value / 1e3),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Nanos => "ns",
            Self::EventsPerSecond => "events/s",
            Self::GigabytesPerSecond => "GB/s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_go_both_ways() {
        for (unit, nanos, text) in [
            (Unit::Micros, 1_650.0, "1.65"),
            (Unit::Nanos, 59.7, "60"),
            (Unit::EventsPerSecond, 2_500.0, "400,000"),
            (Unit::GigabytesPerSecond, 0.5, "2.00"),
        ] {
            assert_eq!(unit.text(unit.of(nanos)), text);
            assert!((unit.nanos(unit.of(nanos)) - nanos).abs() < 1e-6);
        }
    }
}
