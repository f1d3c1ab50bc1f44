//! Bodies of Event Hubs messages as they arrive: what becomes of each, a line per case.
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

use audit_core::envelope::azure::{self, Categories, Options, Outcome};
use audit_core::limits::MAX_DEPTH;
use audit_core::{EventIdentity, Limits, Rejected, RejectedKind, SalvageReason, UnixNanos};
use bytes::Bytes;
use hub::{ARRIVED, body, quoted, record, split, texts};
use serde_json::{Value, json};

const A: &str = r#"{"auditID":"a","stageTimestamp":"2026-03-14T09:00:00Z"}"#;
const B: &str = r#"{ "kind":"Event" , "auditID":"b" }"#;

/// A record of nothing but a log, so that its event comes out as it went in.
fn bare(log: &str) -> String {
    format!(r#"{{"category":"kube-audit","properties":{{"log":{}}}}}"#, quoted(&format!("{log}\n")))
}

/// The events as they come out, and the kinds of what was rejected.
#[track_caller]
fn check(body: impl AsRef<[u8]>, events: &[&str], rejected: &[RejectedKind]) -> Outcome {
    let outcome = split(body);
    assert_eq!(texts(&outcome), events);
    let kinds: Vec<_> = outcome.split.rejected.iter().map(|rejected| rejected.kind).collect();
    assert_eq!(kinds, rejected);
    outcome
}

#[test]
fn bodies() {
    let (a, b) = (bare(A), bare(B));
    check(format!(r#"{{"records":[{a},{b}]}}"#), &[A, B], &[]);
    check(format!("{{ \"records\" : [ {a} ,\r\n {b} ] }}\n"), &[A, B], &[]);
    check(format!("[{a},{b}]"), &[A, B], &[]);
    check(format!("[[{a}],[{b}]]"), &[A, B], &[]);
    check(&a, &[A], &[]);
    check(format!("{a}\n{b}\n"), &[A, B], &[]);
    check(format!("{a}{b}"), &[A, B], &[]);
    check(format!(r#"{{"records":[{a}]}}{{"records":[{b}]}}"#), &[A, B], &[]);
    check(format!("\u{feff}{{\"records\":[{a}]}}\r\n\u{feff}{{\"records\":[{b}]}}"), &[A, B], &[]);
    check(format!(r#"[{a}] {{"records":[{b}]}} {a}"#), &[A, B, A], &[]);
    check(
        format!(r#"{{"v":1,"m":{{"a":[{{}}]}},"records":[{a}],"n":"x","o":[1,{{"a":2}}],"p":null}}"#),
        &[A],
        &[],
    );
    check(format!("{{\"records\":[{a}]}}\0\0\0"), &[A], &[]);
    check(format!("\0 {{\"records\":[{a}]}} \0\n\0"), &[A], &[]);
    check(format!(r#"{{"records":{a}}}"#), &[A], &[]);
    check(format!(r#"{{"data":{{"records":[{a}]}},"other":[{b}]}}"#), &[A, B], &[]);
    check(format!(r#"{{"r\u0065cords":[{a}]}}"#), &[A], &[]);
    check(format!(r#"{{"records":[{a},,{b},]}}]"#), &[A, B], &[]);
    check(format!(r#"{{"records":[{a} {b}"#), &[A, B], &[]);
    for nothing in [r#"{"records":[]}"#, "[]", " [ ] ", "\u{feff}{\"records\":[\n]}", r#"{"records":["#] {
        check(nothing, &[], &[]);
    }
}

#[test]
fn records() {
    let log = quoted(A);
    let whole = format!(r#"{{"category":"kube-audit","properties":{{"log":{log}}}}}"#);
    let nested = quoted(&format!(r#"{{"stream":"stdout","log":{log}}}"#));
    for record in [
        format!(r#"{{"properties":{{"log":{log}}},"category":"kube-audit"}}"#),
        format!(
            r#"{{"properties":{{"pod":"p","log":{log},"x":[{{"log":1}}]}},"time":"","resourceId":null,"category":"KUBE-Audit"}}"#
        ),
        format!(
            r#"{{"x":{{"category":"guard"}},"category":"kube\u002daudit","properties":{{"lo\u0067":{log}}}}}"#
        ),
        format!(r#"{{"category":"kube-audit","properties":{{"log":{A}}}}}"#),
        format!(r#"{{"category":"kube-audit","properties":{{"log": [ {A} ] ,"stream":"stdout"}}}}"#),
        format!(r#"{{"category":"kube-audit","properties":{{"log":{}}}}}"#, quoted(&format!("[{A}]"))),
        format!(r#"{{"category":"kube-audit","properties":{{"log":{{"kind":"EventList","items":[{A}]}}}}}}"#),
        format!(r#"{{"category":"kube-audit","properties":{nested}}}"#),
        format!(r#"{{"properties":{nested},"category":"kube-audit-admin"}}"#),
        format!(r#"{{"category":"kube-audit","properties":{}}}"#, quoted(&format!(r#"{{"log":{A}}}"#))),
        format!(r#"{{"category":"kube-audit","properties":{}}}"#, quoted(&format!(" {{\"log\":{log}\n}}\n"))),
        // Of two members of one name, the first counts.
        format!(r#"{{"category":"kube-audit","category":"guard","properties":{{"log":{log},"log":"x"}}}}"#),
        // Without a category it is taken for what it holds.
        format!(r#"{{"properties":{{"log":{log}}}}}"#),
        format!(r#"{{"category":null,"properties":{{"log":{log}}}}}"#),
        format!(r#"{{"category":"","properties":{{"log":{A}}}}}"#),
    ] {
        let outcome = check(format!(r#"{{"records":[{record},{whole}]}}"#), &[A, A], &[]);
        assert_eq!((outcome.records, outcome.skipped, outcome.mended), (2, 0, 0), "{record}");
        check(&record, &[A], &[]);
    }
    let list = format!(r#"{{"kind":"EventList","items":[{A},{B}]}}"#);
    check(bare(&list), &[A, B], &[]);
    check(bare(&format!("{A}\n{B}")), &[A, B], &[]);
}

#[test]
fn other_categories_are_skipped_and_counted() {
    let text =
        r#"{"category":"kube-apiserver","properties":{"log":"I0314 09:00:00.1 main.go:1] started\n"}}"#;
    let guard = format!(r#"{{"category":"GUARD","properties":{{"log":{}}}}}"#, quoted(A));
    let cut = r#"{"category":"cluster-autoscaler","properties":{"log":"I0314 it's \"#;
    let broken = "{\"category\":\"cloud-controller-manager\",\"properties\":{\"log\":\"a\nb\"}}";
    let body = format!(r#"{{"records":[{text},{},{guard},{broken},{},{cut}"#, bare(A), bare(B));
    let outcome = check(&body, &[A, B], &[]);
    assert_eq!((outcome.records, outcome.skipped, outcome.mended), (6, 4, 0));

    let options = Options { categories: Categories::new(["Guard"]), cluster: None };
    let outcome = azure::split(&Bytes::from(body), ARRIVED, &options, &Limits::default());
    assert_eq!(texts(&outcome), [A]);
    assert_eq!((outcome.records, outcome.skipped), (6, 5));
    assert!(Categories::default().contains("KUBE-AUDIT-ADMIN"));
    assert!(!Categories::default().contains("kube-audit-"));
}

#[test]
fn what_is_no_event() {
    let none = |properties: &str| format!(r#"{{"category":"kube-audit","properties":{properties}}}"#);
    for (body, kind) in [
        ("", RejectedKind::Empty),
        (" \0\n", RejectedKind::Empty),
        ("\u{feff}", RejectedKind::Empty),
        ("}", RejectedKind::NotJson),
        ("I0314 started", RejectedKind::NotJson),
        ("\"x\"", RejectedKind::NotJson),
        ("'", RejectedKind::NotJson),
        ("\u{fffd}", RejectedKind::NotJson),
        ("{", RejectedKind::CutTooEarly),
        (r#"{"reco"#, RejectedKind::CutTooEarly),
        (r#"{"records":[{"operationName":"M"#, RejectedKind::CutTooEarly),
        (r#"{"records":[{"properties":{"log":"{\"kind\":\"Ev"#, RejectedKind::CutTooEarly),
        ("{}", RejectedKind::NotAuditEvent),
        (A, RejectedKind::NotAuditEvent),
        (r#"{"time":"2026-03-14T09:00:00Z"}"#, RejectedKind::NotAuditEvent),
        (&none("{}"), RejectedKind::NotAuditEvent),
        (&none("null"), RejectedKind::NotAuditEvent),
        (&none(r#""text""#), RejectedKind::NotAuditEvent),
        (&none(r#"{"log":{}}"#), RejectedKind::NotAuditEvent),
        (&none(r#"{"log":"{}"}"#), RejectedKind::NotAuditEvent),
        (&none(r#"{"log":"I0314 \"started\"\n"}"#), RejectedKind::NotJson),
        (&none(r#"{"log":null}"#), RejectedKind::NotJson),
        (&none(r#"{"log":""}"#), RejectedKind::Empty),
        (&none(r#"{"log":"{\"kind\":\"Ev"}"#), RejectedKind::CutTooEarly),
        (r#"{"properties":{"log":"text"}}"#, RejectedKind::NotJson),
        (r#"{"records":[{"category":"kube-audit",}]}"#, RejectedKind::NotJson),
    ] {
        check(body, &[], &[kind]);
    }
}

#[test]
fn rejections_tell_which_records() {
    let text = r#"{"category":"kube-audit","properties":{"log":"I0314 started\n"}}"#;
    let before = format!("\u{feff}{{\"records\":[{}, ", bare(A));
    let outcome = split(format!("{before}{text},{},{text}]}}", bare(B)));
    assert_eq!(texts(&outcome), [A, B]);
    let (offset, len) = (before.len(), text.len() * 2);
    assert_eq!(outcome.split.rejected, [Rejected { kind: RejectedKind::NotJson, count: 2, offset, len }]);
    assert_eq!((outcome.records, outcome.skipped), (4, 0));
}

const ID: &str =
    "/SUBSCRIPTIONS/0A1B/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD-EU";

#[track_caller]
fn check_place(record: &str, options: &Options, annotations: &Value) {
    let outcome =
        azure::split(&Bytes::copy_from_slice(record.as_bytes()), ARRIVED, options, &Limits::default());
    let [event] = outcome.split.events.as_slice() else { panic!("{outcome:?}") };
    let event: Value = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!(event["annotations"], *annotations);
}

#[test]
fn events_tell_where_they_come_from() {
    let place = json!({"cluster_name": "prod-eu", "cluster_resource_id": ID, "cluster_account": "0A1B"});
    let options = Options { cluster: Some("Mine".to_owned()), ..Options::default() };
    let with =
        |id: &str, log: &str| format!(r#"{{"properties":{{"log":{}}},"resourceId":{id}}}"#, quoted(log));
    for options in [&options, &Options::default()] {
        check_place(&with(&quoted(ID), A), options, &place);
        check_place(&with(&quoted(ID).replace('/', "\\/"), A), options, &place);
    }
    let own = r#"{"auditID":"a","annotations":{"cluster_name":"own","cluster_account":null}}"#;
    let kept = json!({"cluster_name": "own", "cluster_account": null, "cluster_resource_id": ID});
    check_place(&with(&quoted(ID), own), &options, &kept);
    for id in ["null", "\"\"", "[1]", "\"/a\\u0000\""] {
        check_place(&with(id, A), &options, &json!({"cluster_name": "Mine"}));
        check_place(&with(id, A), &Options::default(), &Value::Null);
    }
}

#[test]
fn one_hub_serves_many_clusters() {
    let records: Vec<_> = ["/SUBSCRIPTIONS/1/C/ONE", "/SUBSCRIPTIONS/2/C/TWO", "", "/SUBSCRIPTIONS/1/C/ONE"]
        .iter()
        .map(|id| format!(r#"{{"resourceId":"{id}","properties":{{"log":{A}}}}}"#))
        .collect();
    let options = Options { cluster: Some("mine".to_owned()), ..Options::default() };
    let outcome = azure::split(&Bytes::from(body(&records)), ARRIVED, &options, &Limits::default());
    let place = |event: &audit_core::AuditEvent| {
        let event: Value = serde_json::from_slice(&event.payload).unwrap();
        let annotation = |key: &str| event["annotations"][key].as_str().unwrap_or("-").to_owned();
        (annotation("cluster_name"), annotation("cluster_account"))
    };
    let places: Vec<_> = outcome.split.events.iter().map(place).collect();
    let expect = [("one", "1"), ("two", "2"), ("mine", "-"), ("one", "1")];
    assert_eq!(places, expect.map(|(name, account)| (name.to_owned(), account.to_owned())));
}

/// What a salvaged event gets at its end when everything was lost, from a record of `time`.
fn lost(time: &str) -> String {
    format!(r#""stageTimestamp":"{time}","annotations":{{"k8saudit/truncated":"true"}}}}"#)
}

#[track_caller]
fn check_salvaged(body: impl AsRef<[u8]>, expect: &str, reason: SalvageReason) {
    let outcome = check(&body, &[expect], &[]);
    let context = String::from_utf8_lossy(body.as_ref()).into_owned();
    assert_eq!(outcome.split.events[0].salvaged, Some(reason), "{context}");
}

#[test]
fn a_log_that_was_cut_at_16_kib_becomes_whole() {
    let record = |log: &str| {
        format!(
            r#"{{"category":"kube-audit","properties":{{"log":"{log}"}},"time":"2026-03-14T09:00:00.123456789Z"}}"#
        )
    };
    let cut = r#"{\"auditID\":\"a\",\"verb\":\"get\",\"user\":{\"username\":\"jane\",\"groups\":[\"x\",\"y"#;
    let time = "2026-03-14T09:00:00.123456Z";
    let whole =
        format!(r#"{{"auditID":"a","verb":"get","user":{{"username":"jane","groups":["x"]}},{}"#, lost(time));
    for end in ["", r"\n", r"\\", r"\\u00", r"\\u00e9", r"\u00e9", r"\ufffd", r"\ud83d", "[Truncated...]"] {
        check_salvaged(record(&format!("{cut}{end}")), &whole, SalvageReason::Truncated);
    }
    let mut within_a_character = Vec::from(record(cut));
    let at = record(cut).find("\"},").unwrap();
    within_a_character.splice(at..at, *b"\xe6\x97");
    check_salvaged(within_a_character, &whole, SalvageReason::Truncated);
    // The event's own time is better than the record's.
    let cut = r#"{\"auditID\":\"a\",\"stageTimestamp\":\"2026-03-14T08:59:59Z\",\"verb\":\"g"#;
    let outcome = split(record(cut));
    assert_eq!(outcome.split.events[0].timestamp.to_string(), "2026-03-14T08:59:59.000000Z");
    // A time that tells nothing leaves that of the message.
    let whole = format!(r#"{{"auditID":"a",{}"#, lost("2026-02-02T02:40:00.123000Z"));
    for time in ["\"yesterday\"", "null", "\"0001-01-01T00:00:00Z\"", "12"] {
        let body = format!(r#"{{"properties":{{"log":"{{\"auditID\":\"a\",\"ver"}},"time":{time}}}"#);
        check_salvaged(body, &whole, SalvageReason::Truncated);
    }
}

#[test]
fn a_message_that_was_cut_gives_its_last_event_too() {
    let cut = r#"{"category":"kube-audit","time":"2026-03-14T09:00:00Z","properties":{"log":"{\"auditID\":\"c\",\"verb\":\"get\""#;
    let whole = format!(r#"{{"auditID":"c","verb":"get",{}"#, lost("2026-03-14T09:00:00.000000Z"));
    for end in
        ["", ",", ",\\", r#",\""#, r#",\"user"#, r#",\"user\""#, r#",\"user\":{"#, r#",\"user\":{\"a\":\"\\"#]
    {
        let body = format!(r#"{{"records":[{},{cut}{end}"#, bare(A));
        for filler in ["", "\0\0", "\r\n"] {
            check(format!("{body}{filler}"), &[A, &whole], &[]);
        }
        let in_string =
            format!("{{\"category\":\"kube-audit\",\"time\":\"2026-03-14T09:00:00Z\",\"properties\":{}", {
                let properties = cut.split_once("properties\":").unwrap().1.to_owned() + end;
                let escaped = quoted(&properties);
                escaped.strip_suffix('"').unwrap().to_owned()
            });
        check(format!(r#"{{"records":[{},{in_string}"#, bare(A)), &[A, &whole], &[]);
    }
    let object = r#"{"time":"2026-03-14T09:00:00Z","properties":{"log":{"auditID":"c","verb":"get","use"#;
    check(format!(r#"{{"records":[{},{object}"#, bare(A)), &[A, &whole], &[]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let body = b"{\"x\":\"\xff\",\"resourceId\":\"/\xfe\",\"properties\":{\"log\":\"{\\\"auditID\\\":\\\"a\\\",\\\"verb\\\":\\\"g\xff\xfet\\\"}\"}}";
    let outcome = split(body);
    let event: Value = serde_json::from_slice(&outcome.split.events[0].payload).unwrap();
    assert_eq!(event["verb"], "g\u{fffd}\u{fffd}t");
    assert_eq!(event["annotations"]["cluster_resource_id"], "/\u{fffd}");
    assert_eq!(outcome.split.events[0].salvaged, Some(SalvageReason::InvalidUtf8));
    let mut body = b"\xff\xfe".to_vec();
    body.extend(bare(A).bytes());
    body.extend(b"\xc3");
    check(&body, &[A], &[RejectedKind::NotJson]);
}

/// Records in the middle that are not JSON, each with the event that is in it.
#[test]
fn what_is_misspelt_is_mended() {
    let event = r#"{"auditID":"m","stage":"Panic","user":{"username":"it's \"j\""},"requestURI":"/a, b"}"#;
    let python = |log: &str| {
        format!(
            "{{'category': 'kube-audit', 'properties': {{'log': '{}', 'stream': 'stdout'}}, 'time': '2026-03-14T09:00:00Z'}}",
            log.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")
        )
    };
    let single = |json: &str| json.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "'");
    let plain = r#"{"auditID":"m","stage":"Panic","sourceIPs":["10.0.0.1"],"code":200}"#;
    for (middle, expect) in [
        (python(&format!("{event}\n")), event),
        (python(&single(plain)), plain),
        (single(&bare(plain)).replace("\\\\'", "\\'").replace("\\\\n", "\\n"), plain),
        (bare(&single(plain)), plain),
        (format!("{{'category':'kube-audit','properties':{{'log':{plain}}}}}"), plain),
        (bare(event).replace(r"\n", "\n"), event),
        (bare(event).replace(r"\n", "\r\n\t"), event),
        (bare(event).replace(",\\\"stage", "\n,\t\\\"stage"), &event.replace(",\"stage", "\n,\t\"stage")),
        (bare(event).replace("/a, b", "/a,\nb"), &event.replace("/a, b", "/a,\\nb")),
        (bare(event).replace("/a, b", "/a,\\nb"), &event.replace("/a, b", "/a,\\nb")),
        (bare(event).replace("/a, b", "/a,\u{1}b"), &event.replace("/a, b", "/a,\\u0001b")),
        (bare(event).replace("/a, b", "/a,\\qb"), &event.replace("/a, b", "/a,\\\\qb")),
    ] {
        for (before, behind) in [("{\"records\":[", "]}"), ("[", "]"), ("{'records':[", "]}")] {
            let body = format!("{before}{},{middle},{}{behind}", bare(A), bare(B));
            let outcome = check(&body, &[A, expect, B], &[]);
            assert_eq!((outcome.records, outcome.mended), (3, 1), "{body}");
            assert!(outcome.split.events.iter().all(|event| event.salvaged.is_none()), "{body}");
        }
        check(&middle, &[expect], &[]);
    }
    // All of a body in single quotes, and one that is cut.
    let body = format!("{{'records': [{}, {}]}}", python(plain), python(event));
    check(&body, &[plain, event], &[]);
    let cut = split(&body[..body.find("requestURI").unwrap()]);
    assert_eq!(cut.split.events.len(), 2);
    assert_eq!(cut.split.events[1].salvaged, Some(SalvageReason::Truncated));
    assert!(
        texts(&cut)[1].starts_with(r#"{"auditID":"m","stage":"Panic","user":{"username":"it's \"j\""},"#)
    );
}

#[test]
fn a_broken_record_costs_its_neighbours_nothing() {
    let salvaged = |event: &str| format!("{event},{}", lost("2026-03-14T09:00:00.000000Z"));
    let c = r#"{\"auditID\":\"c\",\"verb\":\"get\",\"stage\":\"Panic\"}\n"#;
    let record = format!(
        r#"{{"category":"kube-audit","time":"2026-03-14T09:00:00Z","properties":{{"log":"{c}","pod":"p"}},"x":"y"}}"#
    );
    let whole = r#"{"auditID":"c","verb":"get","stage":"Panic"}"#;
    for (broken, expect) in [
        (record.clone(), whole.to_owned()),
        (record.replacen('{', "", 1), whole.to_owned()),
        (record.replace(r#""x":"y"}"#, ""), whole.to_owned()),
        (record.replace(r#","pod":"p"},"x":"y"}"#, ""), whole.to_owned()),
        (record.replace(r#""pod":"p"}"#, r#""pod":"p"#), whole.to_owned()),
        (record.replace(r#""x":"y""#, r#""x":y"#), whole.to_owned()),
        (record.replace(r#""x":"y""#, r#""x":{"y""#), whole.to_owned()),
        (record.replace(r#""x":"y""#, r#""x":[[["y""#), whole.to_owned()),
        (record.replace(r#""category":"kube-audit","#, r#""category":"kube-audit,"#), whole.to_owned()),
        (record.replace(r#""time":"#, r#""time""#), whole.to_owned()),
        (record.replace(r#"\"get\""#, r#""get\""#), salvaged(r#"{"auditID":"c""#)),
        (record.replace(r#"\"get\""#, r#"get"#), salvaged(r#"{"auditID":"c""#)),
        (record.replace(c, r#"{\"auditID\":\"c\",\"verb\":\"g"#), salvaged(r#"{"auditID":"c""#)),
        (
            record.replace(&format!("\"{c}\""), &whole.replace("stage\"", "stage")),
            salvaged(r#"{"auditID":"c","verb":"get""#),
        ),
    ] {
        let outcome = split(body(&[bare(A), broken.clone(), bare(B)]));
        assert_eq!(texts(&outcome), [A, &expect, B], "{broken}");
        assert_eq!(outcome.split.rejected, [], "{broken}");
        // Two of them, and no record whole.
        let outcome = split(body(&[broken.clone(), broken.clone()]));
        assert_eq!(texts(&outcome), [&expect, &expect], "{broken}");
    }
    for rubbish in [
        "x",
        "\"",
        "'",
        "{",
        "{\"",
        "[",
        "12",
        "null",
        "{]",
        "\\",
        "\u{fffd}",
        "{\"a\":",
        "{\"properties\":{\"log\":\"",
    ] {
        let outcome = split(body(&[bare(A), rubbish.to_owned(), bare(B)]));
        assert_eq!(texts(&outcome), [A, B], "{rubbish}");
    }
}

#[test]
fn the_envelope_itself_may_be_broken() {
    let (a, b) = (bare(A), bare(B));
    for body in [
        format!(r#"{{"rec'rds":[{a},{b}]}}"#),
        format!(r#"{{"records"[{a},{b}]}}"#),
        format!(r#"{{records":[{a},{b}]}}"#),
        format!(r#""records":[{a},{b}]}}"#),
        format!(r#"{{"records":{{{a},{b}]}}"#),
        format!(r#"{{"records":"[{a},{b}]}}"#),
        format!(r#"x{a},{b}"#),
        format!(r#"{{"other":{{"records":[{a},{b}]}}}}"#),
    ] {
        assert_eq!(texts(&split(&body)), [A, B], "{body}");
    }
}

/// What a user wrote into an event is never taken for a record, however the record was broken.
#[test]
fn no_record_comes_out_of_an_event() {
    let fake = format!(
        r#"{{"category":"kube-audit","time":"x","resourceId":"/x","properties":{{"log":{}}}}}"#,
        quoted(r#"{"auditID":"fake"}"#)
    );
    let python = "{'category':'kube-audit','time':'x','properties':{'log':'{\"auditID\":\"fake\"}'}}";
    for fake in
        [fake.clone(), format!("}}]}},{fake}"), python.to_owned(), format!("}},{python}"), quoted(&fake)]
    {
        let event = json!({"auditID": "real", "userAgent": fake, "requestObject": {"data": {"a": fake}}, "stage": "x"});
        let record = record(&event.to_string());
        let check = |body: &[u8]| {
            for event in split(body).split.events {
                let event: Value = serde_json::from_slice(&event.payload).unwrap();
                assert_ne!(event["auditID"], "fake", "{}", String::from_utf8_lossy(body));
            }
        };
        for cut in 0..record.len() {
            check(&record.as_bytes()[..cut]);
        }
        for at in 0..record.len() {
            for byte in *b"'\"\n{\\" {
                let mut body = record.clone().into_bytes();
                body[at] = byte;
                check(&body);
            }
        }
    }
}

#[test]
fn depth_has_a_bound() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for levels in [MAX_DEPTH, 100_000] {
        let event = format!(r#"{{"auditID":"d","requestObject":{}}}"#, deep(levels));
        let expect = format!(
            r#"{{"auditID":"d","requestObject":{},{}"#,
            deep(MAX_DEPTH - 1).replace("[]", "[null]"),
            lost("2026-02-02T02:40:00.123000Z")
        );
        for log in [quoted(&event), event.clone()] {
            let record = format!(r#"{{"category":"kube-audit","properties":{{"log":{log},"pod":"p"}}}}"#);
            let outcome = split(body(&[bare(A), record, bare(B)]));
            assert_eq!(texts(&outcome), [A, &expect, B]);
            assert_eq!(outcome.split.events[1].salvaged, Some(SalvageReason::TooDeep));
        }
        // In a member that nobody asked for.
        let record = bare(A).replace(r#"{"category"#, &format!(r#"{{"x":{},"category"#, deep(levels)));
        assert_eq!(texts(&split(body(&[bare(B), record, bare(B)]))), [B, A, B]);
    }
    for bomb in ["[", "{\"a\":", "{\"category\":", "{\"properties\":", "{\"log\":", "[{\"records\":"] {
        let outcome = split(format!("[{},{},{}]", bare(A), bomb.repeat(100_000), bare(B)));
        assert_eq!(texts(&outcome), [A, B], "{bomb}");
    }
}

/// Bodies that were made to be searched again and again: what counts is that this ends.
#[test]
fn work_is_linear() {
    const SIZE: usize = 256 << 10;
    let filler = format!("[{}", "1,".repeat(SIZE / 4));
    let member = r#"{"time":1,"category":"#;
    let patterns: Vec<(String, String)> = [
        "{",
        "{\"",
        "{'",
        "\"log\":",
        "\"log\":\"\"",
        "\"log\":{",
        "\"category\":\"",
        "{\"a\":{\"log\":\"{",
        "{'log':'",
        "{'a':",
        "\"a\":[",
        "\"a\":{",
        "\"a\":1",
        "'",
        "\\",
        "\\\"",
        "{\"time\":1,\"category\":",
        "{\"time\":1,\"category\":2",
        "{\"properties\":\"{",
        "{\"properties\":{\"log\":[",
        "{\"properties\":{\"log\":\"{",
        "{\"records\":",
        "{\"records\":[{",
        "},{\"time\":",
        "{\"time\":[",
        ",{'time':",
        "},{'time':'",
        " ",
        "\0",
        "x",
    ]
    .iter()
    .map(|pattern| (String::new(), pattern.repeat(SIZE / pattern.len())))
    .chain([
        (member.repeat(500), filler.clone()),
        (format!("{{\"a\":{}", member.repeat(500)).repeat(40), filler),
    ])
    .collect();
    for (head, rest) in patterns {
        let hostile = format!("{head}{rest}");
        for body in [hostile.clone(), format!("{{\"records\":[{},{hostile},{}]}}", bare(A), bare(B))] {
            let started = std::time::Instant::now();
            let outcome = split(&body);
            let text: String = hostile.chars().take(24).collect();
            println!("{:>9.3?} {text:?}: {} records", started.elapsed(), outcome.records);
            if body.len() > hostile.len() {
                assert_eq!(texts(&outcome).first(), Some(&A), "{text}");
            }
        }
    }
}

#[test]
fn many_tiny_records() {
    let count = 100_000;
    let tiny = r#"{"properties":{"log":{"auditID":1}}}"#;
    let records = vec![tiny; count].join(",");
    let outcome = split(format!(r#"{{"records":[{records}]}}"#));
    assert_eq!((outcome.split.events.len(), outcome.records), (count, count));
    let outcome = split(format!("[{}]", vec!["{}"; count].join(",")));
    assert_eq!((outcome.records, outcome.split.rejected[0].count), (count, count));
    assert_eq!(outcome.split.rejected.len(), 1);
    let outcome = split(format!("[{}]", vec!["{,}"; count].join(",")));
    assert!(outcome.split.rejected.len() <= 2);
    let outcome = split(format!("[{}]", vec![r#"{"category":"guard"}"#; count].join(",")));
    assert_eq!((outcome.records, outcome.skipped, outcome.split.rejected), (count, count, vec![]));
}

#[test]
fn the_limit_holds_with_annotations() {
    let id = format!("/SUBSCRIPTIONS/{}/{}/{}", "S".repeat(200), "\\\"".repeat(60), "C".repeat(170));
    let event = format!(
        r#"{{"auditID":"a","stage":"Panic","requestObject":"{}","userAgent":"{0}"}}"#,
        "x".repeat(20_000)
    );
    for log in [event.clone(), quoted(&event), quoted(&event[..15_000])] {
        let record = format!(r#"{{"resourceId":"{id}","properties":{{"log":{log}}}}}"#);
        for max_event_size in [0, 10_000] {
            let limits = Limits { max_event_size };
            let outcome = azure::split(&record.clone().into(), ARRIVED, &Options::default(), &limits);
            let [event] = outcome.split.events.as_slice() else { panic!("{outcome:?}") };
            assert!(event.payload.len() <= limits.event_size(), "{}", event.payload.len());
            assert!(event.salvaged >= Some(SalvageReason::TooLarge) || event.payload.len() < 5_000);
            let value: Value = serde_json::from_slice(&event.payload).unwrap();
            assert_eq!(value["annotations"]["cluster_name"], "c".repeat(170));
            assert_eq!(value["annotations"]["k8saudit/truncated"], "true");
        }
    }
}

#[track_caller]
fn identity(log: &str) -> Option<EventIdentity> {
    let outcome = split(format!(r#"{{"properties":{{"log":{}}}}}"#, quoted(log)));
    let [event] = outcome.split.events.as_slice() else { panic!("{outcome:?}") };
    event.identity()
}

#[test]
fn an_event_that_arrives_twice_is_known() {
    const AT: &str = r#""stageTimestamp":"2026-01-02T03:04:05.678901Z""#;
    let event = format!(
        r#"{{"auditID":"1-2","stage":"ResponseComplete","verb":"get","requestURI":"/api","user":{{"username":"u"}},{AT}}}"#
    );
    let known = identity(&event).unwrap();
    let twice = format!(
        r#"{{"records":[{{"category":"kube-audit","resourceId":"/A/B","properties":{{"log":{}}}}},{{"properties":{{"log":{event}}},"category":"kube-audit-admin"}}]}}"#,
        quoted(&event)
    );
    let identities: Vec<_> = split(twice).split.events.iter().map(|event| event.identity()).collect();
    assert_eq!(identities, [Some(known); 2]);
    let with = |more: &str| format!("{}{more}}}", event.strip_suffix('}').unwrap());
    let large = format!(r#"{},"userAgent":"{}"}}"#, event.strip_suffix('}').unwrap(), "x".repeat(2 << 20));
    let escaped = event.replace("Complete", r"\u0043omplete").replace("1-2", r"1\u002d2").replace(':', " : ");
    for same in
        [with(r#","auditID":"3","stage":"Panic""#), large, escaped.replace("03 : 04 : 05", "03:04:05")]
    {
        assert_eq!(identity(&same), Some(known), "{same:.80}");
    }
    for (from, to) in [
        ("1-2", "1-3"),
        ("ResponseComplete", "ResponseStarted"),
        (r#""1-2","stage":"R"#, r#""1-","stage":"2R"#),
        // A client may choose the auditID, and not when the server has answered.
        ("678901Z", "678902Z"),
        ("/api", "/apis"),
        ("get", "delete"),
        (r#""username":"u""#, r#""username":"v""#),
        (r#""verb":"get","#, ""),
    ] {
        let other = event.replacen(from, to, 1);
        assert!(identity(&other).is_some_and(|other| other != known), "{other}");
    }
    // What lacks one of the three would be the same as all others that do; what was cut off may differ behind.
    let cut = event.trim_end_matches('}');
    for none in [
        r#"{"auditID":"1-2","stage":"Panic"}"#,
        &event.replace(r#""auditID":"1-2","#, r#""kind":"Event","apiVersion":"audit.k8s.io/v1","#),
        &event.replace(r#""1-2""#, r#""""#),
        &event.replace(r#""1-2""#, "12"),
        &event.replace(r#""ResponseComplete""#, "null"),
        cut,
    ] {
        assert_eq!(identity(none), None, "{none}");
    }
}

/// Replicas of different builds must agree.
#[test]
fn an_identity_stays_the_same() {
    let event = r#"{"auditID":"5f0c7a30-92a1-4c7e-8d0e-2f8a8f6c1c11","stage":"ResponseComplete","stageTimestamp":"2026-01-02T03:04:05.678901Z","verb":"get"}"#;
    assert_eq!(identity(event), Some(EventIdentity(14_979_308_192_519_334_935)));
}

#[test]
fn an_object_and_a_string_give_the_same() {
    let fixtures = ask::Fixtures::read();
    assert!(fixtures.fixtures.len() > 20);
    let with = |log: &str| {
        format!(
            r#"{{"records":[{{"category":"kube-audit","resourceId":"{ID}","properties":{{"log":{log}}}}}]}}"#
        )
    };
    for fixture in &fixtures.fixtures {
        let event = fixture.event.as_str();
        let events = split(with(event)).split;
        assert_eq!(events.events.len(), 1);
        assert_eq!(split(with(&quoted(event))).split, events);
        let properties =
            with("0").replace(r#"{"log":0}"#, &quoted(&format!(r#"{{"log":{}}}"#, quoted(event))));
        assert_eq!(split(properties).split, events);
        let value: Value = serde_json::from_slice(&events.events[0].payload).unwrap();
        let mut before: Value = serde_json::from_str(event).unwrap();
        if !before["annotations"].is_object() {
            before["annotations"] = json!({});
        }
        for (key, text) in
            [("cluster_name", "prod-eu"), ("cluster_resource_id", ID), ("cluster_account", "0A1B")]
        {
            before["annotations"].as_object_mut().unwrap().entry(key).or_insert(text.into());
        }
        assert_eq!(value, before);
    }
}

#[test]
fn real_messages() {
    let Some(shared) = ask::shared_dir("real messages of an Event Hub") else { return };
    for file in ["hub-message.json", "single-record.json"] {
        let bytes = std::fs::read(shared.join("corpus/aks").join(file)).unwrap();
        let text = std::str::from_utf8(&bytes).unwrap().trim_start_matches('\u{feff}');
        let whole: Value = serde_json::from_str(text).unwrap();
        let records = whole["records"].as_array().cloned().unwrap_or_else(|| vec![whole]);
        let outcome = split(&bytes);
        println!("{file}: {} records", records.len());
        assert_eq!((outcome.records, outcome.skipped, outcome.mended), (records.len(), 0, 0));
        assert_eq!(outcome.split.rejected, []);
        for (record, event) in records.iter().zip(&outcome.split.events) {
            let mut expect: Value =
                serde_json::from_str(record["properties"]["log"].as_str().unwrap()).unwrap();
            let id = record["resourceId"].as_str().unwrap();
            expect["annotations"]["cluster_name"] = id.rsplit('/').next().unwrap().to_lowercase().into();
            expect["annotations"]["cluster_resource_id"] = id.into();
            expect["annotations"]["cluster_account"] = id.split('/').nth(2).unwrap().into();
            assert_eq!(serde_json::from_slice::<Value>(&event.payload).unwrap(), expect);
            assert_eq!(
                UnixNanos::parse_rfc3339(expect["stageTimestamp"].as_str().unwrap().as_bytes()),
                Some(event.timestamp)
            );
            assert_eq!(event.salvaged, None);
            assert!(event.identity().is_some());
        }
        assert_eq!(outcome.split.events.len(), records.len());
    }
}
