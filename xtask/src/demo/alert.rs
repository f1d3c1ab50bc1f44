//! An event's fields as `k8saudit run --json` gives them, and the alert that Falco would print.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::rule::{Membership, Rule};

/// Time of an event in nanoseconds since 1970.
pub(super) const RAW_TIME: &str = "evt.rawtime";
/// What Falco prints for an absent value.
const ABSENT: &str = "<NA>";

/// The fields of one event.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(line: &str) -> Result<Self> {
        serde_json::from_str(line).map(Self).with_context(|| format!("not a line of JSON: `{line}`"))
    }

    /// The value as Falco prints it: lists in brackets, `<NA>` for none.
    pub(super) fn text(&self, field: &str) -> String {
        match self.0.get(field) {
            None | Some(Value::Null) => ABSENT.to_owned(),
            Some(Value::Array(values)) => {
                format!("({})", values.iter().map(plain).collect::<Vec<_>>().join(","))
            }
            Some(value) => plain(value),
        }
    }

    /// Whether any value of the field is in the list; an absent one never is.
    fn matches(&self, condition: &Membership) -> bool {
        match self.0.get(&condition.field) {
            None | Some(Value::Null) => false,
            Some(Value::Array(values)) => values.iter().any(|value| condition.contains(&plain(value))),
            Some(value) => condition.contains(&plain(value)),
        }
    }

    /// `HH:MM:SS` and nanoseconds, in UTC.
    pub(super) fn clock_time(&self) -> String {
        let nanos = self.0.get(RAW_TIME).and_then(Value::as_u64).unwrap_or_default();
        let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        format!("{:02}:{:02}:{:02}.{fraction:09}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
    }
}

/// The line that Falco would print for an event, if the rule's condition holds for it.
pub(super) fn alert(rule: &Rule, condition: &Membership, fields: &Fields) -> Option<String> {
    fields.matches(condition).then(|| {
        let output = rule.render(|field| fields.text(field));
        format!("{}: {} {output}", fields.clock_time(), rule.priority())
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [&str; 3] = [
        r#"{"evt.rawtime": 3723000000007, "ka.verb": "get", "ka.user.name": "jane", "ka.target.name": null}"#,
        r#"{"evt.rawtime": 0, "ka.verb": "delete", "ka.user.name": "eve", "ka.target.name": "pod"}"#,
        r#"{"evt.rawtime": 0, "ka.verb": "list", "ka.user.name": "eve", "ka.images": ["a", "b"]}"#,
    ];

    #[track_caller]
    fn check(condition: &str, expect: &[&str]) {
        let yaml = format!(
            "- rule: R\n  condition: {condition}\n  output: user=%ka.user.name target=%ka.target.name\n  priority: WARNING"
        );
        let rule = Rule::parse(&yaml).unwrap();
        let condition = rule.membership().unwrap();
        let alerts = EVENTS.iter().filter_map(|line| alert(&rule, &condition, &Fields::parse(line).unwrap()));
        assert_eq!(alerts.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn other_verbs_in_the_rule_are_other_alerts() {
        check("ka.verb in (get,create)", &["01:02:03.000000007: Warning user=jane target=<NA>"]);
        check("ka.verb in (delete)", &["00:00:00.000000000: Warning user=eve target=pod"]);
        check("ka.verb in (patch)", &[]);
    }

    #[test]
    fn a_list_matches_by_any_of_its_values_and_an_absent_one_never() {
        check("ka.images in (b, c)", &["00:00:00.000000000: Warning user=eve target=<NA>"]);
        check("ka.target.name in (null, '<NA>')", &[]);
    }
}
