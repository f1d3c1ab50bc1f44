//! [`Instructions`]: how many instructions fixed work takes, counted by valgrind, beside a bound that is stored.
//!
//! Times depend on the machine and on who else uses it; instructions on the compiler and on what the processor
//! is able to do (code that looks for AVX2 takes another way without it). So each bound has a margin.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::harness::Harness;
use super::inputs;
use crate::process;
use crate::workspace::Workspace;

/// What is counted for each piece of work.
#[derive(Debug)]
pub(crate) struct Instructions {
    /// In a fixed order.
    pub(crate) counts: Vec<Count>,
}

/// What one piece of work takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    /// Its name.
    pub(crate) name: String,
    /// Instructions an event.
    pub(crate) instructions: f64,
    /// Calls of the allocator an event.
    pub(crate) allocations: f64,
    /// More than this fails.
    pub(crate) bound: Option<Bound>,
}

/// What is stored for one piece of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    instructions: f64,
    allocations: f64,
}

/// The work in which three envelopes are read four times.
const ENVELOPES: &str = "envelopes, 12 times";
const BOUNDS: &str = "tests/bench/instructions.tsv";
/// A bound is so much above what was counted.
const MARGIN: f64 = 1.10;
/// Rounds of a short run and of a long one: the difference is free of start and end.
const ROUNDS: [usize; 2] = [1, 3];

impl Instructions {
    /// Counts all work, on the fixtures of the repository alone.
    ///
    /// # Errors
    /// When valgrind cannot be run.
    pub(crate) fn count(workspace: &Workspace, harness: &Harness) -> Result<Self> {
        let fixtures = inputs::fixtures(workspace)?;
        let count = fixtures.lines().filter(|line| !line.is_empty()).count();
        let events = super::folder(workspace)?.join("fixtures.jsonl");
        fs::write(&events, fixtures)?;
        let requests = inputs::requests(workspace)?;
        let twenty: Vec<&String> = requests.iter().step_by((requests.len() / 20).max(1)).take(20).collect();
        let pointers =
            ["/stage", "/user/username", "/objectRef/name", "/requestObject/spec/containers/0/image"];
        let pointers = pointers.map(|pointer| format!("jevt.value[{pointer}]"));
        let audit = harness.k8saudit();
        let work = [
            ("20 fields", json!([{ "library": audit, "rows": [{ "row": "", "requests": twenty }] }]), false),
            (
                "every request",
                json!([{ "library": audit, "rows": [{ "row": "", "requests": requests }] }]),
                false,
            ),
            (
                "4 pointers",
                json!([{ "library": harness.json(), "rows": [{ "row": "", "requests": pointers }] }]),
                false,
            ),
            (ENVELOPES, json!([]), true),
        ];
        let bounds = read(&fs::read_to_string(workspace.root().join(BOUNDS)).unwrap_or_default());
        let mut counts = Vec::new();
        for (name, subjects, envelopes) in work {
            let plan = |rounds: usize| {
                json!({
                    "events": events, "copies": 1, "rounds": rounds, "silent": true,
                    "envelopes": envelopes, "subjects": subjects,
                })
            };
            let bound = bounds.iter().find(|(of, _)| of == name).map(|(_, bound)| *bound);
            counts.push(Count {
                name: name.to_owned(),
                instructions: difference(harness, count, plan, instructions)?,
                allocations: allocations_of(harness, count, plan)?,
                bound,
            });
        }
        Ok(Self { counts })
    }

    /// Stores what was counted as bounds.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, workspace: &Workspace) -> Result<()> {
        fs::write(workspace.root().join(BOUNDS), self.file())
            .with_context(|| format!("cannot write `{BOUNDS}`"))
    }

    fn file(&self) -> String {
        let mut text = format!(
            "# What each event of the fixtures takes, counted by valgrind: instructions; how many of them it may take at\n\
             # most ({:.0} % more); and how often the allocator is called, once everything is warm, which stays so or gets\n\
             # less. `cargo xtask test instructions` checks it; `cargo xtask bench instructions --save` renews it, to be\n\
             # done when a change is worth what it costs, and when it made something faster, so that it stays so.\n\
             # work\tcounted\tbound\tallocations\n",
            (MARGIN - 1.0) * 100.0
        );
        for Count { name, instructions, allocations, .. } in &self.counts {
            let bound = instructions * MARGIN;
            let _ = writeln!(text, "{name}\t{instructions:.0}\t{bound:.0}\t{allocations:.2}");
        }
        text
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("{:20} {:>13} {:>12} {:>12}\n", "an event", "instructions", "bound", "allocations");
        for Count { name, instructions, allocations, bound } in &self.counts {
            let bound = bound.map_or("none".to_owned(), |bound| format!("{:.0}", bound.instructions));
            let _ = writeln!(text, "{name:20} {instructions:>13.0} {bound:>12} {allocations:>12.2}");
        }
        text
    }
}

impl Count {
    /// Why it fails, if it does.
    pub(crate) fn problem(&self) -> Option<String> {
        // Of what is stored with two digits.
        const ROUNDED: f64 = 0.005;
        let Self { name, instructions, allocations, bound } = self;
        let Some(bound) = bound else {
            return Some(format!("`{name}` has no bound: run `cargo xtask bench instructions --save`"));
        };
        if *instructions > bound.instructions {
            let more = 100.0 * (instructions / bound.instructions - 1.0);
            return Some(format!(
                "`{name}` takes {instructions:.0} instructions an event, {more:.1} % more than its bound in `{BOUNDS}`"
            ));
        }
        (*allocations > bound.allocations + ROUNDED).then(|| {
            let stored = bound.allocations;
            format!("`{name}` allocates {allocations:.2} times an event; `{BOUNDS}` says {stored:.2}")
        })
    }
}

/// Name and bound of each line.
fn read(text: &str) -> Vec<(String, Bound)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let bound = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, _, instructions, allocations] = columns.as_slice() else { return None };
        let bound =
            Bound { instructions: instructions.parse().ok()?, allocations: allocations.parse().ok()? };
        Some(((*name).to_owned(), bound))
    };
    lines.filter_map(bound).collect()
}

/// How often an event makes the allocator be called once everything is warm, when `plan` is carried out for so
/// many rounds; `events` are worked on in each.
///
/// # Errors
/// When valgrind cannot be run.
pub(crate) fn allocations_of(harness: &Harness, events: usize, plan: impl Fn(usize) -> Value) -> Result<f64> {
    difference(harness, events, plan, allocations)
}

/// What a long run counts more than a short one, an event.
fn difference(
    harness: &Harness,
    events: usize,
    plan: impl Fn(usize) -> Value,
    of: fn(&[PathBuf]) -> Result<f64>,
) -> Result<f64> {
    let [few, many] = ROUNDS;
    let run = |rounds: usize| of(&harness.command("count", &plan(rounds))?);
    Ok((run(many)? - run(few)?) / ((many - few) * events) as f64)
}

fn instructions(words: &[PathBuf]) -> Result<f64> {
    // ==123== Collected : 4567890
    valgrind(&["--tool=callgrind", "--callgrind-out-file=/dev/null"], words, |line| {
        number(line.split_once("Collected : ")?.1)
    })
}

fn allocations(words: &[PathBuf]) -> Result<f64> {
    // ==123==   total heap usage: 1,234 allocs, 1,200 frees, 567,890 bytes allocated
    valgrind(&["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], words, |line| {
        number(line.split_once("total heap usage: ")?.1.split_once(" allocs")?.0)
    })
}

fn number(text: &str) -> Option<f64> {
    text.trim().replace(',', "").parse().ok()
}

fn valgrind(options: &[&str], words: &[PathBuf], found: impl Fn(&str) -> Option<f64>) -> Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(options).args(words);
    let mut count = None;
    process::checked(&mut command, |line| count = found(line).or(count)).context("valgrind")?;
    count.context("valgrind gave no count")
}

/// Whether valgrind is there, or could be installed; what is said on the way is printed.
///
/// # Errors
/// With the reason why not.
pub(crate) fn prepare() -> Result<()> {
    match process::on_path("valgrind") {
        Some(_) => Ok(()),
        None => crate::apt::install("valgrind", |line| println!("{line}")),
    }
}

/// As JSON, for `target/bench`.
pub(crate) fn json(counts: &[Count]) -> Value {
    let counts = counts.iter().map(|count| {
        let Count { name, instructions, allocations, .. } = count;
        json!({ "work": name, "instructions": instructions, "allocations": allocations })
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was counted beside what is stored, and how its problem begins.
    #[track_caller]
    fn check(counted: (f64, f64), stored: Option<(f64, f64)>, expect: Option<&str>) {
        let bound = stored.map(|(instructions, allocations)| Bound { instructions, allocations });
        let count = Count { name: "x".to_owned(), instructions: counted.0, allocations: counted.1, bound };
        let problem = count.problem();
        match expect {
            None => assert_eq!(problem, None),
            Some(part) => {
                assert!(problem.as_deref().is_some_and(|problem| problem.starts_with(part)), "{problem:?}")
            }
        }
    }

    #[test]
    fn what_is_over_its_bound_fails() {
        check((1100.0, 0.0), Some((1100.0, 0.0)), None);
        check((1210.0, 0.0), Some((1100.0, 0.0)), Some("`x` takes 1210 instructions an event, 10.0 % more"));
        check((1.0, 0.384), Some((2.0, 0.38)), None);
        check((1.0, 0.39), Some((2.0, 0.38)), Some("`x` allocates 0.39 times an event"));
        check((1.0, 0.0), None, Some("`x` has no bound"));
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let count =
            Count { name: "20 fields".to_owned(), instructions: 1000.4, allocations: 0.379, bound: None };
        let stored = read(&Instructions { counts: vec![count] }.file());
        assert_eq!(stored, [("20 fields".to_owned(), Bound { instructions: 1100.0, allocations: 0.38 })]);
    }

    #[test]
    fn every_work_has_a_bound() {
        let workspace = Workspace::find().unwrap();
        let bounds = read(&fs::read_to_string(workspace.root().join(BOUNDS)).unwrap());
        let names: Vec<&str> = bounds.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["20 fields", "every request", "4 pointers", ENVELOPES]);
    }
}
