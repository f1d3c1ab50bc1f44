//! Errors as the service answers them.

use hyper::StatusCode;

/// A status, a code and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

const fn error(status: StatusCode, code: &'static str, message: &'static str) -> BlobError {
    BlobError { status, code, message }
}

impl BlobError {
    pub(crate) const BLOB_EXISTS: Self =
        error(StatusCode::CONFLICT, "BlobAlreadyExists", "The specified blob already exists.");
    pub(crate) const CONTAINER_EXISTS: Self =
        error(StatusCode::CONFLICT, "ContainerAlreadyExists", "The specified container already exists.");
    pub(crate) const NO_BLOB: Self =
        error(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.");
    pub(crate) const NO_CONTAINER: Self =
        error(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.");
    pub(crate) const CONDITION: Self = error(
        StatusCode::PRECONDITION_FAILED,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    );
    pub(crate) const NOT_MODIFIED: Self = error(
        StatusCode::NOT_MODIFIED,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    );
    pub(crate) const AUTHENTICATION: Self = error(
        StatusCode::FORBIDDEN,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
         correctly including the signature.",
    );
    pub(crate) const BUSY: Self = error(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServerBusy",
        "The server is currently unable to receive requests.",
    );
    pub(crate) const INTERNAL: Self = error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "The server encountered an internal error. Please retry the request.",
    );
    pub(crate) const RANGE: Self = error(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "InvalidRange",
        "The range specified is invalid for the current size of the resource.",
    );
    pub(crate) const NO_ACCOUNT: Self =
        error(StatusCode::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist.");
    pub(crate) const UNSUPPORTED: Self = error(
        StatusCode::BAD_REQUEST,
        "UnsupportedHttpVerb",
        "The resource doesn't support specified Http Verb.",
    );

    /// The body.
    pub(crate) fn xml(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code,
            super::list::escape(self.message)
        )
    }
}
