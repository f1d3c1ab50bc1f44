//! [`ConnectionString`]: `Key=Value;Key=Value`, as Azure's portal hands them out.

use event_source::{ErrorKind, Secret, SourceError};

/// The parts of a connection string. Its values are secrets until someone asks for one by name.
#[derive(Clone, Debug)]
pub struct ConnectionString {
    /// What messages call it: the key of the configuration that it stood in.
    name: &'static str,
    parts: Vec<(String, Secret)>,
}

/// The parts that are asked for.
const KNOWN: [&str; 13] = [
    "Endpoint",
    "EntityPath",
    "SharedAccessKeyName",
    "SharedAccessKey",
    "SharedAccessSignature",
    "UseDevelopmentEmulator",
    "AccountName",
    "AccountKey",
    "BlobEndpoint",
    "EndpointSuffix",
    "DefaultEndpointsProtocol",
    "UseDevelopmentStorage",
    "DevelopmentStorageProxyUri",
];

impl ConnectionString {
    /// Reads one; `name` is the configuration key that it stood in.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is empty, or a part is no `Key=Value`. The message names the key and which part,
    /// never what it holds.
    pub fn parse(name: &'static str, text: &str) -> Result<Self, SourceError> {
        let mut parts: Vec<(String, Secret)> = Vec::new();
        let written = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        for (index, part) in written.enumerate() {
            let Some((key, value)) = part.split_once('=') else {
                return Err(wrong(name, &format!("its {}. part is no `Key=Value`", index + 1)));
            };
            // Whatever stands before a `=` is only shown where it is no secret: a key alone ends in one.
            let shown = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(key.trim()));
            let shown =
                shown.map_or_else(|| format!("its {}. part", index + 1), |known| format!("`{known}`"));
            if value.is_empty() {
                return Err(wrong(name, &format!("{shown} is empty")));
            }
            if parts.iter().any(|(known, _)| known.eq_ignore_ascii_case(key)) {
                return Err(wrong(name, &format!("{shown} stands there twice")));
            }
            parts.push((key.trim().to_owned(), Secret::new(value)));
        }
        if parts.is_empty() {
            return Err(wrong(name, "it is empty"));
        }
        Ok(Self { name, parts })
    }

    /// The value of that key, in whatever case it is written.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut parts = self.parts.iter();
        parts.find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.expose())
    }

    pub(crate) fn need(&self, key: &str) -> Result<&str, SourceError> {
        self.get(key).ok_or_else(|| self.wrong(&format!("`{key}` is missing")))
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn wrong(&self, why: &str) -> SourceError {
        wrong(self.name, why)
    }
}

fn wrong(name: &str, why: &str) -> SourceError {
    SourceError::new(ErrorKind::Config, format!("`{name}`: no connection string that can be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0";

    #[test]
    fn parts_are_found_in_any_case() {
        let text = format!("Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKey={KEY}==;x=;")
            .replace("x=;", "");
        let parsed = ConnectionString::parse("key", &text).expect("parts");
        assert_eq!(parsed.get("endpoint"), Some("sb://ns.servicebus.windows.net/"));
        assert_eq!(parsed.get("SHAREDACCESSKEY"), Some(format!("{KEY}==").as_str()), "a value may hold `=`");
        assert_eq!(parsed.get("EntityPath"), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_shown() {
        for (text, expect) in [
            ("", "it is empty"),
            (" ; ", "it is empty"),
            ("Endpoint=a;c2VjcmV0", "its 2. part is no `Key=Value`"),
            ("SharedAccessKey=", "`SharedAccessKey` is empty"),
            ("AccountKey=c2VjcmV0;accountkey=c2VjcmV0", "`AccountKey` stands there twice"),
            // A key by itself, pasted where a connection string belongs.
            ("c2VjcmV0=", "its 1. part is empty"),
        ] {
            let error = ConnectionString::parse("the_key", text).expect_err(text).to_string();
            assert!(error.starts_with("`the_key`: ") && error.ends_with(expect), "{error}");
            assert!(!error.contains(KEY), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let parsed = ConnectionString::parse("key", &format!("AccountKey={KEY}")).expect("parts");
        assert!(!format!("{parsed:?}").contains(KEY));
    }
}
