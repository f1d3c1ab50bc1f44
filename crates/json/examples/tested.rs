//! The plugin once more, from the same sources, where the tests find it.

#[path = "../src/lib.rs"]
mod plugin;
