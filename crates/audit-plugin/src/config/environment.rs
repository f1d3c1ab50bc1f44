//! `${NAME}` in the strings of a configuration: the value of an environment variable.
//!
//! `$${` stands for `${` itself; a `$` before anything else is a `$`.

use event_source::{ErrorKind, SourceError};
use serde_json::Value;

/// Replaces every `${NAME}` in the strings of `value`, at any depth.
pub(super) fn expand(
    key: &str,
    value: &mut Value,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), SourceError> {
    // JSON of serde_json nests at most 128 deep.
    match value {
        Value::String(text) if text.contains("${") => {
            *text = expand_text(key, text, lookup)?;
        }
        Value::Array(items) => {
            for item in items {
                expand(key, item, lookup)?;
            }
        }
        Value::Object(members) => {
            for (_, member) in members {
                expand(key, member, lookup)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn expand_text(
    key: &str,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, SourceError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (name, after) = after.split_once('}').filter(|(name, _)| is_name(name)).ok_or_else(|| {
            error(format!(
                "`{key}`: a `${{` that no name of an environment variable and `}}` follow; \
                     write `$${{` for the text itself"
            ))
        })?;
        expanded.push_str(&lookup(name).ok_or_else(|| {
            error(format!(
                "`{key}`: the environment variable `{name}` is not set; \
                 set it, or write `$${{{name}}}` for the text itself"
            ))
        })?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn error(message: String) -> SourceError {
    SourceError::new(ErrorKind::Config, message)
}
