//! `libk8saudit-eks.so` from end to end: the emulator of CloudWatch Logs on one side, a host on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: they fail by panicking"
)]

#[path = "../shared/real_hosts.rs"]
mod real_hosts;
mod setup;

mod abi;
mod content;
mod faults;
mod hosts;
mod login;
mod loss;
mod memory;
mod moto;
mod opening;
mod pace;
mod restart;
