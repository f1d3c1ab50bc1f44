//! [`Block`]: 64 bytes of JSON looked at together, a bit for each.
//!
//! It knows bytes, not JSON: what stands in a string is found out by its users.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x32, u8x64};

/// How many bytes a block has.
pub(crate) const BLOCK: usize = 64;

/// Which of 64 bytes are what; the lowest bit is the first byte's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) quotes: u64,
    pub(crate) backslashes: u64,
    /// Brackets and braces that open, and those that close.
    pub(crate) opens: u64,
    pub(crate) closes: u64,
}

impl Block {
    /// Of the bytes from `at` on; behind the last there is nothing.
    #[inline(always)]
    pub(crate) fn load<S: Simd>(simd: S, bytes: &[u8], at: usize) -> Block {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(block) => Block::of(simd, block),
            None => Block::last(bytes, rest),
        }
    }

    /// The same for a single block, with what every processor has.
    #[inline]
    pub(crate) fn load_one(bytes: &[u8], at: usize) -> Block {
        dispatch!(Level::baseline(), simd => Block::load(simd, bytes, at))
    }

    /// The end of `bytes`, which is less than a block.
    #[inline(never)]
    pub(crate) fn last(bytes: &[u8], rest: &[u8]) -> Block {
        if rest.is_empty() {
            return Block::default();
        }
        // The last 64 bytes, of which those count that are left: nothing needs to be copied.
        if bytes.len() >= BLOCK {
            let counted = BLOCK - rest.len();
            let Block { quotes, backslashes, opens, closes } = Block::load_one(bytes, bytes.len() - BLOCK);
            return Block {
                quotes: quotes >> counted,
                backslashes: backslashes >> counted,
                opens: opens >> counted,
                closes: closes >> counted,
            };
        }
        let mut block = [0; BLOCK];
        for (place, byte) in block.iter_mut().zip(rest) {
            *place = *byte;
        }
        Block::load_one(&block, 0)
    }

    #[inline(always)]
    pub(crate) fn of<S: Simd>(simd: S, block: &[u8; BLOCK]) -> Block {
        let block = u8x64::load_array_ref(simd, block);
        // Brackets and braces differ in this bit alone.
        let braced = block | 0x20;
        Block {
            quotes: block.simd_eq(b'"').to_bitmask(),
            backslashes: block.simd_eq(b'\\').to_bitmask(),
            opens: braced.simd_eq(b'{').to_bitmask(),
            closes: braced.simd_eq(b'}').to_bitmask(),
        }
    }
}

/// Which of 64 bytes cannot simply stand in a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stops {
    pub(crate) quotes: u64,
    pub(crate) backslashes: u64,
    pub(crate) controls: u64,
}

impl Stops {
    #[inline(always)]
    pub(crate) fn of<S: Simd>(simd: S, block: &[u8; BLOCK]) -> Stops {
        let block = u8x64::load_array_ref(simd, block);
        Stops {
            quotes: block.simd_eq(b'"').to_bitmask(),
            backslashes: block.simd_eq(b'\\').to_bitmask(),
            controls: block.simd_lt(b' ').to_bitmask(),
        }
    }
}

/// The first of 32 bytes that cannot simply stand in a string.
#[inline(always)]
pub(crate) fn first_stop<S: Simd>(simd: S, lane: &[u8; 32]) -> Option<usize> {
    let lane = u8x32::load_array_ref(simd, lane);
    let stops = (lane.simd_eq(b'"') | lane.simd_eq(b'\\') | lane.simd_lt(b' ')).to_bitmask();
    if stops != 0 { Some(stops.trailing_zeros() as usize) } else { None }
}

/// For each bit, whether an odd number of bits is set up to and including it.
#[inline(always)]
pub(crate) fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Which bytes are escaped by the backslash before them. `carry` is 1 when the first of them is by what came
/// before, and is set for the next block.
#[inline(always)]
pub(crate) fn escaped(backslashes: u64, carry: &mut u64) -> u64 {
    if backslashes == 0 {
        return std::mem::take(carry);
    }
    // Every second backslash of a row escapes what follows. As simdjson has it: adding carries through a row, and
    // whether it comes out at an odd or an even place tells the length of the row.
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let begins = backslashes & !*carry;
    let escapes_and_ends = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
    let escaped = escapes_and_ends ^ (backslashes | *carry);
    *carry = (escapes_and_ends & backslashes) >> 63;
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::twins::levels;
    use super::*;

    /// A bit for each byte of `text` that is one of `wanted`.
    fn bits(text: &[u8], wanted: &[u8]) -> u64 {
        text.iter().enumerate().map(|(at, byte)| u64::from(wanted.contains(byte)) << at).sum()
    }

    #[test]
    fn every_byte_is_what_it_is() {
        let all: Vec<u8> = (0..=u8::MAX).chain(*b"\"\\{}[]").collect();
        for len in [0, 1, 15, 16, 63, 64, 65, 127, 200, all.len()] {
            let bytes = &all[all.len() - len..];
            for at in 0..=len {
                let rest = &bytes[at..len.min(at + BLOCK)];
                let expect = Block {
                    quotes: bits(rest, b"\""),
                    backslashes: bits(rest, b"\\"),
                    opens: bits(rest, b"{["),
                    closes: bits(rest, b"}]"),
                };
                assert_eq!(Block::load_one(bytes, at), expect, "{at} of {len}");
                for level in levels() {
                    let block = dispatch!(level, simd => Block::load(simd, bytes, at));
                    assert_eq!(block, expect, "{at} of {len}, {level:?}");
                }
            }
        }
    }

    #[test]
    fn strings_stop_at_quotes_backslashes_and_control_characters() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for block in all.as_chunks::<BLOCK>().0 {
            let controls: Vec<u8> = (0..b' ').collect();
            let expect = Stops {
                quotes: bits(block, b"\""),
                backslashes: bits(block, b"\\"),
                controls: bits(block, &controls),
            };
            for level in levels() {
                assert_eq!(dispatch!(level, simd => Stops::of(simd, block)), expect, "{level:?}");
            }
        }
        for byte in 0..=u8::MAX {
            for at in 0..32 {
                let mut lane = [0x80; 32];
                lane[at] = byte;
                let stops = matches!(byte, b'"' | b'\\' | 0..b' ');
                for level in levels() {
                    let first = dispatch!(level, simd => first_stop(simd, &lane));
                    assert_eq!(first, stops.then_some(at), "{byte}, {level:?}");
                }
            }
        }
    }

    #[test]
    fn parity_is_of_all_bits_before() {
        assert_eq!(parity(0), 0);
        assert_eq!(parity(0b0010_0100), 0b0001_1100);
        assert_eq!(parity(1), u64::MAX);
        assert_eq!(parity(1 << 63), 1 << 63);
    }

    #[test]
    fn every_second_backslash_escapes() {
        // Rows of backslashes that begin anywhere, also in the block before.
        for start in 0..2 * BLOCK {
            for len in 0..2 * BLOCK - start {
                let row = ((1u128 << len) - 1) << start;
                let expect = (0..2 * BLOCK)
                    .filter(|at| (start + 1..=start + len).contains(at) && (at - start) % 2 == 1)
                    .fold(0u128, |bits, at| bits | 1 << at);
                let mut carry = 0;
                let low = escaped(row as u64, &mut carry);
                let high = escaped((row >> 64) as u64, &mut carry);
                assert_eq!((low, high), (expect as u64, (expect >> 64) as u64), "{len} from {start}");
            }
        }
    }
}
