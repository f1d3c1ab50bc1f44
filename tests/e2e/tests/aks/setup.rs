//! A hub and a container in emulators, the plugin in a host, and how they are compared.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use e2e::{Evaluated, Host, HostOptions, PATIENCE, State, plugin};
use emulators::blob;
use emulators::event_hubs::{Config, Emulator, Hub, Kind};
use serde_json::{Value, json};

pub(crate) const HUB: &str = "insights-logs-kube-audit";
pub(crate) const CONTAINER: &str = "falco";
pub(crate) const PARTITIONS: u32 = 8;

/// What the plugin reads from, and where it keeps how far it came.
pub(crate) struct Azure {
    pub(crate) hubs: Emulator,
    pub(crate) blobs: blob::Emulator,
}

impl Azure {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// A namespace as configured, but for its one hub.
    pub(crate) fn with(config: Config) -> Self {
        let config = Config { hubs: vec![Hub::new(HUB, PARTITIONS)], ..config };
        let hubs = Emulator::start(config).expect("hubs");
        let blobs = blob::Emulator::start(blob::Config::default()).expect("blobs");
        blobs.create_container(CONTAINER);
        Self { hubs, blobs }
    }

    /// The plugin's configuration for them: time shrunk together, changed by `changes`.
    pub(crate) fn config(&self, changes: Value) -> Value {
        let mut config = json!({
            "event_hub_namespace_connection_string": self.hubs.connection_string(None),
            "event_hub_name": HUB,
            "blob_storage_connection_string": self.blobs.connection_string(),
            "blob_storage_container_name": CONTAINER,
            "rate_limit_events_per_second": 0,
            "start_position": "earliest",
            "ownership_expiration": 2,
            "load_balancing_interval": 0.5,
            "checkpoint_interval": 0.5,
            "log_level": "info",
        });
        let members = config.as_object_mut().unwrap();
        members.extend(changes.as_object().expect("an object").clone());
        config
    }

    pub(crate) fn options(&self, changes: Value) -> HostOptions {
        HostOptions::new(plugin("k8saudit-aks"), self.config(changes), "")
    }

    /// The plugin on them, opened.
    pub(crate) fn host(&self, changes: Value) -> Host {
        let host = start(&self.options(changes));
        host.wait(PATIENCE, "open", |state| state.is_open);
        host
    }

    /// The metadata of a partition's blob of that sort (`checkpoint`, `ownership`); empty when it is not there.
    pub(crate) fn blob(&self, sort: &str, partition: u32) -> HashMap<String, String> {
        let name = format!("127.0.0.1/{HUB}/$Default/{sort}/{partition}");
        let found = self.blobs.blobs(CONTAINER).remove(&name);
        found.map(|blob| blob.metadata.into_iter().collect()).unwrap_or_default()
    }

    /// Who owns how many partitions, by what the blobs say.
    pub(crate) fn owners(&self) -> HashMap<String, usize> {
        let mut owners = HashMap::new();
        for partition in 0..PARTITIONS {
            if let Some(owner) =
                self.blob("ownership", partition).remove("ownerid").filter(|it| !it.is_empty())
            {
                *owners.entry(owner).or_default() += 1;
            }
        }
        owners
    }
}

pub(crate) fn start(options: &HostOptions) -> Host {
    Host::start(env!("CARGO_BIN_EXE_e2e-host"), options)
}

/// Waits until `is_so`, which is asked again and again.
#[track_caller]
pub(crate) fn until(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// How often each event was evaluated.
pub(crate) fn count<'e>(evaluated: impl IntoIterator<Item = &'e Evaluated>) -> HashMap<&'e str, u32> {
    let mut counts = HashMap::new();
    for event in evaluated {
        *counts.entry(event.audit_id.as_str()).or_default() += 1;
    }
    counts
}

/// What the emulator's ledger and the hosts' own records say of each other, in audit events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) missing: usize,
    pub(crate) repeated: usize,
    pub(crate) unknown: usize,
}

/// Events that were cut off before the end of their auditID have none, so nobody can tell which of them came.
pub(crate) fn compare(emulator: &Emulator, counts: &HashMap<&str, u32>) -> Comparison {
    let ledger = emulator.ledger(HUB);
    let expected: HashSet<String> =
        [Kind::Audit, Kind::Cut, Kind::Broken].into_iter().flat_map(|kind| ledger.known(kind)).collect();
    let named = || counts.iter().filter(|(id, _)| **id != "-");
    Comparison {
        missing: expected.iter().filter(|id| !counts.contains_key(id.as_str())).count(),
        repeated: named().filter(|(_, times)| **times > 1).count(),
        unknown: named().filter(|(id, _)| !expected.contains(**id)).count(),
    }
}

/// How many events with an auditID were evaluated.
pub(crate) fn named(state: &State) -> usize {
    state.events.iter().filter(|event| event.audit_id != "-").count()
}

/// How many events with an auditID there are.
pub(crate) fn known(emulator: &Emulator) -> usize {
    let ledger = emulator.ledger(HUB);
    [Kind::Audit, Kind::Cut, Kind::Broken].into_iter().map(|kind| ledger.known(kind).len()).sum()
}

/// Every audit event once, and nothing else.
#[track_caller]
pub(crate) fn expect_exactly_once(emulator: &Emulator, host: &Host) {
    let state = host.state();
    let compared = compare(emulator, &count(&state.events));
    assert!(compared == Comparison::default(), "{compared:?}; log: {:#?}", state.log);
}
