//! [`Answer`]: what a sender gets.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::ledger::Unconfirmed;

/// An answer, of a kind that can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Confirmed,
    Healthy,
    Stalled(String),
    Bad(String),
    /// Mostly its sender is gone, and nobody reads this.
    Incomplete,
    Unauthorized,
    NotFound,
    MethodNotAllowed(&'static str),
    TooSlow,
    TooLarge(usize),
    OtherType(&'static str),
    OtherEncoding,
    /// What parses bodies has panicked.
    Defect,
    Again(Unconfirmed),
}

impl Answer {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Confirmed | Self::Healthy => StatusCode::OK,
            Self::Bad(_) | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::OtherType(_) | Self::OtherEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Defect => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Stalled(_) | Self::Again(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One line for whoever reads the answer.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Confirmed | Self::Healthy => String::new(),
            Self::Stalled(reason) | Self::Bad(reason) => reason.clone(),
            Self::Incomplete => "the body is not complete".to_owned(),
            Self::Unauthorized => "the right bearer token is missing".to_owned(),
            Self::NotFound => "nothing is posted to this path".to_owned(),
            Self::MethodNotAllowed(allowed) => format!("the method has to be {allowed}"),
            Self::TooSlow => "the body did not arrive in time".to_owned(),
            Self::TooLarge(most) => format!("the body is larger than {most} bytes"),
            Self::OtherType(reason) => (*reason).to_owned(),
            Self::OtherEncoding => "the content encoding has to be gzip or none".to_owned(),
            Self::Defect => "it cannot be read; this is a defect, please report it".to_owned(),
            Self::Again(Unconfirmed::Full) => "the queue is full, send it again".to_owned(),
            Self::Again(Unconfirmed::Late) => "not evaluated yet, send it again".to_owned(),
            Self::Again(Unconfirmed::Closed) => "the source is being closed, send it again".to_owned(),
        }
    }

    /// In HTTP, for that method.
    pub(crate) fn into_response(self, method: &Method) -> Response<Full<Bytes>> {
        let mut text = self.reason();
        text.push_str(if self == Self::Healthy { "ok\n" } else { "\n" });
        let body =
            if self == Self::Confirmed || method == Method::HEAD { Bytes::new() } else { Bytes::from(text) };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "text/plain; charset=utf-8");
        match self {
            Self::Unauthorized => _ = set(header::WWW_AUTHENTICATE, "Bearer"),
            Self::MethodNotAllowed(allowed) => _ = set(header::ALLOW, allowed),
            Self::OtherEncoding => _ = set(header::ACCEPT_ENCODING, "gzip"),
            Self::OtherType(_) => _ = set(header::ACCEPT, "application/json"),
            Self::Again(_) => _ = set(header::RETRY_AFTER, "1"),
            _ => {}
        }
        response
    }
}
