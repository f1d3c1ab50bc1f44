//! [`Envelopes`]: what transports deliver, split into events.

use std::fmt::Write;
use std::hint::black_box;

use anyhow::Result;
use audit_core::envelope::{self, azure, cloudwatch};
use audit_core::{Limits, SplitOutcome, UnixNanos};
use bytes::Bytes;

use crate::Bench;
use crate::clock::Clock;
use crate::corpus::Corpus;
use crate::report::{Report, Sample};

/// Events in what an API server posts at most, unless told otherwise (`--audit-webhook-batch-max-size`).
const WEBHOOK_EVENTS: usize = 400;
/// Records in a message of a hub: about a quarter of the 1 MB that one may have.
const HUB_RECORDS: usize = 100;

/// Bodies, messages and pages with all events of a corpus in them.
pub(crate) struct Envelopes {
    webhook: Vec<Bytes>,
    cloudwatch: Vec<Bytes>,
    hub: Vec<Bytes>,
}

impl Envelopes {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        let events: Vec<_> = corpus.payloads().map(String::from_utf8_lossy).collect();
        let webhook = events
            .chunks(WEBHOOK_EVENTS)
            .map(|events| {
                let list = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
                Bytes::from(format!("{list}{}]}}", events.join(",")))
            })
            .collect();
        let hub = events
            .chunks(HUB_RECORDS)
            .map(|events| {
                let mut body = String::from(r#"{"records": ["#);
                for (place, event) in events.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    // As AKS writes them: the event, and a line break, as a string.
                    let log = serde_json::Value::from(format!("{event}\n"));
                    let _ = write!(
                        body,
                        concat!(
                            r#"{}{{ "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "#,
                            r#""category": "kube-audit", "resourceId": "/SUBSCRIPTIONS/7B3A8F4C-2E7A-4B58-9B0C-6A1D2C3E4F50"#,
                            r#"/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD", "#,
                            r#""properties": {{"log":{},"stream":"stdout","pod":"kube-apiserver-7d9c"}}, "#,
                            r#""time": "2026-03-14T09:00:00.0000000Z", "Cloud": "AzureCloud", "Environment": "prod"}}"#
                        ),
                        comma, log
                    );
                }
                Bytes::from(body + "]}")
            })
            .collect();
        let cloudwatch = events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
        Self { webhook, cloudwatch, hub }
    }
}

impl Bench for Envelopes {
    fn round(&mut self, report: &mut Report) -> Result<()> {
        let limits = Limits::default();
        let origin = cloudwatch::Origin {
            cluster: Some("shop".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some("123456789012".to_owned()),
        };
        let options = azure::Options::default();
        split(report, "webhook bodies", &self.webhook, |body| envelope::split(body, UnixNanos(1), &limits));
        split(report, "CloudWatch messages", &self.cloudwatch, |message| {
            cloudwatch::split(message.clone(), 1, &origin, &limits)
        });
        split(report, "hub messages", &self.hub, |body| {
            azure::split(body, UnixNanos(1), &options, &limits).split
        });
        Ok(())
    }
}

/// Splits everything several times, so that a round is long enough for the clock.
fn split(report: &mut Report, row: &str, payloads: &[Bytes], split: impl Fn(&Bytes) -> SplitOutcome) {
    const TIMES: usize = 4;
    let sample = Clock::Process.time(|| {
        let mut done = Sample::default();
        for payload in payloads.iter().cycle().take(TIMES * payloads.len()) {
            let outcome = black_box(split(black_box(payload)));
            done.events += outcome.events.len() as u64;
            done.bytes += payload.len() as u64;
        }
        Ok::<_, std::convert::Infallible>(done)
    });
    let Ok(sample) = sample;
    report.add(row, sample);
}
