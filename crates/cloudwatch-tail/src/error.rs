//! What AWS answered, as an error of a kind that a caller can act on, and one line that says what to do.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::ErrorMetadata;
use event_source::{ErrorKind, SourceError, chain};

/// Error codes of AWS that are not variants of the operation's error, or of all operations.
const CODES: [(&str, ErrorKind); 25] = [
    ("ThrottlingException", ErrorKind::Throttled),
    ("Throttling", ErrorKind::Throttled),
    ("ThrottledException", ErrorKind::Throttled),
    ("RequestThrottled", ErrorKind::Throttled),
    ("RequestLimitExceeded", ErrorKind::Throttled),
    ("TooManyRequestsException", ErrorKind::Throttled),
    ("LimitExceededException", ErrorKind::Throttled),
    ("SlowDown", ErrorKind::Throttled),
    ("ServiceUnavailableException", ErrorKind::Unavailable),
    ("ServiceUnavailable", ErrorKind::Unavailable),
    ("InternalFailure", ErrorKind::Unavailable),
    ("InternalServerError", ErrorKind::Unavailable),
    ("RequestTimeout", ErrorKind::Unavailable),
    ("ExpiredTokenException", ErrorKind::Expired),
    ("ExpiredToken", ErrorKind::Expired),
    ("RequestExpired", ErrorKind::Expired),
    ("AccessDeniedException", ErrorKind::Denied),
    ("AccessDenied", ErrorKind::Denied),
    ("UnrecognizedClientException", ErrorKind::Denied),
    ("InvalidClientTokenId", ErrorKind::Denied),
    ("InvalidIdentityToken", ErrorKind::Denied),
    ("MissingAuthenticationTokenException", ErrorKind::Denied),
    ("OptInRequired", ErrorKind::Denied),
    ("ResourceNotFoundException", ErrorKind::NotFound),
    ("InvalidParameterException", ErrorKind::Config),
];

/// A call that failed.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) kind: ErrorKind,
    /// It failed before the call itself was made: on the way, or while credentials were asked for.
    pub(crate) at_login: bool,
    /// AWS's own code, where it answered with one.
    pub(crate) code: Option<String>,
    /// AWS's own message, or that of whatever failed on the way.
    pub(crate) text: String,
}

impl CallError {
    /// Reads what the SDK gave.
    pub(crate) fn new<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(service) = &error {
            let status = service.raw().status().as_u16();
            let code = service.err().code().map(str::to_owned);
            let message = service.err().message().unwrap_or_default();
            let kind = kind_of_answer(code.as_deref(), message, status);
            let name = code.clone().unwrap_or_else(|| format!("status {status}"));
            let text = if message.is_empty() { name } else { format!("{name}: {message}") };
            return Self { kind, at_login: false, code, text };
        }
        let (kind, code) = kind_of_failure(&error);
        Self { kind, at_login: true, code, text: chain(&error) }
    }
}

fn kind_of_answer(code: Option<&str>, message: &str, status: u16) -> ErrorKind {
    let known = CODES.iter().find(|(name, _)| Some(*name) == code);
    match (code, known, status) {
        (_, Some((_, kind)), _) => *kind,
        // The clock was wrong, and is corrected by this answer; a wrong secret stays wrong.
        (Some("InvalidSignatureException"), ..) if message.contains("Signature expired") => {
            ErrorKind::Unavailable
        }
        (Some("InvalidSignatureException"), ..) if message.contains("not yet current") => {
            ErrorKind::Unavailable
        }
        (Some("InvalidSignatureException"), ..) | (_, _, 401 | 403) => ErrorKind::Denied,
        (_, _, 429) => ErrorKind::Throttled,
        _ => ErrorKind::Unavailable,
    }
}

/// The call itself was not answered: no credentials, no way, no sense. What AWS answered to whoever asked for
/// credentials is at the end of the chain.
fn kind_of_failure(error: &(dyn Error + 'static)) -> (ErrorKind, Option<String>) {
    let mut kind = ErrorKind::Unavailable;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) =
            error.downcast_ref::<CredentialsError>()
        {
            kind = ErrorKind::Denied;
        }
        if let Some(answer) = error.downcast_ref::<ErrorMetadata>()
            && let Some((code, kind)) = CODES.iter().find(|(code, _)| answer.code() == Some(*code))
        {
            return (*kind, Some((*code).to_owned()));
        }
        cause = error.source();
    }
    (kind, None)
}

/// What was asked for, for the message.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    /// The IAM action, `logs:FilterLogEvents`.
    pub(crate) action: &'static str,
    pub(crate) log_group: &'a str,
    pub(crate) region: &'a str,
}

impl Asked<'_> {
    /// The group's ARN, with what is not known left open.
    fn arn(&self) -> String {
        let Self { log_group, region, .. } = self;
        if log_group.starts_with("arn:") {
            return format!("{log_group}:*");
        }
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:logs:{region}:<account>:log-group:{log_group}:*")
    }

    /// One line that names the resource, what is missing, and what to do.
    pub(crate) fn failed(&self, error: CallError) -> SourceError {
        let Self { action, log_group, region } = self;
        let arn = self.arn();
        let resource = format!("log group `{log_group}` in region `{region}`");
        let message = match error.kind {
            ErrorKind::Denied if error.at_login && error.code.is_some() => format!(
                "AWS refuses the role for {resource}: check `role_arn` and `external_id`, the role's trust policy, and that `sts:AssumeRole` (for a service account `sts:AssumeRoleWithWebIdentity`) is allowed"
            ),
            ErrorKind::Denied if error.at_login => format!(
                "no AWS credentials to read {resource}: give the pod a role (IRSA or EKS Pod Identity), or set `profile`"
            ),
            ErrorKind::Denied => format!(
                "AWS denies `{action}` on {resource}: allow it in the IAM policy of the role, with the resource `{arn}`"
            ),
            ErrorKind::NotFound => format!(
                "{resource} does not exist: check the cluster's name and `region`, and enable the audit log type of the control plane"
            ),
            ErrorKind::Expired => format!(
                "the AWS credentials for {resource} have expired: they are loaded again; if this goes on, renew them where they come from"
            ),
            ErrorKind::Throttled => format!(
                "AWS throttles `{action}` on {resource}: others use the account's five calls per second too; lower `max_calls_per_second` if this goes on"
            ),
            ErrorKind::Config => format!("AWS does not accept the parameters for {resource}"),
            ErrorKind::Unavailable | ErrorKind::Corrupt => {
                format!("cannot read {resource}: check `region`, `endpoint_url` and the way to AWS")
            }
        };
        SourceError::new(error.kind, message).because(error.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, message: &str, status: u16, expect: ErrorKind) {
        assert_eq!(kind_of_answer(Some(code).filter(|code| !code.is_empty()), message, status), expect);
    }

    #[test]
    fn answers_have_kinds() {
        check("ThrottlingException", "Rate exceeded", 400, ErrorKind::Throttled);
        check("ServiceUnavailableException", "", 503, ErrorKind::Unavailable);
        check("ExpiredTokenException", "", 400, ErrorKind::Expired);
        check("AccessDeniedException", "", 400, ErrorKind::Denied);
        check("ResourceNotFoundException", "", 400, ErrorKind::NotFound);
        check("InvalidParameterException", "", 400, ErrorKind::Config);
        check(
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier",
            403,
            ErrorKind::Unavailable,
        );
        check(
            "InvalidSignatureException",
            "The request signature we calculated does not match",
            403,
            ErrorKind::Denied,
        );
        check("SomethingNew", "", 500, ErrorKind::Unavailable);
        check("SomethingNew", "", 403, ErrorKind::Denied);
        check("", "", 429, ErrorKind::Throttled);
        check("", "", 502, ErrorKind::Unavailable);
    }
}
