//! A host for Falco plugins: loads any plugin's `.so` with `dlopen` and drives its
//! C ABI in the order, with the structures and with the limits that libscap and
//! libsinsp have.
//!
//! Owns: symbols, versions, the memory that crosses the boundary, event numbers, and
//! the text form of field requests. Does not own: any particular plugin, rules,
//! filters, output.
//!
//! ```no_run
//! use plugin_host::{Batch, Library};
//!
//! let library = Library::load("/usr/share/falco/plugins/libexample.so")?;
//! let plugin = library.init(r#"{"level": 3}"#, |level, line| eprintln!("{level}: {line}"))?;
//! let colour = library.request("example.colour")?;
//! let mut source = plugin.open("everything")?;
//! loop {
//!     match source.next_batch() {
//!         Batch::Events(events) => {
//!             for event in events {
//!                 println!("{} {:?}", event.number(), plugin.extract_one(&event, &colour)?);
//!             }
//!         }
//!         Batch::Timeout => continue,
//!         Batch::Eof => break,
//!         Batch::Failure(why) => return Err(why.into()),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Left out, because no audit plugin has them: event parsing, asynchronous events,
//! capture listening, `set_config`, and checking the configuration against the init
//! schema beyond "is it JSON" (Falco does that with valijson).
#![allow(
    unsafe_code,
    reason = "a plugin is a C library: this crate is where its pointers are turned into Rust"
)]

mod error;
mod event;
mod extract;
mod field;
mod library;
mod log;
mod metric;
mod plugin;
mod prepared;
mod source;
mod symbols;
mod tables;
mod version;

pub use error::Error;
pub use event::{Event, EventBuffer, HEADER_LEN};
pub use extract::{Extracted, Offset, Value};
pub use field::{Argument, Field, FieldType, Request};
pub use library::Library;
pub use log::Level;
pub use metric::{Meter, Metric, MetricKind, MetricValue};
pub use plugin::Plugin;
pub use prepared::Prepared;
pub use source::{Batch, Events, Source};
pub use version::Version;
