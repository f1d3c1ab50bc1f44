//! [`Intake`]: from what an envelope held to events for the host, and what is counted and told on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_core::{Rejected, RejectedKind, SalvageReason, SplitOutcome};
use event_source::Event;
use event_source::metrics::Counter;

event_source::metrics! {
    /// What all sources of audit events count.
    pub struct IntakeMetrics {
        counter salvaged: "Events of which parts are missing, for the reasons that follow.",
        counter salvaged_invalid_utf8: "Events with bytes that were not UTF-8, and became U+FFFD.",
        counter salvaged_too_deep: "Events with parts that were nested too deep, and became null.",
        counter salvaged_too_large: "Events that were larger than `max_event_size`, and lost their largest parts.",
        counter salvaged_malformed: "Events that were not JSON from some byte on, and end there.",
        counter salvaged_truncated: "Events that arrived cut off, and end there.",
        counter rejected: "What arrived and was no audit event, for the reasons that follow.",
        counter rejected_empty: "Messages with nothing in them.",
        counter rejected_not_json: "Messages that were not JSON: lines of another log, for example.",
        counter rejected_not_audit_event: "Messages that were JSON, but no audit event.",
        counter rejected_cut_too_early: "Messages that were cut off before anything told that they are audit events.",
        counter rejected_too_large: "Messages of 4 GiB and more.",
    }
}

impl IntakeMetrics {
    fn salvaged_for(&self, reason: SalvageReason) -> &Counter {
        match reason {
            SalvageReason::InvalidUtf8 => &self.salvaged_invalid_utf8,
            SalvageReason::TooDeep => &self.salvaged_too_deep,
            SalvageReason::TooLarge => &self.salvaged_too_large,
            SalvageReason::Malformed => &self.salvaged_malformed,
            SalvageReason::Truncated => &self.salvaged_truncated,
        }
    }

    fn rejected_for(&self, kind: RejectedKind) -> &Counter {
        match kind {
            RejectedKind::Empty => &self.rejected_empty,
            RejectedKind::NotJson => &self.rejected_not_json,
            RejectedKind::NotAuditEvent => &self.rejected_not_audit_event,
            RejectedKind::CutTooEarly => &self.rejected_cut_too_early,
            RejectedKind::TooLarge => &self.rejected_too_large,
        }
    }
}

/// Hands events on, and tells what was rejected at most once a minute for each kind.
#[derive(Debug)]
pub struct Intake {
    source: String,
    metrics: Arc<IntakeMetrics>,
    told: [Option<Instant>; RejectedKind::ALL.len()],
}

/// How long one kind of rejection is not told again.
const QUIET: Duration = Duration::from_secs(60);

impl Intake {
    /// For the source of that name.
    pub fn new(source: impl Into<String>, metrics: Arc<IntakeMetrics>) -> Self {
        Self { source: source.into(), metrics, told: [None; RejectedKind::ALL.len()] }
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Appends what `outcome` holds to `events`; counts, and tells.
    pub fn take(&mut self, outcome: SplitOutcome, events: &mut Vec<Event>) {
        for event in outcome.events {
            if let Some(reason) = event.salvaged {
                self.metrics.salvaged.increment();
                self.metrics.salvaged_for(reason).increment();
            }
            let notes = event.places.into_numbers();
            events.push(Event { payload: event.payload, timestamp: event.timestamp.0, notes });
        }
        for rejected in outcome.rejected {
            self.reject(rejected);
        }
    }

    fn reject(&mut self, rejected: Rejected) {
        let Rejected { kind, count, offset, len } = rejected;
        self.metrics.rejected.add(count as u64);
        let counter = self.metrics.rejected_for(kind);
        counter.add(count as u64);
        let Some(told) = self.told.get_mut(kind as usize) else { return };
        if told.is_none_or(|told| told.elapsed() >= QUIET) {
            *told = Some(Instant::now());
            let (source, kind, total) = (&self.source, kind.as_str(), counter.get());
            log::warn!(
                "`{source}`: {len} bytes at offset {offset} of a message are no audit event (`{kind}`, {total} so far); they are skipped"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use audit_core::{Index, Limits, UnixNanos, envelope};

    use super::*;

    #[track_caller]
    fn check(payload: &'static str, expect: &[(&str, u64)]) {
        use event_source::metrics::MetricGroup;
        let metrics = Arc::new(IntakeMetrics::default());
        let mut events = Vec::new();
        let outcome = envelope::split(&payload.into(), UnixNanos(1), &Limits::default());
        Intake::new("test", Arc::clone(&metrics)).take(outcome, &mut events);
        for event in &events {
            assert!(Index::default().restore(&event.notes, event.payload.len()), "the notes are its places");
        }
        let mut counted = vec![("events", events.len() as u64)];
        metrics.visit(&mut |spec, value| counted.push((spec.name, value)));
        counted.retain(|(_, value)| *value > 0);
        assert_eq!(counted, expect);
    }

    #[test]
    fn events_and_problems_are_counted() {
        check(r#"{"auditID":"1"}"#, &[("events", 1)]);
        check(r#"{"auditID":"1","verb":"g"#, &[("events", 1), ("salvaged", 1), ("salvaged_truncated", 1)]);
        check("I0101 a line of another log", &[("rejected", 1), ("rejected_not_json", 1)]);
        check(r#"{"level":"info"}"#, &[("rejected", 1), ("rejected_not_audit_event", 1)]);
        check(" ", &[("rejected", 1), ("rejected_empty", 1)]);
    }
}
