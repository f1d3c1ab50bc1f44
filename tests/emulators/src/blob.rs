//! Azure Blob storage: the part that checkpoint stores and object stores use.
//!
//! Owns: block blobs with metadata, ETags and conditions, containers, lists, the check
//! of signatures, and faults. Does not own: blocks, leases, snapshots, tiers, what a shared
//! access signature permits.
//!
//! ```
//! use emulators::blob::{Config, Emulator, Fault, FaultKind};
//!
//! let emulator = Emulator::start(Config::default())?;
//! emulator.create_container("checkpoints");
//! emulator.inject(Fault::next(FaultKind::ServerBusy, 2));
//! println!("{}", emulator.connection_string());
//! # std::io::Result::Ok(())
//! ```
//!
//! The account is part of the path, as with other emulators: `http://127.0.0.1:PORT/ACCOUNT`.

mod config;
mod emulator;
mod error;
mod faults;
mod list;
mod operation;
mod server;
mod signature;
mod store;

pub use config::Config;
pub use emulator::Emulator;
pub use faults::{Fault, FaultKind};
pub use operation::Operation;
pub use store::Blob;
