//! The one rule of a rules file, and the one kind of condition that the demo can evaluate.

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

/// A Falco rule, as far as the demo needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Rule {
    #[serde(rename = "rule")]
    pub(super) name: String,
    pub(super) condition: String,
    pub(super) output: String,
    pub(super) priority: String,
}

/// `field in (value, ...)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) field: String,
    pub(super) values: Vec<String>,
}

impl Rule {
    /// The rule of a file that holds exactly one.
    pub(super) fn parse(yaml: &str) -> Result<Self> {
        let entries: Vec<serde_yaml_ng::Value> = serde_yaml_ng::from_str(yaml)?;
        let mut rules = entries.into_iter().filter(|entry| entry.get("rule").is_some());
        match (rules.next(), rules.next()) {
            (Some(rule), None) => Ok(serde_yaml_ng::from_value(rule)?),
            (None, _) => bail!("there is no rule in it"),
            (Some(_), Some(_)) => bail!("the demo shows one rule, and there are several in it"),
        }
    }

    /// The condition, when it is one that the demo can evaluate.
    pub(super) fn membership(&self) -> Result<Membership> {
        Membership::parse(&self.condition).ok_or_else(|| {
            anyhow::anyhow!(
                "the demo evaluates only `field in (value, ...)`, and the condition is `{}`; put `falco` on the PATH",
                self.condition.trim()
            )
        })
    }

    /// The priority as Falco prints it.
    pub(super) fn priority(&self) -> String {
        let mut letters = self.priority.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect()
    }

    /// The fields that its output names, in order, each once.
    pub(super) fn output_fields(&self) -> Vec<String> {
        let mut fields = Vec::new();
        let _ = self.render(|field| {
            if !fields.iter().any(|it| it == field) {
                fields.push(field.to_owned());
            }
            String::new()
        });
        fields
    }

    /// The output with each `%field` or `%field[argument]` replaced by its value.
    pub(super) fn render(&self, mut value: impl FnMut(&str) -> String) -> String {
        let mut line = String::new();
        let mut rest = self.output.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            line.push_str(before);
            let name = after.find(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
            let mut end = name.unwrap_or(after.len());
            if let Some(argument) = after.get(end..).filter(|tail| tail.starts_with('[')) {
                end += argument.find(']').map_or(0, |close| close + 1);
            }
            let (field, tail) = after.split_at(end);
            line.push_str(&value(field));
            rest = tail;
        }
        line.push_str(rest);
        line
    }
}

impl Membership {
    fn parse(condition: &str) -> Option<Self> {
        let (field, list) = condition.trim().split_once(char::is_whitespace)?;
        let list = list.trim_start().strip_prefix("in")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
        let is_field =
            field.contains('.') && field.chars().all(|c| c.is_ascii_alphanumeric() || "._[]/-".contains(c));
        let values = list.split(',').map(value).collect::<Result<Vec<_>>>().ok()?;
        (is_field && !values.is_empty()).then(|| Self { field: field.to_owned(), values })
    }

    /// Whether a value of the field is in the list.
    pub(super) fn contains(&self, value: &str) -> bool {
        self.values.iter().any(|it| it == value)
    }
}

/// One value of a list: a bare word, or anything in quotes but quotes.
fn value(text: &str) -> Result<String> {
    let text = text.trim();
    let quoted = ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let bare = quoted.unwrap_or(text);
    ensure!(!bare.is_empty() && !bare.contains(['"', '\'', '(', ')']), "no plain value");
    ensure!(quoted.is_some() || !bare.contains(char::is_whitespace), "several words");
    Ok(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expects `field: value value`, or nothing for a condition that is refused.
    #[track_caller]
    fn check(condition: &str, expect: &str) {
        let rule = Rule { condition: condition.to_owned(), ..rule("") };
        let got = rule.membership().map(|it| format!("{}: {}", it.field, it.values.join(" ")));
        assert_eq!(got.unwrap_or_default(), expect, "{condition}");
    }

    fn rule(output: &str) -> Rule {
        let yaml =
            format!("- rule: R\n  condition: ka.verb in (get)\n  output: {output:?}\n  priority: WARNING\n");
        Rule::parse(&yaml).unwrap()
    }

    #[test]
    fn membership_is_evaluated_and_everything_else_is_refused() {
        check("ka.verb in (get,create)", "ka.verb: get create");
        check(" ka.verb  in ( \"get\" , 'x y' )\n", "ka.verb: get x y");
        check("ka.req.pod.containers.image[0] in (a)", "ka.req.pod.containers.image[0]: a");
        check("ka.verb = get", "");
        check("ka.verb in (get) and ka.user.name = x", "");
        check("ka.verb in (get) or ka.verb in (list)", "");
        check("not ka.verb in (get)", "");
        check("ka.verb in ()", "");
        check("ka.verb in (get,)", "");
        check("ka.verb in get", "");
        check("ka.verb intersects (get)", "");
        check("verb_macro", "");
        check("", "");
    }

    #[test]
    fn an_output_is_rendered_field_by_field() {
        let rule = rule("a=%ka.a.b, %ka.list[0]x %ka.map[some key/1] 100%");
        assert_eq!(
            rule.render(|field| format!("<{field}>")),
            "a=<ka.a.b>, <ka.list[0]>x <ka.map[some key/1]> 100<>"
        );
        assert_eq!(rule.output_fields().first().map(String::as_str), Some("ka.a.b"));
        assert_eq!(rule.priority(), "Warning");
    }

    #[test]
    fn a_file_has_one_rule() {
        assert!(Rule::parse("- list: l\n  items: [a]\n").unwrap_err().to_string().contains("no rule"));
        let two = "- rule: A\n  condition: c\n  output: o\n  priority: INFO\n".repeat(2);
        assert!(Rule::parse(&two).unwrap_err().to_string().contains("several"));
        assert!(Rule::parse("- rule: A\n").is_err());
        assert!(Rule::parse("nonsense").is_err());
    }
}
