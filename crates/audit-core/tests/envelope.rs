//! Payloads as they arrive: what becomes of each, a line per case.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use audit_core::envelope::{self, cloudwatch};
use audit_core::limits::MAX_DEPTH;
use audit_core::{
    Argument, AuditEvent, Index, Limits, Rejected, RejectedKind, SalvageReason, SplitOutcome, UnixNanos,
    ValueSink, extract, fields,
};
use bytes::Bytes;
use serde_json::Value;

const ARRIVED: UnixNanos = UnixNanos(1_770_000_000_000_000_000);

fn split(payload: impl AsRef<[u8]>) -> SplitOutcome {
    envelope::split(&Bytes::copy_from_slice(payload.as_ref()), ARRIVED, &Limits::default())
}

/// The events as they come out, and the kinds of what was rejected.
#[track_caller]
fn check(payload: impl AsRef<[u8]>, events: &[&str], rejected: &[RejectedKind]) {
    let outcome = split(payload);
    let texts: Vec<_> =
        outcome.events.iter().map(|event| std::str::from_utf8(&event.payload).unwrap()).collect();
    assert_eq!(texts, events);
    assert_eq!(outcome.rejected.iter().map(|rejected| rejected.kind).collect::<Vec<_>>(), rejected);
}

const A: &str = r#"{"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z"}"#;
const B: &str = r#"{ "kind":"Event" , "auditID":"b" }"#;

#[test]
fn one_event() {
    check(A, &[A], &[]);
    check(B, &[B], &[]);
    check(format!(" \r\n\t{A}\n"), &[A], &[]);
    check(format!("\u{feff}{A}"), &[A], &[]);
    check(r#"{"auditID":null}"#, &[r#"{"auditID":null}"#], &[]);
}

#[test]
fn what_says_that_it_is_an_audit_event() {
    let says = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#;
    check(says, &[says], &[]);
    for other in [
        r#"{"kind":"Event","apiVersion":"v1","metadata":{}}"#,
        r#"{"kind":"Event"}"#,
        r#"{"kind":"Policy","apiVersion":"audit.k8s.io/v1"}"#,
        r#"{"level":"info","msg":"auditID"}"#,
        r#"{"user":{"auditID":"a"}}"#,
        "{}",
    ] {
        check(other, &[], &[RejectedKind::NotAuditEvent]);
    }
}

#[test]
fn event_lists() {
    check(
        format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{A},{B}]}}"#),
        &[A, B],
        &[],
    );
    check(format!(r#"{{"items":[{A} , {B} ],"kind":"EventList","metadata":{{"a":"}}"}}}}"#), &[A, B], &[]);
    check(r#"{"kind":"EventList","items":[]}"#, &[], &[]);
    check(r#"{"kind":"EventList","items":null}"#, &[], &[RejectedKind::NotAuditEvent]);
    let with_items = r#"{"auditID":"a","items":[{"auditID":"b"}]}"#;
    check(with_items, &[with_items], &[]);
}

#[test]
fn arrays_of_either() {
    check(format!("[{A},{B}]"), &[A, B], &[]);
    check(format!(r#"[{A},{{"items":[{B},{A}]}},{B}]"#), &[A, B, A, B], &[]);
    check("[]", &[], &[]);
    check(" [ ] ", &[], &[]);
    check(format!("[{A},1,null,\"x\",[{B}]]"), &[A], &[RejectedKind::NotAuditEvent]);
    check(format!(r#"{{"items":[{{"items":[{A}]}},{B}]}}"#), &[B], &[RejectedKind::NotAuditEvent]);
}

#[test]
fn one_after_the_other() {
    check(format!("{A}\n{B}\n"), &[A, B], &[]);
    check(format!("{A}{B}"), &[A, B], &[]);
    check(format!("[{A}]\n[{B}]"), &[A, B], &[]);
    check(format!("{A}\ntext"), &[A], &[RejectedKind::NotJson]);
}

#[test]
fn what_is_no_event() {
    for empty in ["", " \n", "\u{feff}", "[Truncated...]"] {
        check(empty, &[], &[RejectedKind::Empty]);
    }
    for text in [
        "I0314 09:00:00.1 main.go:1] started",
        "time=\"2026\" level=info",
        "\"x\"",
        "12",
        "null",
        "}",
        "\0",
        "[INFO] up",
    ] {
        check(text, &[], &[RejectedKind::NotJson]);
    }
    for early in
        ["{", r#"{"kin"#, r#"{"level":"Metadata","auditID":"#, r#"{"level":"Metadata","auditID":"12"#]
    {
        check(early, &[], &[RejectedKind::CutTooEarly]);
    }
    check(r#"{"kind":"Pod","spec":{"#, &[], &[RejectedKind::NotAuditEvent]);
}

#[test]
fn rejections_tell_where_and_how_much() {
    let outcome = split(format!("\u{feff} [{A}, 12, 345 ]"));
    let offset = "\u{feff} [, ".len() + A.len();
    assert_eq!(outcome.rejected, [Rejected { kind: RejectedKind::NotAuditEvent, count: 2, offset, len: 5 }]);
}

#[test]
fn events_are_slices_of_the_payload() {
    let payload = Bytes::from(format!("[{A},{B}]"));
    let outcome = envelope::split(&payload, ARRIVED, &Limits::default());
    for event in outcome.events {
        let start = event.payload.as_ptr().addr() - payload.as_ptr().addr();
        assert_eq!(payload.slice(start..start + event.payload.len()), event.payload);
    }
}

#[track_caller]
fn check_time(event: &str, expect: UnixNanos) {
    assert_eq!(split(event).events[0].timestamp, expect);
}

#[test]
fn the_time_is_the_stages() {
    let march = UnixNanos::parse_rfc3339(b"2026-03-14T09:00:00Z").unwrap();
    check_time(A, march);
    check_time(r#"{"auditID":"a","timestamp":"2026-03-14T09:00:00Z"}"#, march);
    check_time(
        r#"{"auditID":"a","timestamp":"2001-01-01T00:00:00Z","stageTimestamp":"2026-03-14T09:00:00Z"}"#,
        march,
    );
    check_time(r#"{"auditID":"a"}"#, ARRIVED);
    check_time(r#"{"auditID":"a","stageTimestamp":null}"#, ARRIVED);
    check_time(r#"{"auditID":"a","stageTimestamp":"yesterday"}"#, ARRIVED);
    check_time(r#"{"auditID":"a","stageTimestamp":"0001-01-01T00:00:00Z"}"#, ARRIVED);
    check_time(r#"{"auditID":"a","timestamp":"2001-01-01T00:00:00Z","verb":"g"#, ARRIVED);
}

/// What a salvaged event gets at its end when everything was lost.
const LOST: &str =
    r#""stageTimestamp":"2026-02-02T02:40:00.000000Z","annotations":{"k8saudit/truncated":"true"}}"#;

#[track_caller]
fn check_salvaged(payload: impl AsRef<[u8]>, expect: &str, reason: SalvageReason) -> AuditEvent {
    let outcome = split(payload);
    assert_eq!(outcome.events.len(), 1);
    assert_eq!(std::str::from_utf8(&outcome.events[0].payload), Ok(expect));
    assert_eq!(outcome.events[0].salvaged, Some(reason));
    outcome.events[0].clone()
}

#[test]
fn a_cut_event_becomes_whole() {
    let cut = r#"{"auditID":"a","verb":"get","user":{"username":"jane","groups":["x","y"#;
    let whole = format!(r#"{{"auditID":"a","verb":"get","user":{{"username":"jane","groups":["x"]}},{LOST}"#);
    for end in ["", "[Truncated...]", "[Truncated...]\n", "\u{fffd}", "\\", "\\u00"] {
        check_salvaged(format!("{cut}{end}"), &whole, SalvageReason::Truncated);
    }
    let mut within_a_character = Vec::from(cut);
    within_a_character.extend(b"\xe6\x97");
    check_salvaged(within_a_character, &whole, SalvageReason::Truncated);
    check_salvaged(
        format!("[{A_MINIMAL},{cut}").replace(&format!("{A_MINIMAL},"), ""),
        &whole,
        SalvageReason::Truncated,
    );
}

const A_MINIMAL: &str = r#"{"auditID":"a"}"#;

#[test]
fn a_number_before_the_mark_is_not_trusted() {
    let cut = r#"{"auditID":"a","responseStatus":{"metadata":{},"code":20[Truncated...]"#;
    let whole = format!(r#"{{"auditID":"a","responseStatus":{{"metadata":{{}}}},{LOST}"#);
    check_salvaged(cut, &whole, SalvageReason::Truncated);
}

#[test]
fn what_was_not_lost_is_not_added() {
    let cut = r#"{"annotations":{"a":"b","k8saudit/truncated":"true"},"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z","verb":"#;
    let whole = r#"{"annotations":{"a":"b","k8saudit/truncated":"true"},"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z"}"#;
    let event = check_salvaged(cut, whole, SalvageReason::Truncated);
    assert_eq!(event.timestamp.to_string(), "2026-03-14T09:00:00.000000Z");
}

#[test]
fn annotations_that_were_cut_are_kept() {
    let cut = r#"{"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z","annotations":{"a":"b","c":"#;
    let whole = r#"{"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z","annotations":{"a":"b","k8saudit/truncated":"true"}}"#;
    check_salvaged(cut, whole, SalvageReason::Truncated);
}

#[test]
fn a_damaged_event_costs_its_neighbours_nothing() {
    let damaged = "{\"auditID\":\"d\",\"verb\":\"a\u{1}b\",\"stage\":\"x\"}";
    let outcome = split(format!(r#"{{"items":[{A},{damaged},{B}]}}"#));
    assert_eq!(outcome.rejected, []);
    let ids: Vec<_> = outcome.events.iter().map(|event| json(event)["auditID"].clone()).collect();
    assert_eq!(ids, ["a", "d", "b"]);
    assert_eq!(outcome.events[1].salvaged, Some(SalvageReason::Malformed));
    assert_eq!(outcome.events[1].payload, format!(r#"{{"auditID":"d",{LOST}"#));
    assert_eq!(outcome.events[2].salvaged, None);
}

#[test]
fn a_list_that_was_cut_gives_its_last_event_too() {
    let outcome = split(format!(r#"{{"kind":"EventList","items":[{A},{{"auditID":"b","verb":"get","use"#));
    assert_eq!(outcome.events.len(), 2);
    assert_eq!(outcome.events[1].payload, format!(r#"{{"auditID":"b","verb":"get",{LOST}"#));
    check(format!(r#"{{"kind":"EventList","items":[{A},"#), &[A], &[]);
    check(format!(r#"{{"kind":"EventList","items":[{A}"#), &[A], &[]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let payload = b"{\"auditID\":\"a\",\"verb\":\"g\xff\xfet\",\"stageTimestamp\":\"2026-03-14T09:00:00Z\"}";
    let whole =
        "{\"auditID\":\"a\",\"verb\":\"g\u{fffd}\u{fffd}t\",\"stageTimestamp\":\"2026-03-14T09:00:00Z\"}";
    let event = check_salvaged(payload, whole, SalvageReason::InvalidUtf8);
    assert_eq!(event.timestamp.to_string(), "2026-03-14T09:00:00.000000Z");
}

#[test]
fn what_is_too_deep_becomes_null() {
    let levels = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let event = |value: &str| {
        format!(r#"{{"auditID":"a","requestObject":{value},"stageTimestamp":"2026-03-14T09:00:00Z"}}"#)
    };
    let deep = event(&levels(MAX_DEPTH - 1));
    check(&deep, &[&deep], &[]);
    for beyond in [MAX_DEPTH, 100_000] {
        let null = event(&levels(MAX_DEPTH - 1).replace("[]", "[null]"));
        let whole = null.replace("\"}", r#"","annotations":{"k8saudit/truncated":"true"}}"#);
        check_salvaged(event(&levels(beyond)), &whole, SalvageReason::TooDeep);
    }
}

fn json(event: &AuditEvent) -> Value {
    serde_json::from_slice(&event.payload).unwrap()
}

/// An event of more than `request + response + managed` bytes.
fn large(request: usize, response: usize, managed: usize) -> String {
    let object = |size: usize| {
        format!(
            r#"{{"metadata":{{"name":"n","managedFields":[{{"f":"{}"}}]}},"list":[{{"metadata":{{"managedFields":[1]}}}}],"data":"{}"}}"#,
            "m".repeat(managed),
            "d".repeat(size)
        )
    };
    format!(
        r#"{{"auditID":"a","verb":"create","user":{{"username":"jane"}},"requestObject":{},"responseObject":{},"stageTimestamp":"2026-03-14T09:00:00Z","annotations":{{"authorization.k8s.io/decision":"allow"}}}}"#,
        object(request),
        object(response)
    )
}

#[track_caller]
fn shrunk(event: &str, max_event_size: usize) -> (AuditEvent, Value) {
    let limits = Limits { max_event_size };
    let mut events = envelope::split(&Bytes::copy_from_slice(event.as_bytes()), ARRIVED, &limits).events;
    assert_eq!(events.len(), 1);
    let event = events.remove(0);
    assert!(event.payload.len() <= limits.event_size(), "{} > {}", event.payload.len(), limits.event_size());
    assert_eq!(event.salvaged, Some(SalvageReason::TooLarge));
    let value = json(&event);
    assert_eq!(value["annotations"]["k8saudit/truncated"], "true");
    assert_eq!(value["auditID"], "a");
    assert_eq!(event.timestamp.to_string(), "2026-03-14T09:00:00.000000Z");
    (event, value)
}

#[test]
fn an_event_at_the_limit_stays() {
    let event = large(10_000, 10_000, 0);
    let limits = Limits { max_event_size: event.len() };
    let outcome = envelope::split(&Bytes::from(event.clone()), ARRIVED, &limits);
    assert_eq!(outcome.events[0].payload, event);
    shrunk(&event, event.len() - 1);
}

#[test]
fn the_response_goes_first() {
    let (_, event) = shrunk(&large(10_000, 10_000, 1_000), 14_000);
    assert_eq!(event["responseObject"], serde_json::json!({}));
    assert_eq!(event["requestObject"]["metadata"]["managedFields"][0]["f"].as_str().unwrap().len(), 1_000);
    assert_eq!(event["annotations"]["authorization.k8s.io/decision"], "allow");
}

#[test]
fn managed_fields_go_next() {
    let (_, event) = shrunk(&large(10_000, 10_000, 10_000), 14_000);
    assert_eq!(event["responseObject"], serde_json::json!({}));
    assert_eq!(event["requestObject"]["metadata"], serde_json::json!({"name": "n", "managedFields": {}}));
    assert_eq!(event["requestObject"]["list"][0]["metadata"]["managedFields"], serde_json::json!({}));
    assert_eq!(event["requestObject"]["data"].as_str().unwrap().len(), 10_000);
}

#[test]
fn the_request_goes_last() {
    let (_, event) = shrunk(&large(10_000, 10_000, 10_000), 9_000);
    assert_eq!(event["responseObject"], serde_json::json!({}));
    assert_eq!(event["requestObject"], serde_json::json!({}));
    assert_eq!(event["user"]["username"], "jane");
    assert_eq!(event["verb"], "create");
}

#[test]
fn no_other_part_can_push_the_rest_out() {
    let long = "x".repeat(50_000);
    let many = (0..5_000).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(",");
    for part in [
        format!(r#""requestURI":"/{long}""#),
        format!(r#""userAgent":"{long}""#),
        format!(r#""userAgent":"{}""#, "\\u00e9\\\\é日🚀".repeat(5_000)),
        format!(r#""user":{{"username":"jane","groups":["{long}"],"extra":{{"a":["b","{long}"]}}}}"#),
        format!(r#""user":{{"username":"jane","extra":{{{many}}}}}"#),
        format!(r#""sourceIPs":["10.0.0.1",{}]"#, vec!["\"10.0.0.2\""; 5_000].join(",")),
        format!(r#""annotations":{{"authorization.k8s.io/decision":"allow",{many}}}"#),
        format!(r#""annotations":"{long}""#),
        format!(r#""level":{}"#, "1".repeat(50_000)),
        format!(r#""{long}":1"#),
        many,
    ] {
        let rest = r#""verb":"create","objectRef":{"resource":"pods","name":"p"},"stageTimestamp":"2026-03-14T09:00:00Z""#;
        for event in
            [format!(r#"{{"auditID":"a",{part},{rest}}}"#), format!(r#"{{{rest},{part},"auditID":"a"}}"#)]
        {
            let (_, value) = shrunk(&event, 4096);
            assert_eq!(value["verb"], "create");
            assert_eq!(value["objectRef"]["name"], "p");
            assert_eq!(value["stageTimestamp"], "2026-03-14T09:00:00Z");
            if event.contains("jane") {
                assert_eq!(value["user"]["username"], "jane");
            }
            if event.contains("allow") {
                assert_eq!(value["annotations"]["authorization.k8s.io/decision"], "allow");
            }
        }
    }
}

#[test]
fn a_shrunk_event_keeps_the_order_of_elements() {
    let addresses = vec!["\"10.0.0.2\""; 1_000].join(",");
    let event = format!(
        r#"{{"auditID":"a","sourceIPs":["10.0.0.1",{addresses}],"stageTimestamp":"2026-03-14T09:00:00Z"}}"#
    );
    let (_, value) = shrunk(&event, 4096);
    assert_eq!(value["sourceIPs"][0], "10.0.0.1");
    assert!(value["sourceIPs"].as_array().unwrap().len() > 100);
}

#[test]
fn no_member_takes_all_the_room() {
    let long = "x".repeat(50_000);
    let event = format!(
        r#"{{"auditID":"a","user":{{"username":"jane","groups":["{long}","b"],"uid":"1"}},"requestURI":"/{long}","userAgent":"curl","stageTimestamp":"2026-03-14T09:00:00Z"}}"#
    );
    let (_, value) = shrunk(&event, 4096);
    assert_eq!(value["userAgent"], "curl");
    assert_eq!(value["user"]["uid"], "1");
    assert_eq!(value["user"]["groups"].as_array().unwrap().len(), 1);
    assert!(value["requestURI"].as_str().unwrap().len() > 500);
    assert!(value["user"]["groups"][0].as_str().unwrap().len() > 500);
}

#[test]
fn an_event_that_was_cut_and_is_too_large() {
    let event = large(10_000, 10_000, 10_000);
    let cut = event.find("responseObject").unwrap() + 15_000;
    let limits = Limits { max_event_size: 14_000 };
    let outcome = envelope::split(&Bytes::copy_from_slice(&event.as_bytes()[..cut]), ARRIVED, &limits);
    let [salvaged] = outcome.events.as_slice() else { panic!("{} events", outcome.events.len()) };
    assert_eq!(salvaged.salvaged, Some(SalvageReason::Truncated));
    assert!(salvaged.payload.len() <= 14_000);
    let value = json(salvaged);
    assert_eq!(value["responseObject"], serde_json::json!({}));
    assert_eq!(value["requestObject"]["metadata"]["name"], "n");
    assert_eq!(value["stageTimestamp"], "2026-02-02T02:40:00.000000Z");
}

fn origin() -> cloudwatch::Origin {
    cloudwatch::Origin {
        cluster: Some("prod".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some("111122223333".to_owned()),
    }
}

const PLACE: &str =
    r#""cluster_name":"prod","cluster_region":"eu-central-1","cluster_account":"111122223333""#;

#[track_caller]
fn check_cloudwatch(message: &str, origin: &cloudwatch::Origin, expect: &str) {
    let outcome = cloudwatch::split(
        Bytes::copy_from_slice(message.as_bytes()),
        1_770_000_000_000,
        origin,
        &Limits::default(),
    );
    assert_eq!(outcome.rejected, []);
    assert_eq!(std::str::from_utf8(&outcome.events[0].payload), Ok(expect));
}

/// Its bytes become others, its annotations are replaced, and what is where changes with both.
#[test]
fn places_are_those_of_what_came_out() {
    let message = b"{\"auditID\":\"1\",\"stageTimestamp\":\"2024-01-01T00:00:00Z\",\"annotations\":[\"AAAAAAAAAAAA\",\"xxxxxxxxxxxxxxxxxxxx\"],\"verb\":\"\xff\"}";
    let outcome = cloudwatch::split(Bytes::from_static(message), 0, &origin(), &Limits::default());
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    let mut index = Index::default();
    assert!(index.restore(event.places.as_ref(), event.payload.len()));
    let texts = |index: &Index| {
        let mut texts = Texts::default();
        let field = fields::find("ka.cluster.name").unwrap();
        extract(field, Argument::None, index.view(&event.payload), &mut texts);
        texts.0
    };
    assert_eq!(texts(&index), texts(&Index::parse(&event.payload).unwrap()));
    assert_eq!(texts(&index), [origin().cluster.unwrap()]);
}

#[derive(Default)]
struct Texts(Vec<String>);

impl ValueSink for Texts {
    fn value(&mut self, text: &str, _: Option<std::ops::Range<usize>>) {
        self.0.push(text.to_owned());
    }
}

#[test]
fn cloudwatch_adds_where_the_event_comes_from() {
    let place = format!("{{{PLACE}}}");
    check_cloudwatch(r#"{"auditID":"a"}"#, &origin(), &format!(r#"{{"auditID":"a","annotations":{place}}}"#));
    check_cloudwatch(
        "{ \"auditID\" : \"a\"\t}\n",
        &origin(),
        &format!("{{ \"auditID\" : \"a\"\t,\"annotations\":{place}}}"),
    );
    check_cloudwatch(
        r#"{"annotations":{},"auditID":"a"}"#,
        &origin(),
        &format!(r#"{{"annotations":{place},"auditID":"a"}}"#),
    );
    check_cloudwatch(
        r#"{"annotations":null,"auditID":"a"}"#,
        &origin(),
        &format!(r#"{{"annotations":{place},"auditID":"a"}}"#),
    );
    check_cloudwatch(
        r#"{"annotations":"x","auditID":"a"}"#,
        &origin(),
        &format!(r#"{{"annotations":{place},"auditID":"a"}}"#),
    );
    check_cloudwatch(
        r#"{"annotations":{ "x":"y" },"auditID":"a"}"#,
        &origin(),
        &format!(r#"{{"annotations":{{ "x":"y" ,{PLACE}}},"auditID":"a"}}"#),
    );
}

#[test]
fn an_existing_annotation_wins() {
    let own = r#"{"auditID":"a","annotations":{"cluster_name":"own"}}"#;
    check_cloudwatch(
        own,
        &cloudwatch::Origin { cluster: Some("prod".to_owned()), ..Default::default() },
        own,
    );
    let escaped = r#"{"auditID":"a","annotations":{"cluster\u005fname":null}}"#;
    check_cloudwatch(
        escaped,
        &cloudwatch::Origin { cluster: Some("prod".to_owned()), ..Default::default() },
        escaped,
    );
    let mixed = r#"{"auditID":"a","annotations":{"cluster_name":"own","cluster_region":"eu-central-1"}}"#;
    check_cloudwatch(
        r#"{"auditID":"a","annotations":{"cluster_name":"own"}}"#,
        &cloudwatch::Origin { account: None, ..origin() },
        mixed,
    );
}

#[test]
fn an_origin_that_is_not_known_adds_nothing() {
    check_cloudwatch(B, &cloudwatch::Origin::default(), B);
}

#[test]
fn what_is_no_name_is_not_added() {
    let event = r#"{"auditID":"a"}"#;
    for (name, added) in
        [("a\"b\\cé", r#","annotations":{"cluster_name":"a\"b\\cé"}"#), ("a\nb", ""), (&"x".repeat(257), "")]
    {
        let origin = cloudwatch::Origin { cluster: Some(name.to_owned()), ..Default::default() };
        check_cloudwatch(event, &origin, &event.replace('}', &format!("{added}}}")));
    }
}

#[test]
fn a_cut_message_has_cloudwatchs_time_and_its_place() {
    let outcome = cloudwatch::split(
        r#"{"auditID":"a","verb":"ge[Truncated...]"#.into(),
        1_770_000_000_123,
        &origin(),
        &Limits::default(),
    );
    let event = &outcome.events[0];
    assert_eq!(event.timestamp, UnixNanos(1_770_000_000_123_000_000));
    let expect = format!(
        r#"{{"auditID":"a","stageTimestamp":"2026-02-02T02:40:00.123000Z","annotations":{{{PLACE},"k8saudit/truncated":"true"}}}}"#
    );
    assert_eq!(event.payload, expect);
    assert_eq!(event.salvaged, Some(SalvageReason::Truncated));
}

#[test]
fn the_limit_holds_with_annotations() {
    let event = format!(r#"{{"auditID":"a","requestObject":"{}"}}"#, "x".repeat(5_000));
    let added = format!(r#","annotations":{{{PLACE}}}"#).len();
    for (max_event_size, salvaged) in [
        (event.len() + added, None),
        (event.len() + added - 1, Some(SalvageReason::TooLarge)),
        (0, Some(SalvageReason::TooLarge)),
    ] {
        let outcome = cloudwatch::split(event.clone().into(), 0, &origin(), &Limits { max_event_size });
        assert_eq!(outcome.events[0].salvaged, salvaged);
        assert!(outcome.events[0].payload.len() <= max_event_size.max(Limits::MIN_EVENT_SIZE));
        assert_eq!(json(&outcome.events[0])["annotations"]["cluster_name"], "prod");
    }
}

#[test]
fn names_of_reasons_are_distinct() {
    let names: std::collections::HashSet<_> =
        SalvageReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names.len(), SalvageReason::ALL.len());
}
