//! [`PartitionStore`]: ownership and checkpoints as blobs, by the rules that all Azure SDKs share.
//!
//! `NAMESPACE/HUB/GROUP/ownership/PARTITION` and `NAMESPACE/HUB/GROUP/checkpoint/PARTITION` are empty blobs; what they
//! say is in their metadata. .NET, JavaScript and Python write the names in lower case, Go, Java and Rust as they are
//! given: both are read, and the one that is there is written, both when both are there, so that whoever reads on
//! finds where.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use event_source::{ErrorKind, SourceError};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, PutMode, PutOptions, PutPayload, UpdateVersion};

use crate::blob::BlobContainer;
use crate::error::one_line;
use crate::hub::Hub;
use crate::position::Position;

/// One blob: where it is, and as which version it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    path: Path,
    /// `None`: it is not there.
    etag: Option<String>,
}

/// A partition's checkpoint: what it says, and where.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) position: Option<Position>,
    /// All spellings that are to be written.
    pub(crate) blobs: Vec<Blob>,
}

/// A partition's ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ownership {
    /// Everybody whom a spelling names; nobody: given up, or never had.
    pub(crate) owners: Vec<String>,
    pub(crate) blobs: Vec<Blob>,
}

#[derive(Debug)]
pub(crate) struct PartitionStore {
    container: BlobContainer,
    /// As given, then folded; one when both are the same.
    prefixes: Vec<String>,
    /// What ownership blobs said, by path and ETag: a list does not tell their metadata.
    owners: Mutex<HashMap<String, (String, String)>>,
}

const OWNER: &str = "ownerid";
/// How often a write is tried against others who write the same blob.
const TRIES: u32 = 4;

impl PartitionStore {
    pub(crate) fn new(container: BlobContainer, hub: &Hub) -> Self {
        let given = format!("{}/{}/{}", hub.namespace, hub.name, hub.consumer_group);
        let folded = given.to_lowercase();
        let prefixes = if given == folded { vec![given] } else { vec![given, folded] };
        Self { container, prefixes, owners: Mutex::default() }
    }

    /// How messages call it.
    pub(crate) fn url(&self) -> &str {
        &self.container.url
    }

    /// What the checkpoints of a partition say; the one that is furthest wins.
    pub(crate) async fn checkpoint(&self, partition: &str) -> Result<Checkpoint, SourceError> {
        let paths = self.prefixes.iter().map(|prefix| Path::from(format!("{prefix}/checkpoint/{partition}")));
        let found = try_join_all(paths.map(async |path| {
            let metadata = self.metadata(&path).await?;
            Ok::<_, SourceError>((path, metadata))
        }));
        let mut position: Option<Position> = None;
        let mut blobs = Vec::new();
        let mut missing = Vec::new();
        for (path, metadata) in found.await? {
            let Some((etag, metadata)) = metadata else {
                missing.push(Blob { path, etag: None });
                continue;
            };
            let Some(here) = Position::from_metadata(&metadata) else {
                return Err(SourceError::new(
                    ErrorKind::Corrupt,
                    format!(
                        "`{}/{path}` is no checkpoint: it has neither `sequencenumber` nor `offset`; remove it to begin at `start_position`",
                        self.url()
                    ),
                ));
            };
            if position.as_ref().is_none_or(|known| known.sequence < here.sequence) {
                position = Some(here);
            }
            blobs.push(Blob { path, etag: Some(etag) });
        }
        if blobs.is_empty() {
            blobs = self.owned_spellings(partition, missing).await?;
        }
        Ok(Checkpoint { position, blobs })
    }

    /// Of the spellings of a first checkpoint those in which the partition is owned: there the others look for it.
    async fn owned_spellings(&self, partition: &str, all: Vec<Blob>) -> Result<Vec<Blob>, SourceError> {
        let mut owned = Vec::new();
        for (prefix, blob) in self.prefixes.iter().zip(&all) {
            let ownership = Path::from(format!("{prefix}/ownership/{partition}"));
            if self.metadata(&ownership).await?.is_some() {
                owned.push(blob.clone());
            }
        }
        Ok(if owned.is_empty() { all.into_iter().take(1).collect() } else { owned })
    }

    /// Writes the first checkpoint of a partition; `None` when there is one by now, which tells where to begin.
    pub(crate) async fn create(
        &self,
        position: &Position,
        blobs: &[Blob],
    ) -> Result<Option<Vec<Blob>>, SourceError> {
        self.put_all(blobs, &position.to_metadata()).await
    }

    /// Writes `position`, unless what is there is as far: whoever took the partition over may have moved on.
    pub(crate) async fn save(&self, position: &Position, blobs: Vec<Blob>) -> Result<Vec<Blob>, SourceError> {
        try_join_all(blobs.into_iter().map(|blob| self.save_one(position, blob))).await
    }

    async fn save_one(&self, position: &Position, mut blob: Blob) -> Result<Blob, SourceError> {
        for _ in 0..TRIES {
            if let Some(etag) = self.put(&blob, position.to_metadata()).await? {
                return Ok(Blob { etag: Some(etag), ..blob });
            }
            match self.metadata(&blob.path).await? {
                None => blob.etag = None,
                Some((etag, metadata)) => {
                    blob.etag = Some(etag);
                    let there = Position::from_metadata(&metadata);
                    if there.is_some_and(|there| there.sequence >= position.sequence) {
                        return Ok(blob);
                    }
                }
            }
        }
        Err(self.error(ErrorKind::Unavailable, "write", &blob.path, "others write it again and again".into()))
    }

    /// Who owns which of `partitions`, in their order.
    pub(crate) async fn ownerships(&self, partitions: &[String]) -> Result<Vec<Ownership>, SourceError> {
        let mut found: HashMap<String, Vec<(Blob, String)>> = HashMap::new();
        for prefix in &self.prefixes {
            let folder = Path::from(format!("{prefix}/ownership"));
            let listed = self.container.store.list(Some(&folder)).map(async |entry| {
                let entry = entry.map_err(|error| self.failed("list", &folder, error))?;
                let etag = quoted(entry.e_tag.unwrap_or_default());
                let known = self.known_owner(&entry.location, &etag);
                let (etag, owner) = match known {
                    Some(owner) => (etag, owner),
                    None => match self.metadata(&entry.location).await? {
                        Some((etag, mut metadata)) => (etag, metadata.remove(OWNER).unwrap_or_default()),
                        None => return Ok(None),
                    },
                };
                self.know_owner(&entry.location, &etag, &owner);
                Ok::<_, SourceError>(Some((Blob { path: entry.location, etag: Some(etag) }, owner)))
            });
            let mut listed = listed.buffer_unordered(8);
            while let Some(entry) = listed.try_next().await? {
                let Some((blob, owner)) = entry else { continue };
                let partition = blob.path.filename().unwrap_or_default().to_owned();
                found.entry(partition).or_default().push((blob, owner));
            }
        }
        // What is not there yet is written as the others are; as given, when there are none.
        let in_use = |prefix: &&String| {
            let folder = format!("{prefix}/");
            found.values().flatten().any(|(blob, _)| blob.path.as_ref().starts_with(&folder))
        };
        let prefix = self.prefixes.iter().find(in_use).or(self.prefixes.first()).cloned().unwrap_or_default();
        let ownership = |partition: &String| {
            let Some(entries) = found.remove(partition) else {
                let path = Path::from(format!("{prefix}/ownership/{partition}"));
                return Ownership { owners: Vec::new(), blobs: vec![Blob { path, etag: None }] };
            };
            let owners = entries.iter().map(|(_, owner)| owner).filter(|owner| !owner.is_empty());
            let owners = owners.cloned().collect();
            let mut blobs: Vec<_> = entries.into_iter().map(|(blob, _)| blob).collect();
            blobs.sort_by(|one, other| one.path.cmp(&other.path));
            Ownership { owners, blobs }
        };
        Ok(partitions.iter().map(ownership).collect())
    }

    /// Makes `owner` the owner, if nobody has written since `blobs` were seen. Returns them as they are now.
    pub(crate) async fn claim(&self, owner: &str, blobs: &[Blob]) -> Result<Option<Vec<Blob>>, SourceError> {
        let claimed = self.put_all(blobs, &[(OWNER, owner.to_owned())]).await?;
        for blob in claimed.iter().flatten() {
            self.know_owner(&blob.path, blob.etag.as_deref().unwrap_or_default(), owner);
        }
        Ok(claimed)
    }

    /// Gives up what `owner` still owns: the next one may have it at once.
    pub(crate) async fn release(&self, owner: &str, blobs: &[Blob]) -> Result<(), SourceError> {
        for blob in blobs {
            let Some((etag, metadata)) = self.metadata(&blob.path).await? else { continue };
            if metadata.get(OWNER).is_some_and(|found| found == owner) {
                let seen = Blob { path: blob.path.clone(), etag: Some(etag) };
                // Whoever was faster has it.
                self.put(&seen, vec![(OWNER, String::new())]).await?;
            }
        }
        Ok(())
    }

    /// Writes all spellings as they were seen; `None` when one of them is another by now.
    async fn put_all(
        &self,
        blobs: &[Blob],
        metadata: &[(&'static str, String)],
    ) -> Result<Option<Vec<Blob>>, SourceError> {
        let mut written = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let Some(etag) = self.put(blob, metadata.to_vec()).await? else { return Ok(None) };
            written.push(Blob { path: blob.path.clone(), etag: Some(etag) });
        }
        Ok(Some(written))
    }

    /// Writes an empty blob with these metadata over the version that was seen; `None` when there is another by now.
    async fn put(
        &self,
        blob: &Blob,
        metadata: Vec<(&'static str, String)>,
    ) -> Result<Option<String>, SourceError> {
        let mode = match &blob.etag {
            None => PutMode::Create,
            Some(etag) => PutMode::Update(UpdateVersion { e_tag: Some(etag.clone()), version: None }),
        };
        let attributes: Attributes =
            metadata.into_iter().map(|(key, value)| (Attribute::Metadata(key.into()), value)).collect();
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        match self.container.store.put_opts(&blob.path, PutPayload::new(), options).await {
            Ok(put) => Ok(Some(quoted(put.e_tag.unwrap_or_default()))),
            Err(object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. }) => {
                Ok(None)
            }
            Err(object_store::Error::NotFound { .. }) if blob.etag.is_some() => Ok(None),
            Err(error) => Err(self.failed("write", &blob.path, error)),
        }
    }

    async fn metadata(&self, path: &Path) -> Result<Option<(String, HashMap<String, String>)>, SourceError> {
        match self.container.store.get_opts(path, GetOptions::default()).await {
            Ok(found) => {
                let metadata = found.attributes.iter().filter_map(|(attribute, value)| match attribute {
                    Attribute::Metadata(key) => Some((key.to_lowercase(), value.to_string())),
                    _ => None,
                });
                Ok(Some((quoted(found.meta.e_tag.clone().unwrap_or_default()), metadata.collect())))
            }
            Err(object_store::Error::NotFound { source, .. })
                if !source.to_string().contains("ContainerNotFound") =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    fn known_owner(&self, path: &Path, etag: &str) -> Option<String> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(path.as_ref()).filter(|(known, _)| known == etag).map(|(_, owner)| owner.clone())
    }

    fn know_owner(&self, path: &Path, etag: &str, owner: &str) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert(path.to_string(), (etag.to_owned(), owner.to_owned()));
    }

    fn failed(&self, verb: &str, path: &Path, error: object_store::Error) -> SourceError {
        let kind = match &error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                ErrorKind::Denied
            }
            object_store::Error::NotFound { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        self.error(kind, verb, path, one_line(&error.to_string()).into())
    }

    fn error(
        &self,
        kind: ErrorKind,
        verb: &str,
        path: &Path,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> SourceError {
        let advice = match kind {
            ErrorKind::Denied => {
                ": the key, signature or identity needs to read, write and list blobs there (`Storage Blob Data Contributor`)"
            }
            ErrorKind::NotFound => ": make the container first",
            _ => "",
        };
        SourceError::new(kind, format!("cannot {verb} `{}/{path}`{advice}", self.url())).because(cause)
    }
}

/// A list gives ETags without quotes, an answer with them, and a condition wants them.
fn quoted(etag: String) -> String {
    if etag.is_empty() || etag.ends_with('"') { etag } else { format!("\"{etag}\"") }
}

#[cfg(test)]
pub(crate) mod tests;
