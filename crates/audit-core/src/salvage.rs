//! Events that were cut off, damaged or too large: what can be kept of them, as a valid event.
//!
//! - **Cut off** (`salvage/repair.rs`): everything that was complete before the cut stays, byte for byte, and
//!   what was open is closed. A value is either exact or absent: a half string, a number that may go on, a key
//!   without its value are left out, and so are objects and arrays of which nothing is complete. An object
//!   that was cut in the middle keeps its complete members, as an element of a list, too: a list gives its
//!   complete elements, and behind them at most what is known of the one that was cut.
//! - **Too large** (`salvage/shrink.rs`): `responseObject`, then every `managedFields`, then `requestObject`
//!   become `{}`, until the event fits. If the rest alone is still too large (a user agent of a megabyte), the
//!   members are kept in the order of what they tell, each with at most half of the room that is left: a long
//!   string keeps its beginning, a list its first elements, an object those members that fit.
//! - **Misspelt** (`salvage/mend.rs`): single quotes for double ones, raw control characters and stray backslashes
//!   in strings. Where an envelope is known to arrive like that, they are written as JSON has them, and nothing
//!   is missing.
//! - Each event that lost parts carries the annotation [`TRUNCATED`], and where its `stageTimestamp` is lost, that of its
//!   envelope.
//!
//! Memory is bounded by a multiple of the event's size: two or three copies as a rule, and ten for one that was
//! made of nothing but parts that are nested too deep.

mod mend;
mod repair;
mod shrink;

pub(crate) use mend::mend;
pub(crate) use repair::repair;
pub(crate) use shrink::shrink;

/// The annotation (with the value `true`) by which a salvaged event is known.
pub const TRUNCATED: &str = "k8saudit/truncated";

/// What logs and other carriers write at the end of a line that they cut off.
pub(crate) const CUT_MARK: &[u8] = b"[Truncated...]";

/// Why an event is not as it was written. The later ones are the graver ones: they lose more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SalvageReason {
    /// It had bytes that are not UTF-8; each sequence of them became U+FFFD. Nothing else is missing, and
    /// the event is not marked by an annotation.
    InvalidUtf8,
    /// Parts that were nested deeper than [`MAX_DEPTH`](crate::limits::MAX_DEPTH) became `null`.
    TooDeep,
    /// It was larger than the limit.
    TooLarge,
    /// It was not JSON from some byte on, and ends there.
    Malformed,
    /// It was cut off.
    Truncated,
}

impl SalvageReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [SalvageReason; 5] = [
        SalvageReason::InvalidUtf8,
        SalvageReason::TooDeep,
        SalvageReason::TooLarge,
        SalvageReason::Malformed,
        SalvageReason::Truncated,
    ];

    /// The reason's name in logs and metrics, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            SalvageReason::InvalidUtf8 => "invalid_utf8",
            SalvageReason::TooDeep => "too_deep",
            SalvageReason::TooLarge => "too_large",
            SalvageReason::Malformed => "malformed",
            SalvageReason::Truncated => "truncated",
        }
    }

    /// Whether parts of the event are missing, so that it must say so.
    pub(crate) fn loses_parts(self) -> bool {
        self > SalvageReason::InvalidUtf8
    }
}
