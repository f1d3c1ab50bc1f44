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
            /// Every place; each stands behind the one that it lies in, and beside those that lie there too.
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
    pub fn parent(self) -> Node {
        self.parent_and_key().0
    }

    /// Its name there.
    pub fn key(self) -> &'static str {
        self.parent_and_key().1
    }

    /// The places that lie in this one.
    pub(crate) fn children(self) -> &'static [Node] {
        CHILDREN.get(self.index()).and_then(|&(from, to)| Node::ALL.get(from..to)).unwrap_or_default()
    }
}

/// The children of each place as a range of [`Node::ALL`]: they stand beside each other.
const CHILDREN: [(usize, usize); NODES] = {
    let mut ranges = [(0, 0); NODES];
    let mut at = 1;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would tell")]
    while at < NODES {
        let parent = Node::PARENTS_AND_KEYS[at].0 as usize;
        assert!(parent < at, "a place stands behind the one that it lies in");
        if ranges[parent].0 == 0 {
            ranges[parent].0 = at;
        } else {
            assert!(ranges[parent].1 == at, "places in one object stand beside each other");
        }
        ranges[parent].1 = at + 1;
        at += 1;
    }
    ranges
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
            assert!(node.parent().children().contains(&node), "{node}");
            assert_eq!(node.parent().children().iter().filter(|child| child.key() == node.key()).count(), 1);
        }
        assert!(Node::Verb.children().is_empty());
    }

    #[test]
    fn prints_json_pointers() {
        assert_eq!(Node::Verb.to_string(), "/verb");
        assert_eq!(Node::RunAsUser.to_string(), "/requestObject/spec/securityContext/runAsUser");
        assert_eq!(Node::AuthorizationReason.to_string(), "/annotations/authorization.k8s.io~1reason");
    }
}
