//! [`Trouble`]: why a file cannot be read at the moment, in a form that can be told more than once.

use std::io;
use std::path::Path;

use event_source::{ErrorKind, SourceError};

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What the system answered when `path` was to be read.
    pub(crate) fn of(path: &Path, error: &io::Error) -> Self {
        let name = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => {
                Self::new(ErrorKind::NotFound, format!("`{name}` does not exist: check the path"))
            }
            io::ErrorKind::PermissionDenied => Self::new(
                ErrorKind::Denied,
                format!("`{name}` may not be read: let this process read it and enter its folders"),
            ),
            io::ErrorKind::InvalidData => {
                Self::new(ErrorKind::Corrupt, format!("`{name}` is damaged: {error}"))
            }
            _ => Self::new(ErrorKind::Unavailable, format!("cannot read `{name}`: {error}")),
        }
    }

    /// As an error for the pump.
    pub(crate) fn error(&self) -> SourceError {
        SourceError::new(self.kind, self.message.clone())
    }
}
