//! `k8saudit-aks`: the audit events of Azure Kubernetes Service, from Event Hubs, for Falco.
//!
//! A thin crate: its configuration, [`event_hub`] for reading, [`audit_core`] for the events, and a rate limit.
//! Name, id, keys and fields are those of the Go plugin that it takes the place of.

mod config;
mod metrics;
mod rate_limit;
mod records;

use std::ffi::CStr;
use std::future::Future;
use std::sync::{Arc, Mutex};

use audit_core::Limits;
use audit_core::envelope::azure::Options;
use audit_plugin::{AuditFields, CommonConfig, Duplicates, Intake, IntakeMetrics, Plugin, Provider};
use event_hub::{HubBoard, HubMetrics, Partition};
use event_source::metrics::MetricGroup;
use event_source::{Decoded, EventSource, PumpOptions, SourceError, SourceMetrics};

use config::{Config, Settings};
use metrics::AksMetrics;
use rate_limit::{Limited, RateLimit};
use records::Records;

/// The plugin.
struct K8sAuditAks {
    settings: Arc<Settings>,
    hub_metrics: Arc<HubMetrics>,
    intake_metrics: Arc<IntakeMetrics>,
    aks_metrics: Arc<AksMetrics>,
}

impl Plugin for K8sAuditAks {
    const NAME: &'static CStr = c"k8saudit-aks";
    const VERSION: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    const DESCRIPTION: &'static CStr =
        c"Read Kubernetes audit events of Azure Kubernetes Service from Event Hubs";
    const CONTACT: &'static CStr = c"github.com/falcosecurity/plugins";
    const LOG_TARGETS: &'static [&'static str] = &["event_hub"];
    const DEFAULTS: CommonConfig = CommonConfig { max_queue_bytes: 48 << 20, ..CommonConfig::DEFAULT };

    type Config = Config;
    type Fields = AuditFields;

    fn new(config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        Ok(Self {
            settings: Arc::new(Settings::new(config, common, &|name| std::env::var(name).ok())?),
            hub_metrics: Arc::default(),
            intake_metrics: Arc::default(),
            aks_metrics: Arc::default(),
        })
    }

    fn metrics(&self) -> Vec<Arc<dyn MetricGroup>> {
        vec![
            Arc::clone(&self.hub_metrics) as Arc<dyn MetricGroup>,
            Arc::clone(&self.aks_metrics) as _,
            Arc::clone(&self.intake_metrics) as _,
        ]
    }
}

impl Provider for K8sAuditAks {
    const ID: u32 = 21;

    type Source = Limited<Decoded<Partition, Records>>;

    fn pump_options(&self) -> PumpOptions {
        self.settings.pump_options()
    }

    fn open(
        &self,
        parameters: &str,
        metrics: Arc<SourceMetrics>,
    ) -> Result<impl Future<Output = Result<Vec<Self::Source>, SourceError>> + Send + use<>, SourceError>
    {
        let settings = Arc::clone(&self.settings);
        // Any text, as with the Go plugin: the cluster's name where a record does not tell it.
        let cluster = Some(parameters.trim().to_owned()).filter(|name| !name.is_empty());
        let options = Arc::new(Options { categories: settings.categories.clone(), cluster });
        let board = Arc::new(HubBoard::new(Arc::clone(&self.hub_metrics)));
        let (intake, aks) = (Arc::clone(&self.intake_metrics), Arc::clone(&self.aks_metrics));
        Ok(async move {
            let (hub, container) = (settings.hub.clone(), settings.container.clone());
            let partitions = event_hub::open(hub, container, settings.consumer, board, metrics).await?;
            let limit = settings.rate_limit;
            let limit = limit.map(|(rate, burst)| Arc::new(RateLimit::new(rate, burst, Arc::clone(&aks))));
            let duplicates = settings.deduplicate.then(|| Arc::new(Mutex::new(Duplicates::default())));
            let source = |partition: Partition| {
                let records = Records {
                    intake: Intake::new(partition.name(), Arc::clone(&intake)),
                    options: Arc::clone(&options),
                    limits: Limits { max_event_size: settings.common.max_event_size },
                    duplicates: duplicates.clone(),
                    metrics: Arc::clone(&aks),
                    told: None,
                };
                Limited::new(Decoded::new(partition, records), limit.clone())
            };
            Ok(partitions.into_iter().map(source).collect())
        })
    }
}

audit_plugin::export_plugin!(K8sAuditAks);
