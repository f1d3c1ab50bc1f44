//! A cluster's log group in the emulator, the plugin in a host, and how they are compared.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use e2e::{Evaluated, Host, HostOptions, PATIENCE, plugin};
use emulators::cloudwatch::{Config, Emulator};
use serde_json::{Value, json};

pub(crate) const CLUSTER: &str = "prod";
pub(crate) const GROUP: &str = "/aws/eks/prod/cluster";

/// An emulator with the cluster's group.
pub(crate) fn emulator(config: Config) -> Emulator {
    let emulator = Emulator::start(config).expect("emulator");
    emulator.create_group(GROUP);
    emulator
}

/// The plugin's configuration for that emulator: time shrunk together, changed by `changes`.
pub(crate) fn config(emulator: &Emulator, changes: Value) -> Value {
    let mut config = json!({
        "endpoint_url": emulator.endpoint_url(),
        "region": "us-east-1",
        "polling_interval": 0.1,
        "overlap": 0.6,
        "settle": 6,
        "max_calls_per_second": 200,
        "log_level": "info",
    });
    let members = config.as_object_mut().unwrap();
    members.extend(changes.as_object().expect("an object").clone());
    config
}

pub(crate) fn options(emulator: &Emulator, changes: Value) -> HostOptions {
    HostOptions::new(plugin("k8saudit-eks"), config(emulator, changes), CLUSTER)
}

pub(crate) fn start(options: &HostOptions) -> Host {
    Host::start(env!("CARGO_BIN_EXE_e2e-host"), options)
}

/// The plugin on that emulator, opened.
pub(crate) fn host(emulator: &Emulator, changes: Value) -> Host {
    let host = start(&options(emulator, changes));
    host.wait(PATIENCE, "open", |state| state.is_open);
    host
}

/// Waits until `is_so`, which is asked again and again.
#[track_caller]
pub(crate) fn until(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so");
        std::thread::yield_now();
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

/// What the emulator's ledger and the host's own record say of each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) missing: usize,
    pub(crate) repeated: usize,
    pub(crate) unknown: usize,
}

pub(crate) fn compare(emulator: &Emulator, counts: &HashMap<&str, u32>) -> Comparison {
    let expected = emulator.ledger().expected();
    Comparison {
        missing: expected.keys().filter(|id| !counts.contains_key(id.as_str())).count(),
        repeated: counts.values().filter(|times| **times > 1).count(),
        unknown: counts.keys().filter(|id| !expected.contains_key(**id)).count(),
    }
}

/// Every event once, and nothing else.
#[track_caller]
pub(crate) fn expect_exactly_once(emulator: &Emulator, host: &Host) {
    let state = host.state();
    let compared = compare(emulator, &count(&state.events));
    assert!(compared == Comparison::default(), "{compared:?}; log: {:#?}", state.log);
}
