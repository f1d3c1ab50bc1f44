//! What can be asked for.

use super::error::BlobError;
use crate::http::parameter;
use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as the service names them")]
pub enum Operation {
    CreateContainer,
    GetContainer,
    DeleteContainer,
    ListBlobs,
    PutBlob,
    GetBlob,
    HeadBlob,
    SetMetadata,
    DeleteBlob,
}

impl Operation {
    pub(crate) fn of(method: &str, query: &str, has_blob: bool) -> Result<Self, BlobError> {
        let container = parameter(query, "restype") == Some("container");
        Ok(match (method, container, has_blob, parameter(query, "comp")) {
            ("GET", true, false, Some("list")) => Self::ListBlobs,
            ("PUT", true, false, None) => Self::CreateContainer,
            ("GET" | "HEAD", true, false, None | Some("metadata")) => Self::GetContainer,
            ("DELETE", true, false, None) => Self::DeleteContainer,
            ("PUT", false, true, Some("metadata")) => Self::SetMetadata,
            ("PUT", false, true, None) => Self::PutBlob,
            ("GET", false, true, None) => Self::GetBlob,
            ("HEAD", false, true, None | Some("metadata")) => Self::HeadBlob,
            ("DELETE", false, true, None) => Self::DeleteBlob,
            _ => return Err(BlobError::UNSUPPORTED),
        })
    }

    /// Its name in the statistics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateContainer => "create_container",
            Self::GetContainer => "get_container",
            Self::DeleteContainer => "delete_container",
            Self::ListBlobs => "list_blobs",
            Self::PutBlob => "put_blob",
            Self::GetBlob => "get_blob",
            Self::HeadBlob => "head_blob",
            Self::SetMetadata => "set_metadata",
            Self::DeleteBlob => "delete_blob",
        }
    }
}
