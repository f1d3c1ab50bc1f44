//! Fields about the containers of a pod.

use super::{Argument, ValueSink, computed, image};
use crate::document::{Document, Value};
use crate::fields::path::Node;
use crate::fields::spec::{ContainerList, ContainerPart};

/// What a kernel runs a process as when nobody says otherwise.
const ROOT: &str = "0";

/// One part of each container of a list, or of the one that the index names.
pub(super) fn each(
    list: ContainerList,
    part: ContainerPart,
    argument: Argument<'_>,
    document: Document<'_>,
    sink: &mut impl ValueSink,
) {
    let containers = document.get(list.node()).into_iter().flat_map(Value::elements);
    argument.select(containers).for_each(|container| emit(part, container, document, sink));
}

/// One part of the first container.
pub(super) fn first(part: ContainerPart, document: Document<'_>, sink: &mut impl ValueSink) {
    if let Some(container) = document.get(Node::Containers).and_then(|list| list.elements().next()) {
        emit(part, container, document, sink);
    }
}

/// `true` or `false`, when there is a list of containers at all.
pub(super) fn any_privileged(document: Document<'_>, sink: &mut impl ValueSink) {
    if let Some(list) = document.get(Node::Containers) {
        let privileged = list
            .elements()
            .filter_map(|container| container.at(&["securityContext", "privileged"]))
            .any(Value::is_true);
        sink.value(if privileged { "true" } else { "false" }, None);
    }
}

fn emit(part: ContainerPart, container: Value<'_>, document: Document<'_>, sink: &mut impl ValueSink) {
    match part {
        ContainerPart::At(path) => computed(container.at(path), sink),
        ContainerPart::Joined(list) => joined(container.get(list), sink),
        ContainerPart::Each(path) => {
            let elements = container.at(path).into_iter().flat_map(Value::elements);
            elements.for_each(|element| computed(Some(element), sink));
        }
        ContainerPart::Repository => {
            if let Some(reference) = container.get("image") {
                sink.value(image::repository(&reference.text()), None);
            }
        }
        ContainerPart::Ports => {
            let ports = container.get("ports").into_iter().flat_map(Value::elements);
            ports.for_each(|port| computed(port.get("hostPort").or_else(|| port.get("containerPort")), sink));
        }
        ContainerPart::Effective(name, of_pod) => {
            let own = container.at(&["securityContext", name]);
            let is_set = |value: &Value<'_>| !value.is_null();
            match own.filter(is_set).or_else(|| document.get(of_pod).filter(is_set)) {
                Some(id) => computed(Some(id), sink),
                None => sink.value(ROOT, None),
            }
        }
    }
}

/// The words of a command; a container that has none has no value.
fn joined(words: Option<Value<'_>>, sink: &mut impl ValueSink) {
    let mut words = words.into_iter().flat_map(Value::elements);
    let Some(first) = words.next() else { return };
    sink.assembled(None, |line| {
        first.append_to(line);
        for word in words {
            line.push(b' ');
            word.append_to(line);
        }
    });
}
