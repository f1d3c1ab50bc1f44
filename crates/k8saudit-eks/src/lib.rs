//! `k8saudit-eks`: the audit events of Amazon EKS, from CloudWatch Logs, for Falco.
//!
//! A thin crate: its configuration, [`cloudwatch_tail`] for reading, [`audit_core`] for the events.
//! Name, id, keys and fields are those of the Go plugin that it takes the place of.

mod clusters;
mod config;

use std::ffi::CStr;
use std::future::Future;
use std::sync::Arc;

use audit_core::Limits;
use audit_core::envelope::cloudwatch::{Origin, split};
use audit_plugin::{AuditFields, CommonConfig, Intake, IntakeMetrics, Plugin, Provider};
use cloudwatch_tail::{LogMessage, Session, SessionOptions, Tail, TailBoard, TailMetrics, TailOptions};
use event_source::checkpoint::CheckpointStore;
use event_source::metrics::MetricGroup;
use event_source::{Decode, Decoded, ErrorKind, Event, PumpOptions, SourceError, SourceMetrics};

use clusters::Cluster;
use config::{Config, Settings};

/// The plugin.
struct K8sAuditEks {
    settings: Arc<Settings>,
    tail_metrics: Arc<TailMetrics>,
    intake_metrics: Arc<IntakeMetrics>,
}

impl Plugin for K8sAuditEks {
    const NAME: &'static CStr = c"k8saudit-eks";
    const VERSION: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    const DESCRIPTION: &'static CStr = c"Read Kubernetes audit events of Amazon EKS from CloudWatch Logs";
    const CONTACT: &'static CStr = c"github.com/falcosecurity/plugins";
    const LOG_TARGETS: &'static [&'static str] = &["cloudwatch_tail"];

    type Config = Config;
    type Fields = AuditFields;

    fn new(config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        Ok(Self {
            settings: Arc::new(Settings::new(config, common)?),
            tail_metrics: Arc::default(),
            intake_metrics: Arc::default(),
        })
    }

    fn metrics(&self) -> Vec<Arc<dyn MetricGroup>> {
        vec![Arc::clone(&self.tail_metrics) as Arc<dyn MetricGroup>, Arc::clone(&self.intake_metrics) as _]
    }
}

impl Provider for K8sAuditEks {
    const ID: u32 = 9;

    type Source = Decoded<Tail, AuditMessages>;

    fn pump_options(&self) -> PumpOptions {
        self.settings.common.pump_options(self.settings.buffer_size)
    }

    fn open(
        &self,
        parameters: &str,
        metrics: Arc<SourceMetrics>,
    ) -> Result<impl Future<Output = Result<Vec<Self::Source>, SourceError>> + Send + use<>, SourceError>
    {
        let clusters = clusters::parse(parameters)?;
        let settings = Arc::clone(&self.settings);
        if clusters.len() > 1 && !settings.config.log_group.contains("{cluster}") {
            let message =
                "`log_group` without `{cluster}` is the same for every cluster: name one cluster only";
            return Err(SourceError::new(ErrorKind::Config, message));
        }
        let board = Arc::new(TailBoard::new(Arc::clone(&self.tail_metrics)));
        let intake = Arc::clone(&self.intake_metrics);
        Ok(async move {
            let mut session = Session::load(settings.session()).await?;
            if session.region().is_none() {
                // The open parameters may name the only region that there is; roles and checkpoints need one too.
                let region = clusters.iter().find_map(|cluster| cluster.region.clone());
                session = Session::load(SessionOptions { region, ..settings.session() }).await?;
            }
            let checkpoints = settings.config.checkpoint.as_deref().map(|url| session.checkpoint_store(url));
            let checkpoints = checkpoints.transpose()?.map(Arc::new);
            let mut sources = Vec::new();
            for cluster in clusters {
                let options = tail_options(&settings, &cluster, checkpoints.clone());
                let tail = Tail::open(&session, options, Arc::clone(&board), Arc::clone(&metrics)).await?;
                let home = tail.home().cloned();
                let (region, account) = home.map(|home| (home.region, home.account)).unzip();
                let messages = AuditMessages {
                    intake: Intake::new(&cluster.name, Arc::clone(&intake)),
                    origin: Origin { cluster: Some(cluster.name), region, account },
                    limits: Limits { max_event_size: settings.common.max_event_size },
                };
                sources.push(Decoded::new(tail, messages));
            }
            Ok(sources)
        })
    }
}

fn tail_options(
    settings: &Settings,
    cluster: &Cluster,
    checkpoints: Option<Arc<CheckpointStore>>,
) -> TailOptions {
    let config = &settings.config;
    TailOptions {
        log_group: config.log_group.replace("{cluster}", &cluster.name),
        region: cluster.region.clone(),
        stream_prefix: Some(config.log_stream_prefix.clone()).filter(|prefix| !prefix.is_empty()),
        filter_pattern: config.filter_pattern.clone(),
        start: settings.start,
        polling_interval: config.polling_interval.as_duration(),
        overlap: config.overlap.as_duration(),
        settle: config.settle.as_duration(),
        // Two batches fit into the queue: one is filled while the other waits.
        batch_messages: settings.buffer_size.div_ceil(2),
        checkpoints,
        checkpoint_interval: settings.common.checkpoint_interval.as_duration(),
    }
}

/// From a log message to the audit event in it.
struct AuditMessages {
    intake: Intake,
    origin: Origin,
    limits: Limits,
}

impl Decode<LogMessage> for AuditMessages {
    fn decode(&mut self, record: LogMessage, events: &mut Vec<Event>) {
        self.intake.take(split(record.message, record.timestamp_ms, &self.origin, &self.limits), events);
    }
}

audit_plugin::export_plugin!(K8sAuditEks);
