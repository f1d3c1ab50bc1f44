//! The keys of `init_config`, with their defaults and meanings; the schema that Falco checks comes from here.

use std::path::PathBuf;

use audit_plugin::CommonConfig;
use event_source::checkpoint::CheckpointStore;
use event_source::{ErrorKind, PumpOptions, SourceError};
use file_tail::{FileOptions, StartPosition};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;
use webhook_source::{Endpoint, TlsFiles, WebhookOptions};

/// When a request to the webhook is answered with 200.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Acknowledge {
    /// When Falco has asked for the next batch.
    #[default]
    Evaluated,
    /// When its events wait for Falco.
    Received,
}

/// Where a followed file begins when there is no checkpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Start {
    /// With what is written from now on.
    #[default]
    End,
    /// With its first line.
    Beginning,
}

/// The plugin's own keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Webhook by HTTPS: PEM file with the certificate, its chain, and the key unless `sslKey` names it.
    pub(crate) ssl_certificate: String,
    /// Webhook by HTTPS: PEM file with the certificate's key.
    pub(crate) ssl_key: Option<String>,
    /// Webhook by HTTPS: PEM file with the CA of client certificates; no client without one is let in.
    #[serde(rename = "clientCA")]
    pub(crate) client_ca: Option<String>,
    /// Webhook: file with the bearer token that requests have to bring.
    pub(crate) bearer_token_file: Option<String>,
    /// Webhook: bytes of a request's body, after inflation; larger ones get 413.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub(crate) webhook_max_batch_size: u64,
    /// Accepted for compatibility, and without effect: extraction needs no second thread.
    #[allow(dead_code, reason = "a key that users have must be known")]
    pub(crate) use_async: bool,
    /// Webhook: when a request is answered with 200: `evaluated` by Falco, or `received`.
    pub(crate) acknowledge: Acknowledge,
    /// Followed file: URL of the folder for checkpoints, `file:///folder`. Without it there are none.
    pub(crate) checkpoint: Option<String>,
    /// Followed file: where to begin without a checkpoint: `end`, or `beginning`.
    #[serde(rename = "start_position")]
    pub(crate) start_position: Start,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ssl_certificate: "/etc/falco/falco.pem".to_owned(),
            ssl_key: None,
            client_ca: None,
            bearer_token_file: None,
            webhook_max_batch_size: 12 << 20,
            use_async: true,
            acknowledge: Acknowledge::default(),
            checkpoint: None,
            start_position: Start::default(),
        }
    }
}

/// A configuration that can work.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    config: Config,
    pub(crate) common: CommonConfig,
    max_body_bytes: usize,
    checkpoint: Option<Url>,
}

/// A line or document that is longer loses its end. A batch of the API server, 400 events, is far below; a list that
/// was exported into one document may be longer, and a line for each event has no such bound.
const MAX_LINE_BYTES: usize = 64 << 20;

impl Settings {
    /// Checks what the types do not say.
    pub(crate) fn new(mut config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        // An empty text is no value: configurations that are rendered from templates are full of them.
        let texts = [
            &mut config.ssl_key,
            &mut config.client_ca,
            &mut config.bearer_token_file,
            &mut config.checkpoint,
        ];
        for text in texts {
            text.take_if(|text| text.trim().is_empty());
        }
        if config.ssl_certificate.trim().is_empty() {
            config.ssl_certificate = Config::default().ssl_certificate;
        }
        let max_body_bytes = usize::try_from(config.webhook_max_batch_size)
            .ok()
            .filter(|bytes| (1024..=1 << 30).contains(bytes))
            .ok_or_else(|| {
                let found = config.webhook_max_batch_size;
                wrong(format!(
                    "`webhookMaxBatchSize`: expected a number of bytes from 1024 to 1073741824, found the number `{found}`"
                ))
            })?;
        let checkpoint = config.checkpoint.as_deref().map(folder).transpose()?;
        Ok(Self { config, common, max_body_bytes, checkpoint })
    }

    /// Each request and each line is held by bytes.
    pub(crate) fn pump_options(&self) -> PumpOptions {
        const EVENTS: usize = 1 << 20;
        self.common.pump_options(EVENTS)
    }

    pub(crate) fn webhook(&self, endpoint: Endpoint) -> WebhookOptions {
        let config = &self.config;
        let path = |text: &Option<String>| text.as_deref().map(PathBuf::from);
        // With `http://` a client CA is refused there, and the certificate is not read.
        let tls = TlsFiles {
            certificate: config.ssl_certificate.clone().into(),
            key: path(&config.ssl_key),
            client_ca: path(&config.client_ca),
        };
        WebhookOptions {
            tls: Some(tls),
            bearer_token_file: path(&config.bearer_token_file),
            acknowledge: match config.acknowledge {
                Acknowledge::Evaluated => webhook_source::Acknowledge::Evaluated,
                Acknowledge::Received => webhook_source::Acknowledge::Received,
            },
            max_body_bytes: self.max_body_bytes,
            max_queue_bytes: self.common.max_queue_bytes,
            ..WebhookOptions::new(endpoint)
        }
    }

    pub(crate) fn files(&self) -> Result<FileOptions, SourceError> {
        let checkpoints = self.checkpoint.as_ref().map(CheckpointStore::local).transpose()?;
        Ok(FileOptions {
            max_record_bytes: MAX_LINE_BYTES.max(self.common.max_event_size),
            start: match self.config.start_position {
                Start::End => StartPosition::End,
                Start::Beginning => StartPosition::Beginning,
            },
            checkpoints: checkpoints.map(Into::into),
            checkpoint_interval: self.common.checkpoint_interval.as_duration(),
            ..FileOptions::default()
        })
    }
}

fn folder(url: &str) -> Result<Url, SourceError> {
    Url::parse(url.trim()).ok().filter(|url| url.scheme() == "file").ok_or_else(|| {
        wrong(format!(
            "`checkpoint`: expected the URL of a folder, such as `file:///var/lib/falco`, found `{url}`"
        ))
    })
}

fn wrong(message: String) -> SourceError {
    SourceError::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Config)) -> Result<Settings, SourceError> {
        let mut config = Config::default();
        change(&mut config);
        Settings::new(config, CommonConfig::DEFAULT)
    }

    #[track_caller]
    fn check_error(change: impl FnOnce(&mut Config), key: &str) {
        let error = settings(change).expect_err(key);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(&format!("`{key}`")), "{error}");
    }

    #[test]
    fn what_cannot_work_is_named() {
        check_error(|config| config.checkpoint = Some("/var/lib/falco".to_owned()), "checkpoint");
        check_error(|config| config.checkpoint = Some("s3://bucket".to_owned()), "checkpoint");
        check_error(|config| config.webhook_max_batch_size = 10, "webhookMaxBatchSize");
    }

    #[test]
    fn what_is_empty_is_the_default() {
        let settings = settings(|config| {
            config.ssl_certificate = String::new();
            config.ssl_key = Some(String::new());
            config.client_ca = Some(" ".to_owned());
            config.bearer_token_file = Some(String::new());
            config.checkpoint = Some(String::new());
        });
        let settings = settings.expect("settings");
        assert_eq!(format!("{:?}", settings.config), format!("{:?}", Config::default()));
    }

    #[test]
    fn webhook_and_files_get_what_the_keys_say() {
        let settings = settings(|config| {
            config.client_ca = Some("/ca.pem".to_owned());
            config.bearer_token_file = Some("/token".to_owned());
            config.acknowledge = Acknowledge::Received;
            config.start_position = Start::Beginning;
        });
        let settings = settings.expect("settings");
        let webhook = settings.webhook(Endpoint::parse("https://:1/a").expect("an endpoint"));
        assert_eq!(webhook.acknowledge, webhook_source::Acknowledge::Received);
        assert_eq!(webhook.bearer_token_file, Some("/token".into()));
        let tls = webhook.tls.expect("files");
        assert_eq!((tls.certificate, tls.key), ("/etc/falco/falco.pem".into(), None));
        assert_eq!(tls.client_ca, Some("/ca.pem".into()));
        assert_eq!(settings.files().expect("options").start, StartPosition::Beginning);
    }
}
