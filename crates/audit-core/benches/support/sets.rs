//! [`Sets`]: what the benches work on.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each bench uses its part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use audit_core::{Argument, FieldId, fields};

/// Events, and sets of fields to ask them for: the parity set below `AUDIT_SHARED_DIR`, or else the fixtures.
#[derive(Debug)]
pub struct Sets {
    pub events: Vec<String>,
    one: Vec<Asked>,
    twenty: Vec<Asked>,
    all: Vec<Asked>,
}

/// A field with what stands in brackets behind it.
pub type Asked = (FieldId, Argument<'static>);

/// How many fields are asked for; the names of the sets.
pub const FIELDS: [usize; 3] = [1, 20, 209];

pub static SETS: LazyLock<Sets> = LazyLock::new(Sets::read);

impl Sets {
    fn read() -> Sets {
        let shared = std::env::var_os("AUDIT_SHARED_DIR").map(|folder| PathBuf::from(folder).join("parity"));
        if let Some(parity) = shared.filter(|folder| folder.join("fields.txt").is_file()) {
            let asked = |name: &str| lines(&parity.join(name)).iter().map(|line| ask(line)).collect();
            return Sets {
                events: lines(&parity.join("synthetic.events.jsonl")),
                one: asked("one-field.txt"),
                twenty: asked("rules-fields.txt"),
                all: asked("fields.txt"),
            };
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audit");
        let sets = ["ordinary", "attack", "odd", "spelling"];
        let asked: Vec<Asked> = lines(&folder.join("requests.txt")).iter().map(|line| ask(line)).collect();
        let [one, twenty, all] = FIELDS.map(|count| {
            let step = (asked.len() / count).max(1);
            asked.iter().copied().step_by(step).take(count).collect()
        });
        let events = sets.iter().flat_map(|set| lines(&folder.join(format!("{set}.events.jsonl")))).collect();
        Sets { events, one, twenty, all }
    }

    pub fn asked(&self, fields: usize) -> &[Asked] {
        match fields {
            1 => &self.one,
            20 => &self.twenty,
            _ => &self.all,
        }
    }

    /// Bytes of all events.
    pub fn bytes(&self) -> usize {
        self.events.iter().map(String::len).sum()
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// `name` or `name[argument]`
fn ask(text: &str) -> Asked {
    let (name, argument) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']').expect(text))),
        None => (text, None),
    };
    let field = fields::find(name).unwrap_or_else(|| panic!("no field `{name}`"));
    let argument = match (field.spec().arg, argument) {
        (_, None) => Argument::None,
        (fields::ArgKind::Index, Some(index)) => Argument::Index(index.parse().expect("a number")),
        (_, Some(key)) => Argument::Key(key.to_owned().leak()),
    };
    (field, argument)
}
