//! Fields about roles and bindings.

use super::{Argument, ValueSink, computed};
use crate::document::{Document, Value};
use crate::fields::path::Node;
use crate::fields::spec::SubjectPart;

/// The names of a binding's subjects that are of one kind.
pub(super) fn subjects(part: SubjectPart, document: Document<'_>, sink: &mut impl ValueSink) {
    let kind = match part {
        SubjectPart::Users => "User",
        SubjectPart::Groups => "Group",
        SubjectPart::ServiceAccounts | SubjectPart::QualifiedServiceAccounts => "ServiceAccount",
    };
    for subject in document.get(Node::Subjects).into_iter().flat_map(Value::elements) {
        if subject.get("kind").is_none_or(|value| value.text() != kind) {
            continue;
        }
        match part {
            SubjectPart::QualifiedServiceAccounts => {
                if let (Some(namespace), Some(name)) = (subject.get("namespace"), subject.get("name")) {
                    sink.assembled(None, |text| {
                        namespace.append_to(text);
                        text.push(b':');
                        name.append_to(text);
                    });
                }
            }
            _ => computed(subject.get("name"), sink),
        }
    }
}

/// All strings of the list of that name, of each rule or of the one that the index names.
pub(super) fn rules(list: &str, argument: Argument<'_>, document: Document<'_>, sink: &mut impl ValueSink) {
    let rules = document.get(Node::Rules).into_iter().flat_map(Value::elements);
    let elements = argument.select(rules).filter_map(|rule| rule.get(list)).flat_map(Value::elements);
    elements.for_each(|element| computed(Some(element), sink));
}
