//! Which audit events have been shown, and how often.
//!
//! Owns: a counter per event that has an auditID. "Shown" means: its page was
//! written whole to the connection. Does not own: whether the client read it.

use super::generate::Generated;
use super::store::EventRef;
use std::collections::HashMap;
use std::sync::Arc;

/// The record, as it was when [`Emulator::ledger`](super::Emulator::ledger) was called.
///
/// Counts events, so two events with one auditID (two stages of one request) are two.
/// Memory: two bytes per generated event, and an auditID per event that was put.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    plans: Vec<Counted>,
    put: Vec<Put>,
    known_put: u64,
    shown: u64,
    repeated: u64,
    showings: u64,
}

#[derive(Clone, Debug)]
struct Counted {
    plan: Arc<Generated>,
    times: Vec<u16>,
}

#[derive(Clone, Debug)]
struct Put {
    /// `None`: no audit event, not counted.
    audit_id: Option<Box<str>>,
    times: u16,
}

impl Ledger {
    /// How many events there are to show, whether visible yet or not.
    pub fn known(&self) -> u64 {
        self.known_put + self.plans.iter().map(|counted| counted.plan.count).sum::<u64>()
    }

    /// How many were shown at least once.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// How many were not shown.
    pub fn missing_count(&self) -> u64 {
        self.known() - self.shown
    }

    /// How many were shown more than once.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// How many events were shown, each as often as it was.
    pub fn showings(&self) -> u64 {
        self.showings
    }

    /// The auditIDs of events that were not shown, at most `limit`.
    pub fn missing(&self, limit: usize) -> Vec<String> {
        self.entries().filter(|(_, times)| *times == 0).map(|(id, _)| id.make()).take(limit).collect()
    }

    /// The auditIDs of events that were shown, with how often (at most 65,535).
    pub fn shown_ids(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        self.entries().filter(|(_, times)| *times > 0).map(|(id, times)| (id.make(), times))
    }

    /// How often events with this auditID were shown.
    pub fn times(&self, audit_id: &str) -> u64 {
        let generated = self.plans.iter().filter_map(|counted| {
            counted.plan.index_of(audit_id).map(|index| u64::from(counted.times[index as usize]))
        });
        let put = self.put.iter().filter(|put| put.audit_id.as_deref() == Some(audit_id));
        generated.chain(put.map(|put| u64::from(put.times))).sum()
    }

    /// Every auditID there is, with how many events bear it.
    pub fn expected(&self) -> HashMap<String, u32> {
        let mut expected = HashMap::new();
        for (id, _) in self.entries() {
            *expected.entry(id.make()).or_default() += 1;
        }
        expected
    }

    /// Says of the `nth` counted event whether it was shown, for answers sent in parts.
    pub(crate) fn entry(&self, nth: u64) -> Option<(String, u16)> {
        let mut nth = nth as usize;
        for counted in &self.plans {
            if let Some(times) = counted.times.get(nth) {
                return Some((counted.plan.id(nth as u64), *times));
            }
            nth -= counted.times.len();
        }
        self.put.get(nth).map(|put| (put.audit_id.as_deref().unwrap_or_default().to_owned(), put.times))
    }

    /// The answer is the number of the plan's source.
    pub(crate) fn add_plan(&mut self, plan: Arc<Generated>) -> u32 {
        let times = vec![0; plan.count as usize];
        self.plans.push(Counted { plan, times });
        self.plans.len() as u32
    }

    /// Must be called once per event, in the order of their numbers.
    pub(crate) fn add_put(&mut self, message: &str) {
        let audit_id = audit_id(message).map(Into::into);
        self.known_put += u64::from(audit_id.is_some());
        self.put.push(Put { audit_id, times: 0 });
    }

    pub(crate) fn note(&mut self, event: EventRef) {
        let times = match event.source.checked_sub(1) {
            Some(plan) => &mut self.plans[plan as usize].times[event.number as usize],
            None => match &mut self.put[event.number as usize] {
                Put { audit_id: None, .. } => return,
                Put { times, .. } => times,
            },
        };
        self.shown += u64::from(*times == 0);
        self.repeated += u64::from(*times == 1);
        self.showings += 1;
        *times = times.saturating_add(1);
    }

    fn entries(&self) -> impl Iterator<Item = (Id<'_>, u16)> {
        let generated = self.plans.iter().flat_map(|counted| {
            let ids = (0..).map(|index| Id::Generated(&counted.plan, index));
            ids.zip(counted.times.iter().copied())
        });
        let put = self.put.iter().filter_map(|put| Some((Id::Put(put.audit_id.as_deref()?), put.times)));
        generated.chain(put)
    }
}

/// An auditID that is only made when it is asked for.
enum Id<'a> {
    Generated(&'a Generated, u64),
    Put(&'a str),
}

impl Id<'_> {
    fn make(&self) -> String {
        match self {
            Self::Generated(plan, index) => plan.id(*index),
            Self::Put(id) => (*id).to_owned(),
        }
    }
}

/// The first `"auditID":"..."` of a message, which may be cut off behind it.
fn audit_id(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("\"auditID\"")?;
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split_once('"').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_put_and_generated() {
        let plan = Arc::new(Generated::backlog(10, 0));
        let mut ledger = Ledger::default();
        ledger.add_plan(Arc::clone(&plan));
        for message in [r#"{"auditID": "a"}"#, "no audit event", r#"{"auditID":"b","x[Truncated...]"#] {
            ledger.add_put(message);
        }
        assert_eq!((ledger.known(), ledger.shown(), ledger.missing_count()), (12, 0, 12));
        for (source, number) in [(1, 3), (1, 3), (0, 0), (0, 1)] {
            ledger.note(EventRef { source, number });
        }
        assert_eq!((ledger.shown(), ledger.repeated(), ledger.showings()), (2, 1, 3));
        assert_eq!(ledger.times(&plan.id(3)), 2);
        assert_eq!(ledger.times("a"), 1);
        assert_eq!(ledger.missing(2), [plan.id(0), plan.id(1)]);
        assert_eq!(ledger.missing(99).last().unwrap(), "b");
        assert_eq!(ledger.shown_ids().collect::<Vec<_>>(), [(plan.id(3), 2), ("a".into(), 1)]);
        assert_eq!(ledger.entry(3), Some((plan.id(3), 2)));
        assert_eq!(ledger.entry(12), Some(("b".into(), 0)));
        assert_eq!(ledger.entry(13), None);
        assert_eq!(ledger.expected().len(), 12);
    }
}
