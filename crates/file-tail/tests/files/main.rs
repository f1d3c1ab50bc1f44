//! Files, read once and followed, as a consumer sees them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod checkpoints;
mod desk;
mod follow;
mod once;
mod pump;
mod rotation;
mod truncation;
