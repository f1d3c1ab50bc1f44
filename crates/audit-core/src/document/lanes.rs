//! What holds for every byte of a text, asked of 16 at a time.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, i8x16, mask8x16, u8x16};

const LANE: usize = 16;

/// Whether that part of `bytes` is printable ASCII without a backslash.
#[inline]
pub(crate) fn is_plain(bytes: &[u8], part: Range<usize>) -> bool {
    dispatch!(Level::baseline(), simd => {
        none(bytes, part, |lane| {
            let lane = u8x16::load_array(simd, lane);
            (below(lane, b' ') | lane.simd_eq(b'\\')).to_bitmask()
        })
    })
}

/// Whether that part of `bytes` is printable ASCII without a space.
#[inline]
pub(crate) fn is_compact(bytes: &[u8], part: Range<usize>) -> bool {
    dispatch!(Level::baseline(), simd => {
        none(bytes, part, |lane| below(u8x16::load_array(simd, lane), b' ' + 1).to_bitmask())
    })
}

/// Those below `limit`, and those beyond ASCII: they are negative.
#[inline(always)]
fn below<S: Simd>(lane: u8x16<S>, limit: u8) -> mask8x16<S> {
    lane.bitcast::<i8x16<S>>().simd_lt(limit.cast_signed())
}

/// Whether `exceptions` finds none in that part of `bytes`.
#[inline(always)]
fn none(bytes: &[u8], part: Range<usize>, exceptions: impl Fn([u8; LANE]) -> u64) -> bool {
    let mut at = part.start;
    while at < part.end {
        let left = part.end - at;
        let rest = bytes.get(at..).unwrap_or_default();
        // What stands behind the part is read, and not counted.
        let lane = match rest.first_chunk() {
            Some(lane) => *lane,
            None => last(rest),
        };
        let counted = if left < LANE { (1 << left) - 1 } else { u64::MAX };
        if exceptions(lane) & counted != 0 {
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
                            assert_eq!(is_plain(&bytes, start..end), plain || !inside);
                            assert_eq!(is_compact(&bytes, start..end), compact || !inside);
                        }
                    }
                }
            }
        }
    }
}
