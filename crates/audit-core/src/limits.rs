//! Every bound of this crate, with what happens beyond it.

/// How deep a document may be nested, counted in open objects and arrays.
///
/// The API server's own decoder gives up at 10,000, the reference plugin's at 300; the deepest things seen
/// are the schemas of custom resource definitions, at some 60.
/// A part of an event that lies deeper is replaced by `null`, and the event is marked as salvaged
/// ([`SalvageReason::TooDeep`](crate::SalvageReason::TooDeep)), so that one event in stays one event out.
/// Extraction skips what it is not asked for by counting brackets, and needs no such bound.
pub const MAX_DEPTH: usize = 512;

/// The largest payload that an [`Index`](crate::Index) can describe, in bytes: its positions are 32 bits wide.
/// A larger one is a [`ParseError`](crate::ParseError) for the index, and rejected by the envelope
/// ([`RejectedKind::TooLarge`](crate::RejectedKind::TooLarge)).
pub const MAX_PAYLOAD: usize = u32::MAX as usize - 1;

/// The largest document, in bytes, of which an index remembers where strings and brackets are. It takes five eighths
/// of that in memory. A larger one is read anew for each place that is looked into.
pub(crate) const MAX_MARKED: usize = 1 << 20;

/// The largest document, in bytes, for which that memory is kept; what a larger one takes is let go with the next.
pub(crate) const KEPT_MARKED: usize = 256 << 10;

/// The largest indented text of a document ([`Document::indented`](crate::Document::indented)), in bytes.
///
/// Indenting makes an event two to three times as large, and one that is meant to, a thousand times: beyond this
/// bound a document is told on one line.
pub const MAX_INDENTED: usize = 32 << 20;

/// What the caller's configuration bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size in bytes up to which an event goes to Falco as it is; a larger one is salvaged
    /// ([`crate::salvage`]), not dropped.
    /// It holds for the event as Falco sees it, that is with the annotations that an envelope added.
    /// Values below [`Limits::MIN_EVENT_SIZE`] count as that.
    pub max_event_size: usize,
}

impl Limits {
    /// Room for who did what to which object, below which salvage could not keep its promise.
    pub const MIN_EVENT_SIZE: usize = 4096;

    /// The bound that is applied: `max_event_size`, but never below [`Limits::MIN_EVENT_SIZE`].
    pub fn event_size(&self) -> usize {
        self.max_event_size.max(Self::MIN_EVENT_SIZE)
    }
}

impl Default for Limits {
    /// 1 MiB: what one CloudWatch Logs event can hold.
    fn default() -> Self {
        Limits { max_event_size: 1 << 20 }
    }
}
