//! Clients that are slow, silent or too many, and addresses that cannot be listened on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use webhook_source::Timeouts;

use super::client::{BOTH, Client, Protocol};
use super::hook::{DEADLINE, Hook};

/// All that a hook answers on a connection that sends `text` and no more, until it closes it.
async fn until_closed(hook: &Hook, text: &str) -> String {
    let mut stream = TcpStream::connect(hook.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Short, and longer than a busy machine stands still.
const IMPATIENCE: Duration = Duration::from_millis(500);

fn impatient() -> Hook {
    Hook::start(|options| {
        options.timeouts =
            Timeouts { first_request: IMPATIENCE, body: IMPATIENCE, idle: IMPATIENCE, ..Timeouts::default() };
    })
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let hook = impatient();
    assert_eq!(until_closed(&hook, "").await, "", "silent");
    assert_eq!(until_closed(&hook, "PRI * HTTP").await, "", "in the middle of what tells the version");
    assert_eq!(until_closed(&hook, "POST /events HTTP/1.1\r\nHost: l\r\nContent-").await, "", "in a head");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    until_closed(&hook, preface).await;
    let slow =
        "POST /events HTTP/1.1\r\nHost: l\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let answer = until_closed(&hook, slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(hook.metrics.requests_too_slow.get(), 1);
    hook.wait_for("closed", |hook| hook.metrics.connections_open.get() == 0).await;
    assert_eq!(hook.metrics.bytes_reserved.get(), 0);
    assert!(hook.evaluated().is_empty());
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let hook = impatient();
    let request =
        "POST /events HTTP/1.1\r\nHost: l\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let begun = Instant::now();
    let answer = until_closed(&hook, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(begun.elapsed() >= IMPATIENCE, "it was kept for a while");
    let mut client = Client::connect(hook.address, Protocol::Http2).await.unwrap();
    assert_eq!(client.post("{}").await.unwrap().status, 200);
    hook.wait_for("closed", |hook| hook.metrics.connections_open.get() == 0).await;
}

#[tokio::test]
async fn a_connection_with_a_request_under_way_is_not_idle() {
    for protocol in BOTH {
        let hook = impatient();
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        hook.stall();
        let post = tokio::spawn(async move { client.post("{}").await.unwrap().status });
        // Longer than a connection may be idle, and than one that ends has for its last answer.
        tokio::time::sleep(IMPATIENCE + Duration::from_millis(1500)).await;
        hook.resume();
        assert_eq!(post.await.unwrap(), 200, "{protocol:?}");
    }
}

#[tokio::test]
async fn connections_are_limited() {
    let hook = Hook::start(|options| options.max_connections = 2);
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(hook.address, Protocol::Http1).await.unwrap();
        assert_eq!(client.post("{}").await.unwrap().status, 200);
        clients.push(client);
    }
    let mut third = Client::connect(hook.address, Protocol::Http1).await.unwrap();
    third.post("{}").await.unwrap_err();
    assert_eq!(hook.metrics.connections_refused.get(), 1);
    clients.pop();
    hook.wait_for("one less", |hook| hook.metrics.connections_open.get() == 1).await;
    let mut next = Client::connect(hook.address, Protocol::Http1).await.unwrap();
    assert_eq!(next.post("{}").await.unwrap().status, 200);
    assert_eq!(hook.evaluated().len(), 3);
}

#[tokio::test]
async fn bodies_wait_for_room_before_they_are_read() {
    let hook = Hook::start(|options| {
        options.max_queue_bytes = 1 << 20;
        options.max_body_bytes = 1 << 20;
    });
    let body = |number: u32| format!("{{\"n\":{number},\"a\":\"{}\"}}", "x".repeat(300_000));
    hook.stall();
    let posts: Vec<_> = (0..8)
        .map(|number| {
            let (address, protocol) = (hook.address, BOTH[number as usize % 2]);
            tokio::spawn(async move {
                let mut client = Client::connect(address, protocol).await.unwrap();
                client.post(body(number)).await.unwrap().status
            })
        })
        .collect();
    hook.wait_for("all came", |hook| hook.metrics.requests.get() == 8).await;
    hook.wait_for("three fit", |hook| hook.metrics.requests_waiting.get() == 3).await;
    assert!(hook.metrics.bytes_reserved.get() <= 1 << 20);
    hook.resume();
    for post in posts {
        assert_eq!(post.await.unwrap(), 200);
    }
    let mut evaluated = hook.evaluated();
    evaluated.sort();
    assert_eq!(evaluated, (0..8).map(body).collect::<Vec<_>>());
}

/// Those that wait for room keep what was sent of them, and the others are read all the same: else they would wait for
/// each other until they get 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_connection_do_not_hold_up_each_other() {
    let hook = Hook::start(|options| {
        options.max_queue_bytes = 3 << 20;
        options.max_body_bytes = 1 << 20;
    });
    let client = Client::connect(hook.address, Protocol::Http2).await.unwrap();
    let posts: Vec<_> = (0..60)
        .map(|number| {
            let mut client = client.beside();
            let body = format!("{{\"n\":{number},\"a\":\"{}\"}}", "x".repeat(900_000));
            tokio::spawn(async move { client.post(body).await.unwrap().status })
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap(), 200);
    }
    assert_eq!(hook.evaluated().len(), 60);
}

#[tokio::test]
async fn whoever_may_send_is_not_kept_out_by_those_who_may_not() {
    let hook = Hook::start(|options| options.max_connections = 2);
    let mut strangers = Vec::new();
    for _ in 0..2 {
        let mut stranger = Client::connect(hook.address, Protocol::Http1).await.unwrap();
        assert_eq!(stranger.send("GET", "/elsewhere", &[], "").await.unwrap().status, 404);
        strangers.push(stranger);
    }
    for refused in 1..=2 {
        let mut client = Client::connect(hook.address, Protocol::Http1).await.unwrap();
        assert_eq!(client.post("{}").await.unwrap().status, 200);
        assert_eq!(hook.metrics.connections_refused.get(), refused, "the oldest stranger's");
        strangers.remove(0).post("{}").await.unwrap_err();
        strangers.push(client);
    }
    let mut late = Client::connect(hook.address, Protocol::Http1).await.unwrap();
    late.post("{}").await.unwrap_err();
    assert_eq!(hook.evaluated().len(), 2);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let hook = Hook::start(|_| {});
    let endpoint = format!("http://{}/events", hook.address);
    let Err(error) = Hook::open(&endpoint, |_| {}) else { panic!("it opened") };
    let error = event_source::chain(&error);
    assert!(error.contains(&endpoint) && error.contains("another process has the port"), "{error}");
    let Err(error) = Hook::open("http://192.0.2.1:0/", |_| {}) else { panic!("it opened") };
    assert!(error.to_string().contains("no interface"), "{error}");
}
