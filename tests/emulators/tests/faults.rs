//! Faults, signatures, clocks and quotas over the wire.
#![allow(missing_docs, dead_code, unreachable_pub, reason = "a test, and a client that several tests share")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's client must stop the test")]

#[path = "support/client.rs"]
mod client;

use client::{Client, whole};
use emulators::cloudwatch::{Config, Emulator, Event, Fault, FaultKind, Generated, Operation};
use serde_json::json;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

const GROUP: &str = "/aws/eks/a/cluster";

/// One second of events, so that a page has several of them.
fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(Config { signature_skew: None, ..Config::default() }).unwrap();
    emulator.generate(GROUP, Generated::backlog(100, 0));
    let client = Client::connect(&emulator.endpoint_url(), "");
    (emulator, client)
}

#[track_caller]
fn check(kind: FaultKind, status: u16, code: &str, message: &str) {
    let (emulator, mut client) = start();
    emulator.faults().add(Fault::next(kind, 1).on(Operation::FilterLogEvents));
    assert_eq!(client.call("DescribeLogGroups", &json!({})).unwrap().status, 200);
    let answer = client.call("FilterLogEvents", &whole(GROUP)).unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (status, code));
    assert!(answer.json()["message"].as_str().unwrap().contains(message), "{:?}", answer.json());
    assert_eq!(emulator.ledger().shown(), 0);
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 100);
    let stats = emulator.stats();
    assert_eq!(stats.outcome(Operation::FilterLogEvents, code), 1);
    assert_eq!(stats.outcome(Operation::FilterLogEvents, "ok"), 1);
    assert_eq!(emulator.ledger().shown(), 100);
}

#[test]
fn errors() {
    check(FaultKind::Throttling, 400, "ThrottlingException", "Rate exceeded");
    check(FaultKind::ServiceUnavailable, 503, "ServiceUnavailableException", "cannot complete");
    check(FaultKind::InternalFailure, 500, "InternalFailure", "");
    check(FaultKind::ExpiredToken, 400, "ExpiredTokenException", "is expired");
    check(FaultKind::UnrecognizedClient, 400, "UnrecognizedClientException", "is invalid");
    check(
        FaultKind::ResourceNotFound,
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    );
    check(
        FaultKind::AccessDenied,
        400,
        "AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/x is not authorized to perform: logs:FilterLogEvents on resource: \
         arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/a/cluster:log-stream: because no identity-based \
         policy allows the logs:FilterLogEvents action",
    );
}

#[test]
fn a_reset_before_the_answer() {
    let (emulator, mut client) = start();
    emulator.faults().add(Fault::next(FaultKind::Reset, 1));
    let error = client.call("FilterLogEvents", &whole(GROUP)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut again = Client::connect(&emulator.endpoint_url(), "");
    assert_eq!(again.read_all(&whole(GROUP)).unwrap().len(), 100);
    assert_eq!(emulator.stats().outcome(Operation::FilterLogEvents, "reset"), 1);
}

#[test]
fn a_reset_within_the_body_shows_nothing() {
    let (emulator, mut client) = start();
    emulator.faults().add(Fault::next(FaultKind::ResetInBody, 1));
    let error = client.call("FilterLogEvents", &whole(GROUP)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(emulator.ledger().shown(), 0);
    let mut again = Client::connect(&emulator.endpoint_url(), "");
    assert_eq!(again.read_all(&whole(GROUP)).unwrap().len(), 100);
    assert_eq!(emulator.ledger().showings(), 100);
}

#[test]
fn bodies_that_are_not_what_they_should_be() {
    for (kind, start_of_body) in [(FaultKind::CutBody, "{\"events\":["), (FaultKind::InvalidJson, "<html>")] {
        let (emulator, mut client) = start();
        emulator.faults().add(Fault::next(kind, 1));
        let answer = client.call("FilterLogEvents", &whole(GROUP)).unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.starts_with(start_of_body.as_bytes()));
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
        assert_eq!(emulator.ledger().shown(), 0);
        assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 100);
    }
}

#[test]
fn slow_and_silent() {
    let (emulator, mut client) = start();
    let slow = emulator.faults().add(Fault::always(FaultKind::Slow(Duration::from_millis(60))));
    let begun = Instant::now();
    client.read_all(&whole(GROUP)).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert!(emulator.faults().remove(slow));

    emulator.faults().add(Fault::next(FaultKind::NeverAnswer, 1));
    let silent = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.call("FilterLogEvents", &whole(GROUP)).is_err());
        let mut other = Client::connect(&emulator.endpoint_url(), "");
        let deadline = Instant::now() + Duration::from_secs(10);
        while emulator.stats().outcome(Operation::FilterLogEvents, "never_answer") == 0 {
            assert!(Instant::now() < deadline, "the call did not arrive");
            std::thread::yield_now();
        }
        assert_eq!(other.read_all(&whole(GROUP)).unwrap().len(), 100);
        assert!(!call.is_finished());
        // Ending the server ends the connection.
        emulator.stop();
        call.join().unwrap()
    });
    assert!(silent);
}

#[test]
fn a_date_that_is_off() {
    let (emulator, mut client) = start();
    let mut year = || {
        let answer = client.call("DescribeLogGroups", &json!({})).unwrap();
        answer.header("date").split(' ').nth(3).unwrap().parse::<i64>().unwrap()
    };
    const TEN_YEARS_MS: i64 = 10 * 366 * 86_400_000;
    let now = year();
    emulator.faults().add(Fault::next(FaultKind::DateOff(TEN_YEARS_MS), 1));
    assert_eq!(year(), now + 10);
    assert_eq!(year(), now);
    emulator.clock().set_date_offset_ms(-TEN_YEARS_MS);
    assert!(year() < now - 8);
    emulator.clock().set_offset_ms(2 * TEN_YEARS_MS);
    assert!(year() > now + 8);
}

#[test]
fn uncounted_faults_cost_nothing() {
    let (emulator, mut client) = start();
    emulator.faults().add(Fault::next(FaultKind::Throttling, 2).uncounted());
    emulator.faults().add(Fault::next(FaultKind::ExpiredToken, 1));
    for _ in 0..4 {
        client.call("FilterLogEvents", &whole(GROUP)).unwrap();
    }
    let stats = emulator.stats();
    assert_eq!(stats.calls(Operation::FilterLogEvents), 4);
    let counted: u32 = stats.rates[&Operation::FilterLogEvents].per_second.iter().sum();
    assert_eq!(counted, 2);
}

#[test]
fn the_quota_is_shared_by_all_connections() {
    let config = Config { signature_skew: None, calls_per_second: Some(5.0), ..Config::default() };
    let emulator = Emulator::start(config).unwrap();
    emulator.create_group(GROUP);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&emulator.endpoint_url(), "")).collect();
    let begun = Instant::now();
    for n in 0..40 {
        let answer = clients[n % 4].call("FilterLogEvents", &whole(GROUP)).unwrap();
        assert!(answer.status == 200 || answer.error() == "ThrottlingException");
    }
    let most = 5 + (5.0 * begun.elapsed().as_secs_f64()) as u64;
    let answered = emulator.stats().outcome(Operation::FilterLogEvents, "ok");
    assert!((5..=most).contains(&answered), "{answered} of at most {most}");
    assert_eq!(clients[0].call("DescribeLogGroups", &json!({})).unwrap().status, 200);
}

/// The server's clock is set so that a signature of the year 2026 is off by `offset_s`.
#[track_caller]
fn check_signature(offset_s: i64, expect: Option<&str>) {
    const SIGNED: &str = "20260101T000000Z";
    const SIGNED_MS: i64 = 1_767_225_600_000;
    let emulator = Emulator::start(Config::default()).unwrap();
    emulator.create_group(GROUP);
    let mut client = Client::connect(&emulator.endpoint_url(), SIGNED);
    emulator.clock().set_offset_ms(0);
    emulator.clock().set_offset_ms(SIGNED_MS + offset_s * 1_000 - emulator.clock().now_ms());
    let answer = client.call("FilterLogEvents", &whole(GROUP)).unwrap();
    match expect {
        None => assert_eq!(answer.status, 200),
        Some(message) => {
            assert_eq!((answer.status, answer.error().as_str()), (400, "InvalidSignatureException"));
            assert!(answer.json()["message"].as_str().unwrap().starts_with(message), "{:?}", answer.json());
        }
    }
}

#[test]
fn signatures_of_another_time() {
    check_signature(0, None);
    check_signature(280, None);
    check_signature(-280, None);
    check_signature(600, Some("Signature expired: 20260101T000000Z is now earlier than 20260101T0005"));
    check_signature(
        -600,
        Some("Signature not yet current: 20260101T000000Z is still later than 20251231T2355"),
    );
}

#[test]
fn calls_that_are_no_calls() {
    let (_emulator, mut client) = start();
    let target = |operation: &str| format!("x-amz-target: Logs_20140328.{operation}\r\n");
    let mut error = |method: &str, path: &str, headers: &str| {
        client.request(method, path, headers, b"{}").unwrap().error()
    };
    assert_eq!(error("POST", "/", &target("FilterLogEvents")), "MissingAuthenticationTokenException");
    assert_eq!(error("POST", "/", &target("StartLiveTail")), "UnknownOperationException");
    assert_eq!(error("GET", "/", &target("FilterLogEvents")), "UnknownOperationException");
    assert_eq!(error("POST", "/elsewhere", &target("FilterLogEvents")), "UnknownOperationException");
    assert_eq!(error("POST", "/", ""), "UnknownOperationException");
}

#[test]
fn a_successor_on_the_same_port() {
    let (emulator, mut client) = start();
    client.read_all(&whole(GROUP)).unwrap();
    let listen = emulator.address();
    emulator.stop();
    assert!(client.call("FilterLogEvents", &whole(GROUP)).is_err());
    let successor = Emulator::start(Config { listen, signature_skew: None, ..Config::default() }).unwrap();
    successor.put(GROUP, "s", vec![Event::new(1, "x")]);
    let mut client = Client::connect(&successor.endpoint_url(), "");
    assert_eq!(client.read_all(&whole(GROUP)).unwrap().len(), 1);
}

#[test]
fn a_client_that_goes_away_was_shown_nothing() {
    let (emulator, mut client) = start();
    emulator.generate("/large", Generated { message_bytes: 900_000, ..Generated::backlog(30, 0) });
    emulator.faults().add(Fault::always(FaultKind::Slow(Duration::from_millis(20))));
    // Answers pile up unread until the socket is full, then the client is gone.
    let requests: Vec<_> = (0..30).map(|_| json!({ "logGroupName": "/large" }).to_string()).collect();
    client.send_without_reading("FilterLogEvents", &requests);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut before = 0;
    loop {
        let pages = emulator.stats().pages;
        std::thread::sleep(Duration::from_millis(200));
        if pages > 0 && pages == before {
            break;
        }
        before = pages;
        assert!(Instant::now() < deadline, "the socket never filled");
    }
    drop(client);
    while emulator.stats().outcome(Operation::FilterLogEvents, "unfinished") == 0 {
        assert!(Instant::now() < deadline, "the answer was never given up");
        std::thread::sleep(Duration::from_millis(5));
    }
    let stats = emulator.stats();
    assert_eq!(emulator.ledger().showings(), stats.pages);
}
