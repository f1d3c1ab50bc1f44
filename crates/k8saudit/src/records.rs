//! [`Records`]: from a request's body, or a line of a file, to the audit events in it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use audit_core::{Limits, SplitOutcome, UnixNanos, envelope};
use audit_plugin::{Duplicates, Intake, IntakeMetrics};
use bytes::Bytes;
use event_source::{Decode, Event};
use file_tail::FileRecord;

use crate::K8sAuditMetrics;

/// What everything goes through that arrives.
pub(crate) struct Records {
    intake: Intake,
    metrics: Arc<K8sAuditMetrics>,
    limits: Limits,
    duplicates: Duplicates,
}

impl Records {
    /// Of the source of that name.
    pub(crate) fn new(
        source: &str,
        intake: Arc<IntakeMetrics>,
        metrics: Arc<K8sAuditMetrics>,
        max_event_size: usize,
    ) -> Self {
        Self {
            intake: Intake::new(source, intake),
            metrics,
            limits: Limits { max_event_size },
            duplicates: Duplicates::default(),
        }
    }

    /// What a webhook does with a body before it takes it in.
    pub(crate) fn parser(&self) -> impl Fn(Bytes) -> Result<SplitOutcome, String> + Send + Sync + use<> {
        let limits = self.limits;
        move |body| parse(&body, &limits)
    }
}

/// The events of a body; what holds nothing but other things is refused, since its sender should hear of it.
fn parse(body: &Bytes, limits: &Limits) -> Result<SplitOutcome, String> {
    let outcome = envelope::split(body, now(), limits);
    match outcome.rejected.first() {
        Some(rejected) if outcome.events.is_empty() => Err(format!(
            "the body holds no audit event (`{}` at byte {})",
            rejected.kind.as_str(),
            rejected.offset
        )),
        _ => Ok(outcome),
    }
}

/// When something arrived that does not say when it happened.
fn now() -> UnixNanos {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

impl Decode<SplitOutcome> for Records {
    /// A body that comes again is known by its bytes, as long as its sender got no answer. What this knows besides
    /// are events that come again although they were confirmed, since the answer was lost on its way.
    fn decode(&mut self, mut outcome: SplitOutcome, events: &mut Vec<Event>) {
        let dropped = self.duplicates.drop_known(&mut outcome.events);
        self.metrics.duplicates_dropped.add(dropped as u64);
        self.intake.take(outcome, events);
    }
}

impl Decode<FileRecord> for Records {
    /// What a file says twice is twice in it.
    fn decode(&mut self, record: FileRecord, events: &mut Vec<Event>) {
        self.intake.take(envelope::split(&record.bytes, now(), &self.limits), events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        Records::new("test", Arc::default(), Arc::default(), 1 << 20)
    }

    const EVENT: &str =
        r#"{"auditID":"1","stage":"ResponseComplete","stageTimestamp":"2026-01-31T09:00:00Z"}"#;

    #[track_caller]
    fn check(body: &str, expect: Result<usize, &str>) {
        let found = (records().parser())(Bytes::copy_from_slice(body.as_bytes()));
        match (found, expect) {
            (Ok(outcome), Ok(events)) => assert_eq!(outcome.events.len(), events, "{body}"),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{body}: {reason}"),
            (found, _) => panic!("{body}: {found:?}"),
        }
    }

    #[test]
    fn a_body_without_any_event_is_refused() {
        check(EVENT, Ok(1));
        check(&format!(r#"{{"kind":"EventList","items":[{EVENT},{EVENT}]}}"#), Ok(2));
        check(&format!(r#"{{"kind":"EventList","items":[{EVENT},{{"level":"info"}}]}}"#), Ok(1));
        check(r#"{"kind":"EventList","items":[]}"#, Ok(0));
        check(r#"{"kind":"EventList","items":[{}]}"#, Err("`not_audit_event`"));
        check("hello", Err("`not_json` at byte 0"));
        check("", Err("`empty`"));
    }

    #[test]
    fn an_event_that_is_posted_again_is_dropped_and_one_in_a_file_is_not() {
        let (mut records, mut events) = (records(), Vec::new());
        let parse = records.parser();
        for _ in 0..2 {
            let outcome = parse(Bytes::from_static(EVENT.as_bytes())).expect("an event");
            records.decode(outcome, &mut events);
        }
        assert_eq!((events.len(), records.metrics.duplicates_dropped.get()), (1, 1));
        for _ in 0..2 {
            records.decode(FileRecord { bytes: EVENT.into(), is_cut: false }, &mut events);
        }
        assert_eq!(events.len(), 3);
    }
}
