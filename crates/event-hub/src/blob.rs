//! A container in Blob storage, as the place of ownership and checkpoints.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use event_source::{ErrorKind, SourceError, chain};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::{ConnectionString, Identity};

/// A container, and how messages call it.
#[derive(Clone)]
pub struct BlobContainer {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) url: String,
}

impl fmt::Debug for BlobContainer {
    /// The store itself would show its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobContainer({})", self.url)
    }
}

/// The account that Azure's own emulators have built in.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// One request.
const REQUEST: Duration = Duration::from_secs(10);

impl BlobContainer {
    /// The container of the account that a connection string names: with an account key, with a shared access
    /// signature, or `UseDevelopmentStorage=true`. `key` is the configuration key that it stood in.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a part is missing or cannot be used.
    pub fn from_connection_string(
        key: &'static str,
        text: &str,
        container: &str,
    ) -> Result<Self, SourceError> {
        let parts = ConnectionString::parse(key, text)?;
        let is_development = parts.is_true("UseDevelopmentStorage");
        let account = match parts.get("AccountName") {
            Some(account) => Some(account),
            None if is_development => Some(DEVELOPMENT_ACCOUNT),
            None => None,
        };
        let endpoint = match (parts.get("BlobEndpoint"), account) {
            (Some(endpoint), _) if endpoint.contains('?') => {
                return Err(
                    parts.wrong("`BlobEndpoint` has a signature in it: write it as `SharedAccessSignature`")
                );
            }
            (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
            (None, Some(account)) if is_development => format!("http://127.0.0.1:10000/{account}"),
            (None, Some(account)) => {
                let protocol = parts.get("DefaultEndpointsProtocol").unwrap_or("https");
                let suffix = parts.get("EndpointSuffix").unwrap_or("core.windows.net");
                format!("{protocol}://{account}.blob.{suffix}")
            }
            (None, None) => return Err(parts.wrong("`AccountName` is missing, and so is `BlobEndpoint`")),
        };
        let account = match account {
            Some(account) => account.to_owned(),
            // `https://ACCOUNT.blob.core.windows.net`, as a connection string with a signature has it.
            None => endpoint
                .split("//")
                .nth(1)
                .and_then(|host| host.split(['.', '/']).next())
                .unwrap_or_default()
                .to_owned(),
        };
        let builder = builder(&account, &endpoint, container);
        let builder = match (parts.get("AccountKey"), parts.get("SharedAccessSignature")) {
            (Some(key), _) => builder.with_access_key(key).with_credential_type("access_key"),
            (None, Some(signature)) => builder
                .with_config(AzureConfigKey::SasKey, signature.trim_start_matches('?'))
                .with_credential_type("sas_token"),
            (None, None) if is_development => {
                builder.with_access_key(DEVELOPMENT_KEY).with_credential_type("access_key")
            }
            (None, None) => {
                return Err(parts.wrong("`AccountKey` is missing, and so is `SharedAccessSignature`"));
            }
        };
        let built = builder.build().map_err(|error| parts.wrong(&plain(&error)))?;
        Ok(Self::new(built, &endpoint, container))
    }

    /// The container of an account (`https://ACCOUNT.blob.core.windows.net`), for someone that Microsoft Entra ID
    /// knows. `key` is the configuration key of the address.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when that is no address.
    pub fn with_identity(
        key: &str,
        account_url: &str,
        container: &str,
        identity: &Identity,
    ) -> Result<Self, SourceError> {
        let wrong = |why: &str| {
            SourceError::new(
                ErrorKind::Config,
                format!("`{key}`: expected an address such as `https://ACCOUNT.blob.core.windows.net`{why}"),
            )
        };
        let endpoint = account_url.trim().trim_end_matches('/');
        let account = endpoint
            .strip_prefix("https://")
            .and_then(|host| host.split_once('.'))
            .map(|(account, _)| account);
        // A signature has no place here, and must not be shown.
        let account = account.filter(|account| !account.is_empty() && !endpoint.contains('?'));
        let account = account.ok_or_else(|| wrong(""))?;
        let builder = identity.configure(builder(account, endpoint, container));
        let built = builder.build().map_err(|error| wrong(&format!(": {}", plain(&error))))?;
        Ok(Self::new(built, endpoint, container))
    }

    fn new(store: MicrosoftAzure, endpoint: &str, container: &str) -> Self {
        Self { store: Arc::new(store), url: format!("{endpoint}/{container}") }
    }
}

fn builder(account: &str, endpoint: &str, container: &str) -> MicrosoftAzureBuilder {
    // Closing has 5 s for everything; whatever fails is tried again by those who ask.
    let retry = RetryConfig {
        max_retries: 1,
        retry_timeout: Duration::from_secs(5),
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(500),
            base: 2.0,
        },
    };
    let options =
        ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(REQUEST / 2).with_allow_http(true);
    MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_endpoint(endpoint.to_owned())
        .with_container_name(container)
        .with_retry(retry)
        .with_client_options(options)
}

/// What the builder says, which may hold what it was given: only known texts are passed on.
fn plain(error: &object_store::Error) -> String {
    let text = chain(error);
    for known in ["decode", "base64", "URL", "url", "SAS", "container"] {
        if text.contains(known) {
            return format!("it is not accepted ({known})");
        }
    }
    "it is not accepted".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0";

    #[track_caller]
    fn check(text: &str, expect: Result<&str, &str>) {
        let found = BlobContainer::from_connection_string("key", text, "falco");
        match (found, expect) {
            (Ok(container), Ok(url)) => {
                assert_eq!(container.url, url);
                let shown = format!("{container:?}");
                assert!(!shown.contains(KEY), "{shown}");
            }
            (Err(error), Err(expect)) => {
                let text = chain(&error);
                assert!(text.contains(expect) && !text.contains(KEY), "{text}");
            }
            (found, expect) => panic!("{found:?} {expect:?}"),
        }
    }

    #[test]
    fn all_ways_to_name_an_account() {
        check(&format!("AccountName=acme;AccountKey={KEY}"), Ok("https://acme.blob.core.windows.net/falco"));
        check(
            &format!(
                "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
            ),
            Ok("https://acme.blob.core.chinacloudapi.cn/falco"),
        );
        check(
            &format!(
                "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=2022&sig={KEY}"
            ),
            Ok("https://acme.blob.core.windows.net/falco"),
        );
        check(
            &format!(
                "AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:9/devstoreaccount1"
            ),
            Ok("http://127.0.0.1:9/devstoreaccount1/falco"),
        );
        check("UseDevelopmentStorage=true", Ok("http://127.0.0.1:10000/devstoreaccount1/falco"));
    }

    #[test]
    fn what_is_missing_is_named() {
        check(&format!("AccountKey={KEY}"), Err("`AccountName` is missing"));
        check("AccountName=acme", Err("`AccountKey` is missing"));
        check("AccountName=acme;AccountKey=###c2VjcmV0", Err("is not accepted"));
    }
}
