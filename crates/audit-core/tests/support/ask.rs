//! What the tests of this crate share: asking for a field as a rule would, and the folders they read.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses its part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use audit_core::{Argument, FieldId, Index, ValueSink, extract, fields};
use serde_json::Value;

/// A field with what stands in brackets behind it.
#[derive(Clone, Debug)]
pub struct Request {
    pub text: String,
    pub name: String,
    pub field: FieldId,
    argument: Option<String>,
}

impl Request {
    /// `ka.uri.param[command]`
    pub fn parse(text: &str) -> Request {
        let (name, argument) = match text.split_once('[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']').expect(text).to_owned())),
            None => (text, None),
        };
        let field = fields::find(name).unwrap_or_else(|| panic!("no field `{name}`"));
        Request { text: text.to_owned(), name: name.to_owned(), field, argument }
    }

    pub fn argument(&self) -> Argument<'_> {
        match (self.field.spec().arg, &self.argument) {
            (_, None) => Argument::None,
            (fields::ArgKind::Index, Some(index)) => Argument::Index(index.parse().expect("a number")),
            (_, Some(key)) => Argument::Key(key),
        }
    }

    pub fn index(&self) -> Option<usize> {
        match self.argument() {
            Argument::Index(index) => usize::try_from(index).ok(),
            _ => None,
        }
    }
}

/// The values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer(pub Vec<String>);

impl Answer {
    /// As the parity sets and the fixtures write it: a string, an array of strings, or nothing.
    pub fn from_json(answer: Option<&Value>) -> Answer {
        match answer {
            None => Answer::default(),
            Some(Value::Array(values)) => {
                Answer::list(values.iter().map(|value| value.as_str().expect("a string")))
            }
            Some(value) => Answer::one(value.as_str().expect("a string")),
        }
    }

    pub fn of(values: Vec<Placed>) -> Answer {
        Answer(values.into_iter().map(|value| value.text).collect())
    }

    pub fn one(value: impl Into<String>) -> Answer {
        Answer(vec![value.into()])
    }

    pub fn list<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Answer {
        Answer(values.into_iter().map(Into::into).collect())
    }
}

/// A value, and where the payload has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub text: String,
    pub range: Option<Range<usize>>,
}

#[derive(Default)]
struct Collect(Vec<Placed>);

impl ValueSink for Collect {
    fn value(&mut self, text: &str, range: Option<Range<usize>>) {
        self.0.push(Placed { text: text.to_owned(), range });
    }
}

/// Asks an index that may have been asked before.
pub fn ask_index(index: &Index, payload: &[u8], request: &Request) -> Vec<Placed> {
    let mut values = Collect::default();
    extract(request.field, request.argument(), index.view(payload), &mut values);
    values.0
}

/// Asks a fresh index; what is no document has no values.
pub fn ask(payload: &[u8], request: &Request) -> Answer {
    let index = Index::parse(payload).unwrap_or_default();
    Answer::of(ask_index(&index, payload, request))
}

/// The shared folder, if the environment names one; otherwise says that `tier` is skipped.
pub fn shared_dir(tier: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("AUDIT_SHARED_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("test-tier skipped: {tier}: AUDIT_SHARED_DIR is not set");
    }
    folder
}

/// One fixture: an event, and all that the requests of `requests.txt` are answered.
pub struct Fixture {
    /// File and line.
    pub name: String,
    pub event: String,
    pub expected: Value,
}

/// The project's own fixtures, from `tests/fixtures/audit`.
pub struct Fixtures {
    pub requests: Vec<Request>,
    pub fixtures: Vec<Fixture>,
}

impl Fixtures {
    pub fn read() -> Fixtures {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audit");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
        let mut fixtures = Vec::new();
        for set in ["ordinary", "attack", "odd", "spelling"] {
            let (events, expected) =
                (read(&format!("{set}.events.jsonl")), read(&format!("{set}.expected.jsonl")));
            assert_eq!(events.lines().count(), expected.lines().count(), "{set}");
            for (number, (event, expected)) in events.lines().zip(expected.lines()).enumerate() {
                fixtures.push(Fixture {
                    name: format!("{set}.events.jsonl:{}", number + 1),
                    event: event.to_owned(),
                    expected: serde_json::from_str(expected).expect(expected),
                });
            }
        }
        Fixtures { requests: read("requests.txt").lines().map(Request::parse).collect(), fixtures }
    }
}
