//! [`Hub`]: which Event Hub, and how to reach it.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core_amqp::AmqpTransport;
use azure_messaging_eventhubs::{ConsumerClient, RetryOptions};
use event_source::{ErrorKind, Secret, SourceError};
use url::Url;

use crate::ConnectionString;
use crate::error::HubError;

/// What AMQP travels in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TLS on port 5671.
    #[default]
    Amqp,
    /// Websockets on port 443, for networks that let nothing else out.
    Websockets,
}

/// How the hub knows who asks.
#[derive(Clone)]
enum Credential {
    /// A policy's key, or a signature made with it.
    ConnectionString(Secret),
    /// Microsoft Entra ID.
    Token(Arc<dyn TokenCredential>),
}

/// An Event Hub, and the consumer group that reads it.
#[derive(Clone)]
pub struct Hub {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) consumer_group: String,
    credential: Credential,
    custom_endpoint: Option<String>,
    transport: Transport,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({}/{}/{})", self.namespace, self.name, self.consumer_group)
    }
}

/// Connecting, with TLS, login and a token.
const CONNECT: Duration = Duration::from_secs(15);

impl Hub {
    /// The hub that a connection string names, or `name`, or both alike. `text` is the connection string as written;
    /// `key` is the configuration key that it stood in.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a part is missing, or the names contradict each other.
    pub fn from_connection_string(
        key: &'static str,
        text: &str,
        name: Option<&str>,
        consumer_group: &str,
        transport: Transport,
    ) -> Result<Self, SourceError> {
        let parts = ConnectionString::parse(key, text)?;
        let endpoint = parts.need("Endpoint")?;
        let url = Url::parse(endpoint).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
        let url = url.ok_or_else(|| {
            parts.wrong("`Endpoint` is no address: `sb://NAMESPACE.servicebus.windows.net/`")
        })?;
        if parts.get("SharedAccessSignature").is_none() {
            parts.need("SharedAccessKeyName")?;
            parts.need("SharedAccessKey")?;
        }
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let name = match (parts.get("EntityPath"), name) {
            (Some(path), Some(name)) if !path.eq_ignore_ascii_case(name) => {
                return Err(parts.wrong(&format!(
                    "its `EntityPath` is `{path}`, and the configured hub is `{name}`: remove one of them"
                )));
            }
            (Some(name), _) | (None, Some(name)) => name.to_owned(),
            (None, None) => {
                return Err(parts.wrong("it has no `EntityPath`, and no hub is configured: name one of them"));
            }
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        // The emulator of Azure's makers speaks plain AMQP, on any port.
        let is_emulator = parts.is_true("UseDevelopmentEmulator");
        let custom_endpoint = match (is_emulator, url.port()) {
            (true, port) => Some(format!("amqp://{host}:{}", port.unwrap_or(5672))),
            (false, Some(port)) => Some(format!("amqps://{host}:{port}")),
            (false, None) => None,
        };
        Ok(Self {
            namespace: host,
            name,
            consumer_group: consumer_group.to_owned(),
            credential: Credential::ConnectionString(Secret::new(text)),
            custom_endpoint,
            transport,
        })
    }

    /// A hub of a namespace (`NAME.servicebus.windows.net`, with `:PORT` where it is not 5671), for someone that
    /// Microsoft Entra ID knows.
    pub fn with_identity(
        namespace: &str,
        name: &str,
        consumer_group: &str,
        transport: Transport,
        identity: Arc<dyn TokenCredential>,
    ) -> Self {
        let address = namespace.trim().trim_start_matches("sb://").trim_end_matches('/');
        let (namespace, port) = address.split_once(':').unzip();
        Self {
            namespace: namespace.unwrap_or(address).to_owned(),
            name: name.to_owned(),
            consumer_group: consumer_group.to_owned(),
            credential: Credential::Token(identity),
            custom_endpoint: port.map(|_| format!("amqps://{address}")),
            transport,
        }
    }

    /// How messages call it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// A connection of its own: several partitions on one do not recover from a reset, and share each other's links.
    /// Nothing is retried inside: a retry attaches where the link began, so events would come twice or never.
    pub(crate) async fn connect(&self) -> Result<ConsumerClient, HubError> {
        let retries = RetryOptions { max_retries: 0, ..RetryOptions::default() };
        let transport = match self.transport {
            Transport::Amqp => AmqpTransport::Tcp,
            Transport::Websockets => AmqpTransport::WebSocket,
        };
        let mut builder = ConsumerClient::builder()
            .with_consumer_group(self.consumer_group.clone())
            .with_retry_options(retries)
            .with_transport(transport);
        if let Some(endpoint) = &self.custom_endpoint {
            builder = builder.with_custom_endpoint(endpoint.clone());
        }
        let open = async {
            match &self.credential {
                Credential::ConnectionString(text) => {
                    builder.open_with_connection_string(text.expose(), Some(&self.name)).await
                }
                Credential::Token(identity) => {
                    builder.open(&self.namespace, self.name.clone(), Arc::clone(identity)).await
                }
            }
        };
        match tokio::time::timeout(CONNECT, open).await {
            Ok(client) => Ok(client?),
            Err(_) => Err(HubError::new(
                ErrorKind::Unavailable,
                format!(
                    "no connection to `{}` within {} s; is its port {} reachable?",
                    self.namespace,
                    CONNECT.as_secs(),
                    if self.transport == Transport::Amqp {
                        "5671 (or, with `transport: websockets`, 443)"
                    } else {
                        "443"
                    }
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0";

    #[track_caller]
    fn check(text: &str, name: Option<&str>, expect: Result<(&str, &str, Option<&str>), &str>) {
        let found = Hub::from_connection_string("key", text, name, "$Default", Transport::Amqp);
        match (found, expect) {
            (Ok(hub), Ok((namespace, name, endpoint))) => {
                assert_eq!((hub.namespace.as_str(), hub.name.as_str()), (namespace, name));
                assert_eq!(hub.custom_endpoint.as_deref(), endpoint);
                assert!(!format!("{hub:?}").contains("c2VjcmV0"));
            }
            (Err(error), Err(expect)) => {
                assert!(error.to_string().contains(expect), "{error}");
                assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
            }
            (found, expect) => panic!("{found:?} {expect:?}"),
        }
    }

    #[test]
    fn a_connection_string_names_the_hub() {
        let real = format!("Endpoint=sb://ns.servicebus.windows.net/;{KEYS}");
        let named = format!("{real};EntityPath=audit");
        check(&named, None, Ok(("ns.servicebus.windows.net", "audit", None)));
        check(&named, Some("audit"), Ok(("ns.servicebus.windows.net", "audit", None)));
        check(&named, Some("other"), Err("its `EntityPath` is `audit`, and the configured hub is `other`"));
        check(&real, Some("audit"), Ok(("ns.servicebus.windows.net", "audit", None)));
        check(&real, None, Err("no hub is configured"));
        check(&real, Some(""), Err("no hub is configured"));
    }

    #[test]
    fn the_emulator_is_reached_in_plain_text() {
        let text = format!("Endpoint=sb://127.0.0.1:5673;{KEYS};UseDevelopmentEmulator=true");
        check(&text, Some("audit"), Ok(("127.0.0.1", "audit", Some("amqp://127.0.0.1:5673"))));
        let text = format!("Endpoint=sb://localhost;{KEYS};UseDevelopmentEmulator=true;EntityPath=a");
        check(&text, None, Ok(("localhost", "a", Some("amqp://localhost:5672"))));
        let text = format!("Endpoint=sb://proxy.example:5999/;{KEYS};EntityPath=a");
        check(&text, None, Ok(("proxy.example", "a", Some("amqps://proxy.example:5999"))));
    }

    #[test]
    fn a_missing_part_is_named() {
        check(KEYS, Some("a"), Err("`Endpoint` is missing"));
        check("Endpoint=sb://ns/;SharedAccessKeyName=x", Some("a"), Err("`SharedAccessKey` is missing"));
        check(
            "Endpoint=sb://ns/;SharedAccessKey=c2VjcmV0",
            Some("a"),
            Err("`SharedAccessKeyName` is missing"),
        );
        check(&format!("Endpoint=nonsense;{KEYS}"), Some("a"), Err("`Endpoint` is no address"));
    }
}
