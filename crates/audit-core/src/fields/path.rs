//! The places of an audit event that have a name here: a tree of object keys.
//!
//! A field that is "the value at a path" names its [`Node`]; the document opens an object once, and finds
//! all its named children on that one way through ([`crate::document`]).

use std::fmt;

macro_rules! nodes {
    ($($name:ident = $parent:ident / $key:literal;)*) => {
        /// A place in an audit event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the path of each says all: `Display` prints it")]
        pub enum Node { Root, $($name,)* }

        impl Node {
            /// Every place; each stands behind the one that it lies in.
            pub const ALL: &'static [Node] = &[Node::Root, $(Node::$name,)*];
            const PARENTS_AND_KEYS: &'static [(Node, &'static str)] =
                &[(Node::Root, ""), $((Node::$parent, $key),)*];
        }
    };
}

nodes! {
    Kind = Root / "kind";
    ApiVersion = Root / "apiVersion";
    AuditId = Root / "auditID";
    Stage = Root / "stage";
    RequestUri = Root / "requestURI";
    Verb = Root / "verb";
    User = Root / "user";
    ImpersonatedUser = Root / "impersonatedUser";
    SourceIps = Root / "sourceIPs";
    UserAgent = Root / "userAgent";
    ObjectRef = Root / "objectRef";
    ResponseStatus = Root / "responseStatus";
    RequestObject = Root / "requestObject";
    ResponseObject = Root / "responseObject";
    StageTimestamp = Root / "stageTimestamp";
    Timestamp = Root / "timestamp";
    Annotations = Root / "annotations";

    UserName = User / "username";
    UserGroups = User / "groups";

    ImpersonatedUserName = ImpersonatedUser / "username";

    TargetResource = ObjectRef / "resource";
    TargetNamespace = ObjectRef / "namespace";
    TargetName = ObjectRef / "name";
    TargetSubresource = ObjectRef / "subresource";

    ResponseCode = ResponseStatus / "code";
    ResponseReason = ResponseStatus / "reason";

    Subjects = RequestObject / "subjects";
    RoleRef = RequestObject / "roleRef";
    Rules = RequestObject / "rules";
    Data = RequestObject / "data";
    Spec = RequestObject / "spec";

    ResponseMetadata = ResponseObject / "metadata";

    AuthorizationDecision = Annotations / "authorization.k8s.io/decision";
    AuthorizationReason = Annotations / "authorization.k8s.io/reason";
    OpenShiftDecision = Annotations / "authentication.openshift.io/decision";
    OpenShiftUserName = Annotations / "authentication.openshift.io/username";
    ValidationFailure = Annotations / "validation.policy.admission.k8s.io/validation_failure";
    AuditViolations = Annotations / "pod-security.kubernetes.io/audit-violations";
    ClusterName = Annotations / "cluster_name";

    RoleName = RoleRef / "name";

    Containers = Spec / "containers";
    InitContainers = Spec / "initContainers";
    EphemeralContainers = Spec / "ephemeralContainers";
    Volumes = Spec / "volumes";
    HostIpc = Spec / "hostIPC";
    HostNetwork = Spec / "hostNetwork";
    HostPid = Spec / "hostPID";
    SecurityContext = Spec / "securityContext";
    ServiceType = Spec / "type";
    ServicePorts = Spec / "ports";

    ResponseName = ResponseMetadata / "name";

    RunAsUser = SecurityContext / "runAsUser";
    RunAsGroup = SecurityContext / "runAsGroup";
    FsGroup = SecurityContext / "fsGroup";
    SupplementalGroups = SecurityContext / "supplementalGroups";
}

/// How many places there are.
pub(crate) const NODES: usize = Node::ALL.len();

impl Node {
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    fn parent_and_key(self) -> (Node, &'static str) {
        Node::PARENTS_AND_KEYS.get(self.index()).copied().unwrap_or((Node::Root, ""))
    }

    /// The object that it lies in; the root lies in itself.
    #[inline]
    pub fn parent(self) -> Node {
        PARENTS.get(self.index()).copied().unwrap_or(Node::Root)
    }

    /// How many places lie in this one.
    pub(crate) fn children_count(self) -> usize {
        CHILDREN.get(self.index()).copied().map_or(0, usize::from)
    }

    /// Its name there.
    pub fn key(self) -> &'static str {
        self.parent_and_key().1
    }

    /// The place in this one that has that name.
    pub(crate) fn child(self, key: &[u8]) -> Option<Node> {
        let mut slot = slot(self, key);
        loop {
            // There are more slots than places, so one that is empty ends this.
            let node = BY_KEY.get(slot).and_then(|&number| Node::ALL.get(usize::from(number)))?;
            match node.parent_and_key() {
                (Node::Root, "") => return None,
                (parent, name) if parent == self && same(name.as_bytes(), key) => return Some(*node),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// The places that lie in this one.
    #[cfg(test)]
    fn children(self) -> impl Iterator<Item = Node> {
        Node::ALL.iter().copied().skip(1).filter(move |child| child.parent() == self)
    }
}

/// The object that each place lies in: as in the table, but near each other, for [`Node::parent`] is asked often.
const PARENTS: [Node; NODES] = {
    let mut parents = [Node::Root; NODES];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        parents[at] = Node::PARENTS_AND_KEYS[at].0;
        at += 1;
    }
    parents
};

/// How many places lie in each.
const CHILDREN: [u8; NODES] = {
    let mut counts = [0; NODES];
    let mut at = 1;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        counts[PARENTS[at] as usize] += 1;
        at += 1;
    }
    counts
};

const SLOTS: usize = 256;

/// Where in [`BY_KEY`] a place is looked for first: by few bytes, since most of all keys are none of ours.
const fn slot(parent: Node, key: &[u8]) -> usize {
    match (key.first(), key.last()) {
        (Some(&first), Some(&last)) => {
            (parent as usize * 37 + key.len() * 11 + first as usize * 5 + last as usize) % SLOTS
        }
        _ => 0,
    }
}

/// The number of each place, in its slot or one of the next that was free; 0 where there is none.
const BY_KEY: [u8; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut at = 1;
    assert!(NODES < SLOTS / 2);
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        let (parent, key) = Node::PARENTS_AND_KEYS[at];
        assert!(!key.is_empty(), "the root alone has no name");
        assert!((parent as usize) < at, "a place stands behind the one that it lies in");
        let mut slot = slot(parent, key.as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = at as u8;
        at += 1;
    }
    table
};

/// Whether both are equal; inlined, since names are short.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    one.len() == other.len()
        && words.iter().zip(other_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

/// As a JSON pointer.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The tree is a few levels deep, and each place stands behind its parent: this ends.
        if *self == Node::Root {
            return Ok(());
        }
        write!(f, "{}/{}", self.parent(), self.key().replace('~', "~0").replace('/', "~1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_a_child_of_its_parent() {
        for &node in Node::ALL.iter().skip(1) {
            assert_eq!(node.children().count(), node.children_count(), "{node}");
            assert!(node.parent().children().any(|child| child == node), "{node}");
            assert_eq!(node.parent().children().filter(|child| child.key() == node.key()).count(), 1);
        }
        assert_eq!(Node::Verb.children().count(), 0);
    }

    #[test]
    fn a_place_is_found_by_its_name_and_by_no_other() {
        for &node in Node::ALL.iter().skip(1) {
            let key = node.key();
            assert_eq!(node.parent().child(key.as_bytes()), Some(node), "{node}");
            for other in [&key[1..], &key[..key.len() - 1], &format!("{key}x"), &key.to_uppercase()] {
                assert_eq!(node.parent().child(other.as_bytes()), None, "{other}");
            }
            for &other in Node::ALL {
                let here = other.children().find(|child| child.key() == key);
                assert_eq!(other.child(key.as_bytes()), here, "{key} in {other}");
            }
        }
        assert_eq!(Node::Root.child(b""), None);
    }

    #[test]
    fn prints_json_pointers() {
        assert_eq!(Node::Verb.to_string(), "/verb");
        assert_eq!(Node::RunAsUser.to_string(), "/requestObject/spec/securityContext/runAsUser");
        assert_eq!(Node::AuthorizationReason.to_string(), "/annotations/authorization.k8s.io~1reason");
    }
}
