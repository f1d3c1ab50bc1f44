//! [`Growth`]: whether cost grows faster than the work, from small events to large ones, from few questions to many.

use std::fmt::Write;
use std::fs;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::harness::Harness;
use super::inputs::Inputs;
use super::report::{Per, Time};
use crate::workspace::Workspace;

/// Lines of all ladders.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Growth {
    ladders: Vec<Ladder>,
}

/// One thing that grows.
#[derive(Debug, Serialize)]
struct Ladder {
    title: String,
    /// What it is counted in.
    unit: &'static str,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Step {
    /// How much work, in the ladder's unit.
    work: f64,
    /// Nanoseconds an event.
    nanos: f64,
    /// How many times that is what one field of the same event costs, which is about one pass over it.
    passes: Option<f64>,
}

/// Twice the work for more than 2.2 times the cost is more than noise.
const EXPONENT: f64 = 1.15;
/// An event is passed to find its top level, and once more where its objects are opened; beyond that, and in events
/// of so many KB, in which nothing else counts, it is passed for each field anew.
const PASSES: f64 = 4.0;
const PASSES_FROM_KB: f64 = 32.0;

/// Bytes of the events.
const SIZES: [usize; 7] = [512, 2 << 10, 8 << 10, 32 << 10, 128 << 10, 512 << 10, 1 << 20];
/// Bytes of all events of a size, about.
const TOTAL: usize = 4 << 20;
const FIELDS: [usize; 8] = [1, 2, 5, 10, 20, 50, 100, 200];
const REQUESTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const ROUNDS: usize = 5;

/// What makes an event large.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A list of many objects in the answer.
    Items,
    /// One long text in the request.
    Text,
    /// Many containers in the request.
    Containers,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Items, Self::Text, Self::Containers];

    fn name(self) -> &'static str {
        match self {
            Self::Items => "a list in the answer",
            Self::Text => "one long text",
            Self::Containers => "many containers",
        }
    }

    /// An event of about so many bytes.
    fn event(self, bytes: usize, number: usize) -> String {
        let request = |filler: &str| match self {
            Self::Items => {
                format!(r#""responseObject":{{"kind":"PodList","apiVersion":"v1","items":[{filler}]}}"#)
            }
            Self::Text => format!(
                r#""requestObject":{{"kind":"ConfigMap","apiVersion":"v1","data":{{"text":"{filler}"}}}}"#
            ),
            Self::Containers => format!(
                r#""requestObject":{{"kind":"Pod","apiVersion":"v1","spec":{{"containers":[{filler}]}}}}"#
            ),
        };
        let event = |filler: &str| {
            format!(
                concat!(
                    r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"8d3c4c1e-5a0b-4b0e-9f57-{:012}","#,
                    r#""stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods","verb":"create","#,
                    r#""user":{{"username":"jane","groups":["dev"]}},"objectRef":{{"resource":"pods","namespace":"shop","name":"web"}},"#,
                    r#""responseStatus":{{"code":201}},{},"stageTimestamp":"2026-03-14T09:00:00.234567Z"}}"#
                ),
                number,
                request(filler)
            )
        };
        let (piece, between) = match self {
            Self::Items => {
                (r#"{"metadata":{"name":"web-7d9c","labels":{"app":"shop"}},"spec":{"node":"n1"}}"#, ",")
            }
            Self::Text => (r"a line of configuration, with an escape at its end\n", ""),
            Self::Containers => (
                r#"{"name":"web","image":"registry.example/shop/web:1.2.3","securityContext":{"privileged":false}}"#,
                ",",
            ),
        };
        let room = bytes.saturating_sub(event("").len());
        let pieces = vec![piece; (room / (piece.len() + between.len())).max(1)];
        event(&pieces.join(between))
    }
}

impl Growth {
    /// Measures every ladder.
    ///
    /// # Errors
    /// When something cannot be measured.
    pub(crate) fn measure(workspace: &Workspace, harness: &Harness, inputs: &Inputs) -> Result<Self> {
        let mut growth = Self::default();
        for shape in Shape::ALL {
            growth.ladders.extend(sizes(workspace, harness, inputs, shape)?);
        }
        growth.ladders.push(fields(harness, inputs)?);
        growth.ladders.push(requests(harness, inputs)?);
        Ok(growth)
    }

    /// For a terminal, and in a page as it is.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for ladder in &self.ladders {
            let Ladder { title, unit, .. } = ladder;
            let per = format!("ns a {unit}");
            let _ = writeln!(
                text,
                "{title}\n{unit:>12} {:>14} {per:>12} {:>8} {:>8}",
                "µs an event", "growth", "passes"
            );
            for (place, step) in ladder.steps.iter().enumerate() {
                let before = place.checked_sub(1).and_then(|place| ladder.steps.get(place));
                let exponent = before.map(|before| step.exponent(before));
                let growth = exponent.map_or(String::new(), |exponent| format!("n^{exponent:.2}"));
                let passes = step.passes.map_or(String::new(), |passes| format!("{passes:.1}"));
                let _ = writeln!(
                    text,
                    "{:>12} {:>14.2} {:>12.1} {growth:>8} {passes:>8}{}",
                    step.work,
                    step.nanos / 1e3,
                    step.nanos / step.work,
                    step.remark(exponent)
                );
            }
            text.push('\n');
        }
        text
    }
}

impl Step {
    /// By which power of the work the cost grew.
    fn exponent(&self, before: &Self) -> f64 {
        (self.nanos / before.nanos).ln() / (self.work / before.work).ln()
    }

    /// What is wrong with it.
    fn remark(&self, exponent: Option<f64>) -> &'static str {
        if exponent.is_some_and(|exponent| exponent > EXPONENT) {
            "  faster than the work"
        } else if self.work >= PASSES_FROM_KB && self.passes.is_some_and(|passes| passes > PASSES) {
            "  passed again for each field"
        } else {
            ""
        }
    }
}

/// Events of growing size: 1 field, 20 fields, everything.
fn sizes(workspace: &Workspace, harness: &Harness, inputs: &Inputs, shape: Shape) -> Result<Vec<Ladder>> {
    let sets = [("1 field", &inputs.one), ("20 fields", &inputs.twenty), ("209 requests", &inputs.all)];
    let mut ladders: Vec<Ladder> = Vec::new();
    for (set, _) in sets {
        let title = format!("size of events ({}), {set}", shape.name());
        ladders.push(Ladder { title, unit: "KB", steps: Vec::new() });
    }
    let path = super::folder(workspace)?.join("growth.jsonl");
    for size in SIZES {
        let events: Vec<String> =
            (0..(TOTAL / size).max(4)).map(|number| shape.event(size, number)).collect();
        fs::write(&path, events.join("\n"))?;
        let rows = sets.map(|(set, requests)| json!({ "row": set, "requests": requests }));
        let report = harness.run(
            "growth",
            &json!({
                "events": path, "copies": 1, "rounds": ROUNDS,
                "subjects": [{ "library": harness.k8saudit(), "rows": rows }],
            }),
        )?;
        let [(one, _), ..] = sets;
        let pass = report.cost(one, Time::Cpu, Per::Event);
        for (ladder, (set, _)) in ladders.iter_mut().zip(sets) {
            if let Some((cost, (_, bytes))) = report.cost(set, Time::Cpu, Per::Event).zip(report.size(set)) {
                let work = (bytes / 102.4).round() / 10.0;
                let passes = pass.map(|pass| cost.best / pass.best);
                ladder.steps.push(Step { work, nanos: cost.best, passes });
            }
        }
    }
    Ok(ladders)
}

/// More and more different requests, spread over all that there are.
fn fields(harness: &Harness, inputs: &Inputs) -> Result<Ladder> {
    let spread = |count: usize| -> Vec<&String> {
        (0..count).filter_map(|place| inputs.all.get(place * inputs.all.len() / count)).collect()
    };
    ladder(harness, inputs, "different fields", "field", FIELDS, spread)
}

/// More and more rules that ask for the same fields.
fn requests(harness: &Harness, inputs: &Inputs) -> Result<Ladder> {
    let repeated = |count: usize| inputs.twenty.iter().cycle().take(count).collect();
    ladder(harness, inputs, "requests for the same 20 fields", "request", REQUESTS, repeated)
}

fn ladder<'i, const N: usize>(
    harness: &Harness,
    inputs: &'i Inputs,
    title: &str,
    unit: &'static str,
    counts: [usize; N],
    requests: impl Fn(usize) -> Vec<&'i String>,
) -> Result<Ladder> {
    let rows = counts.map(|count| json!({ "row": count.to_string(), "requests": requests(count) }));
    let report = harness.run(
        "growth",
        &json!({
            "events": inputs.events, "copies": 1, "rounds": ROUNDS,
            "subjects": [{ "library": harness.k8saudit(), "rows": rows.as_slice() }],
        }),
    )?;
    let steps = counts.iter().filter_map(|count| {
        let cost = report.cost(&count.to_string(), Time::Cpu, Per::Event)?;
        Some(Step { work: *count as f64, nanos: cost.best, passes: None })
    });
    Ok(Ladder { title: title.to_owned(), unit, steps: steps.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_size_and_are_json() {
        for shape in Shape::ALL {
            for size in [1 << 10, 64 << 10] {
                let event = shape.event(size, 7);
                assert!(
                    event.len() <= size && event.len() + 200 > size,
                    "{shape:?}: {} of {size}",
                    event.len()
                );
                assert!(serde_json::from_str::<serde_json::Value>(&event).is_ok(), "{event}");
            }
        }
    }

    #[test]
    fn what_grows_faster_than_the_work_is_marked() {
        let step = |work, nanos, passes| Step { work, nanos, passes: Some(passes) };
        let steps = vec![
            step(16.0, 100.0, 9.0),
            step(32.0, 150.0, 2.0),
            step(64.0, 600.0, 2.0),
            step(128.0, 800.0, 9.0),
        ];
        let growth = Growth { ladders: vec![Ladder { title: "t".to_owned(), unit: "KB", steps }] };
        let text = growth.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].ends_with("9.0") && lines[3].ends_with("n^0.58      2.0"), "{text}");
        assert!(lines[4].ends_with("n^2.00      2.0  faster than the work"), "{text}");
        assert!(lines[5].ends_with("n^0.42      9.0  passed again for each field"), "{text}");
    }
}
