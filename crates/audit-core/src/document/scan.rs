//! The JSON scanner: where a value starts and ends, in two degrees of rigour.
//!
//! - [`walk`] is strict: it accepts exactly what RFC 8259 calls a value (nested up to
//!   [`MAX_DEPTH`]), and tells a visitor what it passes. Everything that this project's sources emit went
//!   through it once.
//! - [`skip`] is structural: it finds the end of a value by its quotes and brackets, and does not look at
//!   what it passes. On a valid document both agree; on a broken one it may pass over the damage. It is for
//!   extraction, whose payload may come from elsewhere, and must not pay for what no field asks.
//!
//! Neither recurses, allocates, indexes on trust, or knows what an audit event is. Bytes above 0x7f are
//! taken as they are within strings: whether they are UTF-8 is asked elsewhere.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch};
use memchr::memchr2;

use super::block::{BLOCK, Stops, escaped, first_stop};
use super::skimmer::Skimmer;
use crate::limits::MAX_DEPTH;

/// Where a document stopped being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) at: usize,
    pub(crate) kind: ScanErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanErrorKind {
    /// The document ended within a value.
    End,
    /// A byte that cannot stand there.
    Unexpected,
    /// More than [`MAX_DEPTH`] open objects and arrays.
    TooDeep,
    /// The visitor wants no more.
    Stopped,
}

type Scanned<T> = Result<T, ScanError>;

fn end<T>(bytes: &[u8]) -> Scanned<T> {
    Err(ScanError { at: bytes.len(), kind: ScanErrorKind::End })
}

fn unexpected<T>(at: usize) -> Scanned<T> {
    Err(ScanError { at, kind: ScanErrorKind::Unexpected })
}

/// What a value is, as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl Kind {
    pub(crate) fn of(first: u8) -> Option<Kind> {
        Some(match first {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' => Kind::True,
            b'f' => Kind::False,
            b'n' => Kind::Null,
            _ => return None,
        })
    }
}

/// Told by [`walk`] what it passes, in the document's order.
pub(crate) trait Visit {
    /// An object or array begins at `at`; `false` stops the walk there.
    fn open(&mut self, _kind: Kind, _at: usize) -> bool {
        true
    }
    /// A member's key: what stands between the quotes, still escaped.
    fn key(&mut self, _start: usize, _end: usize) {}
    /// A value is complete that is neither object nor array.
    fn scalar(&mut self, _start: usize, _end: usize) {}
    /// The innermost open object or array ends before `end`.
    fn close(&mut self, _end: usize) {}
    /// An object or array begins at `at` that is nested too deep: where to go on behind it, if at all.
    fn too_deep(&mut self, _at: usize) -> Option<usize> {
        None
    }
}

impl Visit for () {}

/// Which of the open containers are objects: a bit for each, so that depth costs no allocation.
struct Nesting {
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
    room: usize,
}

impl Nesting {
    fn new(outer: usize) -> Nesting {
        Nesting { objects: [0; MAX_DEPTH / 64], depth: 0, room: MAX_DEPTH.saturating_sub(outer) }
    }

    /// `false` when there is no room for one more.
    fn push(&mut self, object: bool) -> bool {
        if self.depth >= self.room {
            return false;
        }
        let Some(word) = self.objects.get_mut(self.depth / 64) else { return false };
        let bit = 1 << (self.depth % 64);
        *word = if object { *word | bit } else { *word & !bit };
        self.depth += 1;
        true
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost is an object; `None` when nothing is open.
    fn in_object(&self) -> Option<bool> {
        let top = self.depth.checked_sub(1)?;
        Some(self.objects.get(top / 64)? >> (top % 64) & 1 == 1)
    }
}

/// Passes one value that begins at or behind `start`, strictly; returns where it ends. It lies in `outer`
/// objects and arrays, which count for its depth.
pub(crate) fn walk(bytes: &[u8], start: usize, outer: usize, visit: &mut impl Visit) -> Scanned<usize> {
    walk_at(Level::new(), bytes, start, outer, visit)
}

#[inline]
pub(super) fn walk_at(
    level: Level,
    bytes: &[u8],
    start: usize,
    outer: usize,
    visit: &mut impl Visit,
) -> Scanned<usize> {
    dispatch!(level, simd => walk_with(simd, bytes, start, outer, visit))
}

#[inline(always)]
fn walk_with<S: Simd>(
    simd: S,
    bytes: &[u8],
    start: usize,
    outer: usize,
    visit: &mut impl Visit,
) -> Scanned<usize> {
    let mut nesting = Nesting::new(outer);
    let (mut at, mut first) = token(bytes, start)?;
    loop {
        // A value begins here. Not a `match`, which would become a jump that nobody can foresee.
        if first == b'"' {
            let ends = string_from(simd, bytes, at + 1)?;
            visit.scalar(at, ends);
            at = ends;
        } else if first == b'{' || first == b'[' {
            let is_object = first == b'{';
            if !nesting.push(is_object) {
                match visit.too_deep(at) {
                    Some(behind) => at = behind,
                    None => return Err(ScanError { at, kind: ScanErrorKind::TooDeep }),
                }
            } else if !visit.open(if is_object { Kind::Object } else { Kind::Array }, at) {
                return Err(ScanError { at, kind: ScanErrorKind::Stopped });
            } else {
                let (inside, byte) = token(bytes, at + 1)?;
                // In ASCII, the closing one is the second behind it.
                if byte == first + 2 {
                    at = inside + 1;
                    nesting.pop();
                    visit.close(at);
                } else {
                    (at, first) =
                        if is_object { member(simd, bytes, inside, byte, visit)? } else { (inside, byte) };
                    continue;
                }
            }
        } else {
            let ends = scalar(bytes, at, first)?;
            visit.scalar(at, ends);
            at = ends;
        }
        // A value has ended: go on with what it stands in.
        loop {
            let Some(in_object) = nesting.in_object() else { return Ok(at) };
            let (place, byte) = token(bytes, at)?;
            if byte == b',' {
                let (next, byte) = token(bytes, place + 1)?;
                (at, first) = if in_object { member(simd, bytes, next, byte, visit)? } else { (next, byte) };
                break;
            }
            if byte != if in_object { b'}' } else { b']' } {
                return unexpected(place);
            }
            at = place + 1;
            nesting.pop();
            visit.close(at);
        }
    }
}

/// A key, of which `first` at `at` is the first byte, and its colon; returns where the value begins, and its first byte.
#[inline(always)]
fn member<S: Simd>(
    simd: S,
    bytes: &[u8],
    at: usize,
    first: u8,
    visit: &mut impl Visit,
) -> Scanned<(usize, u8)> {
    if first != b'"' {
        return unexpected(at);
    }
    let after = string_from(simd, bytes, at + 1)?;
    visit.key(at + 1, after - 1);
    let (colon, byte) = token(bytes, after)?;
    if byte == b':' { token(bytes, colon + 1) } else { unexpected(colon) }
}

/// The first byte that is no whitespace, at or behind `at`, and where it is.
#[inline(always)]
fn token(bytes: &[u8], at: usize) -> Scanned<(usize, u8)> {
    match bytes.get(at) {
        // Nearly always there is none.
        Some(&byte) if byte > b' ' => Ok((at, byte)),
        _ => token_behind(bytes, at),
    }
}

#[inline(never)]
fn token_behind(bytes: &[u8], at: usize) -> Scanned<(usize, u8)> {
    let at = space_behind(bytes, at);
    bytes.get(at).map_or(end(bytes), |&byte| Ok((at, byte)))
}

/// Passes the object that begins at `at`, strictly, and leaves its values to the caller: `value` gets where a key
/// stands between its quotes, and where its value begins, and returns where that ends. An error of its
/// own stops the walk. Returns where the object ends.
pub(crate) fn members<E: From<ScanError>>(
    bytes: &[u8],
    at: usize,
    mut value: impl FnMut(Range<usize>, usize) -> Result<usize, E>,
) -> Result<usize, E> {
    match bytes.get(at) {
        Some(b'{') => {}
        Some(_) => return Ok(unexpected(at)?),
        None => return Ok(end(bytes)?),
    }
    let mut at = space(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let after = string(bytes, at)?;
        let begins = colon(bytes, after)?;
        at = space(bytes, value(at + 1..after - 1, begins)?);
        at = match bytes.get(at) {
            Some(b',') => space(bytes, at + 1),
            Some(b'}') => return Ok(at + 1),
            Some(_) => return Ok(unexpected(at)?),
            None => return Ok(end(bytes)?),
        };
    }
}

/// Behind the colon that follows a key, and behind the space around it.
#[inline]
pub(crate) fn colon(bytes: &[u8], after_key: usize) -> Scanned<usize> {
    let at = space(bytes, after_key);
    match bytes.get(at) {
        Some(b':') => Ok(space(bytes, at + 1)),
        Some(_) => unexpected(at),
        None => end(bytes),
    }
}

/// Behind the whitespace at `at`.
#[inline]
pub(crate) fn space(bytes: &[u8], at: usize) -> usize {
    // Nearly always there is none.
    if bytes.get(at).is_some_and(|&byte| byte <= b' ') { space_behind(bytes, at) } else { at }
}

fn space_behind(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Passes what is neither string, nor object, nor array.
fn scalar(bytes: &[u8], at: usize, first: u8) -> Scanned<usize> {
    let ends = match first {
        b'-' | b'0'..=b'9' => number(bytes, at)?,
        b't' => literal(bytes, at, b"true")?,
        b'f' => literal(bytes, at, b"false")?,
        b'n' => literal(bytes, at, b"null")?,
        _ => return unexpected(at),
    };
    // `20` may be the rest of `200`: such a value is complete only when something else follows. Only a
    // document that is nothing but a number ends here, and none of ours is.
    match bytes.get(ends) {
        Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok(ends),
        Some(_) => unexpected(ends),
        None => end(bytes),
    }
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Scanned<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        Ok(at + word.len())
    } else if word.starts_with(rest) {
        end(bytes)
    } else {
        unexpected(at)
    }
}

fn number(bytes: &[u8], start: usize) -> Scanned<usize> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(bytes, at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = digits(bytes, at)?;
    }
    Ok(at)
}

fn digits(bytes: &[u8], start: usize) -> Scanned<usize> {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 if rest.is_empty() => end(bytes),
        0 => unexpected(start),
        count => Ok(start + count),
    }
}

/// Passes a string, strictly: no control characters, only the escapes that there are. Half of a surrogate
/// pair passes, as the grammar allows.
pub(crate) fn string(bytes: &[u8], start: usize) -> Scanned<usize> {
    string_at(Level::new(), bytes, start)
}

#[inline]
pub(super) fn string_at(level: Level, bytes: &[u8], start: usize) -> Scanned<usize> {
    match bytes.get(start) {
        Some(b'"') => dispatch!(level, simd => string_from(simd, bytes, start + 1)),
        Some(_) => unexpected(start),
        None => end(bytes),
    }
}

/// The same from behind its first quote on.
#[inline(always)]
fn string_from<S: Simd>(simd: S, bytes: &[u8], at: usize) -> Scanned<usize> {
    // Most are short, and simple.
    if let Some(rest) = bytes.get(at..)
        && let Some(lane) = rest.first_chunk()
        && let Some(stop) = first_stop(simd, lane)
        && rest.get(stop) == Some(&b'"')
    {
        return Ok(at + stop + 1);
    }
    simd.vectorize(
        #[inline(always)]
        || string_by_blocks(simd, bytes, at),
    )
}

/// Goes on within a string from `at` on, which is not escaped.
#[inline(always)]
fn string_by_blocks<S: Simd>(simd: S, bytes: &[u8], mut at: usize) -> Scanned<usize> {
    let mut carry = 0;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        // Where the escape begins that reaches into this block, if one does.
        let from = at - usize::from(carry != 0);
        let Stops { quotes, backslashes, controls } = Stops::of(simd, block);
        let escaped = escaped(backslashes, &mut carry);
        let ends = quotes & !escaped;
        let within = (ends & ends.wrapping_neg()).wrapping_sub(1);
        if controls & within != 0 {
            return string_plainly(bytes, from);
        }
        let mut others = escaped & within & !(quotes | backslashes);
        while others != 0 {
            if escape(bytes, (at + others.trailing_zeros() as usize).saturating_sub(1)).is_err() {
                return string_plainly(bytes, from);
            }
            others &= others - 1;
        }
        if ends != 0 {
            return Ok(at + ends.trailing_zeros() as usize + 1);
        }
        at += BLOCK;
    }
    string_plainly(bytes, at - usize::from(carry != 0))
}

/// The twin of both, byte by byte: for what is damaged, and for the end of a document.
pub(super) fn string_plainly(bytes: &[u8], mut at: usize) -> Scanned<usize> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at)?,
            Some(0..0x20) => return unexpected(at),
            Some(_) => at += 1,
            None => return end(bytes),
        }
    }
}

fn escape(bytes: &[u8], backslash: usize) -> Scanned<usize> {
    match bytes.get(backslash + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(backslash + 2),
        Some(b'u') => {
            let rest = bytes.get(backslash + 2..).unwrap_or_default();
            match rest.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count() {
                4 => Ok(backslash + 6),
                count if count == rest.len() => end(bytes),
                count => unexpected(backslash + 2 + count),
            }
        }
        Some(_) => unexpected(backslash + 1),
        None => end(bytes),
    }
}

/// Passes one value that begins at `at` (no space before it) by its structure alone; returns where it
/// ends.
pub(crate) fn skip(bytes: &[u8], at: usize) -> Scanned<usize> {
    match bytes.get(at) {
        Some(b'"') => skip_string(bytes, at),
        Some(b'{' | b'[') => Skimmer::new(bytes, at).container(at),
        _ => skip_scalar(bytes, at),
    }
}

/// Passes what is neither string nor container.
pub(crate) fn skip_scalar(bytes: &[u8], at: usize) -> Scanned<usize> {
    let ends = |byte: u8| byte == b',' || byte == b'}' || byte == b']';
    match bytes.get(at) {
        Some(&byte) if ends(byte) || byte == b':' => unexpected(at),
        Some(_) => {
            let rest = bytes.get(at..).unwrap_or_default();
            let is_end = |&byte: &u8| ends(byte) || matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            match rest.iter().position(is_end) {
                Some(len) => Ok(at + len),
                None => end(bytes),
            }
        }
        None => end(bytes),
    }
}

/// Passes a string by its quotes; `at` is the first of them.
pub(crate) fn skip_string(bytes: &[u8], at: usize) -> Scanned<usize> {
    let mut at = at + 1;
    loop {
        let Some(stop) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) else { return end(bytes) };
        at += stop;
        if bytes.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// Passes an object or array byte by byte: the twin of [`Skimmer::container`].
pub(crate) fn skip_container(bytes: &[u8], start: usize) -> Scanned<usize> {
    let mut depth = 0usize;
    let mut at = start;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(stop) = rest.iter().position(|&byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))
        else {
            return end(bytes);
        };
        at += stop;
        match bytes.get(at) {
            Some(b'"') => {
                at = skip_string(bytes, at)?;
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            _ => depth -= 1,
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// Whether there is whitespace outside of strings in `raw`, which is one value.
pub(crate) fn has_space(raw: &[u8]) -> bool {
    let mut at = 0;
    while let Some(stop) =
        raw.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'"' || byte <= b' '))
    {
        at += stop;
        if raw.get(at) != Some(&b'"') {
            return true;
        }
        let Ok(behind) = skip_string(raw, at) else { return false };
        at = behind;
    }
    false
}

#[cfg(test)]
mod tests;
