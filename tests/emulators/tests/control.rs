//! The program and its control endpoints; the operations that write and describe.
#![allow(missing_docs, dead_code, unreachable_pub, reason = "a test, and a client that several tests share")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's client must stop the test")]

#[path = "support/client.rs"]
mod client;

use client::{Client, whole};
use emulators::cloudwatch::{Config, Emulator, Event, Generated};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const GROUP: &str = "/aws/eks/demo/cluster";

fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(Config { signature_skew: None, ..Config::default() }).unwrap();
    let client = Client::connect(&emulator.endpoint_url(), "");
    (emulator, client)
}

/// The program, ended when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(arguments: &[&str]) -> (Program, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloudwatch-emulator"))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let endpoint = first.trim_end().strip_prefix("listening on ").unwrap().to_owned();
    (Program(child), endpoint)
}

/// What a signature of this moment carries, as the server tells it.
fn signed_now(endpoint: &str) -> Client {
    let mut client = Client::connect(endpoint, "");
    let clock = client.control("GET", "clock", &Value::Null).json();
    let now_ms = clock["now_ms"].as_i64().unwrap();
    // Moves the server's clock to the moment of a fixed signature.
    const SIGNED_MS: i64 = 1_767_225_600_000;
    client.control("POST", "clock", &json!({ "offset_ms": SIGNED_MS - now_ms }));
    Client::connect(endpoint, "20260101T000000Z")
}

#[test]
fn the_program_serves_a_story_and_generated_events() {
    let mut story = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        story,
        r#"{{"offset_ms":-5000,"stream":"kube-apiserver-audit-1","event":{{"auditID":"first"}}}}"#
    )
    .unwrap();
    let arguments =
        ["--generate", "1000", "--rate", "500", "--lateness", "0.1:1..2", "--message-bytes", "1500"];
    let path = story.path().to_str().unwrap();
    let more = ["--story", path, "--fault", "throttling,next=1", "--run-for", "60"];
    let (_program, endpoint) = program(&[&arguments[..], &more[..]].concat());
    let mut client = signed_now(&endpoint);
    // The clock was moved back: what was visible by the real clock is not, the backlog is.
    let refused = client.read_all(&whole(GROUP)).unwrap_err();
    assert_eq!(refused.error(), "ThrottlingException");
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 1_000);
    let ledger = client.control("GET", "ledger?missing=5", &Value::Null).json();
    assert_eq!(
        ledger,
        json!({
            "known": 1_001, "shown": 1_000, "showings": 1_000, "repeated": 0,
            "missing_count": 1, "missing": ["first"],
        })
    );
}

#[test]
fn a_run_ends_by_itself() {
    let (mut program, _) = program(&["--run-for", "0.05"]);
    assert!(program.0.wait().unwrap().success());
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [["--fault", "nonsense"], ["--lateness", "often"], ["--story", "/none"], ["--rate", "0"]]
    {
        let output =
            Command::new(env!("CARGO_BIN_EXE_cloudwatch-emulator")).args(arguments).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains(arguments[1]), "{arguments:?}");
    }
}

#[test]
fn the_ledger_over_http() {
    let (emulator, mut client) = start();
    let plan = Generated { burst: 1, ..Generated::backlog(10_000, 0) };
    emulator.generate(GROUP, plan.clone());
    emulator.put(GROUP, "s", vec![Event::new(3, r#"{"auditID":"mine"}"#)]);
    let window = json!({ "logGroupName": GROUP, "startTime": 2, "endTime": 4_001 });
    client.read_all(&window).unwrap();
    let shown = client.control("GET", "ledger/shown", &Value::Null).body;
    let shown = String::from_utf8(shown).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4_001);
    assert_eq!(lines[0], format!("{}\t1", plan.id(2)));
    assert_eq!(lines[4_000], "mine\t1");
    let ledger = client.control("GET", "ledger?missing=1", &Value::Null).json();
    assert_eq!(ledger["missing"], json!([plan.id(0)]));
    let stats = client.control("GET", "stats", &Value::Null).json();
    assert_eq!(stats["events"], 4_001);
    assert_eq!(stats["outcomes"]["FilterLogEvents"]["ok"], stats["pages"]);
}

#[test]
fn faults_clock_and_events_over_http() {
    let (emulator, mut client) = start();
    let id =
        client.control("POST", "faults", &json!({ "kind": "throttling", "next": 2 })).json()["id"].clone();
    client.control("POST", "faults", &json!({ "kind": "slow", "ms": 1 }));
    let active = client.control("GET", "faults", &Value::Null).json();
    let expect = json!([
        { "id": 1, "hits": 0, "kind": "throttling", "next": 2, "counted": true },
        { "id": 2, "hits": 0, "kind": "slow", "ms": 1, "counted": true },
    ]);
    assert_eq!(active, expect);
    assert_eq!(client.control("DELETE", &format!("faults?id={id}"), &Value::Null).status, 200);
    assert_eq!(client.control("DELETE", &format!("faults?id={id}"), &Value::Null).status, 404);
    client.control("DELETE", "faults", &Value::Null);
    assert!(emulator.faults().active().is_empty());
    let wrong = client.control("POST", "faults", &json!({ "kind": "typo" }));
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("unknown variant"));

    let clock = client.control("POST", "clock", &json!({ "offset_ms": 600_000 })).json();
    assert_eq!((clock["offset_ms"].clone(), clock["date_offset_ms"].clone()), (json!(600_000), json!(0)));
    assert_eq!(emulator.clock().offset_ms(), 600_000);
    assert_eq!(client.control("POST", "clock", &json!({ "ofset_ms": 1 })).status, 400);

    let now_ms = emulator.clock().now_ms();
    let events = json!([
        { "timestamp_ms": 1, "message": "there" },
        { "timestamp_ms": 2, "message": "later", "visible_at_ms": now_ms + 3_600_000 },
    ]);
    client.control("POST", "events", &json!({ "group": GROUP, "stream": "s", "events": events }));
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 1);
    assert_eq!(client.control("GET", "nothing", &Value::Null).status, 404);
}

#[test]
fn groups_and_streams() {
    let (emulator, mut client) = start();
    let mut call = |operation: &str, body: Value| client.call(operation, &body).unwrap();
    for name in ["/a/1", "/a/2", "/b"] {
        let answer = call("CreateLogGroup", json!({ "logGroupName": name }));
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
    let again = call("CreateLogGroup", json!({ "logGroupName": "/b" }));
    assert_eq!(again.error(), "ResourceAlreadyExistsException");
    let groups = call("DescribeLogGroups", json!({ "logGroupNamePrefix": "/a", "limit": 1 })).json();
    assert_eq!(groups["logGroups"][0]["arn"], "arn:aws:logs:us-east-1:111122223333:log-group:/a/1:*");
    let created = groups["logGroups"][0]["creationTime"].as_i64().unwrap();
    assert!((emulator.clock().now_ms() - created).abs() < 60_000);
    let next = json!({ "logGroupNamePrefix": "/a", "nextToken": groups["nextToken"] });
    let groups = call("DescribeLogGroups", next).json();
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/a/2");
    assert!(groups.get("nextToken").is_none());
    assert_eq!(call("DescribeLogGroups", json!({ "nextToken": "x" })).error(), "InvalidParameterException");

    let stream = |name: &str| json!({ "logGroupName": "/b", "logStreamName": name });
    assert_eq!(call("CreateLogStream", stream("s1")).status, 200);
    assert_eq!(call("CreateLogStream", stream("s1")).error(), "ResourceAlreadyExistsException");
    assert_eq!(call("CreateLogStream", stream("a:b")).error(), "InvalidParameterException");
    emulator.put("/b", "t1", vec![Event::new(5_000, "x").visible_at(6_000)]);
    emulator.put("/b", "t2", vec![Event::new(4_000, "x")]);
    let names = |answer: &Value| -> Vec<String> {
        let streams = answer["logStreams"].as_array().unwrap();
        streams.iter().map(|stream| stream["logStreamName"].as_str().unwrap().to_owned()).collect()
    };
    let streams =
        call("DescribeLogStreams", json!({ "logGroupName": "/b", "logStreamNamePrefix": "t" })).json();
    assert_eq!(names(&streams), ["t1", "t2"]);
    assert_eq!(streams["logStreams"][0]["lastIngestionTime"], 6_000);
    let latest = json!({ "logGroupName": "/b", "orderBy": "LastEventTime", "descending": true });
    assert_eq!(names(&call("DescribeLogStreams", latest).json()), ["t1", "t2", "s1"]);
    let unknown = call("DescribeLogStreams", json!({ "logGroupName": "/none" }));
    assert_eq!(unknown.error(), "ResourceNotFoundException");
}

#[test]
fn putting_events() {
    let (emulator, mut client) = start();
    emulator.put(GROUP, "s", vec![]);
    let now = emulator.clock().now_ms();
    let mut put = |events: Value| {
        let body = json!({ "logGroupName": GROUP, "logStreamName": "s", "logEvents": events });
        client.call("PutLogEvents", &body).unwrap()
    };
    let event = |timestamp: i64| json!({ "timestamp": timestamp, "message": "x" });
    assert_eq!(put(json!([])).error(), "InvalidParameterException");
    assert_eq!(put(json!([event(now), event(now - 1)])).error(), "InvalidParameterException");
    assert_eq!(put(json!([event(now - 90_000_000), event(now)])).error(), "InvalidParameterException");
    let partly = put(json!([event(now), event(now + 3 * 3_600_000)])).json();
    assert_eq!(partly["rejectedLogEventsInfo"], json!({ "tooNewLogEventStartIndex": 1 }));
    let old = put(json!([event(now - 15 * 86_400_000)])).json();
    assert_eq!(old["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 1 }));
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 1);
    let elsewhere = json!({ "logGroupName": GROUP, "logStreamName": "none", "logEvents": [event(now)] });
    assert_eq!(client.call("PutLogEvents", &elsewhere).unwrap().error(), "ResourceNotFoundException");
}
