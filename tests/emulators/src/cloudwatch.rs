//! CloudWatch Logs: the part of its JSON 1.1 protocol that reading a log group needs.
//!
//! Owns: an HTTP server on its own thread, the groups and events behind it, its
//! clock, its faults, and the ledger of what it has shown. Does not own: checking
//! signatures (only that one is there, and its time), and the filter patterns for
//! JSON and for space-delimited messages.
//!
//! ```
//! use emulators::cloudwatch::{Config, Emulator, Fault, FaultKind, Generated};
//!
//! let emulator = Emulator::start(Config::default())?;
//! let plan = Generated::backlog(1_000_000, emulator.clock().now_ms() - 3_600_000);
//! emulator.generate("/aws/eks/demo/cluster", plan);
//! emulator.faults().add(Fault::share(FaultKind::Throttling, 0.05));
//! println!("AWS_ENDPOINT_URL={}", emulator.endpoint_url());
//! assert_eq!(emulator.ledger().known(), 1_000_000);
//! # std::io::Result::Ok(())
//! ```
//!
//! What it checks and what not: parameters of FilterLogEvents as AWS documents
//! them; that a call carries an `Authorization` header whose `x-amz-date` is within
//! five minutes of the server's clock. Not: the signature itself, IAM, the region
//! that a call is signed for, retention.

mod answer;
mod books;
mod config;
mod control;
mod emulator;
mod faults;
mod generate;
mod ledger;
mod limiter;
mod operations;
mod page;
mod pattern;
mod server;
mod state;
mod stats;
mod store;
mod story;
mod token;
mod wire;

pub use crate::clock::Clock;
pub use config::Config;
pub use emulator::Emulator;
pub use faults::{ActiveFault, Fault, FaultKind, Faults, When};
pub use generate::{Generated, Lateness, Visibility};
pub use ledger::Ledger;
pub use operations::Operation;
pub use stats::{CallRate, Stats};
pub use store::Event;
pub use story::{Story, StoryError};
