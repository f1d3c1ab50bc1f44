//! Azure Event Hubs: the part of its AMQP 1.0 protocol that its SDKs use to send and to read.
//!
//! Owns: an AMQP server on its own thread, the hubs behind it, tokens, owner levels,
//! faults, and the ledger of what it has sent. Does not own: checkpoints (`blob`), nor
//! the service's HTTP interface.
//!
//! ```
//! use emulators::event_hubs::{Config, Emulator, Fault, Generated, Hub};
//!
//! let hub = Hub::new("insights-logs-kube-audit", 8);
//! let emulator = Emulator::start(Config { hubs: vec![hub], ..Config::default() })?;
//! let start_ms = emulator.clock().now_ms() - 3_600_000;
//! let plan = Generated { cut: 0.01, foreign: 0.01, ..Generated::backlog(100_000, start_ms) };
//! emulator.generate("insights-logs-kube-audit", plan);
//! emulator.inject(Fault::Reset { partition: Some("3".into()) });
//! println!("{}", emulator.connection_string(Some("insights-logs-kube-audit")));
//! assert_eq!(emulator.stats().sent, 0);
//! # std::io::Result::Ok(())
//! ```
//!
//! What it checks and what not: signatures, audiences, expiry and rights of tokens; owner
//! levels and the number of readers; the size of messages. Not: the contents of Microsoft
//! Entra ID tokens (only that it is the one configured), TLS client certificates, and what
//! the service does to idle links.

mod config;
mod connection;
mod control;
mod emulator;
mod error;
mod event;
mod faults;
mod generate;
mod ledger;
mod node;
mod peer;
mod position;
mod reader;
mod readers;
mod record;
mod sasl;
mod server;
mod state;
mod stats;
mod store;
mod throughput;
mod tls;
mod token;
mod websocket;
mod writer;

pub use crate::clock::Clock;
pub use config::{Config, Egress, Hub, Offsets, Policy};
pub use emulator::Emulator;
pub use event::Event;
pub use faults::Fault;
pub use generate::{Arrival, Brokenness, Generated};
pub use ledger::{Count, Ledger, Record};
pub use record::Kind;
pub use stats::Stats;
