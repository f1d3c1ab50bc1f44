//! Kubernetes audit events: bytes in, events and field values out.
//!
//! This crate owns what an audit event is: how it lies in an envelope ([`envelope`]), what is done when
//! it was cut off or is too large ([`salvage`]), how it is read ([`document`]), and what each field of
//! the public vocabulary says of it ([`fields`], [`mod@extract`]). Any other JSON document can be read by
//! [`Pointer`].
//!
//! **Architecture invariant:** no I/O, no thread, no clock, no log, no cloud and no Falco in here, and
//! therefore nothing that can fail but the data itself. Time comes in as an argument, problems go out as
//! values ([`Rejected`], [`SalvageReason`]).
//!
//! **Architecture invariant:** nothing in here panics, indexes on trust, or recurses without a limit, on
//! any bytes. The fuzz targets under `fuzz/` hold it to that.
//!
//! ```
//! use audit_core::{Argument, FieldId, Index, Limits, UnixNanos, ValueSink, envelope, extract};
//!
//! struct Print;
//! impl ValueSink for Print {
//!     fn value(&mut self, text: &str, _range: Option<std::ops::Range<usize>>) {
//!         assert_eq!(text, "jane");
//!     }
//! }
//!
//! let payload = br#"{"kind":"Event","auditID":"1","user":{"username":"jane"}}"#;
//! let outcome = envelope::split(&payload.to_vec().into(), UnixNanos(0), &Limits::default());
//! let event = &outcome.events[0];
//! let mut index = Index::default();
//! assert!(index.restore(event.places.as_ref(), event.payload.len()));
//! let field = FieldId::all().find(|field| field.spec().display == "User name").ok_or("no such field")?;
//! extract(field, Argument::None, index.view(&event.payload), &mut Print);
//! # Ok::<(), &str>(())
//! ```

pub mod document;
pub mod envelope;
pub mod event;
pub mod extract;
pub mod fields;
pub mod limits;
pub mod salvage;
mod splice;
pub mod time;

pub use document::{Document, Index, ParseError, Places, Pointer};
pub use event::{AuditEvent, EventIdentity, Rejected, RejectedKind, SplitOutcome};
pub use extract::{Argument, ValueSink, extract, extract_at};
pub use fields::FieldId;
pub use limits::Limits;
pub use salvage::SalvageReason;
pub use time::UnixNanos;
