//! Where a record comes from: the cluster, as its resource's id says.

use super::Options;
use crate::document::unescape;
use crate::envelope::annotations::{Annotation, LONGEST_NAME};

/// A subscription's id, a resource group of 90 characters and a cluster of 63 make 274 bytes.
const LONGEST_RESOURCE_ID: usize = 512;

#[derive(Debug)]
pub(super) struct Origin {
    /// The id as it stands in the record, by which the next record is known to be of the same origin.
    raw: Option<Box<[u8]>>,
    resource_id: Option<String>,
    account: Option<String>,
    cluster: Option<String>,
}

impl Origin {
    /// `raw`: what stands between the quotes of `resourceId`.
    pub(super) fn new(raw: Option<&[u8]>, options: &Options) -> Origin {
        let resource_id = raw.map(|raw| unescape(raw).into_owned()).filter(|id| !id.is_empty());
        let id = resource_id.as_deref().unwrap_or_default();
        let name = id.split('/').rfind(|segment| !segment.is_empty()).map(str::to_ascii_lowercase);
        let mut segments = id.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("subscriptions"));
        let account = segments.nth(1).filter(|account| !account.is_empty()).map(str::to_owned);
        let cluster = name
            .filter(|name| Annotation::named("", Some(name), LONGEST_NAME).is_some())
            .or_else(|| options.cluster.clone());
        Origin { raw: raw.map(Box::from), resource_id, account, cluster }
    }

    pub(super) fn is_of(&self, raw: Option<&[u8]>) -> bool {
        self.raw.as_deref() == raw
    }

    pub(super) fn annotations(&self) -> Vec<Annotation<'_>> {
        [
            ("cluster_name", &self.cluster, LONGEST_NAME),
            ("cluster_resource_id", &self.resource_id, LONGEST_RESOURCE_ID),
            ("cluster_account", &self.account, LONGEST_NAME),
        ]
        .into_iter()
        .filter_map(|(key, value, longest)| Annotation::named(key, value.as_deref(), longest))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource_id: Option<&str>, expect: &[(&str, &str)]) {
        let options = Options { cluster: Some("Fallback".to_owned()), ..Options::default() };
        let origin = Origin::new(resource_id.map(str::as_bytes), &options);
        let annotations: Vec<_> = origin
            .annotations()
            .into_iter()
            .map(|annotation| (annotation.key, annotation.value.to_owned()))
            .collect();
        let expect: Vec<_> = expect.iter().map(|&(key, value)| (key, value.to_owned())).collect();
        assert_eq!(annotations, expect, "{resource_id:?}");
    }

    #[test]
    fn a_resource_id_says_where_it_was() {
        let id = "/SUBSCRIPTIONS/0A-1B/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD-EU";
        let place = [("cluster_name", "prod-eu"), ("cluster_resource_id", id), ("cluster_account", "0A-1B")];
        check(Some(id), &place);
        check(Some(&id.replace('/', r"\/")), &place);
        let lower = id.to_ascii_lowercase();
        check(
            Some(&lower),
            &[("cluster_name", "prod-eu"), ("cluster_resource_id", &lower), ("cluster_account", "0a-1b")],
        );
        check(Some("/A/B/"), &[("cluster_name", "b"), ("cluster_resource_id", "/A/B/")]);
    }

    #[test]
    fn what_says_nothing_leaves_the_callers_name() {
        check(None, &[("cluster_name", "Fallback")]);
        check(Some(""), &[("cluster_name", "Fallback")]);
        check(Some("/"), &[("cluster_name", "Fallback"), ("cluster_resource_id", "/")]);
        check(Some(r"/A/B\n"), &[("cluster_name", "Fallback")]);
        let long = format!("/A/{}", "B".repeat(300));
        check(Some(&long), &[("cluster_name", "Fallback"), ("cluster_resource_id", &long)]);
        check(Some(&format!("/A{}/B", "A".repeat(600))), &[("cluster_name", "b")]);
    }
}
