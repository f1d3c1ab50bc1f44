//! A document as text for people: a line for each member and element, indented by two spaces.

use std::borrow::Cow;

use super::unescape::into_text;
use super::value::compact;
use super::{Document, Value, scan};
use crate::fields::path::Node;
use crate::limits::MAX_INDENTED;

impl<'d> Document<'d> {
    /// The whole document, indented: keys, strings and numbers as they are written, and what the payload has
    /// behind it (a line feed, say), too.
    ///
    /// One that would be larger than [`MAX_INDENTED`] stays on one line. `None` where there is no document.
    pub fn indented(self) -> Option<Cow<'d, str>> {
        let value = self.get(Node::Root)?;
        Some(indented(value, MAX_INDENTED).unwrap_or_else(|| compact(value.raw())))
    }
}

/// `None` when it would be larger than `max` bytes.
fn indented<'d>(value: Value<'d>, max: usize) -> Option<Cow<'d, str>> {
    let raw = value.raw();
    let mut text = Vec::with_capacity(raw.len().saturating_mul(2).min(max));
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if text.len() > max {
            return None;
        }
        let behind = at + 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                at = behind;
                continue;
            }
            b'"' => {
                let end = scan::skip_string(raw, at).unwrap_or(raw.len());
                text.extend_from_slice(raw.get(at..end).unwrap_or_default());
                at = end;
                continue;
            }
            b'{' | b'[' => {
                text.push(byte);
                let next = scan::space(raw, behind);
                if let Some(closer @ (b'}' | b']')) = raw.get(next) {
                    text.push(*closer);
                    at = next + 1;
                    continue;
                }
                depth += 1;
                line(&mut text, depth, max);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth, max);
                text.push(byte);
            }
            b',' => {
                text.push(byte);
                line(&mut text, depth, max);
            }
            b':' => text.extend_from_slice(b": "),
            _ => text.push(byte),
        }
        at = behind;
    }
    text.extend_from_slice(value.behind());
    (text.len() <= max).then(|| Cow::Owned(into_text(text)))
}

/// A new line. One beyond `max` is cut short: the text is given up then.
fn line(text: &mut Vec<u8>, depth: usize, max: usize) {
    text.push(b'\n');
    let spaces = depth.saturating_mul(2).min(max);
    text.resize(text.len().saturating_add(spaces), b' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;

    #[track_caller]
    fn check(document: &str, expect: &str) {
        let mut index = Index::default();
        index.rebuild_strictly(document.as_bytes()).unwrap();
        assert_eq!(index.view(document.as_bytes()).indented().unwrap(), expect);
    }

    #[test]
    fn members_and_elements_have_lines() {
        check(r#"{"a":1,"b":[true,"x"]}"#, "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    \"x\"\n  ]\n}");
        check("[[1],{}]", "[\n  [\n    1\n  ],\n  {}\n]");
        check("{}", "{}");
        check("[ ]", "[]");
        check("[{\t},[\n]]", "[\n  {},\n  []\n]");
    }

    #[test]
    fn whitespace_is_made_anew() {
        check("{ \"a\" :\n 1 ,\"b c\":  \"d  e\" }", "{\n  \"a\": 1,\n  \"b c\": \"d  e\"\n}");
    }

    #[test]
    fn what_is_written_stays() {
        check(r#"["\u00e9\"{[,:","é",1.50,1e3]"#, "[\n  \"\\u00e9\\\"{[,:\",\n  \"é\",\n  1.50,\n  1e3\n]");
    }

    #[test]
    fn space_before_the_document_goes_and_behind_it_stays() {
        check(" \n[1]\r\n ", "[\n  1\n]\r\n ");
    }

    #[test]
    fn nothing_has_no_text() {
        assert_eq!(Index::default().view(b"").indented(), None);
    }

    #[test]
    fn what_grows_beyond_the_bound_stays_on_one_line() {
        let deep = format!("{}{}{}", "[".repeat(500), "0, ".repeat(100_000) + "0", "]".repeat(500));
        check(&deep, &deep.replace(' ', ""));
        // And more than the depth that is validated, and than memory could hold.
        let deeper = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        check(&deeper, &deeper);
    }

    #[track_caller]
    fn fits(document: &str, max: usize, expect: bool) {
        let value = Value::new(document.as_bytes(), &[], 0, document.len());
        assert_eq!(indented(value, max).is_some(), expect, "{document} in {max}");
    }

    #[test]
    fn the_bound_is_that_of_the_text() {
        fits("[1]", 7, true);
        fits("[1]", 6, false);
        fits("[1]", 0, false);
        fits("[]", 2, true);
        fits("[]", 1, false);
    }
}
