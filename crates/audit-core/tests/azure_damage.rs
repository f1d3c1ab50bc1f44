//! A body cut off at every byte, and damaged at every byte of its middle record: what became of the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/ask.rs"]
mod ask;
#[path = "support/hub.rs"]
mod hub;

use std::ops::Range;

use audit_core::envelope::azure::Outcome;
use audit_core::{AuditEvent, SalvageReason};
use hub::{body, quoted, record, record_of, split};
use serde_json::Value;

/// A name, and how a record with an event is written.
type Shape = (&'static str, fn(&str) -> String);

/// How a record may carry its event.
const SHAPES: [Shape; 5] = [
    ("a string", record),
    ("an object", record_of),
    ("properties as a string", |event| properties_as_string(&record(event))),
    ("an object in properties as a string", |event| properties_as_string(&record_of(event))),
    ("properties first", |event| {
        let properties = format!(r#""properties":{{"pod":"p","log":{}}}"#, quoted(event));
        format!(
            r#"{{{properties},"time":"2026-03-14T09:00:00Z","category":"kube-audit","resourceId":"/A/B"}}"#
        )
    }),
];

fn properties_as_string(record: &str) -> String {
    let start = record.find(r#"{"log""#).unwrap();
    let end = record.find(r#", "time""#).unwrap();
    format!("{}{}{}", &record[..start], quoted(&record[start..end]), &record[end..])
}

/// Events that differ in all that a cut can meet: escapes, characters of several bytes, depth.
fn events() -> Vec<String> {
    let of_fixtures = ask::Fixtures::read().fixtures;
    let odd = r#"{"kind":"Event","auditID":"odd-1","stage":"Panic","user":{"username":"\u00e9\"\\日🚀\ud83d\ude80","groups":["a",["b",{}]]},"code":200,"x":null}"#;
    let identified =
        of_fixtures.iter().map(|fixture| &fixture.event).filter(|event| event.contains("auditID"));
    let shortest = identified.min_by_key(|event| event.len()).unwrap();
    vec![odd.to_owned(), shortest.clone(), of_fixtures[0].event.clone()]
}

/// Whether it is what the host may get; and its value.
fn json(event: &AuditEvent, context: impl Fn() -> String) -> Value {
    serde_json::from_slice(&event.payload).unwrap_or_else(|error| panic!("{error}, {}", context()))
}

/// Where each record lies in the body of these records.
fn places(records: &[String]) -> Vec<Range<usize>> {
    let mut at = body(&[]).len() - 2;
    let place = |record: &String| {
        let start = at;
        at += record.len() + 1;
        start..start + record.len()
    };
    records.iter().map(place).collect()
}

#[test]
fn a_body_cut_at_every_byte() {
    let mut cuts = 0;
    for (shape, record_of) in SHAPES {
        let records: Vec<String> = events().iter().map(|event| record_of(event)).collect();
        let places = places(&records);
        let body = body(&records);
        let whole = split(&body);
        assert_eq!(whole.split.events.len(), records.len(), "{shape}");
        assert!(
            whole.split.rejected.is_empty()
                && whole.split.events.iter().all(|event| event.salvaged.is_none())
        );
        for cut in 0..body.len() {
            cuts += 1;
            // Each kind of filler behind a third of the cuts.
            let filler = [&b""[..], b"\0\0", b"\r\n"][cut % 3];
            let outcome = split([&body.as_bytes()[..cut], filler].concat());
            check_cut(&whole, &outcome, &body, &places, cut, shape);
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

fn check_cut(
    whole: &Outcome,
    outcome: &Outcome,
    body: &str,
    places: &[Range<usize>],
    cut: usize,
    shape: &str,
) {
    let context = || format!("{shape}, cut at {cut}: {}", String::from_utf8_lossy(&body.as_bytes()[..cut]));
    let complete = places.iter().filter(|place| place.end <= cut).count();
    let (before, rest) = outcome.split.events.split_at(complete);
    assert_eq!(before, &whole.split.events[..complete], "{}", context());
    assert!(rest.len() <= 1, "{}", context());
    assert!(outcome.split.rejected.len() <= 1, "{}", context());
    let begun = places.get(complete).filter(|place| place.start < cut);
    assert_eq!(
        outcome.records,
        complete + usize::from(begun.is_some() || cut < places[0].start && cut > 0),
        "{}",
        context()
    );

    // The event that was cut is there as soon as its identity was.
    let identified = begun.and_then(|place| {
        let id = body[place.clone()].find("auditID").unwrap();
        let value = place.start + id + body[place.start + id..].find(':').unwrap() + 1;
        let comma = body[value..].find(',').unwrap() + value;
        Some(comma).filter(|&comma| comma < cut)
    });
    if identified.is_some() {
        assert_eq!(rest.len(), 1, "{}", context());
    }
    let Some(event) = rest.first() else { return };
    assert_eq!(outcome.split.rejected, [], "{}", context());
    let (cut_off, intact) = (json(event, context), json(&whole.split.events[complete], context));
    if event.salvaged.is_some() {
        assert_eq!(event.salvaged, Some(SalvageReason::Truncated), "{}", context());
        assert_eq!(cut_off["annotations"]["k8saudit/truncated"], "true", "{}", context());
    }
    if event.identity().is_some() {
        assert_eq!(event.identity(), whole.split.events[complete].identity(), "{}", context());
    }
    // What is there is exact; a list keeps its first elements.
    for (key, value) in cut_off.as_object().unwrap() {
        if key != "annotations" && key != "stageTimestamp" {
            assert!(is_part(value, &intact[key]), "{key}: {value}, {}", context());
        }
    }
}

/// Whether `part` is what is left of `whole` after a cut.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| is_part(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() <= whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        _ => part == whole,
    }
}

#[test]
fn a_record_damaged_at_every_byte() {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let bytes = if std::env::var_os("AUDIT_EXHAUSTIVE").is_some() { &every_byte[..] } else { b"'\n\"{\\}[," };
    for (shape, record_of) in SHAPES {
        let mut events = events();
        events.truncate(2);
        events.insert(1, r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"mid-1","stage":"Panic","requestURI":"/a?b='c', {d}","user":{"username":"it's","groups":[]},"code":200}"#.to_owned());
        let records: Vec<String> = events.iter().map(|event| record_of(event)).collect();
        let body = body(&records);
        let whole = split(&body).split.events;
        assert_eq!(whole.len(), 3, "{shape}");
        let middle = places(&records)[1].clone();
        // What tells that there is an event: the record's category and its `log`, up to the event's identity.
        let record = &body[middle.clone()];
        let find = |text: &str| middle.start + record.find(text).unwrap();
        let telling = [
            find("category") - 1..find("kube-audit\"") + "kube-audit\"".len(),
            find("properties") - 1..find("mid-1") + "mid-1\\\\\\\"".len(),
        ];
        let (mut damages, mut lost) = (0, 0);
        // With the commas before and behind it.
        for at in middle.start - 1..=middle.end {
            for &byte in bytes {
                let mut damaged = body.clone().into_bytes();
                if std::mem::replace(&mut damaged[at], byte) == byte {
                    continue;
                }
                damages += 1;
                let outcome = split(&damaged);
                let context = || {
                    format!("{shape}, {:?} at {at}: {}", char::from(byte), String::from_utf8_lossy(&damaged))
                };
                let found = &outcome.split.events;
                assert_eq!(found.first(), whole.first(), "{}", context());
                assert_eq!(found.last(), whole.last(), "{}", context());
                assert!((2..=3).contains(&found.len()), "{}", context());
                assert!((2..=4).contains(&outcome.records), "{}", context());
                if let [_, event, _] = found.as_slice() {
                    json(event, context);
                } else {
                    assert!(telling.iter().any(|telling| telling.contains(&at)), "{}", context());
                    lost += 1;
                    let told = outcome.skipped
                        + outcome.split.rejected.iter().map(|rejected| rejected.count).sum::<usize>();
                    assert!(told > 0, "{}", context());
                }
            }
        }
        println!("{shape}: {lost} of {damages} damages cost the middle record's event");
    }
}
