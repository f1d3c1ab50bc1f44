//! The story is written as EKS has it; what stands for each word of AWS elsewhere.

/// What the story says of AWS, what stands for it on Azure, and what in a cluster of one's own; replaced in this
/// order.
const WORDS: [(&str, &str, &str); 14] = [
    (
        r#""accessKeyId":["ASIAEXAMPLEEXAMPLE00"],"arn":["arn:aws:sts::111122223333:assumed-role/platform-team/jane"],"canonicalArn":["arn:aws:iam::111122223333:role/platform-team"],"sessionName":["jane"]"#,
        r#""oid":["6f0c7d1e-2b7a-4d55-9c0e-3a1f5b8e7d42"]"#,
        r#""authentication.kubernetes.io/credential-id":["X509SHA256=6f0c7d1e2b7a4d559c0e3a1f5b8e7d42"]"#,
    ),
    (
        "aws-iam-authenticator:111122223333:AROAEXAMPLEEXAMPLE00",
        "6f0c7d1e-2b7a-4d55-9c0e-3a1f5b8e7d42",
        "jane",
    ),
    ("arn:aws:sts::111122223333:assumed-role/platform-team/jane", "jane@example.com", "jane@example.com"),
    // Elsewhere there is no map of users to change, but a DNS server.
    (
        r#""mapRoles":"- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/eks-node\n  username: system:node:{{EC2PrivateDNSName}}\n- groups:\n  - system:masters\n  rolearn: arn:aws:iam::444455556666:role/backup\n  username: backup\n""#,
        r#""backup.server":"payments.example:53 {\n  forward . 198.51.100.77\n}\n""#,
        r#""backup.server":"payments.example:53 {\n  forward . 198.51.100.77\n}\n""#,
    ),
    ("aws-auth", "coredns-custom", "coredns"),
    ("ip-10-0-12-33.eu-west-1.compute.internal", "aks-nodepool1-31415926-vmss000000", "worker-1"),
    ("-eks-94953ac", "", ""),
    ("aws-k8s-agent/v1.19.0", "azure-cns/v1.6.13", "calico/v3.29.1"),
    ("aws-node", "azure-cns", "calico-node"),
    ("eks-certificates-controller", "addon-manager", "certificate-controller"),
    ("eks:certificate-controller", "aksService", "kubernetes-admin"),
    ("eks:cloud-controller-manager", "cloud-controller-manager", "cloud-controller-manager"),
    ("aws-cloud-controller-manager", "cloud-controller-manager", "cloud-controller-manager"),
    ("ELB-HealthChecker/2.0", "kube-probe/1.31", "kube-probe/1.31"),
];

/// The story on AKS.
pub(super) fn on_azure(story: &str) -> String {
    WORDS.iter().fold(story.to_owned(), |story, (aws, azure, _)| story.replace(aws, azure))
}

/// The story in a cluster that one runs oneself.
pub(super) fn in_own_cluster(story: &str) -> String {
    WORDS.iter().fold(story.to_owned(), |story, (aws, _, own)| story.replace(aws, own))
}

#[cfg(test)]
mod tests {
    use emulators::cloudwatch::Story;
    use serde_json::Value;

    use super::*;
    use crate::demo::STORY;

    #[track_caller]
    fn check(story: &str, others: &[&str]) {
        for (aws, ..) in WORDS {
            assert!(STORY.contains(aws) && !story.contains(aws), "{aws}");
        }
        for (_, event) in Story::parse(story).unwrap().told_at(0) {
            let _: Value = serde_json::from_str(&event.message).unwrap();
            let aws = ["aws", "eks", "arn:", "EC2", "compute.internal", "ELB", "AKIA", "ASIA", "AROA"];
            for word in aws.iter().chain(others) {
                assert!(!event.message.contains(word), "{word}: {}", event.message);
            }
        }
    }

    #[test]
    fn elsewhere_the_story_has_no_word_of_aws() {
        check(&on_azure(STORY), &[]);
        check(&in_own_cluster(STORY), &["aks", "azure"]);
    }
}
