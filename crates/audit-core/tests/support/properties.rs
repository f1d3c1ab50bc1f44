//! What must hold for any bytes: the checks of the fuzz targets, and of the test that replays their seeds.
#![allow(clippy::expect_used, clippy::panic, unreachable_pub, reason = "a check that fails panics")]

use std::ops::Range;

use audit_core::envelope::{self, azure, cloudwatch};
use audit_core::fields::path::Node;
use audit_core::fields::spec::Source;
use audit_core::limits::MAX_DEPTH;
use audit_core::{
    Argument, AuditEvent, FieldId, Index, Limits, Pointer, RejectedKind, SalvageReason, SplitOutcome,
    UnixNanos, ValueSink, extract, extract_at,
};
use bytes::Bytes;

const ARRIVED: UnixNanos = UnixNanos(1_770_000_000_123_000_000);

/// Any payload, in any envelope.
pub fn check_split(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    let limits = Limits { max_event_size: 16 << 10 };
    check_outcome(&envelope::split(&payload, ARRIVED, &limits), limits);
    let origin = cloudwatch::Origin {
        cluster: Some("prod \"eu\"".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: None,
    };
    let outcome = cloudwatch::split(payload, 1_770_000_000_123, &origin, &limits);
    check_outcome(&outcome, limits);
    for event in &outcome.events {
        assert!(contains(&event.payload, b"cluster_name") || contains(&event.payload, b"\\u"), "no origin");
    }
}

/// Two bytes that choose a cut, one that chooses a limit, and what may be an event.
pub fn check_salvage(data: &[u8]) {
    let Some((&[low, high, size], event)) = data.split_first_chunk() else { return };
    let limits = Limits { max_event_size: Limits::MIN_EVENT_SIZE + usize::from(size) * 32 };
    let payload = Bytes::copy_from_slice(event);
    check_outcome(&envelope::split(&payload, ARRIVED, &limits), limits);

    let roomy = Limits { max_event_size: usize::MAX };
    let whole = envelope::split(&payload, ARRIVED, &roomy);
    check_outcome(&whole, roomy);
    let [intact] = whole.events.as_slice() else { return };
    if intact.payload != payload || intact.salvaged.is_some() {
        return;
    }
    // One event in, one event out, wherever it was cut, once it is known what it is.
    let cut = usize::from(u16::from_le_bytes([low, high])) % (payload.len() + 1);
    let outcome = envelope::split(&payload.slice(..cut), ARRIVED, &roomy);
    check_outcome(&outcome, roomy);
    let identified = audit_id(&payload).is_some_and(|at| at.end + 1 < cut);
    if identified {
        assert_eq!(outcome.events.len(), 1, "lost at {cut}");
        assert_eq!(outcome.rejected, []);
    }
    if let [event] = outcome.events.as_slice() {
        let expected = if cut == payload.len() { None } else { Some(SalvageReason::Truncated) };
        assert_eq!(event.salvaged, expected, "cut at {cut}");
    }
}

/// Any body of a message; and two bytes that choose a place in the middle one of three records, one that takes
/// its place there, and what that record's log holds.
pub fn check_azure(data: &[u8]) {
    let limits = Limits { max_event_size: 16 << 10 };
    let options = azure::Options { cluster: Some("prod \"eu\"".to_owned()), ..azure::Options::default() };
    let split = |body: Vec<u8>| {
        let outcome = azure::split(&Bytes::from(body), ARRIVED, &options, &limits);
        check_outcome(&outcome.split, limits);
        assert!(outcome.skipped <= outcome.records, "more skipped than seen");
        outcome
    };
    split(data.to_vec());

    let Some((&[low, high, byte], log)) = data.split_first_chunk() else { return };
    let log = String::from_utf8_lossy(log);
    let record = |log: &str| {
        let log = serde_json::to_string(log).expect("a string is JSON");
        format!(
            r#"{{"category":"kube-audit","resourceId":"/A/B","properties":{{"log":{log},"pod":"p"}},"time":"2026-03-14T09:00:00Z"}}"#
        )
    };
    let neighbour = |id: &str| record(&format!(r#"{{"auditID":"{id}","stage":"Panic"}}"#));
    let middle = record(&log);
    let before = format!(r#"{{"records":[{},"#, neighbour("first"));
    let body = format!("{before}{middle},{}]}}", neighbour("last")).into_bytes();
    let whole = split(body.clone()).split.events;
    let alone = envelope::split(&Bytes::from(log.into_owned()), ARRIVED, &limits);
    assert!(whole.len() >= alone.events.len() + 2, "an event was lost");

    let mut damaged = body.clone();
    let at = usize::from(u16::from_le_bytes([low, high])) % middle.len();
    if let Some(place) = damaged.get_mut(before.len() + at) {
        *place = byte;
    }
    let events = split(damaged).split.events;
    assert_eq!(events.first(), whole.first(), "the first record paid for the middle one");
    assert_eq!(events.last(), whole.last(), "the last record paid for the middle one");
    let cut = body.get(..before.len() + at).unwrap_or_default().to_vec();
    assert_eq!(split(cut).split.events.first(), whole.first());
}

/// Any bytes, as an event of the host, and as what somebody says of its places.
pub fn check_extract(data: &[u8]) {
    let mut lied_to = Index::default();
    let (numbers, _) = data.as_chunks();
    let mut places: Vec<u64> = numbers.iter().map(|number| u64::from_le_bytes(*number)).collect();
    if let [of, present, _, slots @ ..] = places.as_mut_slice() {
        // What else it takes to be believed.
        (*of, *present) = (data.len() as u64, u64::MAX >> 64u32.saturating_sub(slots.len() as u32).min(63));
        if lied_to.restore(&places, data.len()) {
            for answer in answers(&lied_to, data, FieldId::all()) {
                let is_within = answer.range.is_none_or(|range| data.get(range).is_some());
                assert!(is_within, "a range outside of {} bytes", data.len());
            }
        }
    }
    let Ok(index) = Index::parse(data) else {
        let index = Index::default();
        assert_eq!(answers(&index, data, FieldId::all()), []);
        return;
    };
    let forward = answers(&index, data, FieldId::all());
    let fields: Vec<_> = FieldId::all().collect();
    let mut backward = answers(&Index::parse(data).unwrap_or_default(), data, fields.into_iter().rev());
    backward.sort_by_key(|answer| answer.field.number());
    assert_eq!(forward, backward, "answers depend on their order");
    for answer in &forward {
        if let Some(range) = &answer.range {
            assert!(data.get(range.clone()).is_some(), "{range:?} lies outside of {} bytes", data.len());
        }
    }
}

/// A JSON pointer up to the first line feed, and any bytes behind it.
pub fn check_pointer(data: &[u8]) {
    let (pointer, document) = match data.iter().position(|&byte| byte == b'\n') {
        Some(at) => (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default()),
        None => (data, &b""[..]),
    };
    let pointer = Pointer::parse(&String::from_utf8_lossy(pointer));
    let whole = Pointer::parse("");
    let mut index = Index::default();
    let readable = index.rebuild_strictly(document).is_ok();
    let other = serde_json::from_slice::<serde::de::IgnoredAny>(document).is_ok();
    let composed = matches!(document.trim_ascii_start().first(), Some(b'{' | b'['));
    let brackets = document.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    assert!(readable || !(other && composed), "JSON was refused");
    assert!(!readable || other || brackets > MAX_DEPTH, "what is no JSON was taken for it");

    let found = at(&index, document, &pointer);
    let [text] = at(&index, document, &whole).try_into().unwrap_or_default();
    let indented = index.view(document).indented();
    assert_eq!(indented.is_some(), readable);
    if !readable {
        assert_eq!((found.len(), text), (0, String::new()), "a value of nothing");
        return;
    }
    assert!(found.len() <= 1, "several values at one place");
    assert_eq!(found, at(&index, document, &pointer), "the second answer is another one");
    let mut lax = Index::default();
    if lax.rebuild(document).is_ok() {
        assert_eq!(found, at(&lax, document, &pointer), "two indexes, two answers");
    }
    // Written in another way, it says the same; but for what is not UTF-8, whose keys may become one.
    let indented = indented.unwrap_or_default();
    for written in [text.as_str(), &indented] {
        let mut again = Index::default();
        again.rebuild_strictly(written.as_bytes()).expect("the whole document is one");
        if std::str::from_utf8(document).is_ok() {
            assert_eq!(found, at(&again, written.as_bytes(), &pointer));
        }
        assert_eq!(at(&again, written.as_bytes(), &whole), [text.as_str()]);
        assert_eq!(
            again.view(written.as_bytes()).indented().as_deref(),
            Some(if written == text { indented.trim_end() } else { &indented })
        );
    }
}

fn at(index: &Index, document: &[u8], pointer: &Pointer) -> Vec<String> {
    struct Texts<'d>(&'d [u8], Vec<String>);
    impl ValueSink for Texts<'_> {
        fn value(&mut self, text: &str, range: Option<Range<usize>>) {
            let range = range.expect("a copied value has a place");
            assert!(self.0.get(range.clone()).is_some(), "{range:?} lies outside of {} bytes", self.0.len());
            self.1.push(text.to_owned());
        }
    }
    let mut texts = Texts(document, Vec::new());
    extract_at(pointer, index.view(document), &mut texts);
    texts.1
}

fn check_outcome(outcome: &SplitOutcome, limits: Limits) {
    assert!(outcome.rejected.len() <= RejectedKind::ALL.len());
    for event in &outcome.events {
        check_event(event, limits);
    }
}

fn check_event(event: &AuditEvent, limits: Limits) {
    let text = std::str::from_utf8(&event.payload).expect("an event is UTF-8");
    assert!(text.starts_with('{') && text.ends_with('}'));
    serde_json::from_str::<serde::de::IgnoredAny>(text).expect("an event is JSON");
    assert!(text.len() <= limits.event_size(), "{} > {}", text.len(), limits.event_size());
    let parsed = Index::parse(&event.payload).expect("an event has an index");
    let mut restored = Index::default();
    assert!(restored.restore(event.places.as_ref(), event.payload.len()), "places of another event");
    let answers = |index| answers(index, &event.payload, FieldId::all());
    assert_eq!(answers(&restored), answers(&parsed), "the places say something else");
    if event.salvaged.is_some_and(|reason| reason > SalvageReason::InvalidUtf8) {
        assert!(text.contains("truncated"), "salvaged, and does not say so");
    }
    // What came out goes in again as it is.
    let again = envelope::split(&event.payload, ARRIVED, &limits);
    assert_eq!(again.rejected, []);
    let [same] = again.events.as_slice() else { panic!("{} events in one", again.events.len()) };
    assert_eq!(same.payload, event.payload);
    assert_eq!(same.salvaged, None);
}

#[derive(Debug, PartialEq)]
struct Given {
    field: FieldId,
    text: String,
    range: Option<Range<usize>>,
}

struct Collect {
    field: FieldId,
    given: Vec<Given>,
}

impl ValueSink for Collect {
    fn value(&mut self, text: &str, range: Option<Range<usize>>) {
        self.given.push(Given { field: self.field, text: text.to_owned(), range });
    }
}

fn answers(index: &Index, data: &[u8], fields: impl Iterator<Item = FieldId>) -> Vec<Given> {
    let arguments = [
        Argument::None,
        Argument::Index(0),
        Argument::Index(1),
        Argument::Index(u64::MAX),
        Argument::Key(""),
        Argument::Key("command"),
        Argument::Key("/etc*"),
    ];
    let mut all = Vec::new();
    for field in fields {
        let mut collect = Collect { field, given: Vec::new() };
        for argument in arguments {
            extract(field, argument, index.view(data), &mut collect);
        }
        all.append(&mut collect.given);
    }
    all
}

fn audit_id(event: &[u8]) -> Option<Range<usize>> {
    let field = FieldId::all().find(|field| matches!(field.spec().source, Source::At(Node::AuditId)))?;
    let index = Index::parse(event).ok()?;
    let mut collect = Collect { field, given: Vec::new() };
    extract(field, Argument::None, index.view(event), &mut collect);
    collect.given.pop()?.range
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
