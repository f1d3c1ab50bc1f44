//! Field extraction through the C ABI.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "abi/host.rs"]
mod host;

use audit_core::fields::{self, ArgKind, FieldId};
use host::{Arg, HostEvent, Plugin};

const EVENT: &str = r#"{"auditID":"a-1","verb":"create","level":"RequestResponse","stage":"ResponseComplete",
"requestURI":"/api/v1/namespaces/default/pods?dryRun=All","user":{"username":"jane","groups":["dev","\u0000x","ops\u0000gone"]},
"objectRef":{"resource":"pods","namespace":"default","name":"web"},"responseStatus":{"code":201},
"requestObject":{"spec":{"containers":[{"image":"nginx:1"},{"image":"redis:7"}]}},
"annotations":{"note":"say \"hi\""}}"#;

fn number(field: &str) -> u32 {
    fields::find(field).unwrap_or_else(|| panic!("no field `{field}`")).number() as u32
}

fn script(payloads: &[&str], batch: usize) -> String {
    serde_json::json!({ "payloads": payloads, "batch": batch }).to_string()
}

/// Runs `test` with the event of that payload.
fn with_event(payload: &str, test: impl FnOnce(&Plugin, &HostEvent)) {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(&script(&[payload], 1)).unwrap();
    let events = opening.events();
    test(&plugin, &events[0]);
}

/// The values of one field of [`EVENT`].
#[track_caller]
fn check(field: &str, argument: Arg<'_>, expect: &[&str]) {
    with_event(EVENT, |plugin, event| {
        assert_eq!(plugin.extract(event, &[(number(field), argument)]).unwrap(), [expect]);
    });
}

#[test]
fn a_field_has_its_values() {
    check("ka.verb", Arg::None, &["create"]);
    check("ka.response.code", Arg::None, &["201"]);
    check("ka.target.name", Arg::None, &["web"]);
    check("ka.req.pod.containers.image", Arg::None, &["nginx:1", "redis:7"]);
}

#[test]
fn an_argument_selects() {
    check("ka.req.pod.containers.image", Arg::Index(0), &["nginx:1"]);
    check("ka.req.pod.containers.image", Arg::Index(1), &["redis:7"]);
    check("ka.req.pod.containers.image", Arg::Index(2), &[]);
    check("ka.req.pod.containers.image", Arg::Index(u64::MAX), &[]);
    check("ka.uri.param", Arg::Key("dryRun"), &["All"]);
    check("ka.uri.param", Arg::Key("nothing"), &[]);
}

#[test]
fn a_value_ends_at_nul() {
    check("ka.user.groups", Arg::Index(1), &[""]);
    check("ka.user.groups", Arg::Index(2), &["ops"]);
}

/// Invariant 6: an absent value is not an error.
#[test]
fn what_is_not_there_has_no_value() {
    check("ka.impuser.name", Arg::None, &[]);
    for payload in ["", "no JSON", "[]", "{}", r#"{"auditID":"#, "\u{0}"] {
        with_event(payload, |plugin, event| {
            for field in FieldId::all() {
                let argument = if field.spec().arg == ArgKind::Key { Arg::Key("x") } else { Arg::None };
                let values = plugin.extract(event, &[(field.number() as u32, argument)]).unwrap();
                assert_eq!(values, [[""; 0]], "{} of {payload}", field.spec().name);
            }
        });
    }
}

#[test]
fn an_event_of_another_kind_has_no_value() {
    with_event(EVENT, |plugin, event| {
        let mut bytes = event.bytes().to_vec();
        bytes[20] = 1;
        assert_eq!(
            plugin.extract(&HostEvent::of(bytes, 1), &[(number("ka.verb"), Arg::None)]).unwrap(),
            [[""; 0]]
        );
    });
}

#[test]
fn a_field_that_is_not_there_is_an_error() {
    with_event(EVENT, |plugin, event| {
        for field in [FieldId::all().count() as u32, u32::MAX] {
            let error = plugin.extract(event, &[(field, Arg::None)]).unwrap_err();
            assert_eq!(error, format!("there is no field of number `{field}`"));
        }
        // And does no harm.
        assert_eq!(plugin.extract(event, &[(number("ka.verb"), Arg::None)]).unwrap(), [["create"]]);
    });
}

/// Defect 1 of the SDK: of several fields in one call, all values but the last field's are freed memory.
#[test]
fn several_fields_in_one_call_are_as_right_as_one() {
    with_event(EVENT, |plugin, event| {
        let all: Vec<_> = FieldId::all()
            .map(|field| {
                let argument = if field.spec().arg == ArgKind::Key { Arg::Key("dryRun") } else { Arg::None };
                (field.number() as u32, argument)
            })
            .collect();
        let together = plugin.extract(event, &all).unwrap();
        let alone: Vec<_> =
            all.iter().map(|field| plugin.extract(event, &[*field]).unwrap().remove(0)).collect();
        assert_eq!(together, alone);
        assert!(together.iter().flatten().count() > 15, "{together:?}");
        assert_eq!(plugin.extract(event, &[]).unwrap(), Vec::<Vec<String>>::new());
    });
}

/// Where the values of fields stand in the event.
#[track_caller]
fn offsets(fields: &[(&str, Arg<'_>)], expect: &[&str]) {
    with_event(EVENT, |plugin, event| {
        let fields: Vec<_> = fields.iter().map(|(name, argument)| (number(name), *argument)).collect();
        let (_, offsets) = plugin.extract_with_offsets(event, &fields).unwrap();
        let text = |(start, length): (u32, u32)| {
            assert!((start == 0) == (length == 0) && (start == 0 || start >= 38), "{start} {length}");
            std::str::from_utf8(&event.bytes()[start as usize..][..length as usize]).unwrap()
        };
        assert_eq!(offsets.into_iter().map(text).collect::<Vec<_>>(), expect);
    });
}

#[test]
fn offsets_point_to_where_a_value_stands() {
    offsets(&[("ka.verb", Arg::None)], &["create"]);
    offsets(&[("ka.response.code", Arg::None)], &["201"]);
    offsets(&[("ka.user.groups", Arg::Index(0))], &["dev"]);
    // A computed value, and one that is not there.
    offsets(&[("ka.uri.param", Arg::Key("dryRun"))], &[""]);
    offsets(&[("ka.impuser.name", Arg::None)], &[]);
    // One field: each value. Several: each field.
    offsets(&[("ka.user.groups", Arg::None)], &["dev", "\\u0000x", "ops\\u0000gone"]);
    offsets(
        &[("ka.verb", Arg::None), ("ka.impuser.name", Arg::None), ("ka.target.name", Arg::None)],
        &["create", "", "web"],
    );
}

fn user(plugin: &Plugin, event: &HostEvent) -> String {
    plugin.extract(event, &[(number("ka.user.name"), Arg::None)]).unwrap().concat().concat()
}

/// Numbers start again, and memory is used again: the next event looks like the one before, and what was found in
/// it is elsewhere now.
#[test]
fn the_document_is_forgotten_with_the_batch() {
    let payloads: Vec<String> = (1..20)
        .map(|length| {
            let (user, rest) = ("u".repeat(length), "r".repeat(20 - length));
            format!(r#"{{"auditID":"1","padding":"{rest}","user":{{"username":"{user}"}}}}"#)
        })
        .collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    // Room for one event, so that each batch has one.
    let plugin = Plugin::alone(r#"{"max_queue_bytes":100}"#);
    for _ in 0..2 {
        let mut opening = plugin.open(&script(&payloads, 1)).unwrap();
        let mut looks = None;
        for length in 1..20 {
            let events = opening.events();
            assert_eq!(events.len(), 1);
            let look = (events[0].number, events[0].address(), events[0].bytes().len());
            assert_eq!(*looks.get_or_insert(look), look, "else this says nothing of the cache");
            assert_eq!(user(&plugin, &events[0]), "u".repeat(length));
        }
    }
}

#[test]
fn events_of_one_batch_are_not_mixed_up() {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(r#"{"events":100,"batch":100}"#).unwrap();
    let events = opening.events();
    for _ in 0..2 {
        for (number, event) in events.iter().enumerate() {
            assert_eq!(user(&plugin, event), format!("user-{number:06}"));
        }
    }
}

/// The source has read an event already: what it noted counts for that event, and for no other one.
#[test]
fn notes_of_the_source_count_for_its_own_events() {
    let event = r#"{"auditID":"1","abcd":"as noted","verb":"as it is"}"#;
    let noted_as = r#"{"auditID":"1","verb":"as noted","abcd":"as it is"}"#;
    let plugin = Plugin::alone("");
    let verb = |event: &HostEvent| plugin.extract(event, &[(number("ka.verb"), Arg::None)]).unwrap().concat();
    let script = |noted_as: Option<&str>| {
        serde_json::json!({ "payloads": [event, event], "batch": 2, "noted_as": noted_as }).to_string()
    };
    let mut noting = plugin.open(&script(Some(noted_as))).unwrap();
    let events = noting.events();
    for event in events.iter().chain(events.iter().rev()) {
        assert_eq!(verb(event), ["as noted"]);
        assert_eq!(verb(&event.numbered(7)), ["as it is"], "elsewhere in memory");
    }
    // Places of a payload of another length say nothing.
    for other in [None, Some(r#"{"verb":"none of it"}"#)] {
        let mut silent = plugin.open(&script(other)).unwrap();
        assert_eq!(silent.events().iter().flat_map(&verb).collect::<Vec<_>>(), ["as it is", "as it is"]);
    }
    // The plugin knows one batch at a time.
    assert_eq!(verb(&events[0]), ["as it is"]);
}

/// Once the largest event has been seen, a call allocates nothing: Falco makes one per field, rule and event.
/// (A text with escapes is the exception, while it is unescaped.)
#[test]
fn extraction_does_not_allocate() {
    let plugin = Plugin::alone("");
    let events: Vec<_> = {
        let plain = EVENT.replace("\\u0000", "");
        let mut opening = plugin.open(&script(&[&plain, &plain], 2)).unwrap();
        opening.events().iter().zip(1..).map(|(event, number)| event.numbered(number)).collect()
    };
    // The opening is closed: nothing else runs in there.
    let calls = [
        ("ka.verb", Arg::None),
        ("ka.user.groups", Arg::None),
        ("ka.uri.param", Arg::Key("dryRun")),
        ("ka.req.pod.containers.image", Arg::Index(1)),
        ("ka.impuser.name", Arg::None),
    ]
    .map(|(field, argument)| (number(field), argument));
    let round = || {
        for event in &events {
            for call in calls {
                plugin.extract(event, &[call]).unwrap();
            }
            plugin.extract(event, &calls).unwrap();
        }
        plugin.metric("script_allocations")
    };
    let warm = round();
    assert!(warm > 0);
    assert_eq!(round(), warm);
}

/// A capture file: events in the host's own memory, and neither `open` nor `next_batch`.
#[test]
fn an_event_that_was_never_ours_is_read() {
    with_event(EVENT, |plugin, event| {
        let copy = event.numbered(7);
        assert_eq!(plugin.extract(&copy, &[(number("ka.verb"), Arg::None)]).unwrap(), [["create"]]);
        assert_eq!(plugin.show(&copy).unwrap(), EVENT);
        assert_eq!(plugin.show(&HostEvent::of(vec![0; 26], 7)), None);
    });
}

/// The same, where a reader uses one buffer for all: only number and time tell events apart.
#[test]
fn events_read_into_one_place_are_told_apart() {
    let plugin = Plugin::alone("");
    let payloads =
        [r#"{"auditID":"1","verb":"get","x":"longer"}"#, r#"{"auditID":"1","x":"","verb":"longerget"}"#];
    assert_eq!(payloads[0].len(), payloads[1].len());
    let mut opening = plugin.open(&script(&payloads, 2)).unwrap();
    let mut bytes: Vec<_> = opening.events().iter().map(|event| event.bytes().to_vec()).collect();
    let mut event = HostEvent::of(bytes[0].clone(), 1);
    let verb = |event: &HostEvent| plugin.extract(event, &[(number("ka.verb"), Arg::None)]).unwrap().concat();
    assert_eq!(verb(&event), ["get"]);
    event.overwrite(&bytes[1], 2);
    assert_eq!(verb(&event), ["longerget"]);
    // Another file, the number starts again, and the time does not.
    bytes[0][0] ^= 1;
    event.overwrite(&bytes[0], 2);
    assert_eq!(verb(&event), ["get"]);
}

/// Defect 3 of the SDK, in extraction: a panic is an error, and the next call is as good as ever.
#[test]
fn a_panic_while_reading_is_an_error() {
    let plugin = Plugin::alone("");
    let mut opening = plugin.open(&script(&["panic", EVENT], 2)).unwrap();
    let events = opening.events();
    let verb = [(number("ka.verb"), Arg::None)];
    for _ in 0..2 {
        let error = plugin.extract(&events[0], &verb).unwrap_err();
        assert!(error.starts_with("panic while extracting fields: "), "{error}");
        assert_eq!(plugin.extract(&events[1], &verb).unwrap(), [["create"]]);
    }
}
