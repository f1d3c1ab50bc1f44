//! [`Chart`]: the table as a picture, written by hand: a drawing library would bring more code than it saves.

use std::fmt::Write;

use super::goal::{GOALS, Goal, REFERENCE_YARDSTICK, row};
use super::report::{Per, Report, Time};
use super::table::of_peer;

/// Time for an event, on a logarithmic axis: ours, the Go plugin's (or the peer's), and the goal.
#[derive(Debug)]
pub(crate) struct Chart {
    rows: Vec<Row>,
    /// What `serde_json::Value` takes, nanoseconds.
    yardstick: f64,
    /// Whose the other dots are.
    other: &'static str,
}

#[derive(Debug)]
struct Row {
    title: &'static str,
    ours: f64,
    other: Option<f64>,
    goal: Option<f64>,
}

// Pixels.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 64.0;
const ROW: f64 = 38.0;
const FOOT: f64 = 44.0;

// The axis: 0.1 µs to 100 µs.
const FROM: f64 = 2.0;
const TO: f64 = 5.0;

const STYLE: &str = "text{font:13px sans-serif;fill:#24292f}.dim{fill:#6e7781}.line{stroke:#d0d7de}\
    .yard{stroke:#6e7781;stroke-dasharray:4 3}.ours{fill:#1f6feb}.other{fill:none;stroke:#bc4c00;stroke-width:2}\
    .goal{stroke:#1a7f37;stroke-width:3}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8b949e}.line{stroke:#30363d}}";

impl Chart {
    /// `is_parity`: events and fields are those that the Go plugin's figures are of. `None` without a yardstick.
    pub(crate) fn new(report: &Report, is_parity: bool) -> Option<Self> {
        let yardstick = report.cost(row::YARDSTICK, Time::Cpu, Per::Event)?.best;
        let has_peer = report.cost(&of_peer(row::TWENTY), Time::Cpu, Per::Event).is_some();
        let other = |goal: &Goal| match has_peer {
            true => goal.measure.cost(report, of_peer).map(|cost| cost.best),
            // As much slower here as the yardstick is.
            false => goal
                .reference
                .filter(|_| is_parity)
                .map(|value| goal.unit.nanos(value) * yardstick / REFERENCE_YARDSTICK),
        };
        let rows = GOALS.iter().filter(|goal| goal.reference.is_some() && goal.goal.is_some());
        let rows = rows.filter_map(|goal| {
            let ours = goal.measure.cost(report, str::to_owned)?.best;
            let aim = goal.goal.map(|value| goal.unit.nanos(value));
            Some(Row { title: goal.title, ours, other: other(goal), goal: aim })
        });
        let rows = rows.collect();
        Some(Self {
            rows,
            yardstick,
            other: if has_peer { "peer" } else { "Go plugin, scaled by the yardstick" },
        })
    }

    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let bottom = TOP + ROW * self.rows.len() as f64;
        let height = bottom + FOOT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"Time for an audit event\">\n<style>{STYLE}</style>\n"
        );
        let _ = writeln!(
            svg,
            "<circle class=\"ours\" cx=\"20\" cy=\"20\" r=\"6\"/><text x=\"32\" y=\"24\">this project</text>\
             <circle class=\"other\" cx=\"150\" cy=\"20\" r=\"5\"/><text x=\"162\" y=\"24\">{}</text>\
             <path class=\"goal\" d=\"M430 13v14\"/><text x=\"438\" y=\"24\">goal</text>\
             <path class=\"yard\" d=\"M500 20h24\"/><text x=\"530\" y=\"24\">serde_json::Value, same events</text>",
            self.other
        );
        for (micros, label) in [(0.1, "0.1"), (1.0, "1"), (10.0, "10"), (100.0, "100 µs an event")] {
            let x = x(micros * 1e3);
            let _ = writeln!(
                svg,
                "<path class=\"line\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
                 <text class=\"dim\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{}\">{label}</text>",
                bottom + 20.0,
                if micros > 99.0 { "end" } else { "middle" }
            );
        }
        let _ = writeln!(svg, "<path class=\"yard\" d=\"M{:.1} {TOP}V{bottom}\"/>", x(self.yardstick));
        for (place, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * (place as f64 + 0.5);
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <path class=\"line\" d=\"M{LEFT} {y}H{:.1}\"/>",
                LEFT - 12.0,
                y + 4.0,
                row.title,
                WIDTH - RIGHT
            );
            if let Some(goal) = row.goal {
                let _ = write!(svg, "<path class=\"goal\" d=\"M{:.1} {:.1}v14\"/>", x(goal), y - 7.0);
            }
            if let Some(other) = row.other {
                // Not right above the dot: there the yardstick is.
                dot(&mut svg, "other", other, y, (4.0, -10.0), "start");
            }
            dot(&mut svg, "ours", row.ours, y, (0.0, -10.0), "middle");
            svg.push('\n');
        }
        svg + "</svg>\n"
    }
}

/// A dot, and beside it how much it stands for.
fn dot(svg: &mut String, class: &str, nanos: f64, y: f64, (right, down): (f64, f64), anchor: &str) {
    let x = x(nanos);
    let _ = write!(
        svg,
        "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"5.5\"/>\
         <text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{:.2}</text>",
        x + right,
        y + down,
        nanos / 1e3
    );
}

/// Where so many nanoseconds stand.
fn x(nanos: f64) -> f64 {
    let place = (nanos.max(1.0).log10().clamp(FROM, TO) - FROM) / (TO - FROM);
    LEFT + place * (WIDTH - LEFT - RIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_every_row_that_was_measured() {
        let row = |cpu_ns: u64| {
            serde_json::json!([{
                "cpu_ns": cpu_ns, "wall_ns": cpu_ns, "events": 1, "bytes": 1, "calls": 1, "values": 0
            }])
        };
        let rows = serde_json::json!({ "yardstick": row(12_300), "1 field": row(600), "file": row(2_000) });
        let report = serde_json::from_value(serde_json::json!({ "skipped": {}, "rows": rows })).unwrap();
        let svg = Chart::new(&report, true).unwrap().svg();
        assert_eq!(svg.matches(r#"class="ours""#).count(), 1 + 3, "{svg}");
        assert!(svg.contains("parse + 1 field") && svg.contains(">0.60<") && svg.contains(">6.40<"), "{svg}");
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }

    #[test]
    fn the_axis_is_logarithmic_and_bounded() {
        assert_eq!((x(100.0), x(1e5)), (LEFT, WIDTH - RIGHT));
        assert_eq!((x(0.0), x(1e9)), (LEFT, WIDTH - RIGHT));
        assert!((x(1e3) - LEFT - (x(1e4) - x(1e3))).abs() < 1e-9);
    }
}
