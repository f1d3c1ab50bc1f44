//! How fast bodies of Event Hubs messages become events: messages of 100 records of 2 KB, on one core,
//! by the time that the process had of it (Linux).
//!
//!     cargo run --release -p audit-core --example azure_throughput
#![allow(clippy::print_stdout, reason = "it prints its result")]

use std::hint::black_box;
use std::time::Duration;

use audit_core::envelope::azure::{self, Options};
use audit_core::{Limits, UnixNanos};
use bytes::Bytes;

const RECORDS: usize = 100;
const RECORD: usize = 2048;
const FOR: Duration = Duration::from_secs(2);

/// What the process has used of its processor: others on the machine do not count.
fn used() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| std::process::exit(1), Duration::from_nanos)
}

fn main() {
    let event = |number: usize, filler: usize| {
        format!(
            concat!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"8d3c4c1e-5a0b-4b0e-9f57-{number:012}","#,
                r#""stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods?limit=500","verb":"list","#,
                r#""user":{{"username":"system:serviceaccount:shop:web","uid":"2a7e","groups":["system:serviceaccounts","system:authenticated"]}},"#,
                r#""sourceIPs":["10.0.0.4"],"userAgent":"kubectl/v1.33.1 (linux/amd64)","objectRef":{{"resource":"pods","namespace":"shop","apiVersion":"v1"}},"#,
                r#""responseStatus":{{"metadata":{{}},"code":200}},"requestObject":{{"items":[{items}]}},"#,
                r#""requestReceivedTimestamp":"2026-03-14T09:00:00.123456Z","stageTimestamp":"2026-03-14T09:00:00.234567Z","#,
                r#""annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by \"view\""}}}}"#
            ),
            number = number,
            items = vec![r#"{"name":"web-7d9c","app":"shop"}"#; filler].join(","),
        )
    };
    let record = |number: usize, as_object: bool, filler: usize| {
        let event = event(number, filler);
        let log = if as_object { event } else { serde_json::to_string(&(event + "\n")).unwrap_or_default() };
        format!(
            concat!(
                r#"{{ "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "category": "kube-audit", "#,
                r#""resourceId": "/SUBSCRIPTIONS/7B3A8F4C-2E7A-4B58-9B0C-6A1D2C3E4F50/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD", "#,
                r#""properties": {{"log":{log},"stream":"stdout","pod":"kube-apiserver-7d9c","containerID":"4f2a"}}, "#,
                r#""time": "2026-03-14T09:00:00.0000000Z", "Cloud": "AzureCloud", "Environment": "prod"}}"#
            ),
            log = log
        )
    };
    for (name, as_object) in [("string", false), ("object", true)] {
        let filler = (0..).find(|&filler| record(0, as_object, filler).len() >= RECORD).unwrap_or_default();
        let records: Vec<String> = (0..RECORDS).map(|number| record(number, as_object, filler)).collect();
        let body = Bytes::from(format!(r#"{{"records": [{}]}}"#, records.join(",")));
        for (wanted, options) in [
            ("events", Options::default()),
            ("skipped", Options { categories: azure::Categories::new(["other"]), cluster: None }),
        ] {
            let (started, mut bodies, mut events, mut skipped) = (used(), 0usize, 0usize, 0usize);
            while used() - started < FOR {
                let outcome = azure::split(black_box(&body), UnixNanos(1), &options, &Limits::default());
                bodies += 1;
                events += outcome.split.events.len();
                skipped += outcome.skipped;
                black_box(outcome);
            }
            let seconds = (used() - started).as_secs_f64();
            let bytes = (bodies * body.len()) as f64;
            println!(
                "log as {name}, {wanted}: {:.2} GB/s, {:.0} records/s ({} bytes each)",
                bytes / seconds / 1e9,
                (events + skipped) as f64 / seconds,
                body.len() / RECORDS
            );
        }
    }
}
