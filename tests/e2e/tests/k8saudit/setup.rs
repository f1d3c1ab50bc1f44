//! The plugin in a host, an API server that posts to it, and how they are compared.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use e2e::{Host, HostOptions, PATIENCE, State, plugin};
use emulators::api_server::{Batch, Config};
use emulators::cloudwatch::Generated;
use serde_json::Value;

pub(crate) const PATH: &str = "/k8s-audit";

/// The plugin on what `open` names, opened.
pub(crate) fn host(config: Value, open: &str) -> Host {
    let options = HostOptions::new(plugin("k8saudit"), config, open);
    let host = Host::start(env!("CARGO_BIN_EXE_e2e-host"), &options);
    host.wait(PATIENCE, "open", |state| state.is_open);
    host
}

/// The plugin as a webhook, and where it listens.
pub(crate) fn webhook(config: Value, scheme: &str) -> (Host, SocketAddr) {
    let host = host(config, &format!("{scheme}://127.0.0.1:0{PATH}"));
    let address = |state: &State| {
        let line = state.log.iter().find_map(|line| line.text.split_once("listening on "))?.1;
        line.split_whitespace().next()?.parse().ok()
    };
    host.wait(PATIENCE, "it tells where it listens", |state| address(state).is_some());
    let address = address(&host.state()).unwrap();
    (host, address)
}

/// An API server that posts the events of a plan, 400 at a time at most.
pub(crate) fn api_server(address: SocketAddr, plan: &Generated, senders: u32) -> Config {
    let plan = plan.clone();
    Config {
        address,
        path: PATH.to_owned(),
        senders,
        is_http2: false,
        count: plan.count,
        event: Arc::new(move |index| plan.message(index)),
        batch: 400,
        resets: 0.0,
    }
}

/// How often each event was evaluated.
pub(crate) fn counts(host: &Host) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    for event in &host.state().events {
        *counts.entry(event.audit_id.clone()).or_default() += 1;
    }
    counts
}

/// What the senders' records and the host's say of each other, in events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Confirmed and never evaluated.
    pub(crate) missing: usize,
    /// Evaluated more than once although every attempt was answered.
    pub(crate) repeated: usize,
    /// Evaluated more than once where an attempt had got no answer.
    pub(crate) repeated_unanswered: usize,
}

pub(crate) fn compare(plan: &Generated, batches: &[Batch], counts: &HashMap<String, u32>) -> Comparison {
    let mut comparison = Comparison::default();
    for batch in batches {
        for index in batch.events.clone() {
            match counts.get(&plan.id(index)) {
                None => comparison.missing += 1,
                Some(1) => {}
                Some(_) if batch.unanswered > 0 => comparison.repeated_unanswered += 1,
                Some(_) => comparison.repeated += 1,
            }
        }
    }
    comparison
}
