//! What a field is: its name, what Falco is told of it, and where its values come from.

use std::fmt;

use super::path::Node;

/// One field, as the table says it.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// As rules name it.
    pub name: &'static str,
    /// Whether it has several values.
    pub list: bool,
    /// Whether a rule may or must name one of them, or a key: `field[argument]`.
    pub arg: ArgKind,
    /// Its name for people.
    pub display: &'static str,
    /// One sentence or more, for people.
    pub desc: &'static str,
    /// Where its values come from.
    pub source: Source,
}

/// What may stand in brackets behind a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// Nothing.
    None,
    /// An index, or nothing.
    Index,
    /// A key, always.
    Key,
}

/// Where a field's values come from; each is one way of extraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The value at a place.
    At(Node),
    /// Each element of the array at a place; with an index, that element.
    Elements(Node),
    /// The array at a place as one text; with an index, that element.
    TextOrElement(Node),
    /// The same text for every audit event.
    Constant(&'static str),
    /// The first value of a query parameter of the request's URI.
    UriParam,
    /// The name of the pod that was asked for, or that was made.
    TargetPodName,
    /// Of the subjects of a binding.
    Subjects(SubjectPart),
    /// All strings of one list of each rule of a role.
    Rules(&'static str),
    /// Of the containers of a pod.
    Containers(ContainerList, ContainerPart),
    /// Of the first container of a pod.
    FirstContainer(ContainerPart),
    /// Whether any container of a pod is privileged.
    AnyPrivileged,
    /// Of the volumes of a pod.
    Volumes(VolumePart),
    /// Whether a pod mounts the directory of its node that the key names.
    MountsHostPath,
}

/// What is asked of the subjects of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectPart {
    /// The names of those that are users.
    Users,
    /// The names of those that are groups.
    Groups,
    /// The names of those that are service accounts.
    ServiceAccounts,
    /// `namespace:name` of those that are service accounts and have a namespace.
    QualifiedServiceAccounts,
}

/// The three lists of containers that a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerList {
    /// Those that run for as long as the pod does.
    Containers,
    /// Those that run before.
    Init,
    /// Those added to a running pod, to look into it.
    Ephemeral,
}

impl ContainerList {
    /// Where the list is.
    pub const fn node(self) -> Node {
        match self {
            ContainerList::Containers => Node::Containers,
            ContainerList::Init => Node::InitContainers,
            ContainerList::Ephemeral => Node::EphemeralContainers,
        }
    }
}

/// What is asked of each container of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerPart {
    /// The value at a path in it.
    At(&'static [&'static str]),
    /// The strings of the list of that name in it, joined by one space.
    Joined(&'static str),
    /// Each element of the list at a path in it.
    Each(&'static [&'static str]),
    /// Its image, less tag and digest.
    Repository,
    /// Of each of its ports: the port on the node, else the port in the container.
    Ports,
    /// The user or group of that name in its security context, else in the pod's, else 0.
    Effective(&'static str, Node),
}

/// What is asked of each volume of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumePart {
    /// The value at a path in it.
    At(&'static [&'static str]),
    /// Its kinds: every key but its name.
    Types,
}

/// As `docs/fields.md` shows it: JSON pointers, with `*` for each element of an array.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::At(node) | Source::TextOrElement(node) => write!(f, "`{node}`"),
            Source::Elements(node) => write!(f, "`{node}/*`"),
            Source::Constant(text) => write!(f, "always `{text}`"),
            Source::UriParam => write!(f, "`{}`", Node::RequestUri),
            Source::TargetPodName => {
                write!(f, "`{}`, else `{}`", Node::ResponseName, Node::TargetName)
            }
            Source::Subjects(_) => write!(f, "`{}/*`", Node::Subjects),
            Source::Rules(list) => write!(f, "`{}/*/{list}/*`", Node::Rules),
            Source::Containers(list, part) => part.render(&format!("{}/*", list.node()), f),
            Source::FirstContainer(part) => part.render(&format!("{}/0", Node::Containers), f),
            Source::AnyPrivileged => write!(f, "`{}/*/securityContext/privileged`", Node::Containers),
            Source::Volumes(VolumePart::At(path)) => write!(f, "`{}/*/{}`", Node::Volumes, path.join("/")),
            Source::Volumes(VolumePart::Types) => write!(f, "`{}/*`", Node::Volumes),
            Source::MountsHostPath => write!(f, "`{}/*/hostPath/path`", Node::Volumes),
        }
    }
}

impl ContainerPart {
    fn render(self, container: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContainerPart::At(path) => write!(f, "`{container}/{}`", path.join("/")),
            ContainerPart::Joined(list) => write!(f, "`{container}/{list}`"),
            ContainerPart::Each(path) => write!(f, "`{container}/{}/*`", path.join("/")),
            ContainerPart::Repository => write!(f, "`{container}/image`"),
            ContainerPart::Ports => {
                write!(f, "`{container}/ports/*/hostPort`, else `{container}/ports/*/containerPort`")
            }
            ContainerPart::Effective(name, of_pod) => {
                write!(f, "`{container}/securityContext/{name}`, else `{of_pod}`, else `0`")
            }
        }
    }
}
