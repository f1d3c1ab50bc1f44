//! Fields about the volumes of a pod.

use super::{Argument, ValueSink, computed};
use crate::document::{Document, Value};
use crate::fields::path::Node;
use crate::fields::spec::VolumePart;

/// One part of each volume, or of the one that the index names.
pub(super) fn each(
    part: VolumePart,
    argument: Argument<'_>,
    document: Document<'_>,
    sink: &mut impl ValueSink,
) {
    let volumes = document.get(Node::Volumes).into_iter().flat_map(Value::elements);
    argument.select(volumes).for_each(|volume| match part {
        VolumePart::At(path) => computed(volume.at(path), sink),
        VolumePart::Types => {
            for (key, _) in volume.members().filter(|(key, _)| !key.is("name")) {
                sink.value(&key.text(), None);
            }
        }
    });
}

/// Whether a volume is a path on the node: `true` or `false`, when there are volumes at all.
pub(super) fn mounts_host_path(argument: Argument<'_>, document: Document<'_>, sink: &mut impl ValueSink) {
    let (Argument::Key(wanted), Some(volumes)) = (argument, document.get(Node::Volumes)) else { return };
    let prefix = wanted.strip_suffix('*');
    let mounted = volumes.elements().filter_map(|volume| volume.at(&["hostPath", "path"])).any(|path| {
        let path = path.text();
        // A path may itself end with an asterisk, so equality counts too.
        path == wanted || prefix.is_some_and(|prefix| path.starts_with(prefix))
    });
    sink.value(if mounted { "true" } else { "false" }, None);
}
