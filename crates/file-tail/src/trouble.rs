//! [`Trouble`]: why a file cannot be read at the moment, in a form that can be told more than once.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

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

    /// What the system answered when `path` was to be read, or what was [`named`] instead.
    pub(crate) fn of(path: &Path, error: &io::Error) -> Self {
        let named = error.get_ref().and_then(|inner| inner.downcast_ref::<Named>());
        let (path, error) = named.map_or((path, error), |named| (&named.path, &named.error));
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

/// An error of another file than the one that is asked for.
#[derive(Debug)]
struct Named {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.error)
    }
}

impl Error for Named {}

/// `error`, so that [`Trouble::of`] tells of `path`.
pub(crate) fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Named { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_told_by_its_name() {
        let error = named(Path::new("audit.log.1"), io::ErrorKind::PermissionDenied.into());
        let trouble = Trouble::of(Path::new("audit.log"), &error);
        assert_eq!(trouble.kind, ErrorKind::Denied);
        assert!(trouble.message.starts_with("`audit.log.1` may not be read"), "{}", trouble.message);
    }
}
