//! The open parameters: which clusters to read.

use event_source::{ErrorKind, SourceError};
use serde::Deserialize;

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    #[serde(rename = "cluster")]
    pub(crate) name: String,
    /// When it is not the configured one.
    pub(crate) region: Option<String>,
}

/// `prod`, or `prod,staging`, or `{"cluster": "prod", "region": "eu-central-1"}`.
///
/// # Errors
/// [`ErrorKind::Config`] with an example, for anything else; also for a cluster that is named twice, for its events
/// would come twice.
pub(crate) fn parse(parameters: &str) -> Result<Vec<Cluster>, SourceError> {
    let parameters = parameters.trim();
    let clusters = if parameters.starts_with('{') {
        let cluster: Cluster = serde_json::from_str(parameters).map_err(|error| {
            wrong("the open parameters start with `{`, but are no such object").because(error)
        })?;
        vec![Cluster { region: cluster.region.filter(|region| !region.is_empty()), ..cluster }]
    } else {
        let name = |name: &str| Cluster { name: name.trim().to_owned(), region: None };
        parameters.split(',').map(name).collect()
    };
    for (index, cluster) in clusters.iter().enumerate() {
        if cluster.name.is_empty() {
            return Err(wrong("the open parameters name no cluster"));
        }
        if !cluster.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            let message = format!("`{}` is no name of an EKS cluster", cluster.name);
            return Err(wrong(&message));
        }
        if clusters.iter().take(index).any(|other| other == cluster) {
            return Err(wrong(&format!("the open parameters name the cluster `{}` twice", cluster.name)));
        }
    }
    Ok(clusters)
}

fn wrong(what: &str) -> SourceError {
    let examples = r#"write `open_params: my-cluster`, `my-cluster,another` or `{"cluster": "my-cluster", "region": "eu-central-1"}`"#;
    SourceError::new(ErrorKind::Config, format!("{what}: {examples}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parameters: &str, expect: &[(&str, Option<&str>)]) {
        let clusters = parse(parameters).expect(parameters);
        let found: Vec<_> = clusters.iter().map(|one| (one.name.as_str(), one.region.as_deref())).collect();
        assert_eq!(found, expect);
    }

    #[track_caller]
    fn check_error(parameters: &str) {
        let error = parse(parameters).expect_err(parameters);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("open_params: my-cluster"), "{error}");
    }

    #[test]
    fn all_ways_to_write_clusters() {
        check("prod", &[("prod", None)]);
        check(" prod , staging_2 ", &[("prod", None), ("staging_2", None)]);
        check(r#"{"cluster": "prod"}"#, &[("prod", None)]);
        check(r#"{"cluster": "prod", "region": "eu-west-1"}"#, &[("prod", Some("eu-west-1"))]);
        check(r#"{"cluster": "prod", "region": ""}"#, &[("prod", None)]);
    }

    #[test]
    fn anything_else_shows_how() {
        for parameters in [
            "",
            "  ",
            ",",
            "prod,",
            "{}",
            "{",
            r#"{"cluster": 1}"#,
            r#"{"cluster": "a", "regoin": "b"}"#,
            "a b",
            "prod,prod",
            r#"{"cluster": ""}"#,
        ] {
            check_error(parameters);
        }
    }
}
