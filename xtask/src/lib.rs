//! The project's own commands, one file each; `cargo xtask` lists them.
//!
//! Owns: building, checking, showing. Does not own: anything that ships. It is a library
//! beside its program because the end-to-end tests run plugins in [`sysdig`] too.

mod apt;
pub mod bench;
pub mod build_plugins;
pub mod codegen;
pub mod demo;
pub mod plugins;
pub mod process;
pub mod run;
pub mod sysdig;
pub mod test;
pub mod workspace;
