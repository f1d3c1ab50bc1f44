//! The JSON schema of a plugin's configuration, which the host checks before `init`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::common_config::CommonKeys;
use super::{ALIASES, CommonConfig, LogLevel, Seconds};
use crate::Plugin;

/// The schema as the host wants it: the plugin's own keys, those that all plugins share, and other spellings.
///
/// Unknown keys pass: they are warned about when the configuration is read.
pub fn schema<P: Plugin>() -> String {
    let mut schema = of::<P::Config>();
    let mut properties = keys::<P::Config>();
    for (key, mut property) in common_keys::<P>() {
        if let Some(default) = default_of(&P::DEFAULTS, &key) {
            set(&mut property, "default", default);
        }
        properties.insert(key, property);
    }
    for (spelling, key) in aliases::<P>() {
        if let Some(property) = properties.get(*key) {
            let mut property = property.clone();
            set(&mut property, "description", json!(format!("Another spelling of `{key}`.")));
            properties.insert((*spelling).to_owned(), property);
        }
    }
    properties.values_mut().for_each(allow_null);
    schema.remove("additionalProperties");
    schema.insert("title".to_owned(), json!(P::NAME.to_string_lossy()));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(schema).to_string()
}

/// The plugin's own keys with their schemas.
pub(super) fn keys<C: JsonSchema>() -> Map<String, Value> {
    match of::<C>().remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    }
}

/// The keys of every plugin, or of every one that reads no events, with their schemas.
pub(super) fn common_keys<P: Plugin>() -> Map<String, Value> {
    let mut keys = keys::<CommonKeys>();
    keys.retain(|key, _| P::READS_EVENTS || key == "log_level");
    keys
}

/// Every other spelling that the plugin understands.
pub(super) fn aliases<P: Plugin>() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    ALIASES.iter().chain(P::ALIASES)
}

fn of<C: JsonSchema>() -> Map<String, Value> {
    // Draft 2020-12, and no `$ref`: the host's validator need not resolve anything.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    match settings.into_generator().into_root_schema_for::<C>().to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn default_of(defaults: &CommonConfig, key: &str) -> Option<Value> {
    let seconds = |seconds: Seconds| serde_json::to_value(seconds).ok();
    let level = |level: LogLevel| serde_json::to_value(level).ok();
    match key {
        "max_event_size" => Some(json!(defaults.max_event_size)),
        "max_queue_bytes" => Some(json!(defaults.max_queue_bytes)),
        "checkpoint_interval" => seconds(defaults.checkpoint_interval),
        "give_up_after" => seconds(defaults.give_up_after),
        "log_level" => level(defaults.log_level),
        _ => None,
    }
}

/// `null` is as good as no key, so the host must let it pass.
fn allow_null(property: &mut Value) {
    let Value::Object(property) = property else { return };
    match property.get_mut("type") {
        Some(Value::Array(types)) if types.contains(&json!("null")) => return,
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(one) => *one = json!([one.clone(), "null"]),
        None => {}
    }
    if let Some(Value::Array(values)) = property.get_mut("enum") {
        values.push(Value::Null);
    }
    for choices in ["oneOf", "anyOf"] {
        if let Some(Value::Array(choices)) = property.get_mut(choices) {
            choices.push(json!({ "type": "null" }));
        }
    }
}

fn set(property: &mut Value, name: &str, value: Value) {
    if let Value::Object(property) = property {
        property.insert(name.to_owned(), value);
    }
}
