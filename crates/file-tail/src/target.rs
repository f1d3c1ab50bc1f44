//! [`Target`]: what to read, as a user writes it.

use std::path::PathBuf;

use event_source::{ErrorKind, SourceError};
use url::Url;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard input, to its end.
    Stdin,
    /// A file, or the files of a folder, once.
    Path(PathBuf),
    /// A file, as it grows.
    Follow(PathBuf),
}

impl Target {
    /// Reads `-`, `PATH`, or `file:///PATH` (with `%20` and the like).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is empty, or a URL that names no file of this machine.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let config =
            |why: &str| Err(SourceError::new(ErrorKind::Config, format!("`{text}` names no file: {why}")));
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
            let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
            return match path {
                Some(path) if path.parent().is_some() => Ok(Self::Follow(path)),
                _ => config("write it as `file:///path`, with three slashes"),
            };
        }
        if text.is_empty() { config("it is empty") } else { Ok(Self::Path(text.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<Target>) {
        let target = Target::parse(text);
        assert_eq!(target.as_ref().ok(), expect.as_ref(), "{target:?}");
        assert!(target.is_ok() || target.is_err_and(|error| error.kind() == ErrorKind::Config));
    }

    #[test]
    fn what_a_user_writes() {
        check("-", Some(Target::Stdin));
        check("audit.log", Some(Target::Path("audit.log".into())));
        check("/var/log/audit.log.gz", Some(Target::Path("/var/log/audit.log.gz".into())));
        check("file:///var/log/audit.log", Some(Target::Follow("/var/log/audit.log".into())));
        check("FILE:///a%20b", Some(Target::Follow("/a b".into())));
        check("file://localhost/a", Some(Target::Follow("/a".into())));
        check("file:/a", Some(Target::Follow("/a".into())));
        check("file://var/log/audit.log", None);
        check("file:///", None);
        check("", None);
    }
}
