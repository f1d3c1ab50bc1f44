//! An event cut off at every byte: what became of it, against what the whole event says.
//!
//! Where the parts of the whole event are is found by `serde_json`, not by the crate's own scanner.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/ask.rs"]
mod ask;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use ask::{Answer, Fixtures, Request, ask, ask_index, shared_dir};
use audit_core::envelope::cloudwatch::{self, Origin};
use audit_core::fields::path::Node;
use audit_core::fields::spec::{ContainerPart, Source};
use audit_core::{Index, Limits, SalvageReason};
use serde_json::Value;

/// Milliseconds; as the stage's time: `LOST_TIME`.
const ARRIVED: i64 = 1_770_000_000_123;
const LOST_TIME: &str = "2026-02-02T02:40:00.123000Z";

#[test]
fn every_fixture_cut_at_every_byte() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    let cuts: usize =
        fixtures.iter().map(|fixture| Whole::new(&fixture.event, &requests).cut_at_each(1)).sum();
    assert!(cuts > 30_000, "{cuts}");
}

#[test]
fn parity_sets_cut() {
    let Some(shared) = shared_dir("cuts of the parity sets") else { return };
    let (every, stride) = if exhaustive() { (1, 1) } else { (16, 97) };
    let folder = shared.join("parity");
    let requests = std::fs::read_to_string(folder.join("fields.txt")).unwrap();
    let requests: Vec<Request> = requests.lines().map(Request::parse).collect();
    let (mut events, mut cuts) = (0, 0);
    for set in ["apiserver-log", "falco-traces", "synthetic"] {
        for event in std::fs::read_to_string(folder.join(format!("{set}.events.jsonl")))
            .unwrap()
            .lines()
            .step_by(every)
        {
            events += 1;
            cuts += Whole::new(event, &requests).cut_at_each(stride);
        }
    }
    println!("cuts: {events} events cut at {cuts} places, every {stride}. byte");
    assert!(cuts > 500);
}

/// Whether the environment asks for each request at each cut, of the parity sets too: minutes, in release.
fn exhaustive() -> bool {
    static ASKED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("AUDIT_EXHAUSTIVE").is_some());
    *ASKED
}

/// The whole event, and what is known of it.
struct Whole<'a> {
    event: &'a str,
    questions: Vec<Question<'a>>,
    /// Where its `auditID` ends; `None` when it has none.
    identified: Option<usize>,
    stage_time: Option<Range<usize>>,
}

/// A request, with the whole event's answer.
struct Question<'a> {
    request: &'a Request,
    answer: Answer,
    /// Where the last part of the event ends that the answer rests on.
    settled: usize,
    /// Of a list: its elements, each with its values.
    elements: Vec<Element>,
}

struct Element {
    settled: usize,
    values: Vec<String>,
}

impl<'a> Whole<'a> {
    fn new(event: &'a str, requests: &'a [Request]) -> Whole<'a> {
        let mut places = Places::new(event);
        let identified = places.locate("/auditID").map(|at| settled(event, &at));
        let stage_time = places.locate("/stageTimestamp");
        let questions = requests.iter().map(|request| Question::new(&mut places, request)).collect();
        Whole { event, questions, identified, stage_time }
    }

    /// Cuts behind every `stride`th byte that follows the `auditID`; returns how often.
    fn cut_at_each(&self, stride: usize) -> usize {
        let Some(identified) = self.identified else { return 0 };
        let cuts = (identified..self.event.len()).step_by(stride);
        cuts.map(|cut| self.cut_at(cut)).count()
    }

    fn cut_at(&self, cut: usize) {
        let mut message = self.event.as_bytes()[..cut].to_vec();
        // Both kinds of cut, one after the other.
        if cut.is_multiple_of(2) {
            message.extend(b"[Truncated...]");
        }
        let origin = Origin { cluster: Some("prod".to_owned()), ..Origin::default() };
        let outcome = cloudwatch::split(message.into(), ARRIVED, &origin, &Limits::default());
        let context = || format!("cut at {cut}: {}", &String::from_utf8_lossy(&self.event.as_bytes()[..cut]));
        assert_eq!(outcome.rejected, [], "{}", context());
        assert_eq!(outcome.events.len(), 1, "{}", context());
        let event = &outcome.events[0];
        assert_eq!(event.salvaged, Some(SalvageReason::Truncated), "{}", context());

        let value: Value =
            serde_json::from_slice(&event.payload).unwrap_or_else(|error| panic!("{error}, {}", context()));
        assert_eq!(value["annotations"]["k8saudit/truncated"], "true", "{}", context());
        match self.stage_time.clone().filter(|at| at.end <= cut) {
            Some(kept) => assert_eq!(value["stageTimestamp"].to_string(), &self.event[kept], "{}", context()),
            None => {
                assert_eq!(value["stageTimestamp"], LOST_TIME, "{}", context());
                assert_eq!(event.timestamp.to_string(), LOST_TIME, "{}", context());
            }
        }
        let index = Index::parse(&event.payload).unwrap();
        for (number, question) in self.questions.iter().enumerate() {
            if !exhaustive() && !question.is_due(cut + number, cut) {
                continue;
            }
            // The origin is known now, and was not before.
            if matches!(question.request.field.spec().source, Source::At(Node::ClusterName)) {
                continue;
            }
            question.check(cut, Answer::of(ask_index(&index, &event.payload, question.request)), context);
        }
    }
}

impl<'a> Question<'a> {
    fn new(places: &mut Places<'_>, request: &'a Request) -> Question<'a> {
        let event = places.event;
        let (parts, list) = rests_on(request);
        let settled = parts.iter().filter_map(|part| places.locate(part)).map(|at| settled(event, &at)).max();
        let elements = list.map(|list| elements(places, request, &list)).unwrap_or_default();
        Question {
            request,
            answer: ask(event.as_bytes(), request),
            settled: settled.unwrap_or_default(),
            elements,
        }
    }

    /// Whether to ask, when not everything is asked at each cut: near to where the answer, or a part of it,
    /// gets settled, and now and then.
    fn is_due(&self, turn: usize, cut: usize) -> bool {
        let near = |settled: usize| cut.abs_diff(settled) <= 2;
        let answered = !self.answer.0.is_empty();
        turn.is_multiple_of(64)
            || answered && (near(self.settled) || self.elements.iter().any(|element| near(element.settled)))
    }

    fn check(&self, cut: usize, ours: Answer, context: impl Fn() -> String) {
        if self.settled <= cut {
            assert_eq!(ours, self.answer, "{}, {}", self.request.text, context());
            return;
        }
        let complete = self.elements.iter().take_while(|element| element.settled <= cut);
        let complete: Vec<_> = complete.flat_map(|element| element.values.clone()).collect();
        assert!(
            ours.0.starts_with(&complete),
            "{}: {:?} lacks some of {complete:?}, {}",
            self.request.text,
            ours.0,
            context()
        );
    }
}

/// The places that a request's answer rests on, and the array whose elements each give some of its values.
fn rests_on(request: &Request) -> (Vec<String>, Option<String>) {
    let one = |node: Node| (vec![node.to_string()], None);
    let list = |node: Node| (vec![node.to_string()], Some(node.to_string()));
    match request.field.spec().source {
        Source::At(node) => one(node),
        Source::Elements(node) => list(node),
        Source::TextOrElement(node) if request.index().is_some() => list(node),
        Source::TextOrElement(node) => one(node),
        Source::Constant(_) => one(Node::AuditId),
        Source::UriParam => one(Node::RequestUri),
        Source::TargetPodName => (vec![Node::ObjectRef.to_string(), Node::ResponseObject.to_string()], None),
        Source::Subjects(_) => list(Node::Subjects),
        Source::Rules(_) => list(Node::Rules),
        Source::Containers(containers, ContainerPart::Effective(_, of_pod)) => {
            // Without the pod's own setting a container's is no final answer.
            (vec![containers.node().to_string(), of_pod.parent().to_string()], None)
        }
        Source::Containers(containers, _) => list(containers.node()),
        Source::FirstContainer(_) | Source::AnyPrivileged => one(Node::Containers),
        Source::Volumes(_) => list(Node::Volumes),
        Source::MountsHostPath => one(Node::Volumes),
    }
}

/// What each element of an array gives: the answer to the request when the array holds it alone.
fn elements(places: &mut Places<'_>, request: &Request, list: &str) -> Vec<Element> {
    let event = places.event;
    let Some(array) = places.locate(list) else { return Vec::new() };
    let all = places.children(list, &array).to_vec();
    let unindexed = Request::parse(&request.name);
    let of_element = |(number, (_, at)): (usize, &(String, Range<usize>))| {
        let values = match request.field.spec().source {
            _ if request.index().is_some_and(|index| index != number) => Vec::new(),
            Source::TextOrElement(_) => vec![event[at.clone()].split_whitespace().collect()],
            _ => {
                let alone =
                    format!("{}[{}]{}", &event[..array.start], &event[at.clone()], &event[array.end..]);
                ask(alone.as_bytes(), &unindexed).0
            }
        };
        Element { settled: settled(event, at), values }
    };
    all.iter().enumerate().map(of_element).collect()
}

/// Behind which byte a value is known to be complete: a number may go on until something else follows.
fn settled(event: &str, at: &Range<usize>) -> usize {
    at.end + usize::from(!event[..at.end].ends_with(['"', '}', ']']))
}

/// Where the parts of an event are.
struct Places<'a> {
    event: &'a str,
    /// Of each object or array that was looked into, by its JSON pointer.
    known: HashMap<String, Vec<(String, Range<usize>)>>,
}

impl<'a> Places<'a> {
    fn new(event: &'a str) -> Places<'a> {
        Places { event, known: HashMap::new() }
    }

    /// Where the value at a JSON pointer is; of members of one name, the first.
    fn locate(&mut self, pointer: &str) -> Option<Range<usize>> {
        let Some((parent, name)) = pointer.rsplit_once('/') else { return Some(value_at(self.event, 0)) };
        let name = name.replace("~1", "/").replace("~0", "~");
        let at = self.locate(parent)?;
        let children = self.children(parent, &at);
        children.iter().find(|(key, _)| *key == name).map(|(_, child)| child.clone())
    }

    /// The members or elements of the value at a JSON pointer, which is at `at`.
    fn children(&mut self, pointer: &str, at: &Range<usize>) -> &[(String, Range<usize>)] {
        self.known.entry(pointer.to_owned()).or_insert_with(|| children(self.event, at))
    }
}

fn children(event: &str, parent: &Range<usize>) -> Vec<(String, Range<usize>)> {
    let mut children = Vec::new();
    let object = event[parent.clone()].starts_with('{');
    if !object && !event[parent.clone()].starts_with('[') {
        return children;
    }
    let mut at = parent.start + 1;
    while !event[at..parent.end].trim_start().starts_with(['}', ']']) {
        let mut key = children.len().to_string();
        if object {
            let quoted = value_at(event, at);
            key = serde_json::from_str(&event[quoted.clone()]).unwrap();
            at = quoted.end + event[quoted.end..].find(':').unwrap() + 1;
        }
        let child = value_at(event, at);
        at = child.end;
        at += event[at..].find([',', '}', ']']).unwrap();
        at += usize::from(event[at..].starts_with(','));
        children.push((key, child));
    }
    children
}

/// The value that begins behind the space at `at`.
fn value_at(event: &str, at: usize) -> Range<usize> {
    let start = event.len() - event[at..].trim_start().len();
    let mut values = serde_json::Deserializer::from_str(&event[start..]).into_iter::<serde::de::IgnoredAny>();
    values.next().unwrap().unwrap();
    start..start + values.byte_offset()
}

#[test]
fn the_locator_finds_what_is_there() {
    let event = r#"{"a": [1, {"b\/c":"}"}] , "d":{"e":20}}"#;
    let mut places = Places::new(event);
    let mut find = |pointer| places.locate(pointer).map(|at| &event[at]);
    assert_eq!(find("/a/0"), Some("1"));
    assert_eq!(find("/a/1/b~1c"), Some(r#""}""#));
    assert_eq!(find("/d/e"), Some("20"));
    assert_eq!(find("/d/f"), None);
    assert_eq!(find("/a/2"), None);
    assert_eq!(settled(event, &Places::new(event).locate("/d/e").unwrap()), event.find("20").unwrap() + 3);
}
