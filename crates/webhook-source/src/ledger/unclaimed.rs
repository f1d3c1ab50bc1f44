//! [`Unclaimed`]: requests whose sender does not know that they are, or will be, evaluated.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Key;

/// By cursor and by body. Several may have the same body: each is claimed once.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    by_cursor: BTreeMap<u64, (Key, Instant)>,
    by_key: HashMap<Key, VecDeque<u64>>,
}

impl Unclaimed {
    /// Requests that are remembered after they were evaluated; some 10 MB.
    pub(crate) const MOST: usize = 65_536;
    /// For how long. An API server comes again for some four minutes: five times with growing pauses, each time for
    /// 30 s at most. Its flag `--audit-webhook-initial-backoff` makes that longer; beyond 77 s, longer than this.
    pub(crate) const LONGEST: Duration = Duration::from_secs(900);

    /// Nobody waits for that one any more.
    pub(crate) fn add(&mut self, cursor: u64, key: Key, now: Instant) {
        if self.by_cursor.insert(cursor, (key, now)).is_none() {
            self.by_key.entry(key).or_default().push_back(cursor);
        }
    }

    /// The one that was left first with that body: it has a sender again.
    pub(crate) fn claim(&mut self, key: Key) -> Option<u64> {
        let cursors = self.by_key.get_mut(&key)?;
        let cursor = cursors.pop_front()?;
        if cursors.is_empty() {
            self.by_key.remove(&key);
        }
        self.by_cursor.remove(&cursor);
        Some(cursor)
    }

    /// Forgets what was evaluated too long ago, and the oldest of what is too much; returns how many of the latter.
    pub(crate) fn trim(&mut self, evaluated: u64, now: Instant) -> u64 {
        let mut forgotten = 0;
        while let Some(first) = self.by_cursor.first_entry().filter(|first| *first.key() <= evaluated) {
            let is_old = now.saturating_duration_since(first.get().1) > Self::LONGEST;
            if !is_old && self.by_cursor.len() <= Self::MOST {
                break;
            }
            forgotten += u64::from(!is_old);
            self.forget_first();
        }
        forgotten
    }

    fn forget_first(&mut self) {
        let Some((cursor, (key, _))) = self.by_cursor.pop_first() else { return };
        if let Some(cursors) = self.by_key.get_mut(&key) {
            cursors.retain(|known| *known != cursor);
            if cursors.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key(1, 1);
    const B: Key = Key(2, 1);

    #[test]
    fn each_is_claimed_once_the_first_first() {
        let (mut unclaimed, now) = (Unclaimed::default(), Instant::now());
        for (cursor, key) in [(3, A), (4, B), (5, A), (5, A)] {
            unclaimed.add(cursor, key, now);
        }
        let claimed = [A, A, A, B, B].map(|key| unclaimed.claim(key));
        assert_eq!(claimed, [Some(3), Some(5), None, Some(4), None]);
        assert!(unclaimed.by_key.is_empty() && unclaimed.by_cursor.is_empty());
    }

    #[test]
    fn what_is_evaluated_is_forgotten_when_it_is_old_or_too_much() {
        let (mut unclaimed, now) = (Unclaimed::default(), Instant::now());
        for cursor in 1..=Unclaimed::MOST as u64 + 2 {
            unclaimed.add(cursor, Key(cursor, 0), now);
        }
        assert_eq!(unclaimed.trim(0, now + Unclaimed::LONGEST * 2), 0, "none is evaluated");
        assert_eq!(unclaimed.trim(1, now), 1);
        assert_eq!(unclaimed.trim(9, now), 1);
        assert_eq!(unclaimed.trim(9, now + Unclaimed::LONGEST * 2), 0, "time is no loss");
        assert_eq!(unclaimed.by_cursor.len(), Unclaimed::MOST - 7);
        assert_eq!(unclaimed.by_key.len(), Unclaimed::MOST - 7);
    }
}
