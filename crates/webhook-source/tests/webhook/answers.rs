//! Every answer that a sender may get, over both versions of HTTP.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::client::{BOTH, Client};
use super::hook::{DEADLINE, Hook};

const JSON: (&str, &str) = ("content-type", "application/json");

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One request to a fresh hook without a token: its answer, the header that belongs to it, and what was evaluated.
async fn check(
    request: (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
    (status, header, value): (u16, &str, &str),
    evaluated: &[&str],
) {
    for protocol in BOTH {
        let hook = Hook::start(|options| options.max_body_bytes = 1000);
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        let answer = client.send(request.0, request.1, headers, body.to_vec()).await.unwrap();
        assert_eq!((answer.status, answer.header(header)), (status, value), "{protocol:?} {request:?}");
        if status >= 400 && request.0 != "HEAD" {
            assert!(!answer.text.trim().is_empty(), "a reason");
        }
        hook.wait_for("evaluated", |hook| hook.evaluated() == evaluated).await;
        // The connection is of use after any answer.
        let next = client.post(r#"{"next":1}"#).await.unwrap();
        assert_eq!(next.status, 200, "{protocol:?} {request:?}");
        drop(client);
        hook.close().await;
    }
}

#[tokio::test]
async fn what_is_expected_is_taken() {
    let ok = (200, "retry-after", "");
    check(("POST", "/events"), &[JSON], b"{\"a\":1}", ok, &["{\"a\":1}"]).await;
    check(("POST", "/events?timeout=30s"), &[JSON], b"{}", ok, &["{}"]).await;
    let charset = ("content-type", "application/json; charset=utf-8");
    check(("POST", "/events"), &[charset], b"{}\n{}", ok, &["{}", "{}"]).await;
    let gzipped = ("content-encoding", "gzip");
    check(("POST", "/events"), &[JSON, gzipped], &gzip(b"{\"b\":2}"), ok, &["{\"b\":2}"]).await;
    check(("GET", "/healthz"), &[], b"", (200, "content-type", "text/plain; charset=utf-8"), &[]).await;
    check(("HEAD", "/healthz"), &[], b"", (200, "retry-after", ""), &[]).await;
}

#[tokio::test]
async fn what_is_not_expected_is_refused_with_a_reason() {
    check(("POST", "/other"), &[JSON], b"{}", (404, "allow", ""), &[]).await;
    check(("POST", "/events/"), &[JSON], b"{}", (404, "allow", ""), &[]).await;
    check(("GET", "/events"), &[], b"", (405, "allow", "POST"), &[]).await;
    check(("PUT", "/events"), &[JSON], b"{}", (405, "allow", "POST"), &[]).await;
    check(("POST", "/healthz"), &[JSON], b"{}", (405, "allow", "GET, HEAD"), &[]).await;
    check(("POST", "/events"), &[], b"{}", (415, "accept", "application/json"), &[]).await;
    check(
        ("POST", "/events"),
        &[("content-type", "text/plain")],
        b"{}",
        (415, "accept", "application/json"),
        &[],
    )
    .await;
    let brotli = ("content-encoding", "br");
    check(("POST", "/events"), &[JSON, brotli], b"{}", (415, "accept-encoding", "gzip"), &[]).await;
    check(("POST", "/events"), &[JSON], b"hello", (400, "retry-after", ""), &[]).await;
    check(("POST", "/events"), &[JSON], b"", (400, "retry-after", ""), &[]).await;
    check(("POST", "/events"), &[JSON], b"!", (500, "retry-after", ""), &[]).await;
    let gzipped = ("content-encoding", "gzip");
    check(("POST", "/events"), &[JSON, gzipped], b"{\"no\":\"gzip\"}", (400, "retry-after", ""), &[]).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_also_when_that_shows_late() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2_000_000));
    check(("POST", "/events"), &[JSON], large.as_bytes(), (413, "retry-after", ""), &[]).await;
    let bomb = gzip(&vec![b'x'; 50_000_000]);
    let most = |options: &mut webhook_source::WebhookOptions| options.max_body_bytes = 1 << 20;
    for protocol in BOTH {
        let hook = Hook::start(most);
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        let headers = [JSON, ("content-encoding", "gzip")];
        let answer = client.send("POST", "/events", &headers, bomb.clone()).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (413, "the body is larger than 1048576 bytes\n"));
        assert_eq!(hook.metrics.requests_too_large.get(), 1);
        hook.wait_for("room", |hook| hook.metrics.bytes_reserved.get() == 0).await;
    }
}

#[tokio::test]
async fn a_reason_comes_from_whoever_reads_the_body() {
    let hook = Hook::start(|_| {});
    let mut client = Client::connect(hook.address, BOTH[0]).await.unwrap();
    let answer = client.post("[]").await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (400, "an event is a JSON object\n"));
    assert_eq!(hook.metrics.requests_bad.get(), 1);
}

#[tokio::test]
async fn without_the_token_nothing_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let hook = Hook::start(|options| {
        options.bearer_token_file = Some(path.clone());
        options.timeouts.reload = Duration::from_millis(20);
    });
    for protocol in BOTH {
        std::fs::write(&path, "first\n").unwrap();
        let mut client = Client::connect(hook.address, protocol).await.unwrap();
        let mut post = async |token: &str| {
            let bearer = format!("Bearer {token}");
            client.send("POST", "/events", &[JSON, ("authorization", &bearer)], r#"{"t":1}"#).await.unwrap()
        };
        // The file may not have been looked at yet.
        let until = Instant::now() + DEADLINE;
        while post("first").await.status != 200 {
            assert!(Instant::now() < until, "the first token is never accepted");
        }
        let refused = post("second").await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
        let before = hook.metrics.reloads.get();
        std::fs::write(&path, "second\n").unwrap();
        hook.wait_for("the new token", |hook| hook.metrics.reloads.get() > before).await;
        assert_eq!(post("second").await.status, 200);
        assert_eq!(post("first").await.status, 401);
        assert_eq!(client.post("{}").await.unwrap().status, 401, "none at all");
        assert_eq!(client.health().await, 200, "needs none");
    }
    assert_eq!(hook.evaluated().len(), 4);
}
