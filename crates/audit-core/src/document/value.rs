//! One value of a document: its kind, its members or elements, its text.
//!
//! It reads structurally ([`scan::skip`]): a value of a broken document gives what can be read before the
//! damage, and never an error.

use std::borrow::Cow;
use std::ops::Range;

use fearless_simd::Level;

use super::lanes;
use super::marks::Mark;
use super::scan::{self, Kind};
use super::skimmer::Skimmer;
use super::unescape::{into_text, unescape, unescape_onto};
use crate::fields::path::{Name, Node};

/// A value, by its place in the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'d> {
    payload: &'d [u8],
    /// The document's, where there are any.
    marks: &'d [Mark],
    start: usize,
    end: usize,
}

impl<'d> Value<'d> {
    #[inline]
    pub(crate) fn new(payload: &'d [u8], marks: &'d [Mark], start: usize, end: usize) -> Value<'d> {
        Value { payload, marks, start, end }
    }

    /// `None` when the payload has no value there, which only a broken one does not.
    pub(crate) fn kind(self) -> Option<Kind> {
        self.payload.get(self.start).copied().and_then(Kind::of)
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind() == Some(Kind::Null)
    }

    pub(crate) fn is_true(self) -> bool {
        self.raw() == b"true"
    }

    /// Its place in the payload, quotes and brackets included.
    #[inline]
    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// The bytes that say what its text is: of a string what stands between the quotes, still escaped.
    #[inline]
    pub(crate) fn text_span(self) -> Range<usize> {
        if self.payload.get(self.start) == Some(&b'"') && self.end - self.start >= 2 {
            self.start + 1..self.end - 1
        } else {
            self.span()
        }
    }

    pub(crate) fn raw(self) -> &'d [u8] {
        self.payload.get(self.span()).unwrap_or_default()
    }

    /// What the payload has behind it.
    pub(crate) fn behind(self) -> &'d [u8] {
        self.payload.get(self.end..).unwrap_or_default()
    }

    /// The bytes of [`Value::text_span`].
    pub(crate) fn text_raw(self) -> &'d [u8] {
        self.payload.get(self.text_span()).unwrap_or_default()
    }

    /// The members of an object; of anything else, none.
    #[inline]
    pub(crate) fn members(self) -> Members<'d> {
        Members { walk: Walk::new(self, Kind::Object) }
    }

    /// The elements of an array; of anything else, none.
    #[inline]
    pub(crate) fn elements(self) -> Elements<'d> {
        Elements { walk: Walk::new(self, Kind::Array) }
    }

    /// The first member of that name, of an object; of anything else, nothing.
    pub(crate) fn get(self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// Where the first member of that name begins, of an object; of anything else, nothing.
    pub(crate) fn begin_of(self, name: &str) -> Option<Beginning<'d>> {
        Walk::new(self, Kind::Object).member_named(name)
    }

    /// Where the element of that number begins, of an array; of anything else, nothing.
    pub(crate) fn begin_at(self, index: usize) -> Option<Beginning<'d>> {
        Walk::new(self, Kind::Array).element_at(index)
    }

    /// `value.at(&["securityContext", "privileged"])`
    pub(crate) fn at(self, path: &[&str]) -> Option<Value<'d>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Its text where that is nothing but its bytes, and they are ASCII without control characters; `None` where
    /// it takes [`Value::text`] to tell.
    #[inline]
    pub(crate) fn plain_text(self) -> Option<&'d [u8]> {
        let first = self.payload.get(self.start).copied();
        let (span, is_plain) = if first == Some(b'"') {
            let span = self.text_span();
            (span.clone(), lanes::is_plain(self.payload, span))
        } else if first == Some(b'{') || first == Some(b'[') {
            (self.span(), lanes::is_compact(self.payload, self.span()))
        } else {
            (self.span(), lanes::is_plain(self.payload, self.span()))
        };
        if is_plain { self.payload.get(span) } else { None }
    }

    /// Appends [`Value::text`] to `out`, as bytes: what is not UTF-8 stays so.
    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        let raw = self.text_raw();
        match self.kind() {
            Some(Kind::String) => unescape_onto(Level::new(), raw, 0, out),
            Some(Kind::Object | Kind::Array) => compact_onto(raw, out),
            _ => out.extend_from_slice(raw),
        }
    }

    /// Its text: a string's characters, and the JSON of anything else, without whitespace and with
    /// numbers and escapes as they are written. Whatever is not UTF-8 becomes U+FFFD.
    pub(crate) fn text(self) -> Cow<'d, str> {
        let raw = self.text_raw();
        match self.kind() {
            Some(Kind::String) => unescape(raw),
            Some(Kind::Object | Kind::Array) if scan::has_space(raw) => compact(raw),
            _ => String::from_utf8_lossy(raw),
        }
    }
}

/// Where a value begins; where it ends, nobody has asked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'d> {
    /// Up to the end of what the value lies in.
    payload: &'d [u8],
    marks: &'d [Mark],
    at: usize,
}

impl<'d> Beginning<'d> {
    /// The value, for looking into it: it seems to go on to the end of what it lies in.
    pub(crate) fn open(self) -> Value<'d> {
        Value::new(self.payload, self.marks, self.at, self.payload.len())
    }

    /// The value, up to where it ends.
    pub(crate) fn close(self) -> Option<Value<'d>> {
        let mut skimmer = Skimmer::with_marks(self.payload, self.marks, self.at);
        let end = skimmer.skip(self.at).ok()?;
        Some(Value::new(self.payload, self.marks, self.at, end))
    }
}

/// A member's key: what stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'d>(Name<'d>);

impl<'d> Key<'d> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'d [u8], place: Range<usize>) -> Key<'d> {
        Key(Name::new(bytes.get(place.start..).unwrap_or_default(), place.len()))
    }

    #[inline]
    pub(crate) fn is(self, name: &str) -> bool {
        self.raw() == name.as_bytes() || (self.0.is_escaped() && self.text() == name)
    }

    /// The place of that name in `parent`.
    #[inline(always)]
    pub(crate) fn child_of(self, parent: Node) -> Option<Node> {
        let child = parent.child(self.0);
        if child.is_none() && self.0.is_escaped() { self.escaped_child_of(parent) } else { child }
    }

    #[cold]
    fn escaped_child_of(self, parent: Node) -> Option<Node> {
        let name = self.text();
        parent.child(Name::new(name.as_bytes(), name.len()))
    }

    pub(crate) fn text(self) -> Cow<'d, str> {
        unescape(self.raw())
    }

    /// Still escaped.
    #[inline]
    pub(crate) fn raw(self) -> &'d [u8] {
        self.0.bytes()
    }
}

/// The way through an object or array.
struct Walk<'d> {
    payload: &'d [u8],
    marks: &'d [Mark],
    skimmer: Skimmer<'d>,
    at: usize,
    /// Before the first member or element: no comma yet.
    first: bool,
}

impl<'d> Walk<'d> {
    #[inline]
    fn new(container: Value<'d>, kind: Kind) -> Walk<'d> {
        let opener = if kind == Kind::Object { b'{' } else { b'[' };
        let is_one = container.payload.get(container.start) == Some(&opener);
        let payload = if is_one { container.payload } else { &[] };
        // Nothing behind the container's end may be read as a part of it.
        let payload = payload.get(..container.end).unwrap_or_default();
        let marks = container.marks;
        let skimmer = Skimmer::with_marks(payload, marks, container.start);
        Walk { payload, marks, skimmer, at: container.start + 1, first: true }
    }

    /// To where the next key or element begins.
    #[inline]
    fn advance(&mut self) -> Option<()> {
        self.at = scan::space(self.payload, self.at);
        if !std::mem::take(&mut self.first) {
            if self.payload.get(self.at) != Some(&b',') {
                return None;
            }
            self.at = scan::space(self.payload, self.at + 1);
        }
        Some(())
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'d>> {
        let start = self.at;
        self.at = self.skimmer.skip(start).ok()?;
        Some(Value::new(self.payload, self.marks, start, self.at))
    }

    /// To a member's value, past its key.
    #[inline]
    fn key(&mut self) -> Option<Key<'d>> {
        self.advance()?;
        let quote = self.at;
        if self.payload.get(quote) != Some(&b'"') {
            return None;
        }
        let after = self.skimmer.string(quote).ok()?;
        self.at = scan::colon(self.payload, after).ok()?;
        Some(Key::new(self.payload, quote + 1..after - 1))
    }

    #[inline]
    fn member(&mut self) -> Option<(Key<'d>, Value<'d>)> {
        Some((self.key()?, self.value()?))
    }

    fn member_named(mut self, name: &str) -> Option<Beginning<'d>> {
        while !self.key()?.is(name) {
            self.value()?;
        }
        Some(Beginning { payload: self.payload, marks: self.marks, at: self.at })
    }

    fn element_at(mut self, index: usize) -> Option<Beginning<'d>> {
        self.advance()?;
        for _ in 0..index {
            self.value()?;
            self.advance()?;
        }
        Some(Beginning { payload: self.payload, marks: self.marks, at: self.at })
    }

    #[inline]
    fn element(&mut self) -> Option<Value<'d>> {
        self.advance()?;
        self.value()
    }

    /// After the last, and after damage, there is nothing more.
    #[inline]
    fn stop(&mut self) {
        self.payload = &[];
    }
}

pub(crate) struct Members<'d> {
    walk: Walk<'d>,
}

impl<'d> Iterator for Members<'d> {
    type Item = (Key<'d>, Value<'d>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let member = self.walk.member();
        if member.is_none() {
            self.walk.stop();
        }
        member
    }
}

pub(crate) struct Elements<'d> {
    walk: Walk<'d>,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let element = self.walk.element();
        if element.is_none() {
            self.walk.stop();
        }
        element
    }
}

/// JSON without the whitespace between its tokens.
pub(crate) fn compact(raw: &[u8]) -> Cow<'_, str> {
    let mut out = Vec::with_capacity(raw.len());
    compact_onto(raw, &mut out);
    Cow::Owned(into_text(out))
}

/// Appends it to `out`.
fn compact_onto(raw: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        let behind = match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            b'"' => scan::skip_string(raw, at).unwrap_or(raw.len()),
            _ => at + 1,
        };
        out.extend_from_slice(raw.get(at..behind).unwrap_or_default());
        at = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value<'_> {
        Value::new(json.as_bytes(), &[], 0, json.len())
    }

    #[track_caller]
    fn check_text(json: &str, expect: &str) {
        assert_eq!(value(json).text(), expect, "{json}");
    }

    #[test]
    fn texts() {
        check_text(r#""a""#, "a");
        check_text(r#""""#, "");
        check_text("1.50", "1.50");
        check_text("null", "null");
        check_text("true", "true");
        check_text("{}", "{}");
    }

    #[test]
    fn texts_of_the_rest_are_compact() {
        check_text("[ 1 ,\n{ \"a b\" : \"\\u00e9 \\\" \" } ]", r#"[1,{"a b":"\u00e9 \" "}]"#);
        check_text(r#"{"a":1.0}"#, r#"{"a":1.0}"#);
    }

    #[test]
    fn members_and_elements() {
        let object = value(r#"{"a":1, "b\n" : [2] ,"a":3}"#);
        let members: Vec<_> =
            object.members().map(|(key, value)| (key.text().into_owned(), value.raw())).collect();
        assert_eq!(
            members,
            [("a".to_owned(), &b"1"[..]), ("b\n".to_owned(), b"[2]"), ("a".to_owned(), b"3")]
        );
        assert_eq!(object.get("a").unwrap().raw(), b"1");
        assert_eq!(object.get("b\n").unwrap().elements().next().unwrap().raw(), b"2");
        assert_eq!(object.elements().count(), 0);
        assert_eq!(value("[1]").members().count(), 0);
        assert_eq!(value("[ ]").elements().count(), 0);
        assert_eq!(value("{ }").members().count(), 0);
    }

    #[test]
    fn damage_ends_what_can_be_read() {
        for (array, count) in
            [("[1,2", 1), ("[1 2]", 1), ("[1,]", 1), ("[,1]", 0), ("[1,[2]", 2), ("[1,\"2]", 1), ("[1}", 1)]
        {
            assert_eq!(value(array).elements().count(), count, "{array}");
        }
        for (object, count) in [
            ("{\"a\"}", 0),
            ("{\"a\":1,b:2}", 1),
            ("{\"a\":1,\"b\"", 1),
            ("{\"a\":1,\"b\":", 1),
            ("{1:2}", 0),
        ] {
            assert_eq!(value(object).members().count(), count, "{object}");
        }
    }
}
