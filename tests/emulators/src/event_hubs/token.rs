//! Tokens: who may do what, where, and for how long.
//!
//! Owns: the check of a shared access signature. Does not own: the reply (`cbs`).

use super::config::{Config, Policy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;
#[cfg(test)]
use std::time::Duration;

/// What a token allows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grant {
    /// Path below the namespace in lower case, without slashes around it; empty: all of it.
    pub(crate) path: String,
    pub(crate) listen: bool,
    pub(crate) send: bool,
    /// Milliseconds since 1970; `i64::MAX` when it does not end.
    pub(crate) until_ms: i64,
}

impl Grant {
    /// Whether it reaches this path, in lower case and without slashes around it.
    pub(crate) fn covers(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.as_str()) {
            Some(rest) => self.path.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    fn of(policy: &Policy, path: String, until_ms: i64) -> Self {
        Self { path, listen: policy.listen, send: policy.send, until_ms }
    }
}

/// The path in an audience such as `sb://host:port/hub/consumergroups/...`.
pub(crate) fn path(audience: &str) -> String {
    let rest = audience.split_once("://").map_or(audience, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    path.trim_matches('/').to_ascii_lowercase()
}

/// What SASL PLAIN with a policy's name and key allows.
pub(crate) fn plain(config: &Config, name: &str, key: &str) -> Option<Grant> {
    let policy = config.policies.iter().find(|policy| policy.name == name && policy.key == key)?;
    Some(Grant::of(policy, String::new(), i64::MAX))
}

/// Checks a token as put-token brings it, for an audience.
///
/// # Errors
/// Why it is refused, in the service's words.
pub(crate) fn check(config: &Config, token: &str, audience: &str, now_ms: i64) -> Result<Grant, String> {
    let Some(fields) = token.strip_prefix("SharedAccessSignature ") else {
        let accepted = config.bearer.as_deref() == Some(token);
        let grant = Grant { path: path(audience), listen: true, send: true, until_ms: i64::MAX };
        return if accepted { Ok(grant) } else { Err("InvalidIssuer: Token issuer is invalid.".into()) };
    };
    let field = |name: &str| {
        let pairs = fields.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    };
    let (Some(resource), Some(signature), Some(expiry), Some(name)) =
        (field("sr"), field("sig"), field("se"), field("skn"))
    else {
        return Err("MalformedToken: the token lacks sr, sig, se or skn.".into());
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let name = decoded(name);
    let Some(policy) = config.policies.iter().find(|policy| policy.name == name) else {
        return Err("InvalidSignature: The token has an invalid signature.".into());
    };
    if decoded(signature) != sign(&policy.key, &format!("{resource}\n{expiry}")) {
        return Err("InvalidSignature: The token has an invalid signature.".into());
    }
    let Some(until_ms) = expiry.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000)) else {
        return Err("MalformedToken: the expiry is no number.".into());
    };
    if until_ms <= now_ms {
        return Err("ExpiredToken: The token is expired.".into());
    }
    let granted = Grant::of(policy, path(&decoded(resource)), until_ms);
    if !granted.covers(&path(audience)) {
        return Err(format!("InvalidAudience: The token is not for '{audience}'."));
    }
    Ok(granted)
}

/// HMAC-SHA256 with a key as text, in base64.
fn sign(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A token of a policy, for clients that bring none of their own making.
#[cfg(test)]
pub(crate) fn issue(policy: &Policy, resource: &str, now_ms: i64, good_for: Duration) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let resource = encode(resource);
    let expiry = now_ms / 1_000 + good_for.as_secs() as i64;
    let signature = encode(&sign(&policy.key, &format!("{resource}\n{expiry}")));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={}", encode(&policy.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_audience(audience: &str, expect: Result<&str, &str>) {
        let config = Config::default();
        let token = issue(&config.policies[0], "sb://host/Hub", 0, Duration::from_secs(60));
        match (check(&config, &token, audience, 1_000), expect) {
            (Ok(grant), Ok(path)) => assert_eq!((grant.path.as_str(), grant.until_ms), (path, 60_000)),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, expect) => panic!("{audience}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn audiences() {
        check_audience("amqp://other:1/hub", Ok("hub"));
        check_audience("sb://host/hub/ConsumerGroups/$Default/Partitions/0", Ok("hub"));
        check_audience("sb://host/hub2", Err("InvalidAudience"));
        check_audience("sb://host/", Err("InvalidAudience"));
    }

    #[test]
    fn wrong_tokens() {
        let config = Config { bearer: Some("eyJ0".into()), ..Config::default() };
        let refused = |token: &str| check(&config, token, "sb://host/hub", 1_000_000).unwrap_err();
        let policy = &config.policies[0];
        let other = Policy { key: "other".into(), ..policy.clone() };
        let minute = Duration::from_secs(60);
        assert!(refused(&issue(&other, "sb://host/", 1_000_000, minute)).contains("InvalidSignature"));
        assert!(refused(&issue(policy, "sb://host/", 0, minute)).contains("ExpiredToken"));
        let unknown = Policy { name: "other".into(), ..policy.clone() };
        assert!(refused(&issue(&unknown, "sb://host/", 1_000_000, minute)).contains("InvalidSignature"));
        assert!(refused("SharedAccessSignature sr=x").contains("MalformedToken"));
        assert!(refused("eyJ1").contains("InvalidIssuer"));
        check(&config, "eyJ0", "sb://host/hub", 0).unwrap();
        let all = issue(policy, "sb://host/", 1_000_000, minute);
        assert!(check(&config, &all, "sb://host/hub", 1_000_000).unwrap().covers("hub/partitions/0"));
    }
}
