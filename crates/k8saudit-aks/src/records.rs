//! [`Records`]: from a hub's message to the audit events in it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use audit_core::envelope::azure::{Options, split};
use audit_core::{Limits, Rejected, UnixNanos};
use audit_plugin::{Duplicates, Intake};
use event_hub::HubMessage;
use event_source::{Decode, Event};

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
    /// When the place of something rejected was told last.
    pub(crate) told: Option<Instant>,
}

/// How long no place is told again.
const QUIET: Duration = Duration::from_secs(1);

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
            let dropped = duplicates.drop_known(&mut outcome.split.events);
            self.metrics.duplicates_dropped.add(dropped as u64);
        }
        self.tell(message.sequence_number, &outcome.split.rejected);
        self.intake.take(outcome.split, events);
    }
}

impl Records {
    /// Where what was rejected stood, for whoever wants to look at it in the hub; never what it was.
    fn tell(&mut self, message: i64, rejected: &[Rejected]) {
        if rejected.is_empty() || self.told.is_some_and(|told| told.elapsed() < QUIET) {
            return;
        }
        self.told = Some(Instant::now());
        let source = self.intake.source();
        for Rejected { kind, offset, len, .. } in rejected {
            let kind = kind.as_str();
            log::debug!(
                "`{source}`: message {message}: {len} bytes at offset {offset} are no audit event (`{kind}`)"
            );
        }
    }
}
