//! [`AuditSource`]: the two ways that an audit log comes by.

use std::sync::Arc;

use audit_core::SplitOutcome;
use event_source::{CheckpointDelta, Decoded, Event, EventSource, NextBatch, SourceError, SourceMetrics};
use file_tail::{FileMetrics, FileOptions, FileSource, Target};
use webhook_source::{Webhook, WebhookMetrics, WebhookOptions};

use crate::records::Records;

/// A webhook, or files.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum AuditSource {
    Webhook(Decoded<Webhook<SplitOutcome>, Records>),
    Files(Decoded<FileSource, Records>),
}

impl AuditSource {
    /// Listens.
    pub(crate) async fn webhook(
        options: WebhookOptions,
        metrics: Arc<WebhookMetrics>,
        records: Records,
    ) -> Result<Self, SourceError> {
        let webhook = Webhook::open(options, metrics, records.parser()).await?;
        Ok(Self::Webhook(Decoded::new(webhook, records)))
    }

    /// Begins to read.
    pub(crate) async fn files(
        target: Target,
        options: FileOptions,
        metrics: Arc<FileMetrics>,
        source: Arc<SourceMetrics>,
        records: Records,
    ) -> Result<Self, SourceError> {
        let files = FileSource::open(target, options, metrics, source).await?;
        Ok(Self::Files(Decoded::new(files, records)))
    }
}

impl EventSource for AuditSource {
    type Record = Event;

    fn name(&self) -> &str {
        match self {
            Self::Webhook(source) => source.name(),
            Self::Files(source) => source.name(),
        }
    }

    async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
        match self {
            Self::Webhook(source) => source.next_batch().await,
            Self::Files(source) => source.next_batch().await,
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        match self {
            Self::Webhook(source) => source.acknowledge(delta).await,
            Self::Files(source) => source.acknowledge(delta).await,
        }
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        match self {
            Self::Webhook(source) => source.close().await,
            Self::Files(source) => source.close().await,
        }
    }
}
