//! What holds for every byte of a text, asked of 16 at a time.

use std::ops::Range;

use wide::{i8x16, u8x16};

const LANE: usize = 16;

/// Of 16 bytes, those that are not printable ASCII, or a backslash.
pub(crate) fn is_plain(lane: u8x16) -> u32 {
    (below(lane, b' ') | lane.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

/// Of 16 bytes, those that are not printable ASCII, or a space.
pub(crate) fn is_compact(lane: u8x16) -> u32 {
    below(lane, b' ' + 1).to_bitmask()
}

/// Those below `limit`, and those beyond ASCII: they are negative.
fn below(lane: u8x16, limit: u8) -> u8x16 {
    lane.cast_signed().simd_lt(i8x16::splat(limit.cast_signed())).cast_unsigned()
}

/// Whether `exceptions` finds none in that part of `bytes`.
#[inline]
pub(crate) fn all(bytes: &[u8], part: Range<usize>, exceptions: impl Fn(u8x16) -> u32) -> bool {
    let mut at = part.start;
    while at < part.end {
        let left = part.end - at;
        let rest = bytes.get(at..).unwrap_or_default();
        // What stands behind the part is read, and not counted.
        let lane = match rest.first_chunk() {
            Some(lane) => *lane,
            None => last(rest),
        };
        let counted = if left < LANE { (1 << left) - 1 } else { u32::MAX };
        if exceptions(u8x16::new(lane)) & counted != 0 {
            return false;
        }
        at += LANE;
    }
    true
}

/// Less than 16 bytes, at the end of a document.
#[cold]
fn last(rest: &[u8]) -> [u8; LANE] {
    let mut lane = [0; LANE];
    for (place, byte) in lane.iter_mut().zip(rest) {
        *place = *byte;
    }
    lane
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts_and_none_besides() {
        for len in [0, 1, 15, 16, 17, 33, 40] {
            for start in 0..len {
                for end in start..=len {
                    for at in 0..len {
                        for (byte, plain, compact) in [
                            (b'a', true, true),
                            (b' ', true, false),
                            (b'\\', false, true),
                            (0x7f, true, true),
                            (0x1f, false, false),
                            (0, false, false),
                            (0x80, false, false),
                            (0xff, false, false),
                        ] {
                            let mut bytes = vec![b'x'; len];
                            bytes[at] = byte;
                            let inside = (start..end).contains(&at);
                            assert_eq!(all(&bytes, start..end, is_plain), plain || !inside);
                            assert_eq!(all(&bytes, start..end, is_compact), compact || !inside);
                        }
                    }
                }
            }
        }
    }
}
