//! Who watches the plugin: a line per event on the terminal, and the alerts where the demo
//! itself matches the rule.

use std::io::IsTerminal;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::PATIENCE;
use super::alert::{Fields, RAW_TIME, alert};
use super::rule::{Membership, Rule};
use crate::process::Running;

/// What stands in an event's line: field and width.
const COLUMNS: [(&str, usize); 6] = [
    ("ka.verb", 16),
    ("ka.target.resource", 24),
    ("ka.target.namespace", 12),
    ("ka.target.name", 42),
    ("ka.response.code", 5),
    ("ka.user.name", 0),
];

/// What was printed.
pub(super) struct Seen {
    pub(super) events: usize,
    pub(super) alerts: usize,
}

/// The fields that [`watch`] needs of every event.
pub(super) fn fields(rule: &Rule) -> Vec<String> {
    let mut fields = vec![RAW_TIME.to_owned()];
    let columns = COLUMNS.iter().map(|(field, _)| (*field).to_owned());
    let condition = rule.membership().ok().map(|condition| condition.field);
    for field in columns.chain(rule.output_fields()).chain(condition) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields
}

/// Runs the viewer to its end and prints its events; with a rule, its alerts between them.
pub(super) fn watch(viewer: &mut Command, rule: Option<&Rule>) -> Result<Seen> {
    let condition = rule.map(Rule::membership).transpose()?;
    let mut seen = Seen { events: 0, alerts: 0 };
    let mut running = Running::start(viewer)?;
    let deadline = Instant::now() + PATIENCE;
    let terminal = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    while let Some(line) = running.next_line(deadline) {
        if !line.starts_with('{') {
            // A line of the plugin's log.
            println!("{line}");
            continue;
        }
        let fields = Fields::parse(&line)?;
        seen.events += 1;
        println!("{}", event_line(&fields));
        if let Some(text) = alert_line(rule, condition.as_ref(), &fields) {
            seen.alerts += 1;
            println!("{}", if terminal { format!("\x1b[1;33m{text}\x1b[0m") } else { text });
        }
    }
    let ended = Instant::now() < deadline;
    let status = running.interrupt(if ended { PATIENCE } else { std::time::Duration::from_secs(5) })?;
    ensure!(ended, "the plugin did not show every event within {} s", PATIENCE.as_secs());
    ensure!(status.success(), "the plugin failed, see above");
    Ok(seen)
}

fn alert_line(rule: Option<&Rule>, condition: Option<&Membership>, fields: &Fields) -> Option<String> {
    alert(rule?, condition?, fields)
}

fn event_line(fields: &Fields) -> String {
    let mut line = fields.clock_time().chars().take("HH:MM:SS.mmm".len()).collect::<String>();
    for (field, width) in COLUMNS {
        line.push_str(&format!(" {:width$}", fields.text(field)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str =
        "- rule: R\n  condition: ka.verb in (get)\n  output: user=%ka.user.name\n  priority: WARNING";

    fn viewer(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn events_and_alerts_are_counted_and_log_lines_are_not() {
        let rule = Rule::parse(RULE).unwrap();
        let script = r#"echo '{"ka.verb":"get"}'; echo 'warning: log' >&2; echo '{"ka.verb":"list"}'"#;
        let seen = watch(&mut viewer(script), Some(&rule)).unwrap();
        assert_eq!((seen.events, seen.alerts), (2, 1));
        let seen = watch(&mut viewer(script), None).unwrap();
        assert_eq!((seen.events, seen.alerts), (2, 0));
    }

    #[test]
    fn a_viewer_that_fails_is_an_error() {
        assert!(watch(&mut viewer("echo '{}'; exit 1"), None).is_err());
    }

    #[test]
    fn every_field_is_asked_for_once() {
        let fields = fields(&Rule::parse(RULE).unwrap());
        assert_eq!(fields.iter().filter(|field| *field == "ka.verb").count(), 1);
        assert!(fields.iter().any(|field| field == "ka.user.name"));
        assert_eq!(fields.first().map(String::as_str), Some(RAW_TIME));
    }
}
