//! From the bytes between a string's quotes to what they say.

use std::borrow::Cow;
use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16};

use super::block::{BLOCK, Block, escaped};

/// What a string's bytes say, as text: [`unescape_bytes`], with U+FFFD for what is not UTF-8.
pub(crate) fn unescape(inner: &[u8]) -> Cow<'_, str> {
    match unescape_bytes(inner) {
        Cow::Borrowed(plain) => String::from_utf8_lossy(plain),
        Cow::Owned(bytes) => Cow::Owned(into_text(bytes)),
    }
}

/// What a string's bytes say. An escape that there is not, or half of a surrogate pair, is kept as it is
/// written: no byte gets lost, and no two texts become one.
pub(crate) fn unescape_bytes(inner: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', inner) else { return Cow::Borrowed(inner) };
    let mut text = Vec::new();
    unescape_onto(Level::new(), inner, first, &mut text);
    Cow::Owned(text)
}

/// Appends what a string's bytes say to `out`; the first backslash is at `first` or behind it.
pub(super) fn unescape_onto(level: Level, inner: &[u8], first: usize, out: &mut Vec<u8>) {
    dispatch!(level, simd => unescape_with(simd, inner, first, out));
}

#[inline(always)]
fn unescape_with<S: Simd>(simd: S, inner: &[u8], first: usize, out: &mut Vec<u8>) {
    let start = out.len();
    // No escape is shorter than what it stands for, so there is always room for what is left to read.
    out.extend_from_slice(inner);
    let text = out.get_mut(start..).unwrap_or_default();
    let (mut read, mut written, mut carry) = (first, first, 0);
    let mut base = first;
    while base < inner.len() {
        let block = Block::load(simd, inner, base);
        let mut escaped = escaped(block.backslashes, &mut carry);
        // Where the block ends, without a backslash that escapes what stands behind it.
        let end = inner.len().min(base + BLOCK) - (carry != 0) as usize;
        if escaped & !(block.quotes | block.backslashes) == 0
            && read <= base
            && let Some(bytes) = inner.get(base..).and_then(|rest| rest.first_chunk())
        {
            // In an event within a string that is nearly every block: the backslashes are left out.
            let escaping = escaped >> 1 | carry << (BLOCK - 1);
            leave_out(simd, bytes, escaping, text, &mut written);
            (read, escaped) = (end, 0);
        }
        while escaped != 0 {
            let at = base + escaped.trailing_zeros() as usize;
            escaped &= escaped - 1;
            // The second half of a surrogate pair was read with the first.
            if at <= read {
                continue;
            }
            let backslash = at - 1;
            copy(inner, read..backslash, text, &mut written);
            let (character, len) = inner.get(backslash..).and_then(decode).unwrap_or(('\\', 1));
            let mut utf8 = [0; 4];
            let character = character.encode_utf8(&mut utf8).as_bytes();
            copy(character, 0..character.len(), text, &mut written);
            read = backslash + len;
        }
        if read < end {
            copy(inner, read..end, text, &mut written);
            read = end;
        }
        base += BLOCK;
    }
    copy(inner, read..inner.len(), text, &mut written);
    out.truncate(start + written);
}

/// Writes a block to `text` but for the bytes in `mask`, and moves on behind it. There is room for all of it.
#[inline(always)]
fn leave_out<S: Simd>(simd: S, block: &[u8; BLOCK], mut mask: u64, text: &mut [u8], written: &mut usize) {
    const ALL: u32 = u8::BITS;
    for eight in block.as_chunks::<8>().0 {
        let left_out = mask as u8;
        mask >>= ALL;
        let order = KEPT.get(usize::from(left_out)).copied().unwrap_or_default();
        let order = u8x16::load_array(simd, u128::from(order).to_le_bytes());
        let eight = u8x16::load_array(simd, u128::from(u64::from_le_bytes(*eight)).to_le_bytes());
        let kept = u128::from_le_bytes(eight.swizzle_dyn(order).to_array()) as u64;
        // What lies behind those that are kept is written over by the next.
        if let Some(room) = text.get_mut(*written..).and_then(|room| room.first_chunk_mut()) {
            *room = kept.to_le_bytes();
        }
        *written += (ALL - left_out.count_ones()) as usize;
    }
}

/// For each set of eight bytes that are left out: which byte comes first, which comes next, and so on; the first is
/// the lowest.
static KEPT: [u64; 256] = {
    let mut table = [0; 256];
    let mut mask = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while mask < 256 {
        let (mut byte, mut place) = (0, 0);
        while byte < 8 {
            if mask >> byte & 1 == 0 {
                table[mask] |= byte << (8 * place);
                place += 1;
            }
            byte += 1;
        }
        mask += 1;
    }
    table
};

/// Writes a part of `bytes` to `text`, and moves on behind it.
#[inline(always)]
fn copy(bytes: &[u8], part: Range<usize>, text: &mut [u8], written: &mut usize) {
    const LANE: usize = 16;
    let len = part.len();
    // What lies behind a short part is written too, and then written over.
    if len <= LANE
        && let Some(lane) = bytes.get(part.start..).and_then(|rest| rest.first_chunk::<LANE>())
        && let Some(room) = text.get_mut(*written..).and_then(|room| room.first_chunk_mut())
    {
        *room = *lane;
    } else if let (Some(part), Some(room)) = (bytes.get(part), text.get_mut(*written..*written + len)) {
        room.copy_from_slice(part);
    }
    *written += len;
}

/// With U+FFFD for what is not UTF-8.
pub(crate) fn into_text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The character that an escape stands for, and its length in bytes.
pub(super) fn decode(escape: &[u8]) -> Option<(char, usize)> {
    let character = match escape.get(1)? {
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_unicode(escape),
        _ => return None,
    };
    Some((character, 2))
}

fn decode_unicode(escape: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(escape)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = code_unit(escape.get(6..)?)?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 12))
}

/// Of `\u` and the four digits behind it.
fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expect: &str) {
        let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("a string");
        assert_eq!(unescape(inner.as_bytes()), expect, "{json}");
    }

    #[test]
    fn texts_of_strings_are_unescaped() {
        check(r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t");
        check(r#""\u00e9\u65e5\ud83d\ude80\u0000""#, "é日🚀\0");
        check(r#""a\u0026b""#, "a&b");
    }

    #[test]
    fn what_stands_between_escapes_is_copied() {
        for plain in [0, 1, 6, 7, 8, 9, 17] {
            let (plain, around) = ("x".repeat(plain), "é日".repeat(plain / 2));
            let json = format!(r#""{plain}\"{around}\u0041{plain}\\{plain}{around}""#);
            check(&json, &serde_json::from_str::<String>(&json).unwrap());
        }
        assert_eq!(unescape_bytes(b"\\n\xff\xfe\\"), Cow::Borrowed(b"\n\xff\xfe\\"));
    }

    #[test]
    fn escapes_are_read_wherever_they_stand() {
        let escapes = [r#"\""#, r"\\", r"\n", r"\u00e9", r"\ud83d\ude80", r"\\\\\\", r#"\\\""#, "é"];
        for escape in escapes {
            for before in 0..140 {
                for after in [0, 1, 5, 15, 16, 17, 63, 64, 65] {
                    let json = format!("\"{}{escape}{}{escape}\"", "x".repeat(before), "y".repeat(after));
                    check(&json, &serde_json::from_str::<String>(&json).unwrap());
                }
            }
        }
    }

    #[test]
    fn what_is_no_escape_is_kept() {
        check(r#""\x\""#, r"\x\");
        check(r#""\ud83d""#, r"\ud83d");
        check(r#""\ud83d\n""#, "\\ud83d\n");
        check(r#""\ud83d\u0041""#, r"\ud83dA");
        check(r#""\u00""#, r"\u00");
        check(r#""\u+041""#, r"\u+041");
    }
}
