//! Containers and blobs.
//!
//! Owns: ETags and conditions. Does not own: how they are written on the wire (`server`).

use super::error::BlobError;
use serde::Serialize;
use std::collections::BTreeMap;

/// A block blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blob {
    /// What it holds.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// `x-ms-meta-*`, names in lower case.
    pub metadata: BTreeMap<String, String>,
    /// Without quotes.
    pub etag: String,
    /// `Content-Type`.
    pub content_type: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

/// `If-Match` and `If-None-Match`, as they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) matches: Option<String>,
    pub(crate) none_matches: Option<String>,
}

impl Conditions {
    fn is(wanted: &str, etag: &str) -> bool {
        wanted == "*" || wanted.trim_matches('"') == etag
    }

    /// Whether a blob, or its absence, may be replaced.
    fn for_write(&self, etag: Option<&str>) -> Result<(), BlobError> {
        match (&self.matches, etag) {
            (Some(wanted), Some(etag)) if Self::is(wanted, etag) => {}
            (Some(_), _) => return Err(BlobError::CONDITION),
            (None, _) => {}
        }
        match (&self.none_matches, etag) {
            (Some(wanted), Some(_)) if wanted == "*" => Err(BlobError::BLOB_EXISTS),
            (Some(wanted), Some(etag)) if Self::is(wanted, etag) => Err(BlobError::CONDITION),
            _ => Ok(()),
        }
    }

    /// Whether a blob may be read.
    pub(crate) fn for_read(&self, etag: &str) -> Result<(), BlobError> {
        if self.matches.as_ref().is_some_and(|wanted| !Self::is(wanted, etag)) {
            return Err(BlobError::CONDITION);
        }
        if self.none_matches.as_ref().is_some_and(|wanted| Self::is(wanted, etag)) {
            return Err(BlobError::NOT_MODIFIED);
        }
        Ok(())
    }
}

/// An account.
#[derive(Debug, Default)]
pub(crate) struct Store {
    containers: BTreeMap<String, BTreeMap<String, Blob>>,
    etags: u64,
}

impl Store {
    pub(crate) fn create(&mut self, container: &str) -> Result<(), BlobError> {
        if self.containers.contains_key(container) {
            return Err(BlobError::CONTAINER_EXISTS);
        }
        self.containers.insert(container.to_owned(), BTreeMap::new());
        Ok(())
    }

    pub(crate) fn remove_container(&mut self, container: &str) -> Result<(), BlobError> {
        self.containers.remove(container).map(drop).ok_or(BlobError::NO_CONTAINER)
    }

    pub(crate) fn blobs(&self, container: &str) -> Result<&BTreeMap<String, Blob>, BlobError> {
        self.containers.get(container).ok_or(BlobError::NO_CONTAINER)
    }

    fn blobs_mut(&mut self, container: &str) -> Result<&mut BTreeMap<String, Blob>, BlobError> {
        self.containers.get_mut(container).ok_or(BlobError::NO_CONTAINER)
    }

    fn etag(&mut self) -> String {
        self.etags += 1;
        format!("0x8DD{:012X}", 0x9E37_79B9_u64.wrapping_mul(self.etags) & 0xffff_ffff_ffff)
    }

    pub(crate) fn get(&self, container: &str, name: &str) -> Result<&Blob, BlobError> {
        self.blobs(container)?.get(name).ok_or(BlobError::NO_BLOB)
    }

    pub(crate) fn put(
        &mut self,
        container: &str,
        name: &str,
        mut blob: Blob,
        conditions: &Conditions,
    ) -> Result<Blob, BlobError> {
        blob.etag = self.etag();
        let blobs = self.blobs_mut(container)?;
        let before = blobs.get(name);
        conditions.for_write(before.map(|before| before.etag.as_str()))?;
        blob.created_ms = before.map_or(blob.modified_ms, |before| before.created_ms);
        blobs.insert(name.to_owned(), blob.clone());
        Ok(blob)
    }

    pub(crate) fn set_metadata(
        &mut self,
        container: &str,
        name: &str,
        metadata: BTreeMap<String, String>,
        conditions: &Conditions,
        now_ms: i64,
    ) -> Result<Blob, BlobError> {
        let etag = self.etag();
        let blob = self.blobs_mut(container)?.get_mut(name).ok_or(BlobError::NO_BLOB)?;
        conditions.for_write(Some(&blob.etag))?;
        (blob.metadata, blob.etag, blob.modified_ms) = (metadata, etag, now_ms);
        Ok(blob.clone())
    }

    pub(crate) fn delete(
        &mut self,
        container: &str,
        name: &str,
        conditions: &Conditions,
    ) -> Result<(), BlobError> {
        let blobs = self.blobs_mut(container)?;
        let blob = blobs.get(name).ok_or(BlobError::NO_BLOB)?;
        conditions.for_write(Some(&blob.etag))?;
        blobs.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let none = Conditions::default();
        let if_match = |etag: &str| Conditions { matches: Some(etag.into()), none_matches: None };
        let if_none = |etag: &str| Conditions { matches: None, none_matches: Some(etag.into()) };
        #[track_caller]
        fn check(conditions: &Conditions, etag: Option<&str>, expect: Result<(), BlobError>) {
            assert_eq!(conditions.for_write(etag), expect);
        }
        check(&none, None, Ok(()));
        check(&none, Some("a"), Ok(()));
        check(&if_match("\"a\""), Some("a"), Ok(()));
        check(&if_match("a"), Some("a"), Ok(()));
        check(&if_match("b"), Some("a"), Err(BlobError::CONDITION));
        check(&if_match("b"), None, Err(BlobError::CONDITION));
        check(&if_match("*"), None, Err(BlobError::CONDITION));
        check(&if_none("*"), None, Ok(()));
        check(&if_none("*"), Some("a"), Err(BlobError::BLOB_EXISTS));
        check(&if_none("\"a\""), Some("a"), Err(BlobError::CONDITION));
        assert_eq!(if_none("a").for_read("a"), Err(BlobError::NOT_MODIFIED));
        assert_eq!(if_match("b").for_read("a"), Err(BlobError::CONDITION));
    }
}
