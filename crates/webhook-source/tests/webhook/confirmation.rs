//! 200 means evaluated, and what was not confirmed is evaluated once all the same.

use std::time::Duration;

use webhook_source::{Acknowledge, Timeouts};

use super::client::{BOTH, Client, Protocol, post_impatiently};
use super::hook::Hook;

fn short(evaluation: u64) -> Timeouts {
    Timeouts { evaluation: Duration::from_millis(evaluation), ..Timeouts::default() }
}

#[tokio::test]
async fn no_answer_before_the_consumer_asks_for_more() {
    for protocol in BOTH {
        let hook = Hook::start(|_| {});
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        hook.stall();
        let post = tokio::spawn(async move { client.post(r#"{"a":1}"#).await.unwrap().status });
        hook.wait_for("taken in", |hook| hook.metrics.requests_waiting.get() == 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!post.is_finished());
        hook.resume();
        assert_eq!(post.await.unwrap(), 200);
        assert_eq!(hook.evaluated(), [r#"{"a":1}"#]);
    }
}

#[tokio::test]
async fn one_that_was_late_is_evaluated_once() {
    for protocol in BOTH {
        let hook = Hook::start(|options| options.timeouts = short(1000));
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        hook.stall();
        let answer = client.post(r#"{"a":1}"#).await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(client.post(r#"{"a":1}"#).await.unwrap().status, 503, "sent again, and late again");
        hook.resume();
        hook.wait_for("evaluated", |hook| hook.metrics.requests_waiting.get() == 0).await;
        assert_eq!(client.post(r#"{"a":1}"#).await.unwrap().status, 200);
        assert_eq!(hook.evaluated(), [r#"{"a":1}"#], "{protocol:?}");
        assert_eq!(hook.metrics.requests_sent_again.get(), 2);
        assert_eq!(client.post(r#"{"a":1}"#).await.unwrap().status, 200);
        assert_eq!(hook.evaluated().len(), 2, "it was confirmed, so this is another one");
    }
}

#[tokio::test]
async fn one_whose_sender_went_away_is_evaluated_once() {
    for protocol in BOTH {
        let hook = Hook::start(|_| {});
        hook.stall();
        let body = r#"{"a":1}"#;
        assert_eq!(post_impatiently(hook.address, protocol, body, Duration::from_secs(1)).await, None);
        hook.wait_for("noticed", |hook| hook.metrics.requests_abandoned.get() == 1).await;
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        let again = tokio::spawn(async move { client.post(body).await.unwrap().status });
        hook.wait_for("known", |hook| hook.metrics.requests_sent_again.get() == 1).await;
        hook.resume();
        assert_eq!(again.await.unwrap(), 200);
        assert_eq!(hook.evaluated(), [body], "{protocol:?}");
    }
}

#[tokio::test]
async fn health_tells_whether_events_flow() {
    let hook = Hook::start(|options| options.timeouts = short(1000));
    let mut client = Client::connect(hook.address, Protocol::Http2).await.unwrap();
    hook.stall();
    assert_eq!(client.health().await, 200, "nothing waits");
    assert_eq!(client.post("{}").await.unwrap().status, 503);
    let answer = client.send("GET", "/healthz", &[], "").await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.text.starts_with("nothing was evaluated for "), "{}", answer.text);
    hook.resume();
    hook.wait_for("evaluated", |hook| hook.metrics.requests_waiting.get() == 0).await;
    assert_eq!(client.health().await, 200);
}

#[tokio::test]
async fn received_confirms_what_is_queued_and_no_more() {
    let hook = Hook::start(|options| {
        options.acknowledge = Acknowledge::Received;
        options.timeouts = short(1000);
        // Two bodies, and what each costs besides.
        options.max_queue_bytes = 2 * (1024 + 2);
    });
    let mut client = Client::connect(hook.address, Protocol::Http1).await.unwrap();
    hook.stall();
    assert_eq!(client.post("{}").await.unwrap().status, 200);
    assert_eq!(client.post("{}").await.unwrap().status, 200);
    let answer = client.post("{}").await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(hook.metrics.requests_without_room.get(), 1);
    assert_eq!(hook.metrics.bytes_reserved.get(), 2 * (1024 + 2));
    hook.resume();
    hook.wait_for("evaluated", |hook| hook.metrics.requests_waiting.get() == 0).await;
    assert_eq!(client.post("{}").await.unwrap().status, 200);
    hook.wait_for("evaluated", |hook| hook.evaluated() == ["{}", "{}", "{}"]).await;
}

#[tokio::test]
async fn closing_answers_whoever_waits_and_ends_the_listener() {
    for protocol in BOTH {
        let hook = Hook::start(|_| {});
        let address = hook.address;
        hook.stall();
        let mut posts = Vec::new();
        for number in 0..4 {
            let mut client = Client::connect(address, protocol).await.unwrap();
            posts.push(tokio::spawn(async move { client.post(format!("{{\"a\":{number}}}")).await }));
        }
        // One that never asks for anything.
        let idle = tokio::net::TcpStream::connect(address).await.unwrap();
        hook.wait_for("taken in", |hook| hook.metrics.requests_waiting.get() == 4).await;
        let took = hook.close().await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        for post in posts {
            let answer = post.await.unwrap().unwrap();
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{protocol:?}");
        }
        assert!(Client::connect(address, protocol).await.is_err(), "nobody listens");
        drop(idle);
    }
}
