//! The table of all fields: the only place where their names are written.
//!
//! What Falco is told ([`super::render`]), `docs/fields.md`, and the extractor ([`crate::extract()`]) come from
//! it. The order is Falco's: a field's position is its number in every request, so new ones go to the end.

use super::path::Node;
use super::spec::ContainerList::{Containers, Ephemeral, Init};
use super::spec::{ArgKind, ContainerPart, FieldSpec, Source, SubjectPart, VolumePart};

const IMAGE: ContainerPart = ContainerPart::At(&["image"]);
const NAME: ContainerPart = ContainerPart::At(&["name"]);
const PRIVILEGED: ContainerPart = ContainerPart::At(&["securityContext", "privileged"]);
const ALLOW_ESCALATION: ContainerPart = ContainerPart::At(&["securityContext", "allowPrivilegeEscalation"]);
const READ_ONLY_FS: ContainerPart = ContainerPart::At(&["securityContext", "readOnlyRootFilesystem"]);
const RUN_AS_USER: ContainerPart = ContainerPart::At(&["securityContext", "runAsUser"]);
const RUN_AS_GROUP: ContainerPart = ContainerPart::At(&["securityContext", "runAsGroup"]);
const EFFECTIVE_USER: ContainerPart = ContainerPart::Effective("runAsUser", Node::RunAsUser);
const EFFECTIVE_GROUP: ContainerPart = ContainerPart::Effective("runAsGroup", Node::RunAsGroup);
const PROC_MOUNT: ContainerPart = ContainerPart::At(&["securityContext", "procMount"]);
const ADD_CAPABILITIES: ContainerPart = ContainerPart::Each(&["securityContext", "capabilities", "add"]);

/// All fields, in Falco's order.
pub static TABLE: &[FieldSpec] = &[
    one(
        "ka.auditid",
        "Audit ID",
        "The id that the API server gave to the request; all stages of one request share it.",
        Source::At(Node::AuditId),
    ),
    one(
        "ka.stage",
        "Stage",
        "How far the request had come: RequestReceived, ResponseStarted, ResponseComplete or Panic.",
        Source::At(Node::Stage),
    ),
    one(
        "ka.auth.decision",
        "Authorization decision",
        "Whether the request was authorized: allow or forbid.",
        Source::At(Node::AuthorizationDecision),
    ),
    one(
        "ka.auth.reason",
        "Authorization reason",
        "Why it was authorized or not, in the words of the authorizer: the binding and the role, for example.",
        Source::At(Node::AuthorizationReason),
    ),
    one(
        "ka.auth.openshift.decision",
        "OpenShift authentication decision",
        "Whether an OpenShift login succeeded: allow, deny or error.",
        Source::At(Node::OpenShiftDecision),
    ),
    one(
        "ka.validations.admission.policy.failure",
        "Admission policy failure",
        "Which validating admission policies the request violated, and how, as JSON text.",
        Source::At(Node::ValidationFailure),
    ),
    one(
        "ka.security.pod.violations",
        "Pod security violations",
        "How the pod violates the Pod Security Standard that its namespace audits.",
        Source::At(Node::AuditViolations),
    ),
    one(
        "ka.auth.openshift.username",
        "OpenShift user name",
        "The name that was used for an OpenShift login.",
        Source::At(Node::OpenShiftUserName),
    ),
    one("ka.user.name", "User name", "Who made the request.", Source::At(Node::UserName)),
    list(
        "ka.user.groups",
        "User groups",
        "The groups that the user belongs to.",
        Source::Elements(Node::UserGroups),
    ),
    one(
        "ka.impuser.name",
        "Impersonated user name",
        "As whom the user acted, when impersonating somebody.",
        Source::At(Node::ImpersonatedUserName),
    ),
    one(
        "ka.verb",
        "Verb",
        "What was asked for: get, list, watch, create, update, patch, delete, deletecollection, or the HTTP method in lower case.",
        Source::At(Node::Verb),
    ),
    one(
        "ka.uri",
        "Request URI",
        "Path and query of the request, as the client sent them.",
        Source::At(Node::RequestUri),
    ),
    keyed(
        "ka.uri.param",
        "Query parameter",
        "The first value of the query parameter KEY in the request URI, percent-decoded.",
        Source::UriParam,
    ),
    one(
        "ka.target.name",
        "Target name",
        "The name of the object that the request is about.",
        Source::At(Node::TargetName),
    ),
    one(
        "ka.target.namespace",
        "Target namespace",
        "The namespace of the object that the request is about.",
        Source::At(Node::TargetNamespace),
    ),
    one(
        "ka.target.resource",
        "Target resource",
        "The kind of object that the request is about, in the plural: pods, for example.",
        Source::At(Node::TargetResource),
    ),
    one(
        "ka.target.subresource",
        "Target subresource",
        "The part of the object that the request is about: exec, for example.",
        Source::At(Node::TargetSubresource),
    ),
    one(
        "ka.target.pod.name",
        "Target pod name",
        "The name of the pod that the request is about, when it is about a pod itself: as the response names it (which knows generated names), or else as the request does.",
        Source::TargetPodName,
    ),
    list(
        "ka.req.binding.subjects",
        "Binding subjects",
        "Each subject of the requested binding, as compact JSON text.",
        Source::Elements(Node::Subjects),
    ),
    list(
        "ka.req.binding.subjects.user_names",
        "Binding users",
        "The name of each user whom the requested binding gives a role.",
        Source::Subjects(SubjectPart::Users),
    ),
    list(
        "ka.req.binding.subjects.serviceaccount_names",
        "Binding service accounts",
        "The name of each service account that the requested binding gives a role.",
        Source::Subjects(SubjectPart::ServiceAccounts),
    ),
    list(
        "ka.req.binding.subjects.serviceaccount_ns_names",
        "Binding service accounts with namespace",
        "Namespace and name, joined by a colon, of each service account that the requested binding gives a role; one without a namespace is skipped.",
        Source::Subjects(SubjectPart::QualifiedServiceAccounts),
    ),
    list(
        "ka.req.binding.subjects.group_names",
        "Binding groups",
        "The name of each group that the requested binding gives a role.",
        Source::Subjects(SubjectPart::Groups),
    ),
    one(
        "ka.req.binding.role",
        "Binding role",
        "The role that the requested binding gives.",
        Source::At(Node::RoleName),
    ),
    keyed(
        "ka.req.binding.subject.has_name",
        "Binding has subject",
        "Deprecated, and true for every event: rules that ask it should look into the names of the subjects instead.",
        Source::Constant("true"),
    ),
    one(
        "ka.req.configmap.name",
        "Config map name",
        "The name of the object that the request is about, for rules about config maps.",
        Source::At(Node::TargetName),
    ),
    one(
        "ka.req.configmap.obj",
        "Config map data",
        "The data of the requested config map, as compact JSON text.",
        Source::At(Node::Data),
    ),
    indexed(
        "ka.req.pod.containers.args",
        "Containers: arguments",
        "The arguments of each container that a pod request asks for, joined by one space; a container without arguments is skipped.",
        Source::Containers(Containers, ContainerPart::Joined("args")),
    ),
    indexed(
        "ka.req.pod.containers.command",
        "Containers: command",
        "The entry point of each container that a pod request asks for, its words joined by one space; a container that leaves it to its image is skipped.",
        Source::Containers(Containers, ContainerPart::Joined("command")),
    ),
    indexed(
        "ka.req.pod.containers.name",
        "Containers: names",
        "The name of each container that a pod request asks for.",
        Source::Containers(Containers, NAME),
    ),
    indexed(
        "ka.req.pod.containers.image",
        "Containers: images",
        "The image of each container that a pod request asks for, as it is written there.",
        Source::Containers(Containers, IMAGE),
    ),
    one(
        "ka.req.container.image",
        "First container: image",
        "The image of the first container that a pod request asks for.",
        Source::FirstContainer(IMAGE),
    ),
    indexed(
        "ka.req.pod.containers.image.repository",
        "Containers: image repositories",
        "The image of each container that a pod request asks for, without tag and digest; the port of a registry belongs to it.",
        Source::Containers(Containers, ContainerPart::Repository),
    ),
    one(
        "ka.req.container.image.repository",
        "First container: image repository",
        "The image of the first container that a pod request asks for, without tag and digest; the port of a registry belongs to it.",
        Source::FirstContainer(ContainerPart::Repository),
    ),
    one(
        "ka.req.pod.host_ipc",
        "Host IPC",
        "Whether the requested pod shares the IPC namespace of its node.",
        Source::At(Node::HostIpc),
    ),
    one(
        "ka.req.pod.host_network",
        "Host network",
        "Whether the requested pod shares the network of its node.",
        Source::At(Node::HostNetwork),
    ),
    one(
        "ka.req.container.host_network",
        "Host network",
        "The same as that of the pod, under its older name.",
        Source::At(Node::HostNetwork),
    ),
    one(
        "ka.req.pod.host_pid",
        "Host PID",
        "Whether the requested pod sees the processes of its node.",
        Source::At(Node::HostPid),
    ),
    indexed(
        "ka.req.pod.containers.host_port",
        "Containers: ports",
        "For every port of each container that a pod request asks for: the port on the node, or else the port in the container, which is the same on the network of the node.",
        Source::Containers(Containers, ContainerPart::Ports),
    ),
    indexed(
        "ka.req.pod.containers.privileged",
        "Containers: privileged",
        "Whether each container that a pod request asks for is to be privileged; one that does not say so is skipped.",
        Source::Containers(Containers, PRIVILEGED),
    ),
    one(
        "ka.req.container.privileged",
        "Any container privileged",
        "Whether any container of the requested pod is to be privileged: true or false, and nothing when the request has no containers.",
        Source::AnyPrivileged,
    ),
    indexed(
        "ka.req.pod.containers.allow_privilege_escalation",
        "Containers: privilege escalation",
        "Whether the processes of each container that a pod request asks for may gain privileges; one that does not say so is skipped.",
        Source::Containers(Containers, ALLOW_ESCALATION),
    ),
    indexed(
        "ka.req.pod.containers.read_only_fs",
        "Containers: read-only root",
        "Whether the root file system of each container that a pod request asks for is read-only; one that does not say so is skipped.",
        Source::Containers(Containers, READ_ONLY_FS),
    ),
    one(
        "ka.req.pod.run_as_user",
        "Pod: user id",
        "The user id that the requested pod sets for all its containers.",
        Source::At(Node::RunAsUser),
    ),
    indexed(
        "ka.req.pod.containers.run_as_user",
        "Containers: user id",
        "The user id that each container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Containers, RUN_AS_USER),
    ),
    indexed(
        "ka.req.pod.containers.eff_run_as_user",
        "Containers: effective user id",
        "The user id that each container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Containers, EFFECTIVE_USER),
    ),
    one(
        "ka.req.pod.run_as_group",
        "Pod: group id",
        "The group id that the requested pod sets for all its containers.",
        Source::At(Node::RunAsGroup),
    ),
    indexed(
        "ka.req.pod.containers.run_as_group",
        "Containers: group id",
        "The group id that each container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Containers, RUN_AS_GROUP),
    ),
    indexed(
        "ka.req.pod.containers.eff_run_as_group",
        "Containers: effective group id",
        "The group id that each container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Containers, EFFECTIVE_GROUP),
    ),
    indexed(
        "ka.req.pod.containers.proc_mount",
        "Containers: proc mount",
        "The kind of /proc that each container of a pod request asks for; one that asks for none is skipped.",
        Source::Containers(Containers, PROC_MOUNT),
    ),
    list(
        "ka.req.role.rules",
        "Role rules",
        "Each rule of the requested role, as compact JSON text.",
        Source::Elements(Node::Rules),
    ),
    indexed(
        "ka.req.role.rules.apiGroups",
        "Role API groups",
        "The API groups of all rules of the requested role; with an index, those of that rule.",
        Source::Rules("apiGroups"),
    ),
    indexed(
        "ka.req.role.rules.nonResourceURLs",
        "Role non-resource URLs",
        "The URLs of all rules of the requested role that are not about resources; with an index, those of that rule.",
        Source::Rules("nonResourceURLs"),
    ),
    indexed(
        "ka.req.role.rules.verbs",
        "Role verbs",
        "The verbs of all rules of the requested role; with an index, those of that rule.",
        Source::Rules("verbs"),
    ),
    indexed(
        "ka.req.role.rules.resources",
        "Role resources",
        "The resources of all rules of the requested role; with an index, those of that rule.",
        Source::Rules("resources"),
    ),
    one(
        "ka.req.pod.fs_group",
        "Pod: volume group id",
        "The group id that owns the volumes of the requested pod.",
        Source::At(Node::FsGroup),
    ),
    list(
        "ka.req.pod.supplemental_groups",
        "Pod: supplemental groups",
        "The group ids that the processes of the requested pod have besides their own.",
        Source::Elements(Node::SupplementalGroups),
    ),
    indexed(
        "ka.req.pod.containers.add_capabilities",
        "Containers: added capabilities",
        "Every capability that a container of a pod request asks for, over all of them; with an index, those of that container.",
        Source::Containers(Containers, ADD_CAPABILITIES),
    ),
    one(
        "ka.req.service.type",
        "Service type",
        "The type of the requested service: ClusterIP, NodePort, LoadBalancer or ExternalName.",
        Source::At(Node::ServiceType),
    ),
    indexed(
        "ka.req.service.ports",
        "Service ports",
        "The ports of the requested service, as one compact JSON text; with an index, that port alone.",
        Source::TextOrElement(Node::ServicePorts),
    ),
    indexed(
        "ka.req.pod.volumes.hostpath",
        "Volumes: host paths",
        "The path on the node of each volume of the requested pod that has one; with an index, that of that volume.",
        Source::Volumes(VolumePart::At(&["hostPath", "path"])),
    ),
    keyed(
        "ka.req.volume.hostpath",
        "Mounts host path",
        "Whether any volume of the requested pod is the path KEY on the node, or begins with KEY when that ends with an asterisk: true or false, and nothing when the request has no volumes.",
        Source::MountsHostPath,
    ),
    indexed(
        "ka.req.pod.volumes.flexvolume_driver",
        "Volumes: FlexVolume drivers",
        "The driver of each FlexVolume of the requested pod; with an index, that of that volume.",
        Source::Volumes(VolumePart::At(&["flexVolume", "driver"])),
    ),
    indexed(
        "ka.req.pod.volumes.volume_type",
        "Volumes: types",
        "The type of each volume of the requested pod: hostPath or secret, for example; with an index, that of that volume.",
        Source::Volumes(VolumePart::Types),
    ),
    one(
        "ka.resp.name",
        "Response object name",
        "The name of the object in the response.",
        Source::At(Node::ResponseName),
    ),
    one(
        "ka.response.code",
        "Response code",
        "The HTTP status of the response.",
        Source::At(Node::ResponseCode),
    ),
    one(
        "ka.response.reason",
        "Response reason",
        "Why the request failed, as one word.",
        Source::At(Node::ResponseReason),
    ),
    one(
        "ka.useragent",
        "User agent",
        "The program that made the request, as it names itself.",
        Source::At(Node::UserAgent),
    ),
    indexed(
        "ka.sourceips",
        "Source addresses",
        "The addresses that the request came from and through; all but the last can be forged by the client. With an index, that address.",
        Source::Elements(Node::SourceIps),
    ),
    one(
        "ka.cluster.name",
        "Cluster name",
        "The cluster that the event comes from, where its source knows it.",
        Source::At(Node::ClusterName),
    ),
    indexed(
        "ka.req.pod.initContainers.name",
        "Init containers: names",
        "The name of each init container that a pod request asks for.",
        Source::Containers(Init, NAME),
    ),
    indexed(
        "ka.req.pod.initContainers.image",
        "Init containers: images",
        "The image of each init container that a pod request asks for, as it is written there.",
        Source::Containers(Init, IMAGE),
    ),
    indexed(
        "ka.req.pod.initContainers.image.repository",
        "Init containers: image repositories",
        "The image of each init container that a pod request asks for, without tag and digest; the port of a registry belongs to it.",
        Source::Containers(Init, ContainerPart::Repository),
    ),
    indexed(
        "ka.req.pod.initContainers.command",
        "Init containers: command",
        "The entry point of each init container that a pod request asks for, its words joined by one space; an init container that leaves it to its image is skipped.",
        Source::Containers(Init, ContainerPart::Joined("command")),
    ),
    indexed(
        "ka.req.pod.initContainers.args",
        "Init containers: arguments",
        "The arguments of each init container that a pod request asks for, joined by one space; an init container without arguments is skipped.",
        Source::Containers(Init, ContainerPart::Joined("args")),
    ),
    indexed(
        "ka.req.pod.initContainers.privileged",
        "Init containers: privileged",
        "Whether each init container that a pod request asks for is to be privileged; one that does not say so is skipped.",
        Source::Containers(Init, PRIVILEGED),
    ),
    indexed(
        "ka.req.pod.initContainers.allow_privilege_escalation",
        "Init containers: privilege escalation",
        "Whether the processes of each init container that a pod request asks for may gain privileges; one that does not say so is skipped.",
        Source::Containers(Init, ALLOW_ESCALATION),
    ),
    indexed(
        "ka.req.pod.initContainers.read_only_fs",
        "Init containers: read-only root",
        "Whether the root file system of each init container that a pod request asks for is read-only; one that does not say so is skipped.",
        Source::Containers(Init, READ_ONLY_FS),
    ),
    indexed(
        "ka.req.pod.initContainers.run_as_user",
        "Init containers: user id",
        "The user id that each init container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Init, RUN_AS_USER),
    ),
    indexed(
        "ka.req.pod.initContainers.eff_run_as_user",
        "Init containers: effective user id",
        "The user id that each init container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Init, EFFECTIVE_USER),
    ),
    indexed(
        "ka.req.pod.initContainers.run_as_group",
        "Init containers: group id",
        "The group id that each init container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Init, RUN_AS_GROUP),
    ),
    indexed(
        "ka.req.pod.initContainers.eff_run_as_group",
        "Init containers: effective group id",
        "The group id that each init container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Init, EFFECTIVE_GROUP),
    ),
    indexed(
        "ka.req.pod.initContainers.proc_mount",
        "Init containers: proc mount",
        "The kind of /proc that each init container of a pod request asks for; one that asks for none is skipped.",
        Source::Containers(Init, PROC_MOUNT),
    ),
    indexed(
        "ka.req.pod.initContainers.add_capabilities",
        "Init containers: added capabilities",
        "Every capability that an init container of a pod request asks for, over all of them; with an index, those of that init container.",
        Source::Containers(Init, ADD_CAPABILITIES),
    ),
    indexed(
        "ka.req.pod.initContainers.host_port",
        "Init containers: ports",
        "For every port of each init container that a pod request asks for: the port on the node, or else the port in the init container, which is the same on the network of the node.",
        Source::Containers(Init, ContainerPart::Ports),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.name",
        "Ephemeral containers: names",
        "The name of each ephemeral container that a pod request asks for.",
        Source::Containers(Ephemeral, NAME),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.image",
        "Ephemeral containers: images",
        "The image of each ephemeral container that a pod request asks for, as it is written there.",
        Source::Containers(Ephemeral, IMAGE),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.image.repository",
        "Ephemeral containers: image repositories",
        "The image of each ephemeral container that a pod request asks for, without tag and digest; the port of a registry belongs to it.",
        Source::Containers(Ephemeral, ContainerPart::Repository),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.command",
        "Ephemeral containers: command",
        "The entry point of each ephemeral container that a pod request asks for, its words joined by one space; an ephemeral container that leaves it to its image is skipped.",
        Source::Containers(Ephemeral, ContainerPart::Joined("command")),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.args",
        "Ephemeral containers: arguments",
        "The arguments of each ephemeral container that a pod request asks for, joined by one space; an ephemeral container without arguments is skipped.",
        Source::Containers(Ephemeral, ContainerPart::Joined("args")),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.privileged",
        "Ephemeral containers: privileged",
        "Whether each ephemeral container that a pod request asks for is to be privileged; one that does not say so is skipped.",
        Source::Containers(Ephemeral, PRIVILEGED),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.allow_privilege_escalation",
        "Ephemeral containers: privilege escalation",
        "Whether the processes of each ephemeral container that a pod request asks for may gain privileges; one that does not say so is skipped.",
        Source::Containers(Ephemeral, ALLOW_ESCALATION),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.read_only_fs",
        "Ephemeral containers: read-only root",
        "Whether the root file system of each ephemeral container that a pod request asks for is read-only; one that does not say so is skipped.",
        Source::Containers(Ephemeral, READ_ONLY_FS),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.run_as_user",
        "Ephemeral containers: user id",
        "The user id that each ephemeral container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Ephemeral, RUN_AS_USER),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.eff_run_as_user",
        "Ephemeral containers: effective user id",
        "The user id that each ephemeral container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Ephemeral, EFFECTIVE_USER),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.run_as_group",
        "Ephemeral containers: group id",
        "The group id that each ephemeral container of a pod request sets for itself; one that sets none is skipped.",
        Source::Containers(Ephemeral, RUN_AS_GROUP),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.eff_run_as_group",
        "Ephemeral containers: effective group id",
        "The group id that each ephemeral container of a pod request will run as: its own, or else that of the pod, or else 0.",
        Source::Containers(Ephemeral, EFFECTIVE_GROUP),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.proc_mount",
        "Ephemeral containers: proc mount",
        "The kind of /proc that each ephemeral container of a pod request asks for; one that asks for none is skipped.",
        Source::Containers(Ephemeral, PROC_MOUNT),
    ),
    indexed(
        "ka.req.pod.ephemeralContainers.add_capabilities",
        "Ephemeral containers: added capabilities",
        "Every capability that an ephemeral container of a pod request asks for, over all of them; with an index, those of that ephemeral container.",
        Source::Containers(Ephemeral, ADD_CAPABILITIES),
    ),
];

const fn one(name: &'static str, display: &'static str, desc: &'static str, source: Source) -> FieldSpec {
    FieldSpec { name, list: false, arg: ArgKind::None, display, desc, source }
}

const fn keyed(name: &'static str, display: &'static str, desc: &'static str, source: Source) -> FieldSpec {
    FieldSpec { name, list: false, arg: ArgKind::Key, display, desc, source }
}

const fn list(name: &'static str, display: &'static str, desc: &'static str, source: Source) -> FieldSpec {
    FieldSpec { name, list: true, arg: ArgKind::None, display, desc, source }
}

const fn indexed(name: &'static str, display: &'static str, desc: &'static str, source: Source) -> FieldSpec {
    FieldSpec { name, list: true, arg: ArgKind::Index, display, desc, source }
}
