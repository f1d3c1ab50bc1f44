//! What the plugin for AKS reads: a hub with the story in diagnostic messages, and Blob
//! storage for its checkpoints.
//!
//! Owns: the envelope of Azure around the story. Does not own: the story.

use anyhow::{Context, Result};
use audit_core::UnixNanos;
use emulators::blob;
use emulators::cloudwatch::{self, Story};
use emulators::event_hubs::{Config, Emulator, Event, Hub};
use serde_json::{Value, json};

use super::service::{Reader, Service};
use super::words;

/// As Azure calls it when nobody else does.
const HUB: &str = "insights-logs-kube-audit";
const PARTITIONS: u32 = 3;
const RECORDS_PER_MESSAGE: usize = 5;
const CONTAINER: &str = "falco";

/// The emulators, with the story in the hub.
pub(super) struct EventHubs {
    hubs: Emulator,
    blobs: blob::Emulator,
    cluster: String,
    messages: Vec<Message>,
}

/// A message that was put.
struct Message {
    /// Partition and sequence number.
    at: (u32, i64),
    /// How many audit events it holds.
    events: usize,
}

impl EventHubs {
    /// Tells the story up to now, and puts its messages into the partitions in turn.
    pub(super) fn tell(story: &str, cluster: &str) -> Result<Box<dyn Service>> {
        let story = Story::parse(&words::on_azure(story))?;
        let groups = [Reader::Viewer, Reader::Host].map(|reader| group(reader).to_owned());
        let hub = Hub { groups: groups.into(), ..Hub::new(HUB, PARTITIONS) };
        let hubs = Emulator::start(Config { hubs: vec![hub], ..Config::default() })
            .context("cannot start the emulator")?;
        let blobs = blob::Emulator::start(blob::Config::default())
            .context("cannot start the emulator of Blob storage")?;
        blobs.create_container(CONTAINER);

        let end = story.told_at(0).iter().map(|(_, event)| event.timestamp_ms).max().unwrap_or_default();
        let told = story.told_at(hubs.clock().now_ms() - end);
        let records: Vec<_> = told.iter().map(|(stream, event)| record(stream, event, cluster)).collect();
        let mut messages = Vec::new();
        for (records, partition) in records.chunks(RECORDS_PER_MESSAGE).zip((0..PARTITIONS).cycle()) {
            let body = json!({ "records": records }).to_string();
            let at = hubs.put(HUB, Some(partition), vec![Event::new(body)]);
            messages.extend(at.into_iter().map(|at| Message { at, events: records.len() }));
        }
        Ok(Box::new(Self { hubs, blobs, cluster: cluster.to_owned(), messages }))
    }
}

impl Service for EventHubs {
    fn introduction(&self) -> String {
        format!(
            "Event Hubs emulator with {} audit events in {} messages at {}\n\
             Blob storage emulator for checkpoints at {}\n\
             order holds within each of the {PARTITIONS} partitions, and not among them",
            self.events(),
            self.messages.len(),
            self.hubs.endpoint_url(),
            self.blobs.endpoint_url(),
        )
    }

    fn events(&self) -> usize {
        self.messages.iter().map(|message| message.events).sum()
    }

    fn open_params(&self) -> &str {
        &self.cluster
    }

    /// Each reads in a consumer group of its own, which has checkpoints of its own.
    fn init_config(&self, reader: Reader) -> Value {
        json!({
            "event_hub_namespace_connection_string": self.hubs.connection_string(None),
            "event_hub_name": HUB,
            "blob_storage_connection_string": self.blobs.connection_string(),
            "blob_storage_container_name": CONTAINER,
            "consumer_group": group(reader),
            "start_position": "earliest",
            "rate_limit_events_per_second": 0,
            "log_level": "warn",
        })
    }

    fn showings(&self) -> u64 {
        let ledger = self.hubs.ledger(HUB);
        let showings =
            |Message { at, events }: &Message| u64::from(ledger.times(at.0, at.1)) * *events as u64;
        self.messages.iter().map(showings).sum()
    }
}

fn group(reader: Reader) -> &'static str {
    match reader {
        Reader::Viewer => "viewer",
        Reader::Host => "host",
    }
}

/// A record as Azure Monitor writes it.
fn record(stream: &str, event: &cloudwatch::Event, cluster: &str) -> Value {
    let resource = format!(
        "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/demo/providers/\
         Microsoft.ContainerService/managedClusters/{cluster}"
    );
    json!({
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "category": "kube-audit",
        // Azure writes it in upper case.
        "resourceId": resource.to_uppercase(),
        "time": UnixNanos::from_millis(event.timestamp_ms).to_string(),
        "properties": {
            "log": format!("{}\n", event.message),
            "stream": "stdout",
            "pod": stream.replace("-audit", ""),
            "containerID": "6f2a4d",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::STORY;

    #[test]
    fn a_record_is_as_azure_writes_it() {
        let event = cloudwatch::Event::new(1_500, "{}");
        assert_eq!(
            record("kube-apiserver-audit-a92e", &event, "demo"),
            json!({
                "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
                "category": "kube-audit",
                "resourceId": "/SUBSCRIPTIONS/00000000-1111-2222-3333-444444444444/RESOURCEGROUPS/DEMO/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/DEMO",
                "time": "1970-01-01T00:00:01.500000Z",
                "properties": {
                    "log": "{}\n", "stream": "stdout", "pod": "kube-apiserver-a92e", "containerID": "6f2a4d",
                },
            })
        );
    }

    #[test]
    fn each_reader_has_a_consumer_group_of_its_own() {
        let service = EventHubs::tell(STORY, "demo").unwrap();
        let group = |reader| service.init_config(reader).get("consumer_group").cloned();
        assert_ne!(group(Reader::Viewer), group(Reader::Host));
        assert_eq!(service.showings(), 0);
    }
}
