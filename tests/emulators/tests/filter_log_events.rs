//! FilterLogEvents over the wire: windows, pages, tokens, visibility, order, ledger.
#![allow(missing_docs, dead_code, unreachable_pub, reason = "a test, and a client that several tests share")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's client must stop the test")]

#[path = "support/client.rs"]
mod client;

use client::{Client, whole};
use emulators::cloudwatch::{Config, Emulator, Event, Generated, Lateness, Operation, Visibility};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

const GROUP: &str = "/aws/eks/a/cluster";

/// Signatures are not what these tests are about.
fn config() -> Config {
    Config { signature_skew: None, ..Config::default() }
}

fn start(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config).unwrap();
    emulator.create_group(GROUP);
    let client = Client::connect(&emulator.endpoint_url(), "");
    (emulator, client)
}

fn messages(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["message"].as_str().unwrap()).collect()
}

/// Three streams with an event per second, 1,000 to 9,000, named after stream and second.
fn small() -> (Emulator, Client) {
    let (emulator, client) = start(config());
    for n in 1..10 {
        let stream = ["audit-a", "audit-b", "other-c"][n % 3];
        let event = Event::new(n as i64 * 1_000, format!("{stream} {n} \"quoted\" \u{1}\u{e9}"));
        emulator.put(GROUP, stream, vec![event]);
    }
    (emulator, client)
}

#[track_caller]
fn check(parameters: Value, expect: &[i64]) {
    let (_emulator, mut client) = small();
    let mut request = whole(GROUP);
    request.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    let events = client.read_all(&request).unwrap();
    let seconds: Vec<i64> = events.iter().map(|event| event["timestamp"].as_i64().unwrap() / 1_000).collect();
    assert_eq!(seconds, expect);
}

#[test]
fn windows_streams_and_patterns() {
    check(json!({}), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(json!({ "limit": 2 }), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(json!({ "startTime": 3000 }), &[3, 4, 5, 6, 7, 8, 9]);
    check(json!({ "startTime": 3001, "endTime": 5000 }), &[4, 5]);
    check(json!({ "startTime": 3000, "endTime": 3000 }), &[3]);
    check(json!({ "startTime": 9001 }), &[]);
    check(json!({ "logStreamNamePrefix": "audit-" }), &[1, 3, 4, 6, 7, 9]);
    check(json!({ "logStreamNamePrefix": "audit-", "limit": 1 }), &[1, 3, 4, 6, 7, 9]);
    check(json!({ "logStreamNamePrefix": "none" }), &[]);
    check(json!({ "logStreamNames": ["audit-a"] }), &[3, 6, 9]);
    check(json!({ "logStreamNames": ["audit-a", "other-c"], "startTime": 4000 }), &[5, 6, 8, 9]);
    check(json!({ "filterPattern": "\"audit-b\"" }), &[1, 4, 7]);
    check(json!({ "filterPattern": "audit -\"audit-a\"", "limit": 1 }), &[1, 4, 7]);
    check(json!({ "filterPattern": "" }), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[track_caller]
fn refuse(request: Value, code: &str, message: &str) {
    let (_emulator, mut client) = small();
    let answer = client.call("FilterLogEvents", &request).unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (400, code));
    let found = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(found.contains(message), "{found}");
}

#[test]
fn refusals() {
    const INVALID: &str = "InvalidParameterException";
    const ARN: &str = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/a/cluster";
    refuse(whole("/none"), "ResourceNotFoundException", "The specified log group does not exist.");
    refuse(json!({}), INVALID, "must be specified");
    refuse(json!({ "logGroupName": GROUP, "logGroupIdentifier": ARN }), INVALID, "together");
    refuse(json!({ "logGroupName": GROUP, "limit": 0 }), INVALID, "greater than or equal to 1");
    refuse(json!({ "logGroupName": GROUP, "limit": 10_001 }), INVALID, "Value '10001' at 'limit'");
    refuse(json!({ "logGroupName": GROUP, "startTime": -1 }), INVALID, "Value '-1' at 'startTime'");
    refuse(json!({ "logGroupName": GROUP, "nextToken": "x" }), INVALID, "nextToken");
    refuse(json!({ "logGroupName": GROUP, "filterPattern": "{ $.a = 1 }" }), INVALID, "filter pattern");
    refuse(
        json!({ "logGroupName": GROUP, "logStreamNames": ["audit-a"], "logStreamNamePrefix": "a" }),
        INVALID,
        "together",
    );
    refuse(
        json!({ "logGroupName": GROUP, "logStreamNames": ["none"] }),
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    );
    refuse(json!({ "logGroupName": GROUP, "limit": "ten" }), "SerializationException", "");
}

#[test]
fn an_event_has_the_members_of_aws() {
    let (emulator, mut client) = start(config());
    let event =
        Event { ingestion_time_ms: 1_500, ..Event::new(1_000, "a \"b\" \u{1}\u{e9}\\").visible_at(1_200) };
    emulator.put(GROUP, "s", vec![event]);
    let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/a/cluster";
    let answer = client.call("FilterLogEvents", &json!({ "logGroupIdentifier": arn })).unwrap();
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert!(answer.header("date").ends_with(" GMT"));
    let mut page = answer.json();
    assert_eq!(page["events"][0]["eventId"].take().as_str().unwrap().len(), 56);
    let event = json!({
        "eventId": null, "ingestionTime": 1_500, "logStreamName": "s",
        "message": "a \"b\" \u{1}\u{e9}\\", "timestamp": 1_000,
    });
    assert_eq!(page, json!({ "events": [event], "searchedLogStreams": [] }));
}

#[test]
fn a_page_ends_at_a_million_bytes_or_ten_thousand_events() {
    let (emulator, mut client) = start(config());
    // 26 bytes count on top of each message: 10 × (104,831 + 26) = 1,048,570.
    emulator.generate(GROUP, Generated { message_bytes: 104_831, ..Generated::backlog(25, 0) });
    let page = client.call("FilterLogEvents", &whole(GROUP)).unwrap().json();
    assert_eq!(page["events"].as_array().unwrap().len(), 10);
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 25);
    // One byte more each, and the tenth does not fit: 1,048,580.
    let larger = Generated { message_bytes: 104_832, seed: 2, ..Generated::backlog(25, 0) };
    emulator.generate("/larger", larger);
    let page = client.call("FilterLogEvents", &whole("/larger")).unwrap().json();
    assert_eq!(page["events"].as_array().unwrap().len(), 9);

    emulator.create_group("/small");
    let small = (0..10_001).map(|n| Event::new(n, "x")).collect();
    emulator.put("/small", "s", small);
    let page = client.call("FilterLogEvents", &whole("/small")).unwrap().json();
    assert_eq!(page["events"].as_array().unwrap().len(), 10_000);
    assert!(page["nextToken"].is_string());

    emulator.put("/large", "s", vec![Event::new(1, "x".repeat(2 << 20)), Event::new(2, "y")]);
    let page = client.call("FilterLogEvents", &whole("/large")).unwrap().json();
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    assert_eq!(client.read_all(&whole("/large")).unwrap().len(), 2);
}

#[test]
fn partial_and_empty_pages_lose_nothing() {
    let (emulator, mut client) =
        start(Config { partial_pages: 0.5, empty_pages: 0.3, page_events: 100, ..config() });
    let plan = Generated::backlog(3_000, 1_000);
    emulator.generate(GROUP, plan.clone());
    let events = client.read_all(&whole(GROUP)).unwrap();
    let ids: HashSet<&str> = events.iter().map(|event| event["eventId"].as_str().unwrap()).collect();
    assert_eq!((events.len(), ids.len()), (3_000, 3_000));
    let timestamps: Vec<i64> = events.iter().map(|event| event["timestamp"].as_i64().unwrap()).collect();
    assert!(timestamps.is_sorted());
    let stats = emulator.stats();
    assert!(stats.pages > 40 && stats.empty_pages > 5, "{stats:?}");
    assert_eq!(stats.message_bytes, plan.total_message_bytes());
    assert_eq!(stats.events, 3_000);
}

#[test]
fn the_same_seed_makes_the_same_pages() {
    let sizes = |seed| {
        let config = Config { partial_pages: 0.5, empty_pages: 0.3, page_events: 50, seed, ..config() };
        let (emulator, mut client) = start(config);
        emulator.generate(GROUP, Generated::backlog(1_000, 0));
        client.read_all(&whole(GROUP)).unwrap();
        emulator.stats().pages
    };
    assert_eq!(sizes(7), sizes(7));
    assert_ne!((sizes(7), sizes(8)), (sizes(9), sizes(10)));
}

#[test]
fn a_token_is_bound_to_its_request_and_expires() {
    let (emulator, mut client) = start(Config { token_lifetime: Duration::from_millis(200), ..config() });
    emulator.put(GROUP, "s", (0..10).map(|n| Event::new(n, "x")).collect());
    let mut next = |request: &Value| client.call("FilterLogEvents", request).unwrap();
    let first = json!({ "logGroupName": GROUP, "limit": 3 });
    let token = next(&first).json()["nextToken"].clone();

    let with = |member: &str, value: Value| {
        let mut request = first.clone();
        request["nextToken"] = token.clone();
        request[member] = value;
        request
    };
    let page = next(&with("limit", json!(4))).json();
    assert_eq!(page["events"].as_array().unwrap().len(), 4);
    assert_eq!(page["events"][0]["timestamp"], 3);
    let others = [
        ("startTime", json!(1)),
        ("endTime", json!(99)),
        ("logStreamNamePrefix", json!("s")),
        ("filterPattern", json!("x")),
    ];
    for (member, value) in others {
        assert_eq!(next(&with(member, value)).error(), "InvalidParameterException", "{member}");
    }
    // Waits for the state, not for a time: the token must be refused within the deadline.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let answer = next(&with("limit", json!(4)));
        if answer.status == 400 {
            assert!(answer.json()["message"].as_str().unwrap().contains("expired"));
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the token never expired");
    }
}

#[test]
fn events_become_visible_and_a_scan_goes_on_behind_its_position() {
    let (emulator, mut client) = start(config());
    let now = emulator.clock().now_ms();
    let late = |timestamp: i64, name: &str| Event::new(timestamp, name).visible_at(now + 3_600_000);
    let there = |timestamp: i64, name: &str| Event::new(timestamp, name);
    emulator.put(
        GROUP,
        "s",
        vec![there(1_000, "a"), late(2_000, "late b"), there(3_000, "c"), late(4_000, "late d")],
    );
    assert_eq!(messages(&client.read_all(&whole(GROUP)).unwrap()), ["a", "c"]);

    let first = client.call("FilterLogEvents", &json!({ "logGroupName": GROUP, "limit": 1 })).unwrap().json();
    let second = json!({ "logGroupName": GROUP, "limit": 1, "nextToken": first["nextToken"] });
    let second = client.call("FilterLogEvents", &second);
    assert!(second.unwrap().json().get("nextToken").is_none());
    let first = json!({ "logGroupName": GROUP, "limit": 2, "endTime": 9_000 });
    emulator.put(GROUP, "s", vec![there(5_000, "e")]);
    let page = client.call("FilterLogEvents", &first).unwrap().json();
    assert_eq!(messages(page["events"].as_array().unwrap()), ["a", "c"]);
    emulator.clock().set_offset_ms(3_600_001);
    let mut rest = first.clone();
    rest["nextToken"] = page["nextToken"].clone();
    assert_eq!(messages(&client.read_all(&rest).unwrap()), ["late d", "e"]);
    assert_eq!(messages(&client.read_all(&first).unwrap()), ["a", "late b", "c", "late d", "e"]);
}

#[test]
fn order_is_timestamp_then_ingestion() {
    let (emulator, mut client) = start(config());
    let event = |name: &str, timestamp, visible| Event::new(timestamp, name).visible_at(visible);
    emulator.put(GROUP, "z", vec![event("4", 2_000, 9_000), event("1", 1_000, 5_000)]);
    emulator.put(
        GROUP,
        "a",
        vec![event("2", 1_000, 6_000), event("3", 2_000, 8_000), event("5", 2_000, 9_000)],
    );
    for limit in [1, 2, 10] {
        let events = client.read_all(&json!({ "logGroupName": GROUP, "limit": limit })).unwrap();
        assert_eq!(messages(&events), ["1", "2", "3", "4", "5"]);
    }
}

#[test]
fn a_live_plan_follows_the_clock_and_its_lateness() {
    let (emulator, mut client) = start(config());
    let start_ms = emulator.clock().now_ms() + 3_600_000;
    let lateness = Lateness::none().band(0.4, 1_000, 60_000);
    let plan = Generated { lateness, ..Generated::live(2_000, start_ms, 100.0) };
    assert_eq!(plan.visibility, Visibility::Live);
    emulator.generate(GROUP, plan.clone());
    let mut ids = |offset: i64| -> HashSet<String> {
        emulator.clock().set_offset_ms(offset);
        let events = client.read_all(&whole(GROUP)).unwrap();
        let ids: HashSet<String> = events
            .iter()
            .map(|event| serde_json::from_str::<Value>(event["message"].as_str().unwrap()).unwrap())
            .map(|event| event["auditID"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), events.len());
        ids
    };
    let visible = |now_ms| (0..plan.count).filter(|index| plan.visible_at_ms(*index) <= now_ms).count();
    assert_eq!(ids(0).len(), 0);
    let before = emulator.clock().now_ms() + 3_600_000 + 10_000;
    let half = ids(3_600_000 + 10_000);
    assert!((visible(before)..=visible(emulator.clock().now_ms())).contains(&half.len()));
    assert!((500..1_000).contains(&half.len()), "{}", half.len());
    for id in &half {
        let index = plan.index_of(id).unwrap();
        assert!(plan.visible_at_ms(index) <= emulator.clock().now_ms());
        assert_eq!(plan.visible_at_ms(index), plan.ingestion_time_ms(index));
    }
    let all = ids(3_600_000 + 20_000 + 60_000);
    assert_eq!(all.len(), 2_000);
    let ledger = emulator.ledger();
    assert_eq!((ledger.known(), ledger.shown(), ledger.missing_count()), (2_000, 2_000, 0));
    assert_eq!(ledger.repeated(), half.len() as u64);
    assert!(half.iter().all(|id| ledger.times(id) == 2));
}

#[test]
fn a_window_far_into_a_million_events_is_found_at_once() {
    let (emulator, mut client) = start(config());
    let plan = Generated::backlog(1_000_000, 1_700_000_000_000);
    emulator.generate(GROUP, plan.clone());
    let at = plan.timestamp_ms(999_000);
    let request = json!({ "logGroupName": GROUP, "startTime": at, "endTime": at });
    assert_eq!(client.read_all(&request).unwrap().len(), 3);
    let ledger = emulator.ledger();
    assert_eq!((ledger.known(), ledger.shown(), ledger.times(&plan.id(999_000))), (1_000_000, 3, 1));
    assert_eq!(ledger.missing(2), [plan.id(0), plan.id(1)]);
    assert_eq!(emulator.stats().calls(Operation::FilterLogEvents), 1);
}
