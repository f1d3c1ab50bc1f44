//! [`Duplicates`]: which events went to the host already.

use std::collections::{HashSet, VecDeque};

use audit_core::{AuditEvent, EventIdentity};

/// The last events, by the hash of what identifies them.
///
/// What is left out here cannot be lost. The first of the two came by the same partition, and is evaluated before the
/// copy's batch is acknowledged; or by another one, whose own checkpoint does not pass it before it was evaluated.
#[derive(Debug, Default)]
pub struct Duplicates {
    known: HashSet<EventIdentity>,
    order: VecDeque<EventIdentity>,
}

impl Duplicates {
    /// Some 13 MB.
    pub const MOST: usize = 500_000;

    /// Drops those that were there before, in `events` or in an earlier call; returns how many.
    /// An event without identity is none of them.
    pub fn drop_known(&mut self, events: &mut Vec<AuditEvent>) -> usize {
        let before = events.len();
        events.retain(|event| event.identity().is_none_or(|identity| self.is_new(identity)));
        before - events.len()
    }

    /// Whether it comes for the first time.
    fn is_new(&mut self, identity: EventIdentity) -> bool {
        if !self.known.insert(identity) {
            return false;
        }
        self.order.push_back(identity);
        if self.order.len() > Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known() {
        let mut duplicates = Duplicates::default();
        for number in 0..=Duplicates::MOST as u64 {
            assert!(duplicates.is_new(EventIdentity(number)));
        }
        assert!(!duplicates.is_new(EventIdentity(1)));
        assert!(duplicates.is_new(EventIdentity(0)), "the oldest one is forgotten");
        assert_eq!(duplicates.known.len(), Duplicates::MOST);
    }
}
