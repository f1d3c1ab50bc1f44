//! A webhook over loopback: the real pump reads it, real clients post to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: they fail by panicking"
)]

mod answers;
mod bounds;
mod certificates;
mod client;
mod confirmation;
mod hook;
mod stalls;
mod tls;
