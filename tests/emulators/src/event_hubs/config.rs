//! What is fixed when an emulator starts; everything else can be changed while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of an [`Emulator`](super::Emulator); the default is one hub as the service has it, without limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where AMQP, with and without TLS and websockets, is listened for; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the control endpoints (HTTP, `/_emulator/...`) are; `None`: nowhere.
    pub control: Option<SocketAddr>,
    /// The hubs of the namespace.
    pub hubs: Vec<Hub>,
    /// The shared access policies, valid for every hub.
    pub policies: Vec<Policy>,
    /// A Microsoft Entra ID token that is accepted, whatever it holds; no such token when `None`.
    pub bearer: Option<String>,
    /// How events are numbered for clients.
    pub offsets: Offsets,
    /// How long events are kept, by the server's clock; for ever when `None`. 1 to 90 days at Azure.
    pub retention: Option<Duration>,
    /// 1 MB/s or 1,000 events/s in and 2 MB/s or 4,096 events/s out for each; no limit when `None`.
    pub throughput_units: Option<u32>,
    /// What a reader beyond its share meets.
    pub egress: Egress,
    /// What Open says: a client that is silent for so long is dropped. 240 s at Azure.
    pub idle_timeout: Duration,
    /// Largest frame that is accepted, in bytes: 64 KiB at Azure.
    pub max_frame_bytes: u32,
    /// Largest message that is accepted, in bytes: 1 MiB at Azure.
    pub max_message_bytes: u64,
    /// Whether TLS is understood on the same port, with a certificate of its own making.
    pub tls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            hubs: vec![Hub::default()],
            policies: vec![Policy::default()],
            bearer: None,
            offsets: Offsets::Numbers,
            retention: None,
            throughput_units: None,
            egress: Egress::Slower,
            idle_timeout: Duration::from_secs(240),
            max_frame_bytes: 65_536,
            max_message_bytes: 1 << 20,
            tls: false,
        }
    }
}

impl Config {
    pub(crate) fn connection_string(&self, address: SocketAddr, hub: Option<&str>) -> String {
        let policy = &self.policies[0];
        let entity = hub.map(|hub| format!(";EntityPath={hub}")).unwrap_or_default();
        format!(
            "Endpoint=sb://{address};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true{entity}",
            policy.name, policy.key
        )
    }
}

/// An event hub.
#[derive(Clone, Debug, PartialEq)]
pub struct Hub {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// Partitions `0` to `partitions - 1`.
    pub partitions: u32,
    /// Consumer groups besides `$Default`.
    pub groups: Vec<String>,
}

impl Hub {
    /// A hub with no consumer group but `$Default`.
    pub fn new(name: impl Into<String>, partitions: u32) -> Self {
        Self { name: name.into(), partitions, groups: Vec::new() }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new("insights-logs-kube-audit", 4)
    }
}

/// A shared access policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name: `SharedAccessKeyName`.
    pub name: String,
    /// Its key as in a connection string: `SharedAccessKey`, used as text, as the service does.
    pub key: String,
    /// Whether it may read.
    pub listen: bool,
    /// Whether it may send.
    pub send: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            name: "RootManageSharedAccessKey".into(),
            key: "SAS_KEY_VALUE".into(),
            listen: true,
            send: true,
        }
    }
}

/// What `x-opt-offset` looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Numbers that are no sequence numbers: `4296`.
    Numbers,
    /// As of a namespace with geo-replication: strings that are no numbers, `1:g4296`.
    Geo,
}

/// What happens to a reader beyond its share of the throughput units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Events come slower: what Azure documents.
    Slower,
    /// The link is detached with `com.microsoft:server-busy`.
    ServerBusy,
}
