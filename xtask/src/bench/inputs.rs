//! [`Inputs`]: events and field sets that everything is measured with.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use emulators::cloudwatch::Generated;

use crate::workspace::Workspace;

/// Where events and field sets come from.
pub(crate) struct Inputs {
    /// A file with an event a line.
    pub(crate) events: PathBuf,
    /// One field.
    pub(crate) one: Vec<String>,
    /// Twenty that rules use.
    pub(crate) twenty: Vec<String>,
    /// All of them, with arguments where they take some: 209 requests.
    pub(crate) all: Vec<String>,
    /// What they are, for people.
    pub(crate) source: &'static str,
    /// Whether they are what the goals were set for.
    pub(crate) is_parity: bool,
}

/// Of the file that a source reads: enough for a second of the reference's time.
const FILE_BYTES: usize = 100_000_000;
/// Besides the fixtures, where the parity set is not there.
const GENERATED: u64 = 450;
/// As large as the parity set's events are on average.
const GENERATED_BYTES: usize = 2_526;

impl Inputs {
    /// The parity set below `AUDIT_SHARED_DIR`, or else what the repository has.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let shared = std::env::var_os("AUDIT_SHARED_DIR").map(|folder| PathBuf::from(folder).join("parity"));
        match shared.filter(|folder| folder.join("synthetic.events.jsonl").is_file()) {
            Some(parity) => Self::of_parity(&parity),
            None => Self::of_repository(workspace),
        }
    }

    fn of_parity(folder: &Path) -> Result<Self> {
        let lines = |name: &str| read_lines(&folder.join(name));
        Ok(Self {
            events: folder.join("synthetic.events.jsonl"),
            one: lines("one-field.txt")?,
            twenty: lines("rules-fields.txt")?,
            all: lines("fields.txt")?,
            source: "The synthetic parity set",
            is_parity: true,
        })
    }

    fn of_repository(workspace: &Workspace) -> Result<Self> {
        println!(
            "AUDIT_SHARED_DIR names no folder with the parity set: fixtures and generated events are measured, \
             which the goals were not set for"
        );
        let mut text = fixtures(workspace)?;
        let plan =
            Generated { message_bytes: GENERATED_BYTES, ..Generated::backlog(GENERATED, 1_700_000_000_000) };
        for index in 0..GENERATED {
            writeln!(text, "{}", plan.message(index).trim_end())?;
        }
        let events = super::folder(workspace)?.join("events.jsonl");
        fs::write(&events, text)?;
        let requests = requests(workspace)?;
        let spread = |count: usize| {
            let step = (requests.len() / count).max(1);
            requests.iter().step_by(step).take(count).cloned().collect()
        };
        Ok(Self {
            events,
            one: spread(1),
            twenty: spread(20),
            all: requests.iter().take(209).cloned().collect(),
            source: "Fixtures and generated events",
            is_parity: false,
        })
    }

    /// A file with some of the events, spread over all; and how many.
    pub(crate) fn sample(&self, workspace: &Workspace) -> Result<(PathBuf, usize)> {
        let events = read_lines(&self.events)?;
        let sample: Vec<_> =
            events.iter().step_by(events.len().div_ceil(SAMPLE)).map(String::as_str).collect();
        let path = super::folder(workspace)?.join("sample.jsonl");
        fs::write(&path, sample.join("\n"))?;
        Ok((path, sample.len()))
    }

    /// A file of some 100 MB with the events, over and over; and its size.
    pub(crate) fn file(&self, workspace: &Workspace) -> Result<(PathBuf, u64)> {
        let events = read_lines(&self.events)?;
        let mut text = String::with_capacity(FILE_BYTES + (1 << 20));
        // What is no event would be told of, line by line.
        for event in events.iter().filter(|event| event.contains(r#""auditID""#)).cycle() {
            text.push_str(event);
            text.push('\n');
            if text.len() >= FILE_BYTES {
                break;
            }
        }
        let path = super::folder(workspace)?.join("audit.log");
        fs::write(&path, &text)?;
        Ok((path, text.len() as u64))
    }
}

/// Of a sample for programs that slow others down.
const SAMPLE: usize = 100;

/// Every fixture, an event a line.
pub(crate) fn fixtures(workspace: &Workspace) -> Result<String> {
    let mut text = String::new();
    for set in ["ordinary", "attack", "odd", "spelling"] {
        let path = workspace.root().join(format!("tests/fixtures/audit/{set}.events.jsonl"));
        text += &fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    Ok(text)
}

/// The requests that the fixtures are asked.
pub(crate) fn requests(workspace: &Workspace) -> Result<Vec<String>> {
    read_lines(&workspace.root().join("tests/fixtures/audit/requests.txt"))
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
