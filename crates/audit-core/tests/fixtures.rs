//! The project's own fixtures: every field and every deviation from the reference, without the shared folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/ask.rs"]
mod ask;

use std::collections::HashSet;

use ask::{Answer, Fixtures, Request, ask, ask_index};
use audit_core::{Argument, FieldId, Index, Limits, UnixNanos, envelope, fields};

#[test]
fn every_request_is_answered_as_written() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    for fixture in &fixtures {
        let index = Index::parse(fixture.event.as_bytes()).unwrap();
        for request in &requests {
            let ours = Answer::of(ask_index(&index, fixture.event.as_bytes(), request));
            let expected = Answer::from_json(fixture.expected.get(&request.text));
            assert_eq!(ours, expected, "{}, {}", fixture.name, request.text);
        }
        for name in fixture.expected.as_object().unwrap().keys() {
            assert!(
                requests.iter().any(|request| request.text == *name),
                "{}: nobody asks {name}",
                fixture.name
            );
        }
    }
}

#[test]
fn every_field_has_a_value_somewhere() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    let answered: HashSet<FieldId> = requests
        .iter()
        .filter(|request| fixtures.iter().any(|fixture| fixture.expected.get(&request.text).is_some()))
        .map(|request| request.field)
        .collect();
    for field in FieldId::all() {
        assert!(answered.contains(&field), "no fixture has a value for {}", field.spec().name);
    }
}

#[test]
fn answers_do_not_depend_on_what_was_asked_before() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    for fixture in &fixtures {
        let event = fixture.event.as_bytes();
        let index = Index::parse(event).unwrap();
        for request in requests.iter().rev() {
            let asked_late = Answer::of(ask_index(&index, event, request));
            assert_eq!(asked_late, ask(event, request), "{}, {}", fixture.name, request.text);
        }
    }
}

#[test]
fn one_index_serves_event_after_event() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    let mut index = Index::default();
    for fixture in fixtures.iter().chain(fixtures.iter().rev()) {
        index.rebuild(fixture.event.as_bytes()).unwrap();
        for request in &requests {
            let ours = Answer::of(ask_index(&index, fixture.event.as_bytes(), request));
            assert_eq!(ours, Answer::from_json(fixture.expected.get(&request.text)), "{}", fixture.name);
        }
    }
}

#[test]
fn a_place_is_told_of_every_value_that_is_a_copy() {
    let Fixtures { requests, fixtures } = Fixtures::read();
    let mut told = 0;
    for fixture in &fixtures {
        let index = Index::parse(fixture.event.as_bytes()).unwrap();
        for request in &requests {
            for value in ask_index(&index, fixture.event.as_bytes(), request) {
                let Some(range) = value.range else { continue };
                let raw = &fixture.event[range];
                let without_space = raw.replace([' ', '\t'], "");
                assert!(
                    raw == value.text || raw.contains('\\') || without_space == value.text.replace(' ', ""),
                    "{}, {}: {raw} is not {}",
                    fixture.name,
                    request.text,
                    value.text
                );
                told += 1;
            }
        }
    }
    assert!(told > 100);
}

#[track_caller]
fn check_range(event: &str, request: &str, expect: Option<&str>) {
    let index = Index::parse(event.as_bytes()).unwrap();
    let values = ask_index(&index, event.as_bytes(), &Request::parse(request));
    assert_eq!(values.len(), 1, "{request}");
    assert_eq!(values[0].range.clone().map(|range| &event[range]), expect, "{request}");
}

#[test]
fn ranges_are_those_of_plain_paths() {
    let event = r#"{"auditID":"1","user":{"username":"a\"b","groups":["g"]},"responseStatus":{"code":200},
        "sourceIPs":["10.0.0.1","10.0.0.2"],"requestURI":"/?a=1","requestObject":{"data":{"k": 1},
        "spec":{"containers":[{"image":"i"}],"ports":[{"port": 1}]}}}"#;
    check_range(event, "ka.auditid", Some("1"));
    check_range(event, "ka.user.name", Some(r#"a\"b"#));
    check_range(event, "ka.user.groups", Some("g"));
    check_range(event, "ka.response.code", Some("200"));
    check_range(event, "ka.sourceips[1]", Some("10.0.0.2"));
    check_range(event, "ka.req.configmap.obj", Some(r#"{"k": 1}"#));
    check_range(event, "ka.req.service.ports[0]", Some(r#"{"port": 1}"#));
    check_range(event, "ka.uri.param[a]", None);
    check_range(event, "ka.req.container.image", None);
    check_range(event, "ka.req.container.privileged", None);
    check_range(event, "ka.req.binding.subject.has_name[x]", None);
}

#[track_caller]
fn check_value(event: &str, request: &str, expect: &[&str]) {
    assert_eq!(ask(event.as_bytes(), &Request::parse(request)).0, expect, "{event} {request}");
}

#[test]
fn a_broken_document_gives_what_can_be_read_or_nothing() {
    check_value(r#"{"auditID":"1","verb":"get""#, "ka.verb", &[]);
    check_value(r#"{"auditID":"1","verb":"get"} x"#, "ka.verb", &[]);
    check_value(r#"["auditID"]"#, "ka.auditid", &[]);
    check_value("", "ka.auditid", &[]);
    check_value(r#"{"auditID":"1","user":{"username":"a","groups":["b" "c"]}}"#, "ka.user.groups", &["b"]);
    check_value(r#"{"auditID":"1","user":{"username":"a","groups"}}"#, "ka.user.name", &["a"]);
    check_value(" {\"auditID\":\"1\"}\n", "ka.auditid", &["1"]);
}

#[test]
fn no_audit_id_no_value() {
    check_value(r#"{"verb":"get"}"#, "ka.verb", &[]);
    check_value(r#"{"verb":"get"}"#, "ka.req.binding.subject.has_name[x]", &[]);
    check_value(r#"{"auditID":null,"verb":"get"}"#, "ka.verb", &["get"]);
}

#[test]
fn the_first_of_two_members_counts() {
    check_value(r#"{"auditID":"1","verb":"get","verb":"list"}"#, "ka.verb", &["get"]);
    check_value(r#"{"auditID":"1","user":{"username":"a"},"user":{"username":"b"}}"#, "ka.user.name", &["a"]);
}

#[test]
fn what_is_no_escape_is_kept() {
    check_value(r#"{"auditID":"1","verb":"\ud83d lone"}"#, "ka.verb", &["\\ud83d lone"]);
    check_value(r#"{"auditID":"1","verb":"\ud83d\u0041"}"#, "ka.verb", &["\\ud83dA"]);
    check_value(r#"{"auditID":"1","verb":"\ude80\ud83d\ude80"}"#, "ka.verb", &["\\ude80🚀"]);
    check_value(r#"{"auditID":"1","verb":"\x\u12\uzzzz"}"#, "ka.verb", &["\\x\\u12\\uzzzz"]);
}

#[test]
fn nul_is_handed_on() {
    check_value(r#"{"auditID":"1","verb":"a\u0000b"}"#, "ka.verb", &["a\0b"]);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let event = b"{\"auditID\":\"1\",\"verb\":\"a\xffb\",\"user\":{\"username\":\"\\n\xc3\"}}";
    assert_eq!(ask(event, &Request::parse("ka.verb")).0, ["a\u{fffd}b"]);
    assert_eq!(ask(event, &Request::parse("ka.user.name")).0, ["\n\u{fffd}"]);
}

#[test]
fn a_foreign_payload_is_safe() {
    let index = Index::parse(br#"{"auditID":"1","verb":"get","user":{"username":"a"}}"#).unwrap();
    for payload in [&b""[..], b"{}", &[b'"'; 52], &[0xff; 52], &[b'{'; 52]] {
        for field in FieldId::all() {
            for argument in [Argument::None, Argument::Index(0), Argument::Key("a")] {
                audit_core::extract(field, argument, index.view(payload), &mut Nowhere);
            }
        }
    }
}

#[test]
fn a_payload_of_another_length_has_no_values() {
    let index = Index::parse(br#"{"auditID":"1","verb":"get"}"#).unwrap();
    let verb = Request::parse("ka.verb");
    assert_eq!(ask_index(&index, br#"{"auditID":"1","verb":"get"}"#, &verb).len(), 1);
    assert_eq!(ask_index(&index, br#"{"auditID":"1","verb":"get"} "#, &verb), []);
}

struct Nowhere;

impl audit_core::ValueSink for Nowhere {
    fn value(&mut self, _text: &str, _range: Option<std::ops::Range<usize>>) {}
}

#[test]
fn fixtures_pass_the_envelope_unchanged() {
    for fixture in Fixtures::read().fixtures {
        let payload = fixture.event.clone().into();
        let outcome = envelope::split(&payload, UnixNanos(7), &Limits::default());
        assert_eq!(outcome.rejected, [], "{}", fixture.name);
        assert_eq!(outcome.events.len(), 1, "{}", fixture.name);
        assert_eq!(outcome.events[0].payload, payload, "{}", fixture.name);
        assert_eq!(outcome.events[0].salvaged, None, "{}", fixture.name);
    }
}

#[test]
fn docs_fields_md_is_what_the_table_renders() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fields.md");
    let written = std::fs::read_to_string(page).expect("docs/fields.md; `cargo xtask codegen` writes it");
    assert!(written == fields::render::markdown(), "docs/fields.md is stale; run `cargo xtask codegen`");
}

#[test]
fn names_of_fields_are_written_in_the_table_only() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("fields/table.rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                assert!(!code.contains("\"ka.") && !code.contains("`ka."), "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 20);
}

#[test]
fn an_index_can_be_handed_to_another_thread() {
    fn check<T: Send>() {}
    check::<Index>();
    check::<audit_core::SplitOutcome>();
}
