//! The forms of the JSON 1.1 protocol.
//!
//! Owns: errors as AWS gives them, reading a request's JSON, how a log group is
//! named. Does not own: any operation.

use super::config::Config;
use super::store::EventRef;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `content-type` of requests and answers.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An error answer: status, code and message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    /// The client's fault: 400.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterException", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::client("ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn no_group() -> Self {
        Self::client("ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(crate) fn no_stream() -> Self {
        Self::client("ResourceNotFoundException", "The specified log stream does not exist.")
    }

    /// The form in which AWS reports a parameter outside of its bounds.
    pub(crate) fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        Self::invalid_parameter(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        ))
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::json!({ "__type": self.code, "message": self.message }).to_string().into_bytes()
    }
}

/// What a successful operation answers.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) body: Vec<u8>,
    pub(crate) shown: Vec<EventRef>,
    pub(crate) message_bytes: u64,
}

impl Answered {
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::default() }
    }

    /// What operations without a result answer.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }
}

/// Reads a request; unknown members are ignored, as AWS does.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::client("SerializationException", error.to_string()))
}

/// Checks that a number lies within its bounds; the default when it is absent.
pub(crate) fn bounded(value: Option<i64>, member: &str, most: i64, default: i64) -> Result<usize, ApiError> {
    let value = value.unwrap_or(default);
    let constraint = match value {
        ..=0 => "have value greater than or equal to 1".to_owned(),
        _ if value > most => format!("have value less than or equal to {most}"),
        _ => return Ok(value as usize),
    };
    Err(ApiError::constraint(&value.to_string(), member, &constraint))
}

/// How a request names its log group.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GroupParameter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
}

impl GroupParameter {
    /// The group's name: exactly one of `logGroupName` and `logGroupIdentifier` (a name or an ARN).
    pub(crate) fn resolve(&self, config: &Config) -> Result<&str, ApiError> {
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(name), None) => valid(name, "logGroupName", false),
            (None, Some(identifier)) => {
                let identifier = valid(identifier, "logGroupIdentifier", true)?;
                if !identifier.starts_with("arn:") {
                    return Ok(identifier);
                }
                identifier.strip_prefix(&config.group_arn("")).ok_or_else(ApiError::no_group)
            }
            (Some(_), Some(_)) => Err(ApiError::invalid_parameter(
                "LogGroupName and LogGroupIdentifier cannot be used together in the same request.",
            )),
            (None, None) => Err(ApiError::invalid_parameter(
                "Either LogGroupName or LogGroupIdentifier must be specified.",
            )),
        }
    }

    /// Only what FilterLogEvents' access denied message needs; not validated.
    pub(crate) fn claimed(&self) -> &str {
        let named =
            self.log_group_name.as_deref().or(self.log_group_identifier.as_deref()).unwrap_or_default();
        named.rsplit_once("log-group:").map_or(named, |(_, name)| name)
    }
}

/// `[\.\-_/#A-Za-z0-9]{1,512}`, and for identifiers `:`, `=`, `+`, `,`, `@` too.
fn valid<'a>(name: &'a str, member: &str, identifier: bool) -> Result<&'a str, ApiError> {
    let letters = if identifier { "._/#-=+:,@" } else { "._/#-" };
    let fits = |c: char| c.is_ascii_alphanumeric() || letters.contains(c);
    if name.is_empty() {
        return Err(ApiError::constraint(name, member, "have length greater than or equal to 1"));
    }
    if !name.chars().all(fits) {
        let pattern = if identifier { "[\\w#+=/:,.@-]*" } else { "[\\.\\-_/#A-Za-z0-9]+" };
        return Err(ApiError::constraint(
            name,
            member,
            &format!("satisfy regular expression pattern: {pattern}"),
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expect: Result<&str, &str>) {
        let parameter: GroupParameter = read(json.as_bytes()).unwrap();
        match (parameter.resolve(&Config::default()), expect) {
            (Ok(name), Ok(expected)) => assert_eq!(name, expected),
            (Err(error), Err(code)) => assert_eq!(error.code, code),
            (found, _) => panic!("{json}: {found:?}"),
        }
    }

    #[test]
    fn groups() {
        check(r#"{"logGroupName":"/aws/eks/a/cluster"}"#, Ok("/aws/eks/a/cluster"));
        check(r#"{"logGroupIdentifier":"/aws/eks/a/cluster"}"#, Ok("/aws/eks/a/cluster"));
        check(r#"{"logGroupIdentifier":"arn:aws:logs:us-east-1:111122223333:log-group:/a"}"#, Ok("/a"));
        check(
            r#"{"logGroupIdentifier":"arn:aws:logs:us-east-1:111122223333:log-group:/a:*"}"#,
            Err("InvalidParameterException"),
        );
        check(
            r#"{"logGroupIdentifier":"arn:aws:logs:eu-west-1:111122223333:log-group:/a"}"#,
            Err("ResourceNotFoundException"),
        );
        check(r#"{"logGroupName":"a","logGroupIdentifier":"a"}"#, Err("InvalidParameterException"));
        check(r#"{}"#, Err("InvalidParameterException"));
        check(r#"{"logGroupName":""}"#, Err("InvalidParameterException"));
        check(r#"{"logGroupName":"a b"}"#, Err("InvalidParameterException"));
    }
}
