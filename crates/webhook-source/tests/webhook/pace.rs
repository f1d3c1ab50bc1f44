//! How fast it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{BOTH, Client};
use super::hook::Hook;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure, to be taken from a release build on an idle machine"]
async fn eight_connections_at_their_highest_rate() {
    for (lines, pad) in [(1, 1500), (400, 1500), (400, 25_000)] {
        for protocol in BOTH {
            let hook = Arc::new(Hook::start(|_| {}));
            let line = format!("{{\"pad\":\"{}\"}}", "x".repeat(pad));
            let until = Instant::now() + Duration::from_secs(3);
            let senders: Vec<_> = (0..8)
                .map(|_| {
                    let (hook, line) = (Arc::clone(&hook), line.clone());
                    tokio::spawn(async move {
                        let mut client = Client::connect(hook.address, protocol).await.unwrap();
                        let body = Bytes::from(vec![line; lines].join("\n"));
                        let mut confirmed = 0;
                        while Instant::now() < until {
                            let answer = client.post(body.clone()).await.unwrap();
                            confirmed += usize::from(answer.status == 200);
                        }
                        confirmed
                    })
                })
                .collect();
            let mut confirmed = 0;
            for sender in senders {
                confirmed += sender.await.unwrap();
            }
            let (events, bytes) = (confirmed * lines, confirmed * lines * (pad + 11));
            println!(
                "{protocol:?}, {lines} events of {pad} bytes: {} requests/s, {} events/s, {} MB/s",
                confirmed / 3,
                events / 3,
                bytes / 3_000_000
            );
        }
    }
}
