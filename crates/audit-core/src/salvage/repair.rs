//! Closing what was open when an event was cut off.

use super::SalvageReason;
use crate::document::scan::{self, Kind, ScanErrorKind, Visit};

/// An event that is whole again.
#[derive(Debug)]
pub(crate) struct Repaired {
    /// One JSON object.
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: SalvageReason,
}

/// Makes an object of what begins at the start of `bytes` and is not one, because it ends early, is nested
/// too deep, or is damaged. `None` when nothing of it is complete, or when it is whole as it is.
pub(crate) fn repair(bytes: &[u8]) -> Option<Repaired> {
    let mut open = OpenParts { bytes, parts: Vec::new(), too_deep: Vec::new() };
    let (kept, reason) = match scan::walk(bytes, 0, 0, &mut open) {
        Ok(_) if open.too_deep.is_empty() => return None,
        Ok(end) => (end, SalvageReason::TooDeep),
        Err(error) => {
            let reason = match error.kind {
                // What is too deep stops the walk only when its end is missing.
                ScanErrorKind::End | ScanErrorKind::TooDeep => SalvageReason::Truncated,
                ScanErrorKind::Unexpected | ScanErrorKind::Stopped => SalvageReason::Malformed,
            };
            (open.close_all()?, reason)
        }
    };
    let mut repaired = open.without_too_deep(kept);
    repaired.extend(open.parts.iter().rev().map(|part| part.closer()));
    Some(Repaired { bytes: repaired, reason })
}

/// An object or array that has begun.
struct Part {
    kind: Kind,
    /// Where its last complete member or element ends; `None` while it has none.
    complete_to: Option<usize>,
}

impl Part {
    fn closer(&self) -> u8 {
        if self.kind == Kind::Object { b'}' } else { b']' }
    }
}

/// What is open, from the outermost on: at most [`MAX_DEPTH`](crate::limits::MAX_DEPTH) parts.
struct OpenParts<'a> {
    bytes: &'a [u8],
    parts: Vec<Part>,
    /// From where to where; eight bytes each, since there may be one for every three bytes of the event.
    too_deep: Vec<(u32, u32)>,
}

impl OpenParts<'_> {
    fn completed(&mut self, end: usize) {
        if let Some(part) = self.parts.last_mut() {
            part.complete_to = Some(end);
        }
    }

    /// Leaves those open that hold something complete; returns where that ends.
    fn close_all(&mut self) -> Option<usize> {
        while let Some(part) = self.parts.last() {
            if let Some(end) = part.complete_to {
                return Some(end);
            }
            self.parts.pop();
        }
        None
    }

    /// The event up to `end`, with `null` in place of what is too deep.
    fn without_too_deep(&self, end: usize) -> Vec<u8> {
        let mut kept = Vec::with_capacity(end + self.parts.len());
        let mut from = 0;
        for &(start, behind) in &self.too_deep {
            kept.extend_from_slice(self.bytes.get(from..start as usize).unwrap_or_default());
            kept.extend_from_slice(b"null");
            from = behind as usize;
        }
        kept.extend_from_slice(self.bytes.get(from..end).unwrap_or_default());
        kept
    }
}

impl Visit for OpenParts<'_> {
    fn open(&mut self, kind: Kind, _at: usize) -> bool {
        self.parts.push(Part { kind, complete_to: None });
        true
    }

    fn scalar(&mut self, _start: usize, end: usize) {
        self.completed(end);
    }

    fn close(&mut self, end: usize) {
        self.parts.pop();
        self.completed(end);
    }

    fn too_deep(&mut self, at: usize) -> Option<usize> {
        let end = scan::skip(self.bytes, at).ok()?;
        self.too_deep.push((u32::try_from(at).ok()?, u32::try_from(end).ok()?));
        self.completed(end);
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_DEPTH;

    #[track_caller]
    fn check(cut: &str, expect: impl Into<Option<&'static str>>) {
        let repaired = repair(cut.as_bytes()).map(|repaired| String::from_utf8(repaired.bytes).unwrap());
        assert_eq!(repaired.as_deref(), expect.into(), "{cut}");
    }

    #[test]
    fn closes_what_is_open() {
        check(r#"{"a":"b""#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","#, r#"{"a":"b"}"#);
        check(r#"{"a":{"b":["c""#, r#"{"a":{"b":["c"]}}"#);
        check(r#"{"a":{"b":["c"]"#, r#"{"a":{"b":["c"]}}"#);
        check(r#"{"a":[{"b":"c"},{"d":{}"#, r#"{"a":[{"b":"c"},{"d":{}}]}"#);
        check(r#"{ "a" : [ "b" , "#, r#"{ "a" : [ "b"]}"#);
    }

    #[test]
    fn leaves_out_what_is_not_complete() {
        check(r#"{"a":"b","c"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c""#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":"d"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":"d\"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":"d\u00"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":20"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":-"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":1."#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":1e"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":tru"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":true"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":true,"#, r#"{"a":"b","c":true}"#);
        check(r#"{"a":"b","c":[1,20"#, r#"{"a":"b","c":[1]}"#);
    }

    #[test]
    fn leaves_out_parts_of_which_nothing_is_complete() {
        check(r#"{"a":"b","c":{"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":[{"d":[["#, r#"{"a":"b"}"#);
        check(r#"{"a":["b",{"c":"d"#, r#"{"a":["b"]}"#);
        check(r#"{"a"#, None);
        check("{", None);
        check("", None);
    }

    #[test]
    fn keeps_what_came_before_damage() {
        check("{\"a\":\"b\",\"c\":\"d\u{1}\",\"e\":1}", r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":"\x","e":1}"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":NaN}"#, r#"{"a":"b"}"#);
        check(r#"{"a":["b"}"#, r#"{"a":["b"]}"#);
        check(r#"{"a":"b","c":20[Trunc"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b","c":true"d"}"#, r#"{"a":"b"}"#);
        check(r#"{"a":"b" "c":1}"#, r#"{"a":"b"}"#);
    }

    #[test]
    fn tells_a_cut_from_damage() {
        let reason = |text: &str| repair(text.as_bytes()).unwrap().reason;
        assert_eq!(reason(r#"{"a":"b","c":"d"#), SalvageReason::Truncated);
        assert_eq!(reason(r#"{"a":"b",]"#), SalvageReason::Malformed);
    }

    #[test]
    fn replaces_what_is_too_deep() {
        let deep = |levels: usize| format!(r#"{{"a":{}1{},"b":2}}"#, "[".repeat(levels), "]".repeat(levels));
        let whole = deep(MAX_DEPTH - 1);
        assert!(scan::walk(whole.as_bytes(), 0, 0, &mut ()).is_ok());
        let repaired = repair(deep(MAX_DEPTH).as_bytes()).unwrap();
        assert_eq!(repaired.reason, SalvageReason::TooDeep);
        assert_eq!(String::from_utf8(repaired.bytes).unwrap(), whole.replace("[1]", "[null]"));
        let cut = &deep(100_000)[..99_000];
        assert_eq!(repair(cut.as_bytes()).map(|repaired| repaired.bytes), None);
        let cut = repair(format!(r#"{{"b":1,{}"#, &cut[1..]).as_bytes()).unwrap();
        assert_eq!((cut.bytes.as_slice(), cut.reason), (&br#"{"b":1}"#[..], SalvageReason::Truncated));
    }
}
