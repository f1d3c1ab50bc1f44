//! From a field and a document to values.
//!
//! [`extract()`] never fails on data: what is not there has no value. It does not depend on what was asked
//! before, and gives the same values for the same event always.
//! The fields themselves, and where each finds its values, stand in [`crate::fields`].

mod containers;
mod image;
mod rbac;
mod uri;
mod volumes;

use std::ops::Range;

use crate::document::{Document, Pointer, Value, into_text};
use crate::fields::FieldId;
use crate::fields::path::Node;
use crate::fields::spec::Source;

/// What stands in brackets behind a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// Nothing.
    None,
    /// A number from 0 on. Any number may come; beyond the last there is no value.
    Index(u64),
    /// A text, as the rule writes it.
    Key(&'a str),
}

impl Argument<'_> {
    /// Of `items`, the one that is asked for, or all of them.
    fn select<T>(self, items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let (skip, take) = match self {
            Argument::Index(index) => (usize::try_from(index).unwrap_or(usize::MAX), 1),
            Argument::None | Argument::Key(_) => (0, usize::MAX),
        };
        items.skip(skip).take(take)
    }
}

/// Takes the values of a field, one after the other: none, one, or for a list several.
pub trait ValueSink {
    /// One value.
    ///
    /// `text` may hold NUL, since JSON's strings may (`\u0000`); a C string ends there, and it is the sink
    /// that cuts, as the reference does.
    ///
    /// `range` says where in the payload the value stands, in bytes, when it is a copy of one: that of a
    /// string without its quotes, and still escaped, so that its length may differ from that of `text`. It
    /// is `None` for a value that was computed.
    fn value(&mut self, text: &str, range: Option<Range<usize>>);

    /// One value whose bytes were seen to be ASCII without control characters, as most are; else as
    /// [`value`](ValueSink::value). A sink that takes bytes can leave out what would be checked twice.
    fn plain(&mut self, text: &[u8], range: Option<Range<usize>>) {
        self.value(&String::from_utf8_lossy(text), range);
    }

    /// One value that `write` appends to whatever memory the sink has for it: text that is written in another way in
    /// the payload, or that is put together. It is UTF-8 but for what is none in the payload, and that counts as
    /// U+FFFD. Else as [`value`](ValueSink::value).
    fn assembled(&mut self, range: Option<Range<usize>>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut text = Vec::new();
        write(&mut text);
        self.value(&into_text(text), range);
    }
}

/// Gives `sink` the values of `field` in `document`.
///
/// A field that needs a key and gets none has no value, and an argument that a field does not take is
/// ignored: it is the caller that refuses such requests, when they are made.
pub fn extract(field: FieldId, argument: Argument<'_>, document: Document<'_>, sink: &mut impl ValueSink) {
    if !document.is_audit_event() {
        return;
    }
    match field.spec().source {
        Source::At(node) => copy(document.get(node), sink),
        Source::Elements(node) => {
            let elements = document.get(node).into_iter().flat_map(Value::elements);
            argument.select(elements).for_each(|element| copy(Some(element), sink));
        }
        Source::TextOrElement(node) => match argument {
            Argument::Index(_) => {
                let elements = document.get(node).into_iter().flat_map(Value::elements);
                argument.select(elements).for_each(|element| copy(Some(element), sink));
            }
            Argument::None | Argument::Key(_) => copy(document.get(node), sink),
        },
        Source::Constant(text) => sink.value(text, None),
        Source::UriParam => uri::parameter(argument, document, sink),
        Source::TargetPodName => target_pod_name(document, sink),
        Source::Subjects(part) => rbac::subjects(part, document, sink),
        Source::Rules(list) => rbac::rules(list, argument, document, sink),
        Source::Containers(list, part) => containers::each(list, part, argument, document, sink),
        Source::FirstContainer(part) => containers::first(part, document, sink),
        Source::AnyPrivileged => containers::any_privileged(document, sink),
        Source::Volumes(part) => volumes::each(part, argument, document, sink),
        Source::MountsHostPath => volumes::mounts_host_path(argument, document, sink),
    }
}

/// Gives `sink` what `pointer` leads to in `document`, any JSON document: nothing, or one value.
pub fn extract_at(pointer: &Pointer, document: Document<'_>, sink: &mut impl ValueSink) {
    copy(document.find(pointer), sink);
}

/// A value of the payload, as it is.
fn copy(value: Option<Value<'_>>, sink: &mut impl ValueSink) {
    if let Some(value) = value {
        emit(value, Some(value.text_span()), sink);
    }
}

/// A value that was found by more than a path: the same text, but no place is told.
fn computed(value: Option<Value<'_>>, sink: &mut impl ValueSink) {
    if let Some(value) = value {
        emit(value, None, sink);
    }
}

#[inline]
fn emit(value: Value<'_>, range: Option<Range<usize>>, sink: &mut impl ValueSink) {
    match value.plain_text() {
        Some(plain) => sink.plain(plain, range),
        None => sink.assembled(range, |text| value.append_to(text)),
    }
}

/// Of a request about a pod itself, not about a part of it: the response knows the pod's name even when
/// the server made it up (`generateName`), but there is an object in the response only at level
/// `RequestResponse`, and it may have been salvaged away. A response that has no name (a failure) says that
/// there is no pod.
fn target_pod_name(document: Document<'_>, sink: &mut impl ValueSink) {
    let about_a_pod = document.get(Node::TargetResource).is_some_and(|resource| resource.text() == "pods");
    if about_a_pod && document.get(Node::TargetSubresource).is_none() {
        let answered = document.get(Node::ResponseMetadata).is_some();
        copy(document.get(if answered { Node::ResponseName } else { Node::TargetName }), sink);
    }
}
