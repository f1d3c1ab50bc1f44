//! `k8saudit`: the audit events of any cluster, from its webhook or its files, for Falco.
//!
//! A thin crate: its configuration, [`webhook_source`] and [`file_tail`] for reading, [`audit_core`] for the events.
//! Name, id, keys and fields are those of the Go plugin that it takes the place of.

mod audit_source;
mod config;
mod records;

use std::ffi::CStr;
use std::future::Future;
use std::sync::Arc;

use audit_plugin::{AuditFields, CommonConfig, IntakeMetrics, Plugin, Provider};
use event_source::metrics::MetricGroup;
use event_source::{ErrorKind, PumpOptions, SourceError, SourceMetrics};
use file_tail::{FileMetrics, Target};
use webhook_source::{Endpoint, WebhookMetrics};

use audit_source::AuditSource;
use config::{Config, Settings};
use records::Records;

event_source::metrics! {
    /// What this plugin counts beside what every source, every webhook, every file and every intake counts.
    struct K8sAuditMetrics {
        counter duplicates_dropped: "Events that had come before with the same identity, and were dropped.",
    }
}

/// The plugin.
struct K8sAudit {
    settings: Settings,
    metrics: Metrics,
}

/// What it counts, for as long as it is loaded.
#[derive(Clone, Default)]
struct Metrics {
    webhook: Arc<WebhookMetrics>,
    files: Arc<FileMetrics>,
    intake: Arc<IntakeMetrics>,
    own: Arc<K8sAuditMetrics>,
}

impl Plugin for K8sAudit {
    const NAME: &'static CStr = c"k8saudit";
    const VERSION: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    const DESCRIPTION: &'static CStr = c"Read Kubernetes audit events from a webhook or from files";
    const CONTACT: &'static CStr = c"github.com/falcosecurity/plugins";
    const LOG_TARGETS: &'static [&'static str] = &["webhook_source", "file_tail"];
    const DEFAULTS: CommonConfig = CommonConfig {
        // The largest event that an API server sends by default is 10 MB, the bound of a batch; most objects end
        // with the 1.5 MB of etcd, and an event has two of them.
        max_event_size: 4 << 20,
        // Two of the largest bodies: one is evaluated while the other arrives.
        max_queue_bytes: 32 << 20,
        ..CommonConfig::DEFAULT
    };

    type Config = Config;
    type Fields = AuditFields;

    fn new(config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        Ok(Self { settings: Settings::new(config, common)?, metrics: Metrics::default() })
    }

    fn metrics(&self) -> Vec<Arc<dyn MetricGroup>> {
        let Metrics { webhook, files, intake, own } = self.metrics.clone();
        vec![webhook, files, own, intake]
    }
}

impl Provider for K8sAudit {
    const ID: u32 = 1;

    type Source = AuditSource;

    fn pump_options(&self) -> PumpOptions {
        self.settings.pump_options()
    }

    fn open(
        &self,
        parameters: &str,
        metrics: Arc<SourceMetrics>,
    ) -> Result<impl Future<Output = Result<Vec<Self::Source>, SourceError>> + Send + use<>, SourceError>
    {
        let parameters = parameters.trim();
        let place = Place::parse(parameters)?;
        let Metrics { webhook, files, intake, own } = self.metrics.clone();
        let records = Records::new(parameters, intake, own, self.settings.common.max_event_size);
        let settings = self.settings.clone();
        Ok(async move {
            let source = match place {
                Place::Webhook(endpoint) => {
                    AuditSource::webhook(settings.webhook(endpoint), webhook, records).await?
                }
                Place::Files(target) => {
                    AuditSource::files(target, settings.files()?, files, metrics, records).await?
                }
            };
            Ok(vec![source])
        })
    }
}

/// Where events come from.
enum Place {
    Webhook(Endpoint),
    Files(Target),
}

impl Place {
    fn parse(parameters: &str) -> Result<Self, SourceError> {
        let scheme = parameters.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => Endpoint::parse(parameters).map(Self::Webhook),
            Some("file") | None => Target::parse(parameters).map(Self::Files),
            Some(_) => Err(SourceError::new(
                ErrorKind::Config,
                "`open_params` has a scheme that is not known: write `http://HOST:PORT/PATH`, `https://HOST:PORT/PATH`, `file:///PATH` to follow a file, a path, or `-`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parameters: &str, expect: &str) {
        let found = match Place::parse(parameters) {
            Ok(Place::Webhook(endpoint)) => endpoint.to_string(),
            Ok(Place::Files(target)) => format!("{target:?}"),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expect), "`{parameters}`: {found}");
    }

    #[test]
    fn open_parameters_are_read_as_users_write_them() {
        check("http://:9765/k8s-audit", "http://:9765/k8s-audit");
        check("HTTPS://0.0.0.0:9765/k8s-audit", "https://0.0.0.0:9765/k8s-audit");
        check("/var/log/audit.log", "Path(\"/var/log/audit.log\")");
        check("file:///var/log/audit.log", "Follow(\"/var/log/audit.log\")");
        check("-", "Stdin");
        check("", "names no file");
        check("ftp://me:secret@host/path", "a scheme that is not known");
    }
}

audit_plugin::export_plugin!(K8sAudit);
