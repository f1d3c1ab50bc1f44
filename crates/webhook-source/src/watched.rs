//! [`Watched`]: something that is read from files, and read again when they change.
//!
//! Content is compared, not times: a mounted Secret changes by a symbolic link, and a restored file may be older
//! than the one before. What is compared are hashes, so no second copy of a key stays in memory.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use event_source::{ErrorKind, SourceError, chain};

use crate::WebhookMetrics;

/// What a file with certificates, a key or a token may hold; more is another file, named by mistake.
const MOST: u64 = 1 << 20;

/// What `files` make, now.
pub(crate) struct Watched<V> {
    /// As a log line calls it.
    what: &'static str,
    files: Arc<[PathBuf]>,
    make: Make<V>,
    hasher: RandomState,
    current: Mutex<Arc<V>>,
    looked: Mutex<Looked>,
}

/// Makes it of the contents of the files, in their order.
type Make<V> = Box<dyn Fn(&[Vec<u8>]) -> Result<V, SourceError> + Send + Sync>;

/// What the looks so far have found.
#[derive(Debug, Default)]
struct Looked {
    /// Of the contents that are in use.
    in_use: u64,
    /// The failure of the look before, and whether it was told.
    failure: Option<(String, bool)>,
}

impl<V: Send + Sync + 'static> Watched<V> {
    /// Reads it for the first time.
    pub(crate) async fn open(
        what: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<V, SourceError> + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let files: Arc<[PathBuf]> = files.into();
        let contents = read_all(what, Arc::clone(&files)).await?;
        let hasher = RandomState::new();
        let looked = Looked { in_use: hasher.hash_one(&contents), failure: None };
        let current = Mutex::new(Arc::new(make(&contents)?));
        Ok(Self { what, files, make: Box::new(make), hasher, current, looked: Mutex::new(looked) })
    }

    /// What is in use.
    pub(crate) fn current(&self) -> Arc<V> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks whether the files have changed. What cannot be used leaves in use what is.
    pub(crate) async fn look(&self, name: &str, metrics: &WebhookMetrics) {
        let contents = read_all(self.what, Arc::clone(&self.files)).await;
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (what, hash) = (self.what, contents.as_ref().ok().map(|contents| self.hasher.hash_one(contents)));
        if hash == Some(looked.in_use) {
            if let Some((_, true)) = looked.failure.take() {
                log::info!("`{name}`: the {what} is again as it was");
            }
            return;
        }
        match contents.and_then(|contents| (self.make)(&contents)) {
            Ok(value) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                *looked = Looked { in_use: hash.unwrap_or_default(), failure: None };
                metrics.reloads.increment();
                log::info!("`{name}`: the changed {what} is in use from now on");
            }
            Err(error) => {
                metrics.reload_errors.increment();
                let error = chain(&error);
                // A certificate and its key are written one after the other: the first failure may be that.
                let is_told = match &looked.failure {
                    Some((before, is_told)) if *before == error => {
                        if !is_told {
                            log::error!(
                                "`{name}`: the {what} has changed and cannot be used, the one before stays: {error}"
                            );
                        }
                        true
                    }
                    _ => false,
                };
                looked.failure = Some((error, is_told));
            }
        }
    }
}

impl<V> fmt::Debug for Watched<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("what", &self.what)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The contents of all files; a file system may be slow, so on a thread for that.
async fn read_all(what: &'static str, files: Arc<[PathBuf]>) -> Result<Vec<Vec<u8>>, SourceError> {
    let read = move || {
        let contents = files.iter().map(|path| {
            read_one(path).map_err(|error| {
                let kind = match error.kind() {
                    io::ErrorKind::NotFound => ErrorKind::NotFound,
                    io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                    _ => ErrorKind::Config,
                };
                let path = path.display();
                let message = format!("cannot read the {what} `{path}`: check that it is there and readable");
                SourceError::new(kind, message).because(error)
            })
        });
        contents.collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|ended| {
        Err(SourceError::new(ErrorKind::Unavailable, format!("cannot read the {what}")).because(ended))
    })
}

fn read_one(path: &PathBuf) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for whoever writes into it.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MOST {
        return Err(io::Error::other(format!("it is no file of at most {MOST} bytes")));
    }
    let mut contents = Vec::new();
    std::fs::File::open(path)?.take(MOST).read_to_end(&mut contents)?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::logged;

    #[tokio::test]
    async fn what_cannot_be_used_leaves_in_use_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let number = Watched::open("number", vec![path.clone()], |contents: &[Vec<u8>]| {
            let text = String::from_utf8_lossy(&contents[0]).into_owned();
            text.parse::<u32>().map_err(|error| SourceError::new(ErrorKind::Config, error.to_string()))
        })
        .await
        .unwrap();
        let metrics = WebhookMetrics::default();
        for (text, expect) in [("1", (1, 0, 0)), ("2", (2, 1, 0)), ("x", (2, 1, 1)), ("3", (3, 2, 1))] {
            std::fs::write(&path, text).unwrap();
            number.look("test", &metrics).await;
            let found = (*number.current(), metrics.reloads.get(), metrics.reload_errors.get());
            assert_eq!(found, expect, "after `{text}`");
        }
        logged();
        std::fs::remove_file(&path).unwrap();
        number.look("test", &metrics).await;
        assert!(logged().is_empty(), "it may be being written");
        for _ in 0..3 {
            number.look("test", &metrics).await;
        }
        let lines = logged();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("ERROR `test`: the number has changed and cannot be used"), "{lines:?}");
        assert_eq!((*number.current(), metrics.reload_errors.get()), (3, 5));
        std::fs::write(&path, "3").unwrap();
        number.look("test", &metrics).await;
        assert_eq!(logged(), ["INFO `test`: the number is again as it was"]);
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let missing = Watched::open("token", vec!["/no/such/file".into()], |_: &[Vec<u8>]| Ok(())).await;
        let error = missing.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("`/no/such/file`"), "{error}");
    }
}
