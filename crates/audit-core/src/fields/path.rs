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
    #[inline]
    pub(crate) fn child(self, key: &[u8]) -> Option<Node> {
        let digest = digest(key);
        let mut slot = slot(self, digest);
        loop {
            // There are more slots than places, so one that is empty ends this.
            let number = usize::from(*BY_KEY.get(slot)?);
            let name = NAMES.get(number).filter(|_| number != 0)?;
            if name.digest == digest
                && name.parent == self
                && name.key.len() == key.len()
                && (key.len() <= 16 || name.key.as_bytes() == key)
            {
                return Node::ALL.get(number).copied();
            }
            slot = (slot + 1) % SLOTS;
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

/// The first and the last bytes of a name: all there is of one that has up to 16, together with its length.
type Digest = (u64, u64);

#[inline]
const fn digest(key: &[u8]) -> Digest {
    match (key.first_chunk(), key.last_chunk(), key) {
        (Some(first), Some(last), _) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        (_, _, [first @ .., _]) => match (key.first_chunk(), key.last_chunk(), first) {
            (Some(first), Some(last), _) => {
                (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
            }
            (_, _, []) => (tiny(key), 1),
            (_, _, [_]) => (tiny(key), 2),
            _ => (tiny(key), 3),
        },
        (_, _, []) => (0, 0),
    }
}

/// Up to three bytes.
const fn tiny(key: &[u8]) -> u64 {
    match *key {
        [a] => a as u64,
        [a, b] => a as u64 | (b as u64) << 8,
        [a, b, c] => a as u64 | (b as u64) << 8 | (c as u64) << 16,
        _ => 0,
    }
}

/// Where in [`BY_KEY`] a place is looked for first.
#[inline]
const fn slot(parent: Node, (first, last): Digest) -> usize {
    // Odd numbers without a pattern: every byte of both moves the highest ones.
    let mixed = (first ^ (parent as u64) << 56)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(last.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    (mixed >> 56) as usize % SLOTS
}

/// A place's name, and what it is compared by.
struct Name {
    digest: Digest,
    parent: Node,
    key: &'static str,
}

const NAMES: &[Name; NODES] = &{
    let mut names = [const { Name { digest: (0, 0), parent: Node::Root, key: "" } }; NODES];
    let mut at = 1;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        let (parent, key) = Node::PARENTS_AND_KEYS[at];
        assert!(!key.is_empty(), "the root alone has no name");
        assert!((parent as usize) < at, "a place stands behind the one that it lies in");
        names[at] = Name { digest: digest(key.as_bytes()), parent, key };
        at += 1;
    }
    names
};

/// The number of each place, in its slot or one of the next that was free; 0 where there is none.
const BY_KEY: &[u8; SLOTS] = &{
    let mut table = [0; SLOTS];
    let mut at = 1;
    assert!(NODES < SLOTS / 2);
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        let mut slot = slot(NAMES[at].parent, NAMES[at].digest);
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = at as u8;
        at += 1;
    }
    table
};

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
