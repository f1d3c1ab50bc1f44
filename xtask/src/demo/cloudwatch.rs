//! What the plugin for EKS reads: CloudWatch Logs, with the story in the cluster's log group.

use anyhow::{Context, Result};
use emulators::cloudwatch::{Config, Emulator, Story};
use serde_json::{Value, json};

use super::service::{Reader, Service};

const REGION: &str = "eu-west-1";

/// The emulator, with the story in it.
pub(super) struct CloudWatch {
    emulator: Emulator,
    cluster: String,
    events: usize,
}

impl CloudWatch {
    /// Tells the story from now on: its last events become visible while it is read.
    pub(super) fn tell(story: &str, cluster: &str) -> Result<Box<dyn Service>> {
        let story = Story::parse(story)?;
        let config = Config { region: REGION.to_owned(), ..Config::default() };
        let emulator = Emulator::start(config).context("cannot start the emulator")?;
        let group = format!("/aws/eks/{cluster}/cluster");
        emulator.create_group(&group);
        for (stream, event) in story.told_at(emulator.clock().now_ms()) {
            emulator.put(&group, &stream, vec![event]);
        }
        Ok(Box::new(Self { emulator, cluster: cluster.to_owned(), events: story.len() }))
    }
}

impl Service for CloudWatch {
    fn introduction(&self) -> String {
        let Self { emulator, events, .. } = self;
        format!("CloudWatch Logs emulator with {events} audit events at {}", emulator.endpoint_url())
    }

    fn events(&self) -> usize {
        self.events
    }

    fn open_params(&self) -> &str {
        &self.cluster
    }

    /// The same for both: neither keeps a checkpoint.
    fn init_config(&self, _: Reader) -> Value {
        json!({
            "endpoint_url": self.emulator.endpoint_url(),
            "region": REGION,
            "start_position": "beginning",
            "polling_interval": 0.5,
            "log_level": "warn",
        })
    }

    fn showings(&self) -> u64 {
        self.emulator.ledger().showings()
    }
}
