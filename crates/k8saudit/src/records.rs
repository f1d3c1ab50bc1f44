//! [`Records`]: from a request's body, or a line of a file, to the audit events in it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use audit_core::{Limits, SalvageReason, SplitOutcome, UnixNanos, envelope};
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
        let outcome = envelope::split(&record.bytes, now(), &self.limits);
        if !is_damaged(&outcome) {
            return self.intake.take(outcome, events);
        }
        for piece in torn(&record.bytes) {
            self.intake.take(envelope::split(&piece, now(), &self.limits), events);
        }
    }
}

/// Whether an event of it ends before its end.
fn is_damaged(outcome: &SplitOutcome) -> bool {
    let ends_early = |reason| matches!(reason, Some(SalvageReason::Malformed | SalvageReason::Truncated));
    outcome.events.iter().any(|event| ends_early(event.salvaged))
}

/// A damaged line in the pieces in which it was written: a full disk ends one in the middle, and the next one follows
/// on the same line. So every line begins as an API server writes it; in a whole event that stands nowhere else.
fn torn(line: &Bytes) -> impl Iterator<Item = Bytes> {
    const BEGIN: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;
    let begins = memchr::memmem::find_iter(line, BEGIN).filter(|at| *at > 0);
    let ends: Vec<usize> = begins.chain([line.len()]).collect();
    ends.into_iter().scan(0, |start, end| Some(line.slice(std::mem::replace(start, end)..end)))
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
            records.decode(FileRecord { bytes: EVENT.into() }, &mut events);
        }
        assert_eq!(events.len(), 3);
    }

    /// The auditIDs of a line's events.
    #[track_caller]
    fn check_line(line: &str, expect: &[&str]) {
        let mut events = Vec::new();
        let bytes = Bytes::copy_from_slice(line.as_bytes());
        records().decode(FileRecord { bytes }, &mut events);
        let id = |event: &Event| {
            let text = String::from_utf8_lossy(&event.payload).into_owned();
            text.split_once("auditID\":\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()))
        };
        let ids: Vec<_> = events.iter().map(|event| id(event).unwrap_or_default()).collect();
        assert_eq!(ids, expect, "{line}");
    }

    #[test]
    fn a_torn_line_costs_the_one_behind_it_nothing() {
        let event = |id: &str| {
            format!(r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{id}","stage":"Panic"}}"#)
        };
        let (first, second) = (event("1"), event("2"));
        for end in first.find("\"1\"").expect("an id") + 4..first.len() {
            let torn = first.get(..end).expect("ASCII");
            check_line(&format!("{torn}{second}"), &["1", "2"]);
            check_line(&format!("{torn}\0\0{second}"), &["1", "2"]);
            check_line(&format!("{torn}{torn}{second}"), &["1", "1", "2"]);
        }
        check_line(&format!("{first}{second}"), &["1", "2"]);
        // An event about events of audits is one.
        let nested = first.replace("\"Panic\"", &format!("\"Panic\",\"requestObject\":{second}"));
        check_line(&nested, &["1"]);
    }
}
