//! The keys of `init_config`, with their defaults and meanings; the schema that Falco checks comes from here.

use audit_core::UnixNanos;
use audit_plugin::{CommonConfig, Seconds};
use cloudwatch_tail::{SessionOptions, StartPosition};
use event_source::{ErrorKind, Secret, SourceError};
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// Profile of the shared AWS configuration; else `AWS_PROFILE`, then `AWS_DEFAULT_PROFILE`.
    pub(crate) profile: Option<String>,
    /// Region of the cluster; else `AWS_REGION`, `AWS_DEFAULT_REGION`, then what the AWS SDK finds.
    pub(crate) region: Option<String>,
    /// Seconds before now at which the first read starts, when there is no checkpoint.
    pub(crate) shift: Seconds,
    /// Seconds between polls once caught up; there is no pause while pages remain.
    pub(crate) polling_interval: Seconds,
    /// Events that may wait between reader and Falco.
    pub(crate) buffer_size: u64,
    /// Accepted for compatibility, and without effect: extraction needs no second thread.
    #[allow(dead_code, reason = "a key that users have must be known")]
    pub(crate) use_async: bool,
    /// URL of CloudWatch Logs, for a VPC endpoint.
    pub(crate) endpoint_url: Option<String>,
    /// ARN of a role to assume, in another account for instance.
    pub(crate) role_arn: Option<String>,
    /// External id that the role's trust policy asks for.
    #[serde(deserialize_with = "audit_plugin::config::secret")]
    #[schemars(with = "Option<String>")]
    pub(crate) external_id: Option<Secret>,
    /// Log group, or its ARN; `{cluster}` stands for the cluster's name.
    pub(crate) log_group: String,
    /// Only log streams whose names start so are read.
    pub(crate) log_stream_prefix: String,
    /// CloudWatch filter pattern, applied by CloudWatch.
    pub(crate) filter_pattern: Option<String>,
    /// Where to begin without a checkpoint: `latest`, `beginning`, or a time as in RFC 3339.
    pub(crate) start_position: String,
    /// Seconds before the frontier that each poll reads again, once caught up.
    pub(crate) overlap: Seconds,
    /// Age in seconds at which time is read once more for stragglers; what becomes visible later is lost.
    pub(crate) settle: Seconds,
    /// Calls of FilterLogEvents per second, for all clusters of one account and region.
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub(crate) max_calls_per_second: f64,
    /// URL of the folder for checkpoints: `file:///folder` or `s3://bucket/prefix`. Without it there are none.
    pub(crate) checkpoint: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            shift: Seconds::new(1),
            polling_interval: Seconds::new(5),
            buffer_size: 200,
            use_async: true,
            endpoint_url: None,
            role_arn: None,
            external_id: None,
            log_group: "/aws/eks/{cluster}/cluster".to_owned(),
            log_stream_prefix: "kube-apiserver-audit".to_owned(),
            filter_pattern: None,
            start_position: "latest".to_owned(),
            overlap: Seconds::new(30),
            settle: Seconds::new(300),
            max_calls_per_second: 4.0,
            checkpoint: None,
        }
    }
}

impl Config {
    /// An empty text and a zero are no values: the Go plugin took its defaults for them, and configurations that
    /// are rendered from templates are full of them.
    fn take_defaults_for_empty(&mut self) {
        let defaults = Self::default();
        let texts = [
            &mut self.profile,
            &mut self.region,
            &mut self.endpoint_url,
            &mut self.role_arn,
            &mut self.filter_pattern,
            &mut self.checkpoint,
        ];
        for text in texts {
            text.take_if(|text| text.trim().is_empty());
        }
        self.external_id.take_if(|id| id.expose().is_empty());
        for (text, default) in
            [(&mut self.log_group, defaults.log_group), (&mut self.start_position, defaults.start_position)]
        {
            if text.trim().is_empty() {
                *text = default;
            }
        }
        for (time, default) in
            [(&mut self.polling_interval, defaults.polling_interval), (&mut self.shift, defaults.shift)]
        {
            if time.is_zero() {
                *time = default;
            }
        }
        if self.buffer_size == 0 {
            self.buffer_size = defaults.buffer_size;
        }
    }
}

/// A configuration that can work.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) common: CommonConfig,
    pub(crate) start: StartPosition,
    pub(crate) buffer_size: usize,
}

impl Settings {
    /// Checks what the types do not say.
    pub(crate) fn new(mut config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        config.take_defaults_for_empty();
        let wrong = |message: String| Err(SourceError::new(ErrorKind::Config, message));
        if !(0.01..=1000.0).contains(&config.max_calls_per_second) {
            let found = config.max_calls_per_second;
            return wrong(format!(
                "`max_calls_per_second`: expected a number from 0.01 to 1000, found `{found}`"
            ));
        }
        let start = match config.start_position.as_str() {
            "latest" => StartPosition::Latest { before: config.shift.as_duration() },
            "beginning" => StartPosition::Beginning,
            time => match UnixNanos::parse_rfc3339(time.as_bytes()) {
                Some(time) => StartPosition::At(i64::try_from(time.0 / 1_000_000).unwrap_or(i64::MAX)),
                None => {
                    return wrong(format!(
                        "`start_position`: expected `latest`, `beginning` or a time such as `2026-01-31T09:00:00Z`, found `{time}`"
                    ));
                }
            },
        };
        let buffer_size = usize::try_from(config.buffer_size).unwrap_or(usize::MAX);
        Ok(Self { config, common, start, buffer_size })
    }

    pub(crate) fn session(&self) -> SessionOptions {
        let config = &self.config;
        SessionOptions {
            profile: config.profile.clone(),
            region: config.region.clone(),
            endpoint_url: config.endpoint_url.clone(),
            role_arn: config.role_arn.clone(),
            external_id: config.external_id.clone(),
            max_calls_per_second: config.max_calls_per_second,
        }
    }
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
    fn check_start(position: &str, expect: StartPosition) {
        let settings = settings(|config| config.start_position = position.to_owned());
        assert_eq!(settings.expect("a position").start, expect);
    }

    #[test]
    fn start_positions() {
        check_start("latest", StartPosition::Latest { before: std::time::Duration::from_secs(1) });
        check_start("beginning", StartPosition::Beginning);
        check_start("1970-01-01T00:00:01.5Z", StartPosition::At(1500));
        check_start("1970-01-01T02:00:00+02:00", StartPosition::At(0));
    }

    #[test]
    fn what_is_empty_is_the_default() {
        let settings = settings(|config| {
            config.region = Some(String::new());
            config.profile = Some(" ".to_owned());
            config.role_arn = Some(String::new());
            config.external_id = Some(Secret::new(""));
            config.checkpoint = Some(String::new());
            config.log_group = String::new();
            config.buffer_size = 0;
            config.polling_interval = Seconds::new(0);
            config.shift = Seconds::new(0);
        });
        let settings = settings.expect("settings");
        assert_eq!(format!("{:?}", settings.config), format!("{:?}", Config::default()));
        assert_eq!(settings.buffer_size, 200);
    }

    #[track_caller]
    fn check_error(change: impl FnOnce(&mut Config), key: &str) {
        let error = settings(change).expect_err(key);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(&format!("`{key}`")), "{error}");
    }

    #[test]
    fn what_cannot_work_is_named() {
        check_error(|config| config.start_position = "yesterday".to_owned(), "start_position");
        check_error(|config| config.max_calls_per_second = 0.0, "max_calls_per_second");
        check_error(|config| config.max_calls_per_second = f64::NAN, "max_calls_per_second");
    }
}
