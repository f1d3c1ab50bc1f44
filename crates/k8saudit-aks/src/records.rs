//! [`Records`]: from a hub's message to the audit events in it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use audit_core::envelope::azure::{Options, split};
use audit_core::{Limits, UnixNanos};
use audit_plugin::Intake;
use event_hub::HubMessage;
use event_source::{Decode, Event};

use crate::duplicates::Duplicates;
use crate::metrics::AksMetrics;

/// What the records of all partitions go through.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) intake: Intake,
    pub(crate) options: Arc<Options>,
    pub(crate) limits: Limits,
    /// `None`: copies are events like others.
    pub(crate) duplicates: Option<Arc<Mutex<Duplicates>>>,
    pub(crate) metrics: Arc<AksMetrics>,
}

impl Decode<HubMessage> for Records {
    fn decode(&mut self, message: HubMessage, events: &mut Vec<Event>) {
        let received = message.enqueued.unwrap_or_else(SystemTime::now);
        let received = received.duration_since(UNIX_EPOCH).unwrap_or_default();
        let received = UnixNanos(u64::try_from(received.as_nanos()).unwrap_or(u64::MAX));
        let mut outcome = split(&message.body, received, &self.options, &self.limits);
        self.metrics.records.add(outcome.records as u64);
        self.metrics.records_of_other_categories.add(outcome.skipped as u64);
        self.metrics.records_mended.add(outcome.mended as u64);
        if let Some(duplicates) = &self.duplicates {
            let mut duplicates = duplicates.lock().unwrap_or_else(PoisonError::into_inner);
            let before = outcome.split.events.len();
            outcome
                .split
                .events
                .retain(|event| event.identity.is_none_or(|identity| duplicates.is_new(identity)));
            self.metrics.duplicates_dropped.add((before - outcome.split.events.len()) as u64);
        }
        for rejected in &outcome.split.rejected {
            log::debug!(
                "message {} of the partition: {} of {} bytes at {} are no audit event",
                message.sequence_number,
                rejected.kind.as_str(),
                rejected.len,
                rejected.offset
            );
        }
        self.intake.take(outcome.split, events);
    }
}
