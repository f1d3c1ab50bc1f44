//! From the text of `init_config` to a plugin's typed configuration.

use std::env;

use event_source::{ErrorKind, SourceError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::common_config::CommonKeys;
use super::{CommonConfig, environment, schema};
use crate::Plugin;

/// A configuration that was read, and what the user should hear about it.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The plugin's own keys.
    pub config: C,
    /// The keys of every plugin.
    pub common: CommonConfig,
    /// One line each, for the log.
    pub warnings: Vec<String>,
}

/// Reads `init_config`, a JSON object; empty text is an empty one.
///
/// - Another spelling of a key counts as the key; where both are given, the key wins and a warning says so.
/// - The case of a key does not matter, as it does not to the Go plugins.
/// - A key that nobody knows is accepted, and a warning names it and the nearest known one.
/// - `${NAME}` in a string is the environment variable of that name; `$${` is `${` itself.
/// - `null` is as good as no key.
///
/// # Errors
/// [`ErrorKind::Config`] for text that is no JSON object, for a value of the wrong type (the message names key,
/// expected and found, and never shows a string's text), and for an environment variable that is not set.
pub fn load<P: Plugin>(text: &str) -> Result<Loaded<P::Config>, SourceError> {
    load_with::<P>(text, &|name| env::var(name).ok())
}

pub(crate) fn load_with<P: Plugin>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded<P::Config>, SourceError> {
    let mut warnings = Vec::new();
    let mut members = object(text)?;
    members.retain(|_, value| !value.is_null());
    for (spelling, key) in schema::aliases::<P>() {
        let Some(value) = members.remove(*spelling) else { continue };
        if members.contains_key(*key) {
            warnings.push(format!(
                "`{spelling}` is ignored: it is another spelling of `{key}`, which is given too"
            ));
        } else {
            members.insert((*key).to_owned(), value);
        }
    }
    let own_keys = schema::keys::<P::Config>();
    let common_keys = schema::common_keys::<P>();
    let (mut own, mut common) = (Map::new(), Map::new());
    for (key, mut value) in members {
        let key = known_in_another_case(key, own_keys.keys().chain(common_keys.keys()));
        let section = match (own_keys.contains_key(&key), common_keys.contains_key(&key)) {
            (true, _) => &mut own,
            (false, true) => &mut common,
            (false, false) => {
                warnings.push(unknown(&key, own_keys.keys().chain(common_keys.keys())));
                continue;
            }
        };
        environment::expand(&key, &mut value, lookup)?;
        section.insert(key, value);
    }
    Ok(Loaded { config: typed(own)?, common: typed::<CommonKeys>(common)?.resolve(P::DEFAULTS)?, warnings })
}

fn object(text: &str) -> Result<Map<String, Value>, SourceError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(error(format!(
            "`init_config` must be an object such as `{{\"log_level\": \"info\"}}`, found {}",
            describe(&other)
        ))),
        Err(cause) => Err(error("`init_config` is no valid JSON".to_owned()).because(cause)),
    }
}

fn known_in_another_case<'k>(key: String, mut known: impl Iterator<Item = &'k String>) -> String {
    known.find(|known| known.eq_ignore_ascii_case(&key)).cloned().unwrap_or(key)
}

fn unknown<'k>(key: &str, known: impl Iterator<Item = &'k String>) -> String {
    let lower = key.to_lowercase();
    let nearest = known
        .map(|known| {
            let distance = strsim::damerau_levenshtein(&lower, &known.to_lowercase());
            // Whoever stops early means what he began: `sslCert` is no `sslKey`.
            let is_begun = lower.len() > 2 && known.to_lowercase().starts_with(&lower);
            (!is_begun, distance, known)
        })
        .min()
        // Further away than that, a suggestion is a guess.
        .filter(|(is_other, distance, known)| !is_other || *distance <= known.len().max(key.len()) / 2);
    match nearest {
        Some((.., nearest)) => format!("unknown key `{key}` is ignored, did you mean `{nearest}`?"),
        None => format!("unknown key `{key}` is ignored"),
    }
}

fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, SourceError> {
    let value = Value::Object(members);
    // By reference: what was found is still there to be described.
    serde_path_to_error::deserialize(&value).map_err(|cause| mismatch(&value, &cause))
}

/// "`key`: expected .., found ..", without the text of any string: it may be a secret.
fn mismatch(value: &Value, cause: &serde_path_to_error::Error<serde_json::Error>) -> SourceError {
    let found = at(value, cause.path());
    let text = cause.inner().to_string();
    let place = match cause.path().to_string() {
        path if path == "." => "`init_config`".to_owned(),
        path => format!("`{path}`"),
    };
    error(match text.rsplit_once(", expected ").or_else(|| text.rsplit_once(" expected ")) {
        Some((_, expected)) => {
            let found = found.map_or_else(|| "something else".to_owned(), describe);
            format!("{place}: expected {}, found {found}", plain(expected))
        }
        None => format!("{place}: {}", without(&text, found)),
    })
}

fn at<'v>(mut value: &'v Value, path: &Path) -> Option<&'v Value> {
    for segment in path {
        value = match segment {
            Segment::Map { key } => value.get(key)?,
            Segment::Seq { index } => value.get(index)?,
            Segment::Enum { .. } => value,
            Segment::Unknown => return None,
        };
    }
    Some(value)
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// serde's names of types in the words of a user.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "an object",
        other => other,
    }
}

/// A message of the plugin's own, without the string that it is about.
fn without(message: &str, found: Option<&Value>) -> String {
    match found.and_then(Value::as_str) {
        Some(text) if !text.is_empty() => message.replace(text, "…"),
        _ => message.to_owned(),
    }
}

fn error(message: String) -> SourceError {
    SourceError::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{AuditFields, LogLevel, Seconds};

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Config {
        region: String,
        shift: Seconds,
        buffer_size: u32,
        offset: i64,
        use_async: bool,
        mode: Mode,
        hosts: Vec<String>,
        nested: Nested,
        even: Even,
    }

    #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Fast,
        Slow,
    }

    #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Nested {
        port: u16,
    }

    /// A type whose errors have no "expected".
    #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(try_from = "String")]
    #[schemars(with = "String")]
    struct Even(String);

    impl TryFrom<String> for Even {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            if text.len().is_multiple_of(2) { Ok(Self(text)) } else { Err(format!("`{text}` is odd")) }
        }
    }

    impl Default for Config {
        fn default() -> Self {
            Self {
                region: "here".to_owned(),
                shift: Seconds::new(1),
                buffer_size: 200,
                offset: 0,
                use_async: true,
                mode: Mode::Fast,
                hosts: Vec::new(),
                nested: Nested::default(),
                even: Even::default(),
            }
        }
    }

    struct Stub;

    impl Plugin for Stub {
        const NAME: &'static CStr = c"stub";
        const VERSION: &'static CStr = c"0.1.0";
        const DESCRIPTION: &'static CStr = c"";
        const CONTACT: &'static CStr = c"";
        const LOG_TARGETS: &'static [&'static str] = &[];
        const ALIASES: &'static [(&'static str, &'static str)] = &[("useAsync", "use_async")];
        const DEFAULTS: CommonConfig = CommonConfig { max_queue_bytes: 7, ..CommonConfig::DEFAULT };
        type Config = Config;
        type Fields = AuditFields;
        fn new(_: Config, _: CommonConfig) -> Result<Self, SourceError> {
            Ok(Self)
        }
    }

    fn read(text: &str) -> Result<Loaded<Config>, SourceError> {
        load_with::<Stub>(text, &|name| match name {
            "REGION" => Some("eu-west-1".to_owned()),
            "_X9" => Some("x${REGION}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    /// What a good configuration changes.
    #[track_caller]
    fn good(text: &str, own: impl FnOnce(&mut Config), common: impl FnOnce(&mut CommonConfig)) {
        let loaded = read(text).unwrap();
        let (mut expect_own, mut expect_common) = (Config::default(), Stub::DEFAULTS);
        own(&mut expect_own);
        common(&mut expect_common);
        assert_eq!((loaded.config, loaded.common), (expect_own, expect_common));
        assert_eq!(loaded.warnings, [""; 0]);
    }

    #[track_caller]
    fn bad(text: &str, expect: &str) {
        assert_eq!(event_source::chain(&read(text).unwrap_err()), expect, "{text}");
    }

    #[track_caller]
    fn warns(text: &str, expect: &[&str]) {
        assert_eq!(read(text).unwrap().warnings, expect, "{text}");
    }

    /// The region that comes of `text`.
    #[track_caller]
    fn expands(text: &str, expect: &str) {
        assert_eq!(read(&json!({ "region": text }).to_string()).unwrap().config.region, expect, "{text}");
    }

    #[test]
    fn nothing_is_an_empty_object() {
        good("", |_| {}, |_| {});
        good(" \n", |_| {}, |_| {});
        good("{}", |_| {}, |_| {});
        good("null", |_| {}, |_| {});
        good(r#"{"region":null,"log_level":null}"#, |_| {}, |_| {});
    }

    #[test]
    fn a_key_sets_its_value() {
        good(r#"{"region":"there"}"#, |own| own.region = "there".to_owned(), |_| {});
        good(
            r#"{"buffer_size":1,"mode":"slow"}"#,
            |own| (own.buffer_size, own.mode) = (1, Mode::Slow),
            |_| {},
        );
        good(r#"{"shift":0}"#, |own| own.shift = Seconds::new(0), |_| {});
        good(r#"{"shift":2.0}"#, |own| own.shift = Seconds::new(2), |_| {});
        good(r#"{"shift":0.25}"#, |own| own.shift = std::time::Duration::from_millis(250).into(), |_| {});
        good(r#"{"shift":31536000}"#, |own| own.shift = Seconds::new(Seconds::MAX), |_| {});
        good(r#"{"max_event_size":1024}"#, |_| {}, |common| common.max_event_size = 1024);
        good(r#"{"max_queue_bytes":8}"#, |_| {}, |common| common.max_queue_bytes = 8);
        good(r#"{"checkpoint_interval":9}"#, |_| {}, |common| common.checkpoint_interval = Seconds::new(9));
        good(r#"{"give_up_after":0}"#, |_| {}, |common| common.give_up_after = Seconds::new(0));
        good(r#"{"log_level":"debug"}"#, |_| {}, |common| common.log_level = LogLevel::Debug);
    }

    #[test]
    fn another_spelling_is_the_key() {
        good(r#"{"maxEventSize":2000}"#, |_| {}, |common| common.max_event_size = 2000);
        good(r#"{"useAsync":false}"#, |own| own.use_async = false, |_| {});
        let both = r#"{"max_event_size":3000,"maxEventSize":2000}"#;
        assert_eq!(read(both).unwrap().common.max_event_size, 3000);
        warns(
            both,
            &["`maxEventSize` is ignored: it is another spelling of `max_event_size`, which is given too"],
        );
        bad(r#"{"useAsync":1}"#, "`use_async`: expected `true` or `false`, found the number `1`");
    }

    #[test]
    fn an_unknown_key_is_told_once() {
        warns(r#"{"regoin":1}"#, &["unknown key `regoin` is ignored, did you mean `region`?"]);
        warns(r#"{"Region":"x"}"#, &[]);
        assert_eq!(read(r#"{"Region":"x"}"#).unwrap().config.region, "x", "in whatever case");
        warns(r#"{"loglevel":"x"}"#, &["unknown key `loglevel` is ignored, did you mean `log_level`?"]);
        warns(
            r#"{"something_else_entirely":"${NOT_SET}"}"#,
            &["unknown key `something_else_entirely` is ignored"],
        );
        warns(r#"{"nested":{"prot":1}}"#, &[]);
    }

    #[test]
    fn a_wrong_type_is_told_with_key_expected_and_found() {
        let seconds = "expected a number of seconds from 0 to 31536000, found";
        bad(r#"{"shift":"5"}"#, &format!("`shift`: {seconds} a string"));
        bad(r#"{"shift":-1}"#, &format!("`shift`: {seconds} the number `-1`"));
        bad(r#"{"shift":-0.5}"#, &format!("`shift`: {seconds} the number `-0.5`"));
        bad(r#"{"shift":31536001}"#, &format!("`shift`: {seconds} the number `31536001`"));
        bad(r#"{"shift":1e300}"#, &format!("`shift`: {seconds} the number `1e+300`"));
        bad(r#"{"shift":[1]}"#, &format!("`shift`: {seconds} a list"));
        bad(r#"{"checkpoint_interval":{}}"#, &format!("`checkpoint_interval`: {seconds} an object"));
        bad(r#"{"region":1}"#, "`region`: expected a string, found the number `1`");
        bad(
            r#"{"buffer_size":"many"}"#,
            "`buffer_size`: expected a whole number, not negative, found a string",
        );
        bad(
            r#"{"buffer_size":-1}"#,
            "`buffer_size`: expected a whole number, not negative, found the number `-1`",
        );
        bad(
            r#"{"buffer_size":1.5}"#,
            "`buffer_size`: expected a whole number, not negative, found the number `1.5`",
        );
        bad(r#"{"offset":true}"#, "`offset`: expected a whole number, found `true`");
        bad(r#"{"use_async":"yes"}"#, "`use_async`: expected `true` or `false`, found a string");
        bad(r#"{"mode":"medium"}"#, "`mode`: expected `fast` or `slow`, found a string");
        bad(r#"{"hosts":"x"}"#, "`hosts`: expected a list, found a string");
        bad(r#"{"hosts":["x",1]}"#, "`hosts[1]`: expected a string, found the number `1`");
        bad(
            r#"{"nested":{"port":"x"}}"#,
            "`nested.port`: expected a whole number, not negative, found a string",
        );
        bad(r#"{"even":"abc"}"#, "`even`: `…` is odd");
        bad(
            r#"{"log_level":"loud"}"#,
            "`log_level`: expected one of `trace`, `debug`, `info`, `warn`, `error`, `off`, found a string",
        );
        bad(
            r#"{"max_event_size":10}"#,
            "`max_event_size`: expected a number of bytes from 1024 to 1073741824, found the number `10`",
        );
        bad(
            r#"{"max_event_size":"1"}"#,
            "`max_event_size`: expected a whole number, not negative, found a string",
        );
    }

    #[test]
    fn what_is_no_object_is_told() {
        let example = r#"`init_config` must be an object such as `{"log_level": "info"}`, found"#;
        bad("[]", &format!("{example} a list"));
        bad("\"x\"", &format!("{example} a string"));
        bad("1", &format!("{example} the number `1`"));
        bad("{", "`init_config` is no valid JSON: EOF while parsing an object at line 1 column 1");
        bad("region: x", "`init_config` is no valid JSON: expected value at line 1 column 1");
    }

    #[test]
    fn a_string_may_name_the_environment() {
        expands("plain", "plain");
        expands("${REGION}", "eu-west-1");
        expands("a ${REGION} b ${REGION}", "a eu-west-1 b eu-west-1");
        expands("${EMPTY}", "");
        // A value is not looked at again.
        expands("${_X9}", "x${REGION}");
        expands("$${REGION}", "${REGION}");
        expands("$$${REGION}", "$${REGION}");
        expands("$REGION $ {x} }", "$REGION $ {x} }");
        expands("{ $.verb = \"get\" }", "{ $.verb = \"get\" }");
        let list = read(r#"{"hosts":["${REGION}","y"]}"#).unwrap().config.hosts;
        assert_eq!(list, ["eu-west-1", "y"]);
        bad(
            r#"{"region":"a${NOT_SET}"}"#,
            "`region`: the environment variable `NOT_SET` is not set; \
             set it, or write `$${NOT_SET}` for the text itself",
        );
        for broken in ["${REGION", "${}", "${9}", "${a b}", "${a-b}"] {
            bad(
                &json!({ "region": broken }).to_string(),
                "`region`: a `${` that no name of an environment variable and `}` follow; \
                 write `$${` for the text itself",
            );
        }
    }
}
