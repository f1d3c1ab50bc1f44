//! [`JsonFields`]: what the plugin extracts, and what it tells the host of it.

use std::ffi::CStr;

use audit_core::{Index, ValueSink, extract_at};
use audit_plugin::extraction::{Argument, Fields, UnknownField, Values};

use super::pointers::Pointers;

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// What the pointer in its argument leads to.
    Value,
    /// The whole document, indented.
    Object,
    /// The time of the event.
    Time,
}

/// A field, under the number of its place in [`TABLE`].
struct Spec {
    name: &'static str,
    meaning: Meaning,
    display: &'static str,
    desc: &'static str,
}

/// In the order of the Go plugin.
const TABLE: [Spec; 6] = [
    Spec {
        name: "json.value",
        meaning: Meaning::Value,
        display: "Value at a JSON pointer",
        desc: "The value that a JSON pointer (RFC 6901) leads to, with or without its leading slash: the text of a string, and the JSON of anything else without whitespace. Syntax is json.value[POINTER], for instance json.value[/user/groups/0]",
    },
    Spec {
        name: "json.obj",
        meaning: Meaning::Object,
        display: "Whole document",
        desc: "The whole JSON document as text, indented by two spaces",
    },
    Spec {
        name: "json.rawtime",
        meaning: Meaning::Time,
        display: "Time of the event",
        desc: "The time of the event in nanoseconds since 1970, as evt.rawtime",
    },
    Spec {
        name: "jevt.value",
        meaning: Meaning::Value,
        display: "Value at a JSON pointer",
        desc: "Another name of json.value",
    },
    Spec {
        name: "jevt.obj",
        meaning: Meaning::Object,
        display: "Whole document",
        desc: "Another name of json.obj",
    },
    Spec {
        name: "jevt.rawtime",
        meaning: Meaning::Time,
        display: "Time of the event",
        desc: "Another name of json.rawtime",
    },
];

/// The `json.*` and `jevt.*` fields of the event at hand.
#[derive(Debug, Default)]
pub(crate) struct JsonFields {
    index: Index,
    /// Of an event that is JSON: no other has a value.
    time: Option<u64>,
    pointers: Pointers,
}

impl Fields for JsonFields {
    // Those of every plugin.
    const SOURCES: &'static CStr = c"[]";

    fn describe() -> String {
        let field = |field: &Spec| {
            let argument = match field.meaning {
                Meaning::Value => r#""arg":{"isRequired":true,"isKey":true},"#,
                Meaning::Object | Meaning::Time => "",
            };
            let Spec { name, display, desc, .. } = field;
            format!(
                r#"{{"type":"string","name":"{name}","isList":false,{argument}"display":"{display}","desc":"{desc}"}}"#
            )
        };
        format!("[{}]", TABLE.iter().map(field).collect::<Vec<_>>().join(","))
    }

    fn read(&mut self, payload: &[u8], timestamp: u64, _notes: &[u64]) {
        // Events that are no JSON are none of this plugin's business, and no error.
        self.time = self.index.rebuild_strictly(payload).is_ok().then_some(timestamp);
    }

    fn extract(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
        values: &mut Values,
    ) -> Result<(), UnknownField> {
        let spec = usize::try_from(field).ok().and_then(|number| TABLE.get(number));
        let meaning = spec.ok_or(UnknownField(field))?.meaning;
        let Some(time) = self.time else { return Ok(()) };
        let document = self.index.view(payload);
        match (meaning, argument) {
            (Meaning::Value, Argument::Key(pointer)) => {
                if let Some(pointer) = self.pointers.get(pointer) {
                    extract_at(pointer, document, values);
                }
            }
            // Without a pointer there is no value; the host refuses such a rule.
            (Meaning::Value, Argument::None | Argument::Index(_)) => {}
            (Meaning::Object, _) => {
                if let Some(text) = document.indented() {
                    values.value(&text, None);
                }
            }
            (Meaning::Time, _) => values.value(&time.to_string(), None),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_gets_json_in_the_order_of_the_table() {
        let fields: serde_json::Value = serde_json::from_str(&JsonFields::describe()).unwrap();
        let fields = fields.as_array().unwrap();
        let names: Vec<_> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            ["json.value", "json.obj", "json.rawtime", "jevt.value", "jevt.obj", "jevt.rawtime"]
        );
        for (json, spec) in fields.iter().zip(TABLE) {
            assert_eq!((&json["type"], &json["isList"]), (&"string".into(), &false.into()));
            assert_eq!((&json["display"], &json["desc"]), (&spec.display.into(), &spec.desc.into()));
            let takes_a_key = serde_json::json!({ "isRequired": true, "isKey": true });
            assert_eq!(json.get("arg"), (spec.meaning == Meaning::Value).then_some(&takes_a_key));
        }
    }

    /// How many values there are.
    #[track_caller]
    fn check(payload: &str, field: u32, argument: Argument<'_>, expect: usize) {
        let (mut fields, mut values) = (JsonFields::default(), Values::default());
        fields.read(payload.as_bytes(), 7, &[]);
        fields.extract(payload.as_bytes(), field, argument, &mut values).unwrap();
        assert_eq!(values.len(), expect);
    }

    #[test]
    fn only_a_key_is_a_pointer() {
        check("[1]", 0, Argument::Key("/0"), 1);
        check("[1]", 3, Argument::Key("0"), 1);
        check("[1]", 0, Argument::Key(""), 1);
        check("[1]", 0, Argument::None, 0);
        check("[1]", 0, Argument::Index(0), 0);
    }

    #[test]
    fn other_fields_take_no_argument() {
        for field in [1, 2, 4, 5] {
            for argument in [Argument::None, Argument::Index(u64::MAX), Argument::Key("x")] {
                check("{}", field, argument, 1);
                check("no JSON", field, argument, 0);
            }
        }
    }

    #[test]
    fn an_event_does_not_inherit() {
        let (mut fields, mut values) = (JsonFields::default(), Values::default());
        fields.read(b"[1]", 7, &[]);
        fields.read(b"[1", 8, &[]);
        for field in 0..6 {
            fields.extract(b"[1", field, Argument::Key("/0"), &mut values).unwrap();
        }
        assert_eq!(values.len(), 0);
    }

    #[test]
    fn there_are_six() {
        let (mut fields, mut values) = (JsonFields::default(), Values::default());
        for field in [6, u32::MAX] {
            assert_eq!(fields.extract(b"", field, Argument::None, &mut values), Err(UnknownField(field)));
        }
    }
}
