//! `libk8saudit.so` from end to end: an API server's webhook or its files on one side, a host on the other.
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

mod access;
mod files;
mod hosts;
mod pace;
mod restart;
mod storm;
