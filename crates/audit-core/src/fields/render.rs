//! The table, as Falco and as people read it.

use std::fmt::Write;

use super::{ArgKind, TABLE};

/// What `plugin_get_fields` returns: a JSON array of the fields, in the order of their numbers.
pub fn falco_json() -> String {
    let mut json = String::from("[");
    for (number, field) in TABLE.iter().enumerate() {
        let separator = if number == 0 { "" } else { "," };
        let arg = match field.arg {
            ArgKind::None => "",
            ArgKind::Index => r#","arg":{"isIndex":true}"#,
            ArgKind::Key => r#","arg":{"isRequired":true,"isKey":true}"#,
        };
        push(
            &mut json,
            format_args!(
                r#"{separator}{{"type":"string","name":{},"isList":{}{arg},"display":{},"desc":{}}}"#,
                quoted(field.name),
                field.list,
                quoted(field.display),
                quoted(field.desc),
            ),
        );
    }
    json.push(']');
    json
}

/// `docs/fields.md`: a page for people.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for field in TABLE {
        let argument = match field.arg {
            ArgKind::None => "",
            ArgKind::Index => "`[index]`",
            ArgKind::Key => "`[KEY]`, required",
        };
        let kind = if field.list { "list" } else { "one" };
        push(
            &mut page,
            format_args!(
                "| `{}` | {kind} | {argument} | {} | {} |\n",
                field.name,
                field.desc.replace('|', "\\|"),
                field.source,
            ),
        );
    }
    page
}

const INTRODUCTION: &str = "\
<!-- Rendered from crates/audit-core/src/fields/table.rs by `cargo xtask codegen`; edits here are lost. -->

# Fields

Every plugin of event source `k8s_audit` offers these fields, and gives the same values for the same event.
All of them are strings; a list has several values, and a rule's `in` or `intersects` compares them all.
A field has no value when the event lacks what it is about; that is never an error.
The last column says where a value comes from, as a JSON pointer with `*` for each element of an array.
With an index, a list gives what element number `index` (from 0) of its array gives, and nothing when there is no such element.

Numbers and booleans are told as they are written in the event, objects and arrays as JSON text without whitespace.

| field | values | argument | meaning | from |
|---|---|---|---|---|
";

/// Writing to a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A JSON string. The table holds printable text only, as a test sees to.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_printable() {
        for field in TABLE {
            for text in [field.name, field.display, field.desc] {
                assert!(
                    text.chars().all(|character| character.is_ascii() && !character.is_control()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn falco_gets_json_in_the_order_of_the_table() {
        let fields: serde_json::Value = serde_json::from_str(&falco_json()).unwrap();
        let fields = fields.as_array().unwrap();
        assert_eq!(fields.len(), TABLE.len());
        for (json, field) in fields.iter().zip(TABLE) {
            assert_eq!(json["name"], field.name);
            assert_eq!(json["type"], "string");
            assert_eq!(json["isList"], field.list);
            assert_eq!(json["display"], field.display);
            assert_eq!(json["desc"], field.desc);
            assert_eq!(json["arg"]["isIndex"] == true, field.arg == ArgKind::Index);
            assert_eq!(json["arg"]["isKey"] == true, field.arg == ArgKind::Key);
            assert_eq!(json["arg"]["isRequired"] == true, field.arg == ArgKind::Key);
            assert_eq!(json.get("arg").is_some(), field.arg != ArgKind::None);
        }
    }

    #[test]
    fn the_page_has_a_line_for_each_field() {
        let page = markdown();
        let lines = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(lines, TABLE.len());
    }
}
