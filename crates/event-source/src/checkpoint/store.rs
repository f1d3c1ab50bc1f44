//! [`CheckpointStore`]: checkpoints as objects, one per partition, in a folder or a bucket.

use std::error::Error;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde_json::{Value, json};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::{ErrorKind, PartitionId, SourceError};

/// A folder of checkpoints in any object store.
pub struct CheckpointStore {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// How messages call it: a URL without secrets.
    url: String,
}

impl fmt::Debug for CheckpointStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointStore({})", self.url)
    }
}

impl CheckpointStore {
    /// An object that is larger is none of ours; no source writes more than 40 MB.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// Checkpoints below `prefix` in `store`; `url` is what messages call the place, without secrets.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, url: impl Into<String>) -> Self {
        Self { store, prefix, url: url.into() }
    }

    /// Checkpoints in the folder of a `file:///folder` URL, which is made when it is not there.
    ///
    /// Every write is synced, and takes its final name only when it is complete.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the URL names no folder that can be used.
    pub fn local(url: &Url) -> Result<Self, SourceError> {
        let config = |why: String| {
            SourceError::new(
                ErrorKind::Config,
                format!("the checkpoint folder `{url}` cannot be used: {why}"),
            )
        };
        let folder = url
            .to_file_path()
            .map_err(|()| config("write it as `file:///folder`, with three slashes".to_owned()))?;
        let store = Self::folder(&folder).map_err(config)?;
        Ok(Self::new(Arc::new(store), Path::default(), url.as_str().trim_end_matches('/')))
    }

    fn folder(folder: &FilePath) -> Result<LocalFileSystem, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        remove_leftovers(folder);
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| error.to_string())?;
        Ok(store.with_fsync(true))
    }

    /// How messages call a partition's checkpoint.
    pub fn name(&self, partition: &PartitionId) -> String {
        format!("{}/{}", self.url, file_name(partition))
    }

    fn path(&self, partition: &PartitionId) -> Path {
        self.prefix.clone().join(file_name(partition).as_str())
    }

    /// What [`save`](Self::save) wrote last for that partition; `None` when it never did.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when something else is in its place, [`ErrorKind::Denied`] or
    /// [`ErrorKind::Unavailable`] when it cannot be read. The message names the object.
    pub async fn load(&self, partition: &PartitionId, format: &str) -> Result<Option<Bytes>, SourceError> {
        let found = match self.store.get(&self.path(partition)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", partition, error)),
        };
        if found.meta.size > Self::MAX_BYTES {
            return Err(self.corrupt(partition, &format!("it has {} bytes", found.meta.size)));
        }
        let object = found.bytes().await.map_err(|error| self.failed("read", partition, error))?;
        unwrap(&object, partition, format).map(Some).map_err(|why| self.corrupt(partition, &why))
    }

    /// Replaces the checkpoint of that partition: whole or not at all.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] or [`ErrorKind::Unavailable`]; the message names the object.
    pub async fn save(&self, partition: &PartitionId, format: &str, body: &Bytes) -> Result<(), SourceError> {
        let header = json!({
            "checkpoint": 1,
            "format": format,
            "partition": partition.as_str(),
            "length": body.len(),
            "xxh3": format!("{:016x}", xxh3_64(body)),
        });
        let payload = PutPayload::from_iter([Bytes::from(format!("{header}\n")), body.clone()]);
        match self.store.put(&self.path(partition), payload).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("write", partition, error)),
        }
    }

    fn corrupt(&self, partition: &PartitionId, why: &str) -> SourceError {
        let name = self.name(partition);
        SourceError::new(
            ErrorKind::Corrupt,
            format!("`{name}` is no checkpoint of `{partition}`: {why}; move it away to start without one"),
        )
    }

    fn failed(&self, verb: &str, partition: &PartitionId, error: object_store::Error) -> SourceError {
        let kind = match &error {
            _ if is_refused(&error) => ErrorKind::Denied,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                ErrorKind::Denied
            }
            object_store::Error::NotFound { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        let name = self.name(partition);
        let advice =
            if kind == ErrorKind::Denied { ": allow to read, write and list objects there" } else { "" };
        SourceError::new(kind, format!("cannot {verb} the checkpoint `{name}`{advice}")).because(error)
    }
}

/// What a process that was killed while it wrote has left behind: objects that never got their final name.
fn remove_leftovers(folder: &FilePath) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(".checkpoint#") {
            // It is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A folder says so in an I/O error of its own.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem))
        || error.source().is_some_and(is_refused)
}

/// One path segment: what is neither letter, digit, `-` nor `.` is written as `_`, and a hash keeps names apart.
fn file_name(partition: &PartitionId) -> String {
    let plain: String = partition
        .as_str()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' })
        // File systems allow 255 bytes.
        .take(160)
        .collect();
    let hash = xxh3_64(partition.as_str().as_bytes());
    format!("{}-{hash:016x}.checkpoint", plain.trim_matches('_'))
}

/// Takes the line off, and checks what it says.
fn unwrap(object: &Bytes, partition: &PartitionId, format: &str) -> Result<Bytes, String> {
    let end = object.iter().take(64 << 10).position(|byte| *byte == b'\n').ok_or("it has no header")?;
    let (header, body) = (object.slice(..end), object.slice(end + 1..));
    let header: Value = serde_json::from_slice(&header).map_err(|_| "its header is no JSON")?;
    let text = |key: &str| header.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if header.get("checkpoint") != Some(&json!(1)) || text("format") != format {
        return Err(format!("its format is `{}`, not `{format}`", text("format")));
    }
    if text("partition") != partition.as_str() {
        return Err(format!("it belongs to `{}`", text("partition")));
    }
    if header.get("length") != Some(&json!(body.len())) || text("xxh3") != format!("{:016x}", xxh3_64(&body))
    {
        return Err("it is damaged".to_owned());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    const FORMAT: &str = "test/1";

    fn partition() -> PartitionId {
        PartitionId::new("/aws/eks/prod/cluster")
    }

    async fn conforms(store: CheckpointStore) {
        let (one, other) = (partition(), PartitionId::new("_aws_eks_prod_cluster"));
        assert_eq!(store.load(&one, FORMAT).await.expect("load"), None);
        for body in ["first", "second\nwith a line", ""] {
            let body = Bytes::from(body);
            store.save(&one, FORMAT, &body).await.expect("save");
            assert_eq!(store.load(&one, FORMAT).await.expect("load"), Some(body));
        }
        assert_eq!(store.load(&other, FORMAT).await.expect("load"), None, "names are kept apart");
        let error = store.load(&one, "test/2").await.expect_err("another format");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&store.name(&one)), "{error}");
    }

    #[tokio::test]
    async fn every_store_keeps_the_last() {
        let folder = tempfile::tempdir().expect("folder");
        let url = Url::from_directory_path(folder.path().join("made/below")).expect("url");
        conforms(CheckpointStore::local(&url).expect("store")).await;
        conforms(CheckpointStore::new(Arc::new(InMemory::new()), Path::from("prefix"), "memory://")).await;
    }

    #[tokio::test]
    async fn no_damage_is_a_fresh_start() {
        let folder = tempfile::tempdir().expect("folder");
        let store =
            CheckpointStore::local(&Url::from_directory_path(folder.path()).expect("url")).expect("store");
        store.save(&partition(), FORMAT, &Bytes::from("far along")).await.expect("save");
        let file = folder.path().join(file_name(&partition()));
        let whole = std::fs::read(&file).expect("file");
        let check = async |damaged: &[u8]| {
            std::fs::write(&file, damaged).expect("write");
            let error = store.load(&partition(), FORMAT).await.expect_err("damaged");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        };
        for end in 0..whole.len() {
            check(&whole[..end]).await;
        }
        check(&[&whole[..], b"!"].concat()).await;
        check(&[&whole[..whole.len() - 1], b"?"].concat()).await;
        check(b"something else\n").await;
    }

    #[tokio::test]
    async fn what_is_foreign_or_too_large_is_named() {
        let memory = Arc::new(InMemory::new());
        let store = CheckpointStore::new(Arc::clone(&memory) as _, Path::default(), "memory://");
        let (one, other) = (partition(), PartitionId::new("other"));
        store.save(&one, FORMAT, &Bytes::from("body")).await.expect("save");
        let whole = memory.get(&store.path(&one)).await.expect("get").bytes().await.expect("bytes");
        let newer = String::from_utf8(whole.to_vec()).expect("text").replace("int\":1", "int\":2");
        let large = Bytes::from(vec![b'\n'; CheckpointStore::MAX_BYTES as usize + 1]);
        for (object, why) in [
            (whole, "it belongs to `/aws/eks/prod/cluster`"),
            (Bytes::from(newer), "its format is"),
            (large, "it has 67108865 bytes"),
        ] {
            memory.put(&store.path(&other), object.into()).await.expect("put");
            let error = store.load(&other, FORMAT).await.expect_err(why);
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let line = error.to_string();
            assert!(line.contains(why) && line.contains(&store.name(&other)), "{line}");
        }
    }

    #[tokio::test]
    async fn prefixes_of_one_store_are_kept_apart() {
        let memory = Arc::new(InMemory::new());
        let below = |prefix| CheckpointStore::new(Arc::clone(&memory) as _, Path::from(prefix), "memory://");
        below("one").save(&partition(), FORMAT, &Bytes::from("body")).await.expect("save");
        assert!(below("one").load(&partition(), FORMAT).await.expect("load").is_some());
        assert!(below("other").load(&partition(), FORMAT).await.expect("load").is_none());
    }

    #[test]
    fn long_names_are_short_files_and_kept_apart() {
        let name = |end: char| file_name(&PartitionId::new(format!("{}{end}", "a/".repeat(300))));
        assert!(name('a').len() <= 255);
        assert_ne!(name('a'), name('b'));
    }

    #[test]
    fn a_url_that_names_no_folder_is_an_error() {
        for url in ["file://host/folder", "file:///dev/null/x"] {
            let error = CheckpointStore::local(&Url::parse(url).expect("url")).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
