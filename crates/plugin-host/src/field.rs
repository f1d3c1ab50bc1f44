//! Fields as a plugin lists them, and requests for them as a rule writes them.
//!
//! Owns: the JSON of `plugin_get_fields`, and the syntax `name[argument]` with
//! libsinsp's rules for indexes and keys. Does not own: extraction itself.

use std::ffi::CString;

use falco_plugin_api as api;
use serde::Deserialize;

use crate::Error;

/// One field of `plugin_get_fields`.
#[derive(Debug, Clone, Deserialize)]
pub struct Field {
    /// As rules write it, without argument.
    pub name: String,
    /// Type of each value.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether it may have several values.
    #[serde(default, rename = "isList")]
    pub list: bool,
    /// What it takes in brackets.
    #[serde(default, rename = "arg")]
    pub argument: Argument,
    /// Short name for people; may be empty.
    #[serde(default)]
    pub display: String,
    /// Description; never empty.
    pub desc: String,
    /// Whether the plugin suggests it for a default output.
    #[serde(default, rename = "addOutput")]
    pub suggested: bool,
}

/// Type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the plugin API's own names")]
pub enum FieldType {
    String,
    Uint64,
    Reltime,
    Abstime,
    Bool,
    Ipaddr,
    Ipnet,
}

impl FieldType {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::String => api::ss_plugin_field_type_FTYPE_STRING,
            Self::Uint64 => api::ss_plugin_field_type_FTYPE_UINT64,
            Self::Reltime => api::ss_plugin_field_type_FTYPE_RELTIME,
            Self::Abstime => api::ss_plugin_field_type_FTYPE_ABSTIME,
            Self::Bool => api::ss_plugin_field_type_FTYPE_BOOL,
            Self::Ipaddr => api::ss_plugin_field_type_FTYPE_IPADDR,
            Self::Ipnet => api::ss_plugin_field_type_FTYPE_IPNET,
        }
    }
}

/// What a field takes in brackets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Argument {
    /// The field cannot be asked without one.
    #[serde(rename = "isRequired")]
    pub required: bool,
    /// A number is handed over as `arg_index`.
    #[serde(rename = "isIndex")]
    pub index: bool,
    /// The text is handed over as `arg_key`.
    #[serde(rename = "isKey")]
    pub key: bool,
}

impl Argument {
    fn allowed(self) -> bool {
        self.index || self.key
    }
}

/// The fields of `plugin_get_fields`, with libsinsp's checks of that text.
pub(crate) fn parse_fields(json: &str) -> Result<Vec<Field>, String> {
    let fields: Vec<Field> =
        serde_json::from_str(json).map_err(|why| format!("get_fields returned an invalid JSON: {why}"))?;
    for field in &fields {
        if field.name.is_empty() || field.desc.is_empty() {
            return Err(format!("field JSON entry `{}` has no name or no desc", field.name));
        }
        if field.argument.required && !field.argument.allowed() {
            return Err(format!("field `{}` requires an argument that is neither key nor index", field.name));
        }
    }
    Ok(fields)
}

/// A field with its argument, ready to be asked for any number of times.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) id: u32,
    pub(crate) name: CString,
    pub(crate) key: Option<CString>,
    pub(crate) index: u64,
    pub(crate) present: bool,
    pub(crate) kind: FieldType,
    pub(crate) list: bool,
}

impl Request {
    /// Reads `name` or `name[argument]` against the fields of a plugin.
    pub(crate) fn parse(fields: &[Field], text: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Field { request: text.to_owned(), reason };
        let (name, argument) = split(text).map_err(|reason| refuse(reason.to_owned()))?;
        let (id, field) = fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == name)
            .ok_or_else(|| refuse("the plugin has no such field".to_owned()))?;
        let spec = field.argument;
        let mut request = Self {
            id: u32::try_from(id).map_err(|_| refuse("too many fields".to_owned()))?,
            name: CString::new(name).map_err(|_| refuse("contains a NUL byte".to_owned()))?,
            key: None,
            index: 0,
            present: argument.is_some(),
            kind: field.kind,
            list: field.list,
        };
        match argument {
            None if spec.required => return Err(refuse("requires an argument but none provided".to_owned())),
            Some(argument) if !spec.allowed() => {
                return Err(refuse(format!("takes no argument but one is provided: `{argument}`")));
            }
            None => {}
            Some(argument) => {
                if spec.index {
                    request.index = index(argument).map_err(|reason| refuse(reason.to_owned()))?;
                }
                if spec.key {
                    let key = CString::new(argument).map_err(|_| refuse("contains a NUL byte".to_owned()))?;
                    request.key = Some(key);
                }
            }
        }
        Ok(request)
    }
}

/// Name and argument; the argument ends at the first closing bracket.
fn split(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let Some((name, rest)) = text.split_once('[') else { return Ok((text, None)) };
    match rest.split_once(']') {
        Some((argument, "")) => Ok((name, Some(argument))),
        Some(_) => Err("has text after its argument"),
        None => Err("has unbalanced argument brackets"),
    }
}

/// Digits only, no leading zero, 64 bits.
fn index(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || (text.len() > 1 && text.starts_with('0')) {
        return Err("has an invalid index argument starting with 0");
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has an invalid index argument not composed only by digits");
    }
    text.parse().map_err(|_| "has an invalid index argument not representable on 64 bit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = r#"[
        {"type": "string", "name": "t.plain", "desc": "d"},
        {"type": "string", "name": "t.list", "isList": true, "arg": {"isIndex": true}, "desc": "d"},
        {"type": "string", "name": "t.map", "arg": {"isKey": true, "isRequired": true}, "desc": "d"}]"#;

    /// Expects `name id key index present`, or the reason of a refusal.
    #[track_caller]
    fn check(text: &str, expect: &str) {
        let fields = parse_fields(FIELDS).unwrap();
        let got = match Request::parse(&fields, text) {
            Ok(it) => format!(
                "{} {} {} {} {}",
                it.name.to_str().unwrap(),
                it.id,
                it.key.as_deref().map_or("-", |key| key.to_str().unwrap()),
                it.index,
                it.present
            ),
            Err(Error::Field { reason, .. }) => reason,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn requests_are_read_as_rules_write_them() {
        check("t.plain", "t.plain 0 - 0 false");
        check("t.list", "t.list 1 - 0 false");
        check("t.list[0]", "t.list 1 - 0 true");
        check("t.list[12]", "t.list 1 - 12 true");
        check("t.list[18446744073709551615]", "t.list 1 - 18446744073709551615 true");
        check("t.map[some key/x.y]", "t.map 2 some key/x.y 0 true");
        check("t.map[7]", "t.map 2 7 0 true");
    }

    #[test]
    fn requests_that_falco_refuses_are_refused() {
        check("t.other", "the plugin has no such field");
        check("t.plain[0]", "takes no argument but one is provided: `0`");
        check("t.map", "requires an argument but none provided");
        check("t.list[]", "has an invalid index argument starting with 0");
        check("t.list[01]", "has an invalid index argument starting with 0");
        check("t.list[-1]", "has an invalid index argument not composed only by digits");
        check("t.list[18446744073709551616]", "has an invalid index argument not representable on 64 bit");
        check("t.list[1", "has unbalanced argument brackets");
        check("t.list[1]x", "has text after its argument");
    }

    #[test]
    fn field_lists_that_falco_refuses_are_refused() {
        for json in [
            "",
            "{}",
            r#"[{"type": "text", "name": "a", "desc": "d"}]"#,
            r#"[{"type": "string", "name": "", "desc": "d"}]"#,
            r#"[{"type": "string", "name": "a", "desc": ""}]"#,
            r#"[{"type": "string", "name": "a", "desc": "d", "arg": {"isRequired": true}}]"#,
        ] {
            assert!(parse_fields(json).is_err(), "{json}");
        }
    }
}
