//! [`Session`]: credentials, region and clients; everything that several tails share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use event_source::checkpoint::CheckpointStore;
use event_source::{ErrorKind, Secret, SourceError};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::path::Path;
use object_store::{BackoffConfig, CredentialProvider, RetryConfig as ObjectRetry};
use url::Url;

use crate::budget::{BudgetKey, CallBudget};
use crate::clock::{DateObserver, ServerClock};

/// How to reach AWS; what is `None` comes from the environment or the SDK's own chain.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Profile of the shared configuration files.
    pub profile: Option<String>,
    /// Region of the log groups.
    pub region: Option<String>,
    /// Where CloudWatch Logs is reached, for a VPC endpoint; other services are not touched by it.
    pub endpoint_url: Option<String>,
    /// A role to assume first, in another account for instance.
    pub role_arn: Option<String>,
    /// What that role's trust policy asks for.
    pub external_id: Option<Secret>,
    /// Calls of `FilterLogEvents` per second, for all tails of the process in one account and region.
    pub max_calls_per_second: f64,
}

/// Credentials and clients for tails.
#[derive(Clone, Debug)]
pub struct Session {
    options: SessionOptions,
    config: SdkConfig,
    /// By region: what is wrong with the local clock is told once, not once per tail.
    clocks: Arc<Mutex<HashMap<String, Arc<ServerClock>>>>,
}

/// One region's client, clock and budget.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) clock: Arc<ServerClock>,
    pub(crate) budget: Arc<CallBudget>,
    pub(crate) region: String,
}

/// A connection that takes longer will not come.
const CONNECT: Duration = Duration::from_secs(5);
/// A page of 1 MB takes well below a second; a peer that says nothing for that long is gone.
const ANSWER: Duration = Duration::from_secs(20);

impl Session {
    /// Loads the configuration. Credentials are asked for with the first call, not before.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the system has no root certificates: the SDK would panic over that.
    pub async fn load(options: SessionOptions) -> Result<Self, SourceError> {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let message = "this system has no root certificates to check AWS's with: install `ca-certificates`, or name a bundle in `SSL_CERT_FILE`";
            let error = SourceError::new(ErrorKind::Config, message);
            return Err(match found.errors.into_iter().next() {
                Some(cause) => error.because(cause),
                None => error,
            });
        }
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(ANSWER).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Each call is counted against the budget, and the cursor moves between tries.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        let profile = options.profile.clone().or_else(|| variable("AWS_PROFILE"));
        if let Some(profile) = profile.or_else(|| variable("AWS_DEFAULT_PROFILE")) {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = options.region.clone() {
            loader = loader.region(Region::new(region));
        }
        let mut config = loader.load().await;
        if let Some(role) = &options.role_arn {
            let mut provider =
                AssumeRoleProvider::builder(role).session_name("cloudwatch-tail").configure(&config);
            if let Some(id) = &options.external_id {
                provider = provider.external_id(id.expose());
            }
            let credentials = SharedCredentialsProvider::new(provider.build().await);
            config = config.into_builder().credentials_provider(credentials).build();
        }
        Ok(Self { options, config, clocks: Arc::default() })
    }

    /// The session's own region; `None` when neither configuration nor environment names one.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    /// A client for `region`, or the session's own.
    pub(crate) fn connect(&self, region: Option<&str>) -> Result<Connection, SourceError> {
        let region = region.or(self.region()).ok_or_else(|| {
            let message = "no AWS region is configured: set `region`, or the variable `AWS_REGION`";
            SourceError::new(ErrorKind::Config, message)
        })?;
        let clock = {
            let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clocks.entry(region.to_owned()).or_default())
        };
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .interceptor(DateObserver(Arc::clone(&clock)));
        if let Some(url) = &self.options.endpoint_url {
            config = config.endpoint_url(url);
        }
        let key = BudgetKey {
            account: format!("{:?}", (&self.options.profile, &self.options.role_arn)),
            region: region.to_owned(),
            endpoint: self.options.endpoint_url.clone().unwrap_or_default(),
        };
        Ok(Connection {
            client: Client::from_conf(config.build()),
            clock,
            budget: CallBudget::shared(key, self.options.max_calls_per_second),
            region: region.to_owned(),
        })
    }

    /// The store of a checkpoint URL: `file:///folder`, or `s3://bucket/prefix` in the session's region, with
    /// the session's credentials.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for any other URL.
    pub fn checkpoint_store(&self, url: &str) -> Result<CheckpointStore, SourceError> {
        let wrong = |why: &str| {
            let message = format!(
                "`checkpoint` is no URL of a store: {why}; write `file:///folder` or `s3://bucket/prefix`"
            );
            SourceError::new(ErrorKind::Config, message)
        };
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a name or a password, where the AWS credentials are used"));
        }
        match url.scheme() {
            "file" => CheckpointStore::local(&url),
            "s3" => self.s3(&url),
            other => Err(wrong(&format!("`{other}` is not supported"))),
        }
    }

    fn s3(&self, url: &Url) -> Result<CheckpointStore, SourceError> {
        let config = |why: String| {
            SourceError::new(ErrorKind::Config, format!("the checkpoint store `{url}` cannot be used: {why}"))
        };
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| config("it names no bucket".to_owned()))?;
        let region = self.region().ok_or_else(|| config("no region is configured".to_owned()))?;
        let credentials = self.config.credentials_provider();
        let credentials = credentials.ok_or_else(|| config("there are no credentials".to_owned()))?;
        // Closing takes 2.5 s at most.
        let retry = ObjectRetry {
            max_retries: 2,
            retry_timeout: Duration::from_secs(2),
            backoff: BackoffConfig::default(),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_credentials(Arc::new(SessionCredentials(credentials)))
            .with_retry(retry);
        let endpoint =
            variable("AWS_ENDPOINT_URL_S3").or_else(|| self.config.endpoint_url().map(str::to_owned));
        if let Some(endpoint) = endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|error| config(error.to_string()))?;
        let prefix = Path::parse(url.path().trim_matches('/')).map_err(|error| config(error.to_string()))?;
        Ok(CheckpointStore::new(Arc::new(store), prefix, url.as_str().trim_end_matches('/')))
    }
}

/// The session's credentials for the object store, which would otherwise look for some by itself.
#[derive(Debug)]
struct SessionCredentials(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for SessionCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self.0.provide_credentials().await;
        let found = found.map_err(|error| object_store::Error::Unauthenticated {
            path: "AWS credentials".to_owned(),
            source: Box::new(error),
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
