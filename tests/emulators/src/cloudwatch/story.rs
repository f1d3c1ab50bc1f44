//! A written story: audit events with times relative to the moment it is told.
//!
//! One JSON object per line: `{"offset_ms": -1500, "stream": "kube-apiserver-audit-...", "event": {...}}`.
//! Empty lines and lines that start with `#` are skipped. The event keeps its text, and its
//! order of keys; only `requestReceivedTimestamp` and `stageTimestamp` are set.

use super::store::Event;
use crate::clock::rfc3339_micros;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// A story, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Story(Vec<Line>);

#[derive(Clone, Debug, PartialEq)]
struct Line {
    offset_ms: i64,
    stream: String,
    event: String,
}

/// Which line of a story is wrong, counted from 1, and why.
#[derive(Debug)]
pub struct StoryError {
    line: usize,
    source: serde_json::Error,
}

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line `{}` of the story: {}", self.line, self.source)
    }
}

impl std::error::Error for StoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    offset_ms: i64,
    stream: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl Story {
    /// Reads the lines of a story.
    ///
    /// # Errors
    /// A line is not of the form above.
    pub fn parse(text: &str) -> Result<Self, StoryError> {
        let mut lines = Vec::new();
        for (n, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let written: Written<'_> =
                serde_json::from_str(line).map_err(|source| StoryError { line: n + 1, source })?;
            let Written { offset_ms, stream, event } = written;
            lines.push(Line { offset_ms, stream, event: event.get().to_owned() });
        }
        Ok(Self(lines))
    }

    /// The story told from `start_ms` on (milliseconds since 1970): a stream and an event per line.
    ///
    /// Each event is visible from its time on.
    pub fn told_at(&self, start_ms: i64) -> Vec<(String, Event)> {
        let told = self.0.iter().map(|line| {
            let at = start_ms + line.offset_ms;
            let received = set_time(&line.event, "requestReceivedTimestamp", &rfc3339_micros(at, 0));
            let message = set_time(&received, "stageTimestamp", &rfc3339_micros(at, 500));
            (line.stream.clone(), Event::new(at, message))
        });
        told.collect()
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Sets the member `key` of an object: in its place, or at the end.
fn set_time(object: &str, key: &str, time: &str) -> String {
    let quoted = format!("\"{key}\"");
    let value = object.rfind(&quoted).and_then(|at| {
        let after = at + quoted.len();
        let open = after + object[after..].find('"')? + 1;
        let close = open + object[open..].find('"')?;
        Some(open..close)
    });
    let mut object = object.trim_end().to_owned();
    match value {
        Some(range) => object.replace_range(range, time),
        None => {
            let end = object.len() - 1;
            let comma = if object[..end].trim_end().ends_with('{') { "" } else { "," };
            object.insert_str(end, &format!("{comma}{quoted}:\"{time}\""));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &str, expect: &str) {
        let story =
            Story::parse(&format!("{{\"offset_ms\":1500,\"stream\":\"s\",\"event\":{event}}}")).unwrap();
        let (stream, event) = story.told_at(0).remove(0);
        assert_eq!((stream.as_str(), event.timestamp_ms, event.visible_at_ms), ("s", 1_500, 1_500));
        assert_eq!(event.message, expect);
    }

    #[test]
    fn times_are_set_in_place_or_added() {
        const RECEIVED: &str = r#""requestReceivedTimestamp":"1970-01-01T00:00:01.500000Z""#;
        const STAGE: &str = r#""stageTimestamp":"1970-01-01T00:00:01.500500Z""#;
        check("{}", &format!("{{{RECEIVED},{STAGE}}}"));
        check(
            r#"{"verb":"get","auditID":"a"}"#,
            &format!(r#"{{"verb":"get","auditID":"a",{RECEIVED},{STAGE}}}"#),
        );
        check(
            r#"{"stageTimestamp":"","requestReceivedTimestamp":"2020-01-01T00:00:00Z","z":1}"#,
            &format!(r#"{{{STAGE},{RECEIVED},"z":1}}"#),
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        let story = "# a comment\n\n{\"offset_ms\":0,\"stream\":\"s\"}\n";
        let error = Story::parse(story).unwrap_err().to_string();
        assert!(error.starts_with("line `3` of the story: missing field `event`"), "{error}");
        assert!(Story::parse("# nothing\n").unwrap().is_empty());
    }
}
