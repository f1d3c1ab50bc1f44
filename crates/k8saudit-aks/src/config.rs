//! The keys of `init_config`, with their defaults and meanings; the schema that Falco checks comes from here.

use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use audit_core::UnixNanos;
use audit_core::envelope::azure::Categories;
use audit_plugin::{CommonConfig, Seconds};
use event_hub::{
    BlobContainer, ConsumerOptions, Hub, Identity, SharingOptions, StartPosition, Transport as HubTransport,
};
use event_source::{ErrorKind, PumpOptions, Secret, SourceError};
use schemars::JsonSchema;
use serde::Deserialize;

/// What AMQP travels in.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Transport {
    /// TLS on port 5671.
    #[default]
    Amqp,
    /// Websockets on port 443.
    Websockets,
}

/// How processes share the partitions.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum LoadBalancing {
    /// Each takes its share.
    #[default]
    Balanced,
}

/// The plugin's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// Connection string of the hub's namespace, or of the hub itself (with `EntityPath`).
    #[serde(deserialize_with = "audit_plugin::config::secret")]
    #[schemars(with = "Option<String>")]
    pub(crate) event_hub_namespace_connection_string: Option<Secret>,
    /// Name of the hub, where the connection string has no `EntityPath`.
    pub(crate) event_hub_name: Option<String>,
    /// Connection string of the storage account for checkpoints and ownership.
    #[serde(deserialize_with = "audit_plugin::config::secret")]
    #[schemars(with = "Option<String>")]
    pub(crate) blob_storage_connection_string: Option<Secret>,
    /// Container for checkpoints and ownership; it must be there.
    pub(crate) blob_storage_container_name: Option<String>,
    /// Records per second that may pass to Falco, over all partitions; 0: no limit.
    pub(crate) rate_limit_events_per_second: u32,
    /// Records that may pass at once after a quiet time.
    pub(crate) rate_limit_burst: u32,
    /// Consumer group.
    pub(crate) consumer_group: String,
    /// Where a partition without a checkpoint begins: `latest`, `earliest`, or a time as in RFC 3339.
    pub(crate) start_position: String,
    /// Categories of records that are read; others are skipped and counted.
    pub(crate) categories: Vec<String>,
    /// Whether an event that comes twice, in two categories or from a sender that tried again, goes to Falco once.
    pub(crate) deduplicate: bool,
    /// What AMQP travels in: `amqp` (port 5671), or `websockets` (port 443).
    pub(crate) transport: Transport,
    /// Namespace of the hub (`NAME.servicebus.windows.net`), with Microsoft Entra ID instead of connection strings.
    pub(crate) event_hub_namespace: Option<String>,
    /// Storage account (`https://NAME.blob.core.windows.net`), with Microsoft Entra ID instead of connection strings.
    pub(crate) blob_storage_account_url: Option<String>,
    /// Directory of the identity; else `AZURE_TENANT_ID`.
    pub(crate) tenant_id: Option<String>,
    /// Application or managed identity; else `AZURE_CLIENT_ID`.
    pub(crate) client_id: Option<String>,
    /// Where the identity logs in, for other clouds than the public one; else `AZURE_AUTHORITY_HOST`.
    pub(crate) authority_host: Option<String>,
    /// How several processes share the hub's partitions.
    #[allow(dead_code, reason = "there is one way, and its name is checked")]
    pub(crate) load_balancing: LoadBalancing,
    /// Seconds after which a partition whose owner gave no sign is taken over.
    pub(crate) ownership_expiration: Seconds,
    /// Seconds between two looks at who owns what.
    pub(crate) load_balancing_interval: Seconds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            event_hub_namespace_connection_string: None,
            event_hub_name: None,
            blob_storage_connection_string: None,
            blob_storage_container_name: None,
            rate_limit_events_per_second: 100,
            rate_limit_burst: 200,
            consumer_group: "$Default".to_owned(),
            start_position: "latest".to_owned(),
            categories: vec!["kube-audit".to_owned(), "kube-audit-admin".to_owned()],
            deduplicate: true,
            transport: Transport::default(),
            event_hub_namespace: None,
            blob_storage_account_url: None,
            tenant_id: None,
            client_id: None,
            authority_host: None,
            load_balancing: LoadBalancing::default(),
            ownership_expiration: Seconds::new(60),
            load_balancing_interval: Seconds::new(10),
        }
    }
}

/// A configuration that can work.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) hub: Hub,
    pub(crate) container: BlobContainer,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) categories: Categories,
    pub(crate) deduplicate: bool,
    /// Records per second, and at once.
    pub(crate) rate_limit: Option<(NonZeroU32, NonZeroU32)>,
    pub(crate) common: CommonConfig,
}

const HUB: &str = "event_hub_namespace_connection_string";
const BLOB: &str = "blob_storage_connection_string";

impl Settings {
    /// Checks what the types do not say. `variable` looks into the environment.
    pub(crate) fn new(
        config: Config,
        common: CommonConfig,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SourceError> {
        let identity = identity(&config, variable);
        let rate_limit = match (config.rate_limit_events_per_second, config.rate_limit_burst) {
            (_, 0) if config.rate_limit_events_per_second > 0 => {
                return Err(wrong(
                    "`rate_limit_burst`: expected 1 or more records, found `0`; without a limit, set `rate_limit_events_per_second` to 0",
                ));
            }
            (per_second, burst) => NonZeroU32::new(per_second).zip(NonZeroU32::new(burst)),
        };
        let interval = config.load_balancing_interval.as_duration();
        let expiration = config.ownership_expiration.as_duration();
        if interval.is_zero() || expiration < interval * 2 {
            return Err(wrong(
                "`ownership_expiration`: expected at least twice `load_balancing_interval`, which must not be 0: whoever misses one look would lose its partitions",
            ));
        }
        if config.categories.is_empty() {
            return Err(wrong("`categories`: expected at least one, such as `kube-audit`, found none"));
        }
        let consumer = ConsumerOptions {
            start: start(&config.start_position)?,
            checkpoint_interval: common.checkpoint_interval.as_duration(),
            // Half of the memory for what the hub sends ahead, half for what waits for Falco.
            prefetch_bytes: common.max_queue_bytes / 2,
            sharing: SharingOptions { ownership_expiration: expiration, load_balancing_interval: interval },
        };
        Ok(Self {
            hub: hub(&config, &identity)?,
            container: container(&config, &identity)?,
            consumer,
            categories: Categories::new(config.categories),
            deduplicate: config.deduplicate,
            rate_limit,
            common,
        })
    }

    pub(crate) fn pump_options(&self) -> PumpOptions {
        /// Bytes are what bounds the queue.
        const EVENTS: usize = 1 << 20;
        let common = CommonConfig { max_queue_bytes: self.common.max_queue_bytes / 2, ..self.common.clone() };
        common.pump_options(EVENTS)
    }
}

fn identity(config: &Config, variable: &dyn Fn(&str) -> Option<String>) -> Identity {
    let or = |key: &Option<String>, name: &str| {
        let given = key.clone().filter(|value| !value.trim().is_empty());
        given.or_else(|| variable(name)).filter(|value| !value.is_empty())
    };
    Identity {
        tenant_id: or(&config.tenant_id, "AZURE_TENANT_ID"),
        client_id: or(&config.client_id, "AZURE_CLIENT_ID"),
        client_secret: or(&None, "AZURE_CLIENT_SECRET").map(Secret::new),
        federated_token_file: or(&None, "AZURE_FEDERATED_TOKEN_FILE"),
        authority_host: or(&config.authority_host, "AZURE_AUTHORITY_HOST"),
    }
}

fn hub(config: &Config, identity: &Identity) -> Result<Hub, SourceError> {
    let transport = match config.transport {
        Transport::Amqp => HubTransport::Amqp,
        Transport::Websockets => HubTransport::Websockets,
    };
    let group = match config.consumer_group.trim() {
        "" => "$Default",
        group => group,
    };
    let namespace = text(config.event_hub_namespace.as_ref());
    match (given(config.event_hub_namespace_connection_string.as_ref(), namespace), namespace) {
        (Some(_), Some(_)) => Err(wrong(
            "`event_hub_namespace` and `event_hub_namespace_connection_string` are two ways to the hub: give one",
        )),
        (Some(secret), None) => Hub::from_connection_string(
            HUB,
            secret.expose(),
            config.event_hub_name.as_deref(),
            group,
            transport,
        ),
        (None, Some(namespace)) => {
            let name = text(config.event_hub_name.as_ref())
                .ok_or_else(|| wrong("`event_hub_name` is missing: which hub of the namespace is it?"))?;
            Ok(Hub::with_identity(namespace, name, group, transport, identity.credential()?))
        }
        (None, None) => Err(wrong(
            "`event_hub_namespace_connection_string` is missing: set it (a `Listen` policy is enough), or `event_hub_namespace` with a workload or managed identity",
        )),
    }
}

fn container(config: &Config, identity: &Identity) -> Result<BlobContainer, SourceError> {
    let name = text(config.blob_storage_container_name.as_ref()).ok_or_else(|| {
        wrong("`blob_storage_container_name` is missing: checkpoints are kept in a container")
    })?;
    let account = text(config.blob_storage_account_url.as_ref());
    match (given(config.blob_storage_connection_string.as_ref(), account), account) {
        (Some(_), Some(_)) => Err(wrong(
            "`blob_storage_account_url` and `blob_storage_connection_string` are two ways to the container: give one",
        )),
        (Some(secret), None) => BlobContainer::from_connection_string(BLOB, secret.expose(), name),
        (None, Some(url)) => BlobContainer::with_identity("blob_storage_account_url", url, name, identity),
        (None, None) => Err(wrong(
            "`blob_storage_connection_string` is missing: set it, or `blob_storage_account_url` with a workload or managed identity",
        )),
    }
}

/// A connection string; an empty one, as a template leaves it behind, is none where there is the other way.
fn given<'c>(secret: Option<&'c Secret>, other: Option<&str>) -> Option<&'c Secret> {
    secret.filter(|secret| other.is_none() || !secret.expose().trim().is_empty())
}

fn start(position: &str) -> Result<StartPosition, SourceError> {
    match position.trim() {
        "" | "latest" => Ok(StartPosition::Latest),
        "earliest" => Ok(StartPosition::Earliest),
        time => match UnixNanos::parse_rfc3339(time.as_bytes()) {
            Some(time) => Ok(StartPosition::At(UNIX_EPOCH + Duration::from_nanos(time.0))),
            None => Err(wrong(&format!(
                "`start_position`: expected `latest`, `earliest` or a time such as `2026-01-31T09:00:00Z`, found `{time}`"
            ))),
        },
    }
}

fn text(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn wrong(message: &str) -> SourceError {
    SourceError::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0";

    fn config() -> Config {
        Config {
            event_hub_namespace_connection_string: Some(Secret::new(format!(
                "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey={KEY}"
            ))),
            event_hub_name: Some("audit".to_owned()),
            blob_storage_connection_string: Some(Secret::new(format!("AccountName=acme;AccountKey={KEY}"))),
            blob_storage_container_name: Some("falco".to_owned()),
            ..Config::default()
        }
    }

    fn settings(change: impl FnOnce(&mut Config)) -> Result<Settings, SourceError> {
        let mut config = config();
        change(&mut config);
        Settings::new(config, CommonConfig::DEFAULT, &|_| None)
    }

    #[track_caller]
    fn check_error(change: impl FnOnce(&mut Config), expect: &str) {
        let error = settings(change).expect_err(expect);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(expect) && !error.to_string().contains(KEY), "{error}");
    }

    #[test]
    fn what_cannot_work_is_named() {
        check_error(
            |config| config.event_hub_namespace_connection_string = None,
            "`event_hub_namespace_connection_string`",
        );
        check_error(|config| config.event_hub_name = None, "no `EntityPath`");
        check_error(
            |config| config.blob_storage_connection_string = None,
            "`blob_storage_connection_string`",
        );
        check_error(
            |config| config.blob_storage_container_name = Some(String::new()),
            "`blob_storage_container_name`",
        );
        check_error(|config| config.rate_limit_burst = 0, "`rate_limit_burst`");
        check_error(|config| config.start_position = "yesterday".to_owned(), "`start_position`");
        check_error(|config| config.categories.clear(), "`categories`");
        check_error(|config| config.event_hub_namespace = Some("ns".to_owned()), "two ways to the hub");
        check_error(|config| config.ownership_expiration = Seconds::new(15), "`ownership_expiration`");
    }

    #[test]
    fn an_empty_connection_string_beside_an_identity_is_none() {
        let with_identity = |config: &mut Config| {
            config.event_hub_namespace_connection_string = Some(Secret::new(""));
            config.blob_storage_connection_string = Some(Secret::new(" "));
            config.event_hub_namespace = Some("ns.servicebus.windows.net".to_owned());
            config.blob_storage_account_url = Some("https://acme.blob.core.windows.net".to_owned());
            config.tenant_id = Some("00000000-0000-0000-0000-000000000000".to_owned());
            config.client_id = config.tenant_id.clone();
        };
        settings(with_identity).expect("an identity is enough");
        check_error(
            |config| config.event_hub_namespace_connection_string = Some(Secret::new("")),
            "`event_hub_namespace_connection_string`",
        );
    }

    #[test]
    fn no_limit_needs_no_burst() {
        let limit = |per_second, burst| {
            let settings = settings(|config| {
                (config.rate_limit_events_per_second, config.rate_limit_burst) = (per_second, burst);
            });
            settings.expect("settings").rate_limit.map(|(rate, burst)| (rate.get(), burst.get()))
        };
        assert_eq!(limit(0, 0), None);
        assert_eq!(limit(0, 5), None);
        assert_eq!(limit(7, 5), Some((7, 5)));
    }

    #[test]
    fn start_positions() {
        let start = |position: &str| {
            settings(|config| config.start_position = position.to_owned()).expect("settings").consumer.start
        };
        assert_eq!(start("latest"), StartPosition::Latest);
        assert_eq!(start("earliest"), StartPosition::Earliest);
        assert_eq!(start("1970-01-01T00:00:01Z"), StartPosition::At(UNIX_EPOCH + Duration::from_secs(1)));
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?} {:?}", config(), settings(|_| ()).expect("settings"));
        assert!(!shown.contains(KEY), "{shown}");
    }
}
