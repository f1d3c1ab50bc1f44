//! [`Seen`]: which events were read already, known by a 64-bit hash of their id.
//!
//! Two ids with the same hash would lose an event: at a million ids in memory the chance that any two of them
//! meet is 1 in 37 million (n² / 2⁶⁵).

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// The hash by which an event is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EventKey(pub(crate) u64);

impl EventKey {
    pub(crate) fn of(id: &str) -> Self {
        Self(xxh3_64(id.as_bytes()))
    }
}

/// Keys are hashes already.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

pub(crate) type KeySet = HashSet<EventKey, BuildHasherDefault<KeyIsHash>>;

/// Milliseconds of event time that share a bucket: what is forgotten is forgotten by the bucket.
const BUCKET: i64 = 1000;

/// Keys by the second of their events, so that old seconds can be forgotten whole.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    seconds: BTreeMap<i64, KeySet>,
    len: usize,
}

impl Seen {
    /// 2²⁰ keys: 300 s at 3,500 events per second, some 20 MiB.
    ///
    /// Whoever reads stops to read new time while there are more, and loses nothing by it.
    pub(crate) const MOST: usize = 1 << 20;

    /// Whether this is the first time.
    pub(crate) fn insert(&mut self, timestamp_ms: i64, key: EventKey) -> bool {
        let is_new = self.seconds.entry(timestamp_ms.div_euclid(BUCKET)).or_default().insert(key);
        self.len += usize::from(is_new);
        is_new
    }

    /// Forgets every whole second before `floor_ms`.
    pub(crate) fn forget_before(&mut self, floor_ms: i64) {
        let keep = self.seconds.split_off(&floor_ms.div_euclid(BUCKET));
        let gone = std::mem::replace(&mut self.seconds, keep);
        self.len -= gone.values().map(HashSet::len).sum::<usize>();
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len >= Self::MOST
    }

    /// Seconds and their keys, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &KeySet)> {
        self.seconds.iter().map(|(second, keys)| (*second, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::default();
        let (one, other) = (EventKey::of("one"), EventKey::of("other"));
        assert!(seen.insert(1500, one));
        assert!(!seen.insert(1500, one));
        assert!(seen.insert(1500, other));
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn it_is_full_at_the_most() {
        let mut seen = Seen::default();
        for key in 0..Seen::MOST as u64 {
            assert!(!seen.is_full());
            seen.insert(0, EventKey(key));
        }
        assert!(seen.is_full());
        seen.forget_before(1000);
        assert!(!seen.is_full());
    }

    #[test]
    fn only_whole_seconds_before_the_floor_are_forgotten() {
        let mut seen = Seen::default();
        for ms in [-1, 0, 999, 1000, 1999, 2000] {
            seen.insert(ms, EventKey(ms as u64));
        }
        seen.forget_before(1500);
        assert_eq!(seen.len(), 3);
        assert!(!seen.insert(1000, EventKey(1000)), "the floor's own second stays");
        assert!(seen.insert(999, EventKey(999)));
    }
}
