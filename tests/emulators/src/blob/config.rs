//! What is fixed when an emulator starts.

use std::net::{Ipv4Addr, SocketAddr};

/// Settings of an [`Emulator`](super::Emulator); the default is the account of development storage.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account's name.
    pub account: String,
    /// The account's key, in base64.
    pub key: String,
    /// A Microsoft Entra ID token that is accepted; no such token when `None`.
    pub bearer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            account: "devstoreaccount1".into(),
            // Public: the one that every emulator of this service has.
            key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
                .into(),
            bearer: None,
        }
    }
}
