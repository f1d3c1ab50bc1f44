//! Making JSON of what was written by rules that only resemble it.

use memchr::memchr2;

use crate::document::scan;

/// Writes the strings of `bytes` as JSON has them: in double quotes where they stand in single ones, control
/// characters as escapes, and a backslash that begins no escape as a backslash. Nothing gets lost. `None` when
/// nothing had to be changed.
///
/// Single quotes begin strings only where the first quote of all is one: in JSON that was damaged, an
/// apostrophe in somebody's text must not become the beginning of anything. One ends a string when a comma, a
/// colon, a closing bracket or nothing follows.
pub(crate) fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let single = memchr2(b'"', b'\'', bytes).is_some_and(|first| bytes.get(first) == Some(&b'\''));
    let mut mend = Mend { bytes, out: Vec::with_capacity(bytes.len() + bytes.len() / 8), changed: false };
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'"' => mend.string(at, byte),
            b'\'' if single => mend.string(at, byte),
            _ => {
                mend.out.push(byte);
                at + 1
            }
        };
    }
    mend.changed.then_some(mend.out)
}

struct Mend<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
    changed: bool,
}

impl Mend<'_> {
    /// The string that begins at `at` with `quote`; returns where to go on behind it.
    fn string(&mut self, at: usize, quote: u8) -> usize {
        self.changed |= quote != b'"';
        self.out.push(b'"');
        let mut at = at + 1;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'\\' => {
                    at += self.escape(at);
                    continue;
                }
                byte if byte == quote && self.is_end(at, quote) => {
                    self.out.push(b'"');
                    return at + 1;
                }
                b'"' => self.replace(b"\\\""),
                b'\n' => self.replace(b"\\n"),
                b'\r' => self.replace(b"\\r"),
                b'\t' => self.replace(b"\\t"),
                control @ 0..0x20 => self.replace(format!("\\u{control:04x}").as_bytes()),
                plain => self.out.push(plain),
            }
            at += 1;
        }
        at
    }

    fn is_end(&self, at: usize, quote: u8) -> bool {
        let next = || self.bytes.get(scan::space(self.bytes, at + 1));
        quote == b'"' || matches!(next(), None | Some(b',' | b':' | b'}' | b']'))
    }

    /// Returns how many bytes it took.
    fn escape(&mut self, at: usize) -> usize {
        match self.bytes.get(at + 1) {
            Some(b'\'') => {
                self.replace(b"'");
                2
            }
            Some(b'u') if !self.is_code(at + 2) => {
                self.replace(b"\\\\");
                1
            }
            Some(&escaped @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) => {
                self.out.extend([b'\\', escaped]);
                2
            }
            Some(_) => {
                self.replace(b"\\\\");
                1
            }
            // Cut off.
            None => {
                self.out.push(b'\\');
                1
            }
        }
    }

    /// Whether four hexadecimal digits stand there, or what of them was not cut off.
    fn is_code(&self, at: usize) -> bool {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().take(4).all(u8::is_ascii_hexdigit)
    }

    fn replace(&mut self, with: &[u8]) {
        self.out.extend_from_slice(with);
        self.changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(broken: &str, expect: impl Into<Option<&'static str>>) {
        let mended = mend(broken.as_bytes()).map(|mended| String::from_utf8(mended).unwrap());
        assert_eq!(mended.as_deref(), expect.into(), "{broken}");
    }

    #[test]
    fn json_stays() {
        check(r#"{"a":["it's", "'b'"]}"#, None);
        check(r#"{"a\n\u00e9\"":[1, {"b":"x\\"}]}"#, None);
        check("{\n\t\"a\": 1}", None);
        check(r#"{"a":"b\"#, None);
        check(r#"{"a":b','c':'d'}"#, None);
        check(r#"{"a":"b\u00"#, None);
    }

    #[test]
    fn single_quotes_become_double() {
        check("{'a':'b'}", r#"{"a":"b"}"#);
        check("{'a' : ['b' , 'c' ]}", r#"{"a" : ["b" , "c" ]}"#);
        check("{'a':'it's'}", r#"{"a":"it's"}"#);
        check(r"{'a':'it\'s, \'so\''}", r#"{"a":"it's, 'so'"}"#);
        check(r#"{'a':'{"b":"c\n"}'}"#, r#"{"a":"{\"b\":\"c\n\"}"}"#);
        check("{'a':'b", r#"{"a":"b"#);
        check(r#"{'a':"it's"}"#, r#"{"a":"it's"}"#);
    }

    #[test]
    fn control_characters_become_escapes() {
        check("{\"a\":\"b\nc\r\td\u{1}\"}\n", "{\"a\":\"b\\nc\\r\\td\\u0001\"}\n");
    }

    #[test]
    fn a_backslash_that_escapes_nothing_is_one() {
        check(r#"{"a":"\x\u12g4\'"}"#, r#"{"a":"\\x\\u12g4'"}"#);
    }
}
