//! Servers that stand in for cloud services in tests and in the demo.
//!
//! Owns: the wire behaviour of those services, faults on request, and a record
//! of what was served. Does not own: any opinion on how a client should behave;
//! it depends on none of the project's crates, so that what it counts is
//! independent of what they count.
//!
//! Everything listens on loopback and needs neither credentials nor a network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test double: a broken emulator must stop the test at once, with a backtrace"
)]

pub mod api_server;
pub mod blob;
mod clock;
pub mod cloudwatch;
pub mod event_hubs;
mod http;
mod random;
mod wire;
