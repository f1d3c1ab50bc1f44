//! The parts of the show: a plugin, and the service that it reads.

use anyhow::Result;

use super::api_server::Posting;
use super::cloudwatch::CloudWatch;
use super::event_hubs::EventHubs;
use super::service::Service;
use crate::plugins::{K8SAUDIT, K8SAUDIT_AKS, K8SAUDIT_EKS, PluginPackage};

/// One part of the show.
pub(super) struct Act {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    pub(super) plugin: PluginPackage,
    /// The cluster that the story is of.
    pub(super) cluster: &'static str,
    /// Starts the service and tells it the story, of that cluster.
    pub(super) start: fn(&str, &str) -> Result<Box<dyn Service>>,
    /// What to turn to next, and what for.
    pub(super) next: [(&'static str, &'static str); 2],
}

/// The show.
pub(super) static ACTS: [Act; 3] = [
    Act {
        name: "eks",
        plugin: K8SAUDIT_EKS,
        cluster: "demo-eks",
        start: CloudWatch::tell,
        next: [
            (
                "cargo xtask run k8saudit-eks --open YOUR_CLUSTER --count 10",
                "what it reads from your cluster, with your credentials, without Falco",
            ),
            ("docs/eks.md", "falco.yaml, the IAM policy"),
        ],
    },
    Act {
        name: "aks",
        plugin: K8SAUDIT_AKS,
        cluster: "demo-aks",
        start: EventHubs::tell,
        next: [
            (
                "cargo xtask run k8saudit-aks --config YOUR_INIT_CONFIG.json --count 10",
                "what it reads from your hub, in a consumer group that nobody else reads",
            ),
            ("docs/aks.md", "falco.yaml, the diagnostic setting, the hub, the container, the roles"),
        ],
    },
    Act {
        name: "k8saudit",
        plugin: K8SAUDIT,
        cluster: "demo",
        start: Posting::tell,
        next: [
            (
                "cargo xtask run k8saudit --open /var/log/kubernetes/audit/audit.log",
                "what it reads from your API server's audit log",
            ),
            ("docs/k8saudit.md", "falco.yaml, the API server's flags, certificates"),
        ],
    },
];
