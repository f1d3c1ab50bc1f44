//! `libk8saudit-aks.so` from end to end: emulators of Event Hubs and Blob storage on one side, a host on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: they fail by panicking"
)]

mod azurite;
mod setup;

mod content;
mod faults;
mod interop;
mod loss;
mod network;
mod opening;
mod pace;
mod restart;
mod sharing;
