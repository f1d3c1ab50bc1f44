//! Adding annotations to an event, byte by byte: what is there already wins, and stays as it was.

use crate::document::scan::Kind;
use crate::document::{Document, Value};
use crate::fields::path::Node;
use crate::splice::Splices;

/// One annotation, to be added where an event has none of that key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Annotation<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Annotation<'a> {
    /// One whose value is a name that came from somewhere; `None` for what is no name: longer than `longest`
    /// bytes, since what is added to an event must leave room for the event, or with control characters.
    pub(crate) fn named(key: &'a str, value: Option<&'a str>, longest: usize) -> Option<Annotation<'a>> {
        let is_name = |value: &&str| value.len() <= longest && !value.contains(char::is_control);
        value.filter(is_name).map(|value| Annotation { key, value })
    }
}

/// A longer name of a cluster, region or account is none: they have at most 100 characters.
pub(crate) const LONGEST_NAME: usize = 256;

/// Plans the insertion of those that are missing, behind those that are there. `annotations` is added to an
/// event that has none, and replaced where it is not an object: `null`, as a rule. No more than 64 are wanted.
pub(crate) fn insert_missing(document: Document<'_>, wanted: &[Annotation<'_>], splices: &mut Splices) {
    if wanted.is_empty() {
        return;
    }
    let present = document.get(Node::Annotations).filter(|present| present.kind() == Some(Kind::Object));
    // Once through those that are there, however many are wanted.
    let (mut known, mut is_empty) = (0u64, true);
    for (key, _) in present.into_iter().flat_map(Value::members) {
        is_empty = false;
        for (number, annotation) in wanted.iter().enumerate() {
            known |= u64::from(key.is(annotation.key)) << number;
        }
    }
    // Room for the names of cluster, region and account; for most it is the only allocation.
    let mut members = String::with_capacity(128);
    for (_, annotation) in wanted.iter().enumerate().filter(|(number, _)| known >> number & 1 == 0) {
        if !members.is_empty() || !is_empty {
            members.push(',');
        }
        quote(annotation.key, &mut members);
        members.push(':');
        quote(annotation.value, &mut members);
    }
    if members.is_empty() {
        return;
    }
    match (present, document.get(Node::Annotations)) {
        (Some(object), _) => splices.insert(object.span().end - 1, members),
        (None, Some(other)) => splices.replace(other.span(), format!("{{{members}}}")),
        (None, None) => insert_member(document, Node::Annotations, &format!("{{{members}}}"), splices),
    }
}

/// Plans the insertion of a member at the end of the event, which has none of that name.
pub(crate) fn insert_member(document: Document<'_>, node: Node, value: &str, splices: &mut Splices) {
    if let Some(event) = document.get(Node::Root) {
        let separator = if event.members().next().is_some() { "," } else { "" };
        splices.insert(event.span().end - 1, format!("{separator}{}:{value}", quoted(node.key())));
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    quote(text, &mut json);
    json
}

/// Appends a JSON string.
fn quote(text: &str, json: &mut String) {
    json.push('"');
    let mut rest = text;
    let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    while let Some(stop) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(stop);
        json.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some(character @ ('"' | '\\')) => json.extend(['\\', character]),
            Some(control) => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = characters.as_str();
    }
    json.push_str(rest);
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_as_json_does() {
        for text in ["", "a", "a\"b\\c", "\n\u{1}\u{1f}", "é日🚀"] {
            assert_eq!(serde_json::from_str::<String>(&quoted(text)).unwrap(), text);
        }
    }
}
