//! What the tests of Azure's envelope share: bodies to split.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses its part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use audit_core::envelope::azure::{self, Options, Outcome};
use audit_core::{Limits, UnixNanos};
use bytes::Bytes;

pub const ARRIVED: UnixNanos = UnixNanos(1_770_000_000_123_000_000);

pub fn split(body: impl AsRef<[u8]>) -> Outcome {
    azure::split(&Bytes::copy_from_slice(body.as_ref()), ARRIVED, &Options::default(), &Limits::default())
}

/// The events as they come out.
pub fn texts(outcome: &Outcome) -> Vec<&str> {
    let text = |payload| std::str::from_utf8(payload).expect("an event is UTF-8");
    outcome.split.events.iter().map(|event| text(&event.payload)).collect()
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// A record as AKS writes it, with `log` as a string, and the spaces where AKS has them.
pub fn record(log: &str) -> String {
    record_of(&quoted(&format!("{log}\n")))
}

/// The same, with `log` as it is.
pub fn record_of(log: &str) -> String {
    format!(
        concat!(
            r#"{{ "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "#,
            r#""category": "kube-audit", "ccpNamespace": "69aa", "#,
            r#""resourceId": "/SUBSCRIPTIONS/0A1B/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD", "#,
            r#""properties": {{"log":{log},"stream":"stdout","pod":"kube-apiserver-0","containerID":"c0"}}, "#,
            r#""time": "2026-03-14T09:00:00.0000000Z", "Cloud": "AzureCloud", "UnderlayName": "hcp-underlay"}}"#
        ),
        log = log
    )
}

pub fn body(records: &[String]) -> String {
    format!(r#"{{"records": [{}]}}"#, records.join(","))
}
