//! [`Position`]: how far a log group was read, and its form in a checkpoint.
//!
//! A checkpoint's body, all numbers little endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `settled`, in milliseconds since the epoch |
//! | 8 | `frontier`, the same |
//! | then, for each second of which keys are known: 8 | the second |
//! | 4 | how many keys |
//! | 8 each | the keys |
//!
//! At most [`Seen::MOST`] keys and those of one window more, 64 pages of 10,000: 13.5 MB with the default `settle`,
//! 2.4 MB for a cluster of 1,000 events per second; if each key had a second of its own, 34 MB.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::seen::{EventKey, KeySet, Seen};

/// How far a log group was read; event time in milliseconds since the epoch.
///
/// Time before `settled` was read for good; time between `settled` and `frontier` was read once, and is read
/// again for what becomes visible late; time from `frontier` on was never read, or only in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) settled: i64,
    pub(crate) frontier: i64,
}

/// The name of the format, for the checkpoint's header.
pub(crate) const FORMAT: &str = "cloudwatch-tail/1";

/// The body of a checkpoint: `position`, and the keys of `seen` from there on, but for those `in_flight`.
pub(crate) fn encode(position: Position, seen: &Seen, in_flight: &KeySet) -> Bytes {
    let mut body = BytesMut::with_capacity(16 + 8 * seen.len());
    body.put_i64_le(position.settled);
    body.put_i64_le(position.frontier);
    let first = position.settled.div_euclid(1000);
    for (second, keys) in seen.iter().filter(|(second, _)| *second >= first) {
        let evaluated = keys.iter().filter(|key| !in_flight.contains(key));
        let count = evaluated.clone().count();
        if let (1.., Ok(count)) = (count, u32::try_from(count)) {
            body.put_i64_le(second);
            body.put_u32_le(count);
            evaluated.for_each(|key| body.put_u64_le(key.0));
        }
    }
    body.freeze()
}

/// Reads what [`encode`] wrote; `None` when it did not.
pub(crate) fn decode(mut body: Bytes) -> Option<(Position, Seen)> {
    let position = Position { settled: body.try_get_i64_le().ok()?, frontier: body.try_get_i64_le().ok()? };
    if position.settled > position.frontier {
        return None;
    }
    let mut seen = Seen::default();
    while body.has_remaining() {
        let timestamp = body.try_get_i64_le().ok()?.checked_mul(1000)?;
        for _ in 0..body.try_get_u32_le().ok()? {
            seen.insert(timestamp, EventKey(body.try_get_u64_le().ok()?));
        }
    }
    Some((position, seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Position, Seen) {
        let mut seen = Seen::default();
        for ms in (1_700_000_000_000..1_700_000_005_000_i64).step_by(7) {
            seen.insert(ms, EventKey::of(&ms.to_string()));
        }
        (Position { settled: 1_700_000_001_500, frontier: 1_700_000_005_000 }, seen)
    }

    #[test]
    fn what_was_written_is_read() {
        let (position, seen) = sample();
        let in_flight: KeySet = [EventKey::of("1700000002002")].into_iter().collect();
        let (read, mut known) = decode(encode(position, &seen, &in_flight)).expect("own format");
        assert_eq!(read, position);
        for ms in (1_700_000_000_000..1_700_000_005_000_i64).step_by(7) {
            let is_new = known.insert(ms, EventKey::of(&ms.to_string()));
            let expected = ms < 1_700_000_001_000 || ms == 1_700_000_002_002;
            assert_eq!(is_new, expected, "{ms}");
        }
    }

    #[test]
    fn the_largest_fits_twice_into_what_a_store_takes() {
        // A page more than the most, each key in a second of its own.
        let count = Seen::MOST as i64 + 10_000;
        let mut seen = Seen::default();
        for second in 0..count {
            seen.insert(second * 1000, EventKey(second as u64));
        }
        let position = Position { settled: 0, frontier: count * 1000 };
        let body = encode(position, &seen, &KeySet::default());
        assert!(body.len() as u64 <= event_source::checkpoint::CheckpointStore::MAX_BYTES / 2);
        let (read, known) = decode(body).expect("own format");
        assert_eq!((read, known.len()), (position, seen.len()));
        assert!(known.iter().eq(seen.iter()));
    }

    #[test]
    fn anything_else_is_none() {
        let (position, seen) = sample();
        let body = encode(position, &seen, &KeySet::default());
        assert!(decode(body.slice(..body.len() - 1)).is_none());
        assert!(decode(body.slice(..15)).is_none());
        assert!(decode(Bytes::new()).is_none());
        let backwards = Position { settled: 2, frontier: 1 };
        assert!(decode(encode(backwards, &Seen::default(), &KeySet::default())).is_none());
    }
}
