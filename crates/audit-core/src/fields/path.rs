//! The places of an audit event that have a name here: a tree of object keys.
//!
//! A field that is "the value at a path" names its [`Node`]; the document opens an object once, and finds
//! all its named children on that one way through ([`crate::document`]).

use std::fmt;

use memchr::memchr;

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

    /// The place in this one that has this name.
    #[inline(always)]
    pub(crate) fn child(self, name: Name<'_>) -> Option<Node> {
        let mut slot = name.slot(self);
        loop {
            // There are more slots than places, so one that is empty ends this.
            let number = usize::from(*BY_KEY.get(slot)?);
            let known = NAMES.get(number).filter(|_| number != 0)?;
            if known.parent == self && known.name.is(name) {
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

/// A name, which may stand in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'d> {
    /// Its first bytes, and zeros behind its end.
    head: [u64; 2],
    /// From its first byte on; what stands behind it may be looked at, too.
    bytes: &'d [u8],
    len: usize,
}

impl<'d> Name<'d> {
    /// How many bytes are looked at at once: all, of most.
    const HEAD: usize = 16;

    /// The first `len` of these bytes.
    #[inline(always)]
    pub(crate) const fn new(bytes: &'d [u8], len: usize) -> Name<'d> {
        let head = match bytes.first_chunk() {
            Some(head) => u128::from_le_bytes(*head),
            None => short_head(bytes),
        };
        let head = [head as u64 & mask(len), (head >> 64) as u64 & mask(len.saturating_sub(8))];
        Name { head, bytes, len }
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> &'d [u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn is(self, other: Name<'_>) -> bool {
        self.head == other.head
            && self.len == other.len
            && (self.len <= Self::HEAD || self.bytes() == other.bytes())
    }

    /// Whether there is a backslash in it.
    #[inline(always)]
    pub(crate) fn is_escaped(self) -> bool {
        const EACH: u64 = 0x0101_0101_0101_0101;
        // A byte that is none of it borrows nothing from the next one, below the first that is.
        let any = |part: u64| {
            let differs = part ^ (EACH * b'\\' as u64);
            differs.wrapping_sub(EACH) & !differs & EACH << 7 != 0
        };
        let [low, high] = self.head;
        any(low) || any(high) || (self.len > Self::HEAD && memchr(b'\\', self.bytes()).is_some())
    }

    /// Where in [`BY_KEY`] it is looked for first, in `parent`.
    #[inline(always)]
    const fn slot(self, parent: Node) -> usize {
        let [low, high] = self.head;
        // Odd numbers without a pattern: every byte of both moves the highest ones.
        let mixed = (low ^ (parent as u64) << 56)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(high.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        (mixed >> 56) as usize % SLOTS
    }
}

/// Of less than 16 bytes.
#[cold]
const fn short_head(mut bytes: &[u8]) -> u128 {
    let mut head = 0;
    while let [rest @ .., last] = bytes {
        head = head << 8 | *last as u128;
        bytes = rest;
    }
    head
}

/// The bits of the first bytes of eight.
#[inline(always)]
const fn mask(bytes: usize) -> u64 {
    if bytes < 8 { (1 << (8 * bytes)) - 1 } else { u64::MAX }
}

/// A place, as it is looked for.
struct Known {
    name: Name<'static>,
    parent: Node,
}

const NAMES: &[Known; NODES] = &{
    let mut names = [const { Known { name: Name::new(b"", 0), parent: Node::Root } }; NODES];
    let mut at = 1;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        let (parent, key) = Node::PARENTS_AND_KEYS[at];
        assert!(!key.is_empty(), "the root alone has no name");
        assert!((parent as usize) < at, "a place stands behind the one that it lies in");
        names[at] = Known { name: Name::new(key.as_bytes(), key.len()), parent };
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
        let mut slot = NAMES[at].name.slot(NAMES[at].parent);
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

    /// Whatever stands behind the name.
    fn child(parent: Node, key: &str) -> Option<Node> {
        let found = parent.child(Name::new(key.as_bytes(), key.len()));
        for behind in ["\"", "\":[1,2]", "\":\"and much more, of whatever kind\""] {
            assert_eq!(parent.child(Name::new(format!("{key}{behind}").as_bytes(), key.len())), found);
        }
        found
    }

    #[test]
    fn a_place_is_found_by_its_name_and_by_no_other() {
        for &node in Node::ALL.iter().skip(1) {
            let key = node.key();
            assert_eq!(child(node.parent(), key), Some(node), "{node}");
            for other in [&key[1..], &key[..key.len() - 1], &format!("{key}x"), &key.to_uppercase()] {
                assert_eq!(child(node.parent(), other), None, "{other}");
            }
            for &other in Node::ALL {
                let here = other.children().find(|child| child.key() == key);
                assert_eq!(child(other, key), here, "{key} in {other}");
            }
        }
        assert_eq!(child(Node::Root, ""), None);
    }

    #[test]
    fn a_backslash_is_seen_in_the_name_and_not_behind_it() {
        for len in 0..40 {
            for at in 0..50 {
                let mut bytes = [b'['; 50];
                bytes[at] = b'\\';
                assert_eq!(Name::new(&bytes, len).is_escaped(), at < len, "{at} of {len}");
                assert_eq!(Name::new(&bytes[..len], len).is_escaped(), at < len, "{at} of {len}");
            }
        }
    }

    #[test]
    fn prints_json_pointers() {
        assert_eq!(Node::Verb.to_string(), "/verb");
        assert_eq!(Node::RunAsUser.to_string(), "/requestObject/spec/securityContext/runAsUser");
        assert_eq!(Node::AuthorizationReason.to_string(), "/annotations/authorization.k8s.io~1reason");
    }
}
