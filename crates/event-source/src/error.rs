//! [`SourceError`]: what went wrong, of a kind that a caller can act on.

use std::error::Error;
use std::fmt;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Too many calls: wait, then go on.
    Throttled,
    /// The service or the way to it does not work at the moment: wait, then go on.
    Unavailable,
    /// Credentials ran out: they are renewed on the next try.
    Expired,
    /// A permission is missing.
    Denied,
    /// A group, hub, bucket or file is not there.
    NotFound,
    /// The configuration cannot work.
    Config,
    /// Something stored or received is not what it should be.
    Corrupt,
}

impl ErrorKind {
    /// Every kind, in the order of the metrics.
    pub const ALL: [Self; 7] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Expired,
        Self::Denied,
        Self::NotFound,
        Self::Config,
        Self::Corrupt,
    ];

    /// The name in messages and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Config => "config",
            Self::Corrupt => "corrupt",
        }
    }

    /// Whether it is likely to pass by itself, so that opening may go on in spite of it.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable)
    }

    /// Whether no retry can help, also while running.
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::Config | Self::Corrupt)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error of a source: its kind, one line for the user, and what caused it.
#[derive(Debug)]
pub struct SourceError {
    kind: ErrorKind,
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// An error of that kind; `message` names the resource and, where the user can take one, the next step.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// The same, with what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What a caller can do about it.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// An error and all its causes in one line, for hosts that print only the outermost message.
///
/// A cause that the text before it already ends with is not repeated.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line_without_repeats() {
        let inner = SourceError::new(ErrorKind::Unavailable, "connection reset");
        let middle = SourceError::new(ErrorKind::Unavailable, "connection reset").because(inner);
        let outer = SourceError::new(ErrorKind::Unavailable, "cannot read `group`").because(middle);
        assert_eq!(chain(&outer), "cannot read `group`: connection reset");
    }
}
