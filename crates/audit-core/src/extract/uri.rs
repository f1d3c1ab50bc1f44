//! Query parameters of the request's URI.

use std::borrow::Cow;

use super::{Argument, ValueSink};
use crate::document::{Document, into_text};
use crate::fields::path::Node;

/// The first value of the parameter that the key names.
pub(super) fn parameter(argument: Argument<'_>, document: Document<'_>, sink: &mut impl ValueSink) {
    let (Argument::Key(name), Some(uri)) = (argument, document.get(Node::RequestUri)) else { return };
    let uri = uri.text();
    if let Some(value) = find(&uri, name) {
        sink.assembled(None, |text| decode_onto(value, text));
    }
}

/// Still encoded.
fn find<'u>(uri: &'u str, name: &str) -> Option<&'u str> {
    let uri = uri.split_once('#').map_or(uri, |(uri, _fragment)| uri);
    let (_path, query) = uri.split_once('?')?;
    let mut pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| decode(key) == name).map(|(_, value)| value)
}

/// `%2F` becomes `/`, and `+` a space. A percent sign that begins no escape stays, and so does a semicolon:
/// whoever puts one there must not hide the other parameters. Bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    decode_onto(text, &mut decoded);
    Cow::Owned(into_text(decoded))
}

/// Appends what [`decode`] gives to `decoded`, as bytes.
fn decode_onto(text: &str, decoded: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match first {
            b'+' => (b' ', behind),
            b'%' => escaped(behind).unwrap_or((b'%', behind)),
            byte => (byte, behind),
        };
        decoded.push(byte);
        rest = behind;
    }
}

/// The byte that two digits stand for, and what follows.
fn escaped(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], behind) = digits.split_first_chunk()?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = u8::try_from(value(high)? * 16 + value(low)?).ok()?;
    Some((byte, behind))
}

#[cfg(test)]
mod tests {
    use super::{decode, find};

    #[track_caller]
    fn check(uri: &str, name: &str, expect: impl Into<Option<&'static str>>) {
        assert_eq!(find(uri, name).map(decode).as_deref(), expect.into(), "{uri} {name}");
    }

    const EXEC: &str = "/api/v1/namespaces/a/pods/b/exec?command=sh&command=-c&container=main&stdin=true";

    #[test]
    fn gives_the_first_value() {
        check(EXEC, "command", "sh");
        check(EXEC, "stdin", "true");
        check(EXEC, "tty", None);
        check("/api?limit=", "limit", "");
        check("/api?limit", "limit", "");
        check("/api?a=b=c", "a", "b=c");
        check("/api?&&a=1", "a", "1");
        check("/api?=1", "", "1");
    }

    #[test]
    fn needs_a_query() {
        for uri in ["", "/", "/api/v1", "/api?", "/api#?a=1", "/api?b=1#a=1"] {
            check(uri, "a", None);
        }
        check("/api?", "", None);
        check("/api?a=1?b", "a", "1?b");
    }

    #[test]
    fn decodes_names_and_values() {
        check("/api?command=cat%20%2Fetc%2fpasswd", "command", "cat /etc/passwd");
        check("/api?a=b+c", "a", "b c");
        check("/api?a%5B%5D=1", "a[]", "1");
        check("/api?a=%C3%A9", "a", "é");
        check("/api?a=%ff", "a", "\u{fffd}");
    }

    #[test]
    fn keeps_what_is_no_escape() {
        check("/api?a=100%&b=1", "a", "100%");
        check("/api?a=100%&b=1", "b", "1");
        check("/api?a=%zz%41", "a", "%zzA");
        check("/api?a=%4", "a", "%4");
        check("/api?a=%é", "a", "%é");
    }

    #[test]
    fn a_semicolon_hides_nothing() {
        check("/api?a=1;b=2&c=3", "c", "3");
        check("/api?a=1;b=2&c=3", "a", "1;b=2");
        check("/api?a=1;b=2&c=3", "b", None);
    }
}
