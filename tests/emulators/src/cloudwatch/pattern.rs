//! Filter patterns for unstructured messages.
//!
//! Owns: terms (all must occur), `"quoted text"`, `-term` (must not occur), `?term`
//! (one of them must occur). Does not own: `{ JSON }`, `[ fields ]` and `%regex%`,
//! which it refuses, so that no test believes that they were applied.
//!
//! Source: "Filter pattern syntax for metric filters, subscription filters, filter
//! log events, and Live Tail" in the CloudWatch Logs user guide.

/// A parsed pattern; the empty one matches everything.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Pattern {
    /// `Err` names what is not supported or not well formed.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        if rest.starts_with(['{', '[', '%']) {
            return Err("patterns for JSON, for fields and for regular expressions are not supported here");
        }
        while !rest.is_empty() {
            let (list, after_sign) = match rest.as_bytes()[0] {
                b'-' => (&mut pattern.none, &rest[1..]),
                b'?' => (&mut pattern.any, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after_sign.strip_prefix('"') {
                Some(quoted) => quoted_term(quoted).ok_or("a quotation mark is not closed")?,
                None => plain_term(after_sign)?,
            };
            if term.is_empty() {
                return Err("a term is empty");
            }
            list.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        let occurs = |term: &String| message.contains(term.as_str());
        self.all.iter().all(occurs)
            && !self.none.iter().any(occurs)
            && (self.any.is_empty() || self.any.iter().any(occurs))
    }
}

/// The term up to the closing mark, with `\"` and `\\` resolved, and what follows it.
fn quoted_term(text: &str) -> Option<(String, &str)> {
    let mut term = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((term, &text[at + 1..])),
            '\\' => term.push(chars.next()?.1),
            _ => term.push(c),
        }
    }
    None
}

fn plain_term(text: &str) -> Result<(String, &str), &'static str> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, after) = text.split_at(end);
    if term.chars().all(|c| c.is_alphanumeric() || c == '_') {
        Ok((term.to_owned(), after))
    } else {
        Err("a term with other characters than letters, digits and underscores must be in quotation marks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, message: &str, expect: bool) {
        assert_eq!(Pattern::parse(pattern).unwrap().matches(message), expect, "{pattern} on {message}");
    }

    #[test]
    fn terms() {
        check("", "anything", true);
        check("   ", "anything", true);
        check("ERROR", "an ERROR here", true);
        check("ERROR", "an error here", false);
        check("ERROR here", "here is an ERROR", true);
        check("ERROR there", "here is an ERROR", false);
        check(r#""an ERROR""#, "an ERROR here", true);
        check(r#""ERROR an""#, "an ERROR here", false);
        check(r#""\"verb\":\"create\"""#, r#"{"verb":"create"}"#, true);
        check("ERROR -here", "an ERROR here", false);
        check("ERROR -there", "an ERROR here", true);
        check(r#"-"a b""#, "a b", false);
        check("?WARN ?ERROR", "an ERROR here", true);
        check("?WARN ?INFO", "an ERROR here", false);
    }

    #[test]
    fn refused() {
        for text in ["{ $.verb = \"create\" }", "[ip, user]", "%a+%", "\"open", "a-b", "-", "\"\""] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
