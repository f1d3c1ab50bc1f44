//! [`Token`]: the bearer token that requests have to bring.

use std::path::Path;

use event_source::{ErrorKind, Secret, SourceError};
use hyper::header::{self, HeaderMap};
use subtle::ConstantTimeEq;

use crate::watched::Watched;

/// The token of the moment.
#[derive(Debug)]
pub(crate) struct Token(Secret);

impl Token {
    /// Reads it from its file; space around it does not count.
    pub(crate) async fn open(path: &Path) -> Result<Watched<Self>, SourceError> {
        let shown = path.display().to_string();
        Watched::open("bearer token", vec![path.to_owned()], move |contents| {
            let text = contents.first().map(|text| text.trim_ascii()).unwrap_or_default();
            // What a header can carry; a file in UTF-16, for instance, is none of it.
            match std::str::from_utf8(text)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
            {
                Some("") => Err(wrong(&shown, "is empty: write the token into it")),
                Some(text) => Ok(Self(Secret::new(text))),
                None => {
                    Err(wrong(&shown, "holds more than one word of ASCII: write the token alone into it"))
                }
            }
        })
        .await
    }

    /// Whether a head brings it. It takes as long for a wrong token as for the right one of that length.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(credential), None) = (credentials.next(), credentials.next()) else { return false };
        let Some((scheme, token)) = credential.as_bytes().split_at_checked(b"Bearer ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ")
            && bool::from(token.trim_ascii().ct_eq(self.0.expose().as_bytes()))
    }
}

fn wrong(path: &str, why: &str) -> SourceError {
    SourceError::new(ErrorKind::Config, format!("the bearer token's file `{path}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(credentials: &[&'static str], expect: bool) {
        let mut headers = HeaderMap::new();
        for credential in credentials {
            headers.append(header::AUTHORIZATION, credential.parse().unwrap());
        }
        assert_eq!(Token(Secret::new("hunter2")).is_in(&headers), expect, "{credentials:?}");
    }

    #[test]
    fn only_the_right_token_passes() {
        check(&["Bearer hunter2"], true);
        check(&["bearer  hunter2"], true);
        check(&[], false);
        check(&["Bearer"], false);
        check(&["Bearer "], false);
        check(&["Bearer hunter"], false);
        check(&["Bearer hunter22"], false);
        check(&["Bearer Hunter2"], false);
        check(&["Basic hunter2"], false);
        check(&["hunter2"], false);
        check(&["Bearer x", "Bearer hunter2"], false);
    }

    #[tokio::test]
    async fn a_file_without_a_token_is_told_and_its_content_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (content, expect) in [(" \n", "is empty"), ("hunter2 hunter3", "more than one word")] {
            std::fs::write(&path, content).unwrap();
            let error = Token::open(&path).await.unwrap_err().to_string();
            assert!(error.contains(expect) && !error.contains("hunter"), "{error}");
        }
        std::fs::write(&path, "hunter2\n").unwrap();
        let token = Token::open(&path).await.unwrap();
        assert!(!format!("{token:?}{:?}", token.current()).contains("hunter"));
    }
}
