//! What a line can hold: fields of the plugin, and a few of the event itself, named as in Falco.

use anyhow::{Result, bail};
use plugin_host::{Event, Library, Plugin, Request, Value};

/// One column: its title, its field, and how that is read.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) field: String,
    cell: Cell,
}

enum Cell {
    /// A field of the event itself.
    Event(EventField),
    /// A field that the plugin extracts.
    Plugin { request: Box<Request>, list: bool },
}

type EventField = fn(&Plugin, &Event<'_>) -> Value;

/// Fields that need no extraction, with Falco's names for them.
const EVENT_FIELDS: [(&str, EventField); 4] = [
    ("evt.num", |_, event| Value::Number(event.number())),
    ("evt.time", |_, event| Value::Text(rfc3339(event.timestamp()))),
    ("evt.rawtime", |_, event| Value::Number(event.timestamp())),
    ("evt.plugininfo", |plugin, event| Value::Text(plugin.event_to_string(event))),
];

/// See that file's first lines.
const DEFAULTS: &str = include_str!("default-columns.txt");

/// The content of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The event has no such value.
    Absent,
    /// Of a field that is no list.
    One(Value),
    /// Of a list, not empty.
    Many(Vec<Value>),
}

impl Column {
    /// The columns for `fields`, or the defaults of the plugin's event source.
    ///
    /// # Errors
    /// What Falco would say of a field.
    pub(crate) fn resolve(library: &Library, fields: &[String]) -> Result<Vec<Self>> {
        let defaults = defaults(library.event_source());
        let chosen: Vec<(&str, &str)> = match fields {
            [] => defaults,
            fields => fields.iter().map(|field| (field.trim(), field.trim())).collect(),
        };
        chosen.into_iter().map(|(title, field)| Self::new(library, title, field)).collect()
    }

    fn new(library: &Library, title: &str, field: &str) -> Result<Self> {
        let of_event = EVENT_FIELDS.iter().find(|(name, _)| *name == field);
        let cell = match of_event {
            Some((_, value)) => Cell::Event(*value),
            None if field.starts_with("evt.") => {
                let known: Vec<_> = EVENT_FIELDS.iter().map(|(name, _)| *name).collect();
                bail!("field `{field}`: of the event itself there are {}", known.join(", "))
            }
            None => {
                let request = Box::new(library.request(field)?);
                let name = field.split('[').next().unwrap_or_default();
                let list = library.fields().iter().any(|it| it.name == name && it.list);
                Cell::Plugin { request, list }
            }
        };
        Ok(Self { title: title.to_owned(), field: field.to_owned(), cell })
    }
}

/// What an event has under each column; every field in a call of its own, as Falco does.
pub(crate) fn row(plugin: &Plugin, columns: &[Column], event: &Event<'_>) -> Result<Vec<Content>> {
    let content = |column: &Column| match &column.cell {
        Cell::Event(value) => Ok(Content::One(value(plugin, event))),
        Cell::Plugin { request, list } => {
            let mut values = plugin.extract_one(event, request)?;
            Ok(match (values.is_empty(), list) {
                (true, _) => Content::Absent,
                (false, true) => Content::Many(values),
                (false, false) => Content::One(values.swap_remove(0)),
            })
        }
    };
    columns.iter().map(content).collect()
}

fn defaults(source: &str) -> Vec<(&'static str, &'static str)> {
    let mut lines = DEFAULTS.lines().filter(|line| !line.starts_with('#'));
    let of_source = lines.find_map(|line| line.strip_prefix(source)?.strip_prefix(' '));
    let columns = of_source.unwrap_or("time=evt.time info=evt.plugininfo");
    columns.split_whitespace().filter_map(|column| column.split_once('=')).collect()
}

/// Nanoseconds since 1970 as `2024-02-29T12:00:00.123Z`.
fn rfc3339(nanos: u64) -> String {
    let (seconds, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
///
/// Howard Hinnant's `civil_from_days`, for dates from 1970 on: years start in March, so
/// that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_time(seconds: u64, expect: &str) {
        assert_eq!(rfc3339(seconds * 1_000_000_000 + 7_000_000), expect);
    }

    #[test]
    fn times_are_rfc_3339() {
        check_time(0, "1970-01-01T00:00:00.007Z");
        check_time(951_782_399, "2000-02-28T23:59:59.007Z");
        check_time(951_782_400, "2000-02-29T00:00:00.007Z");
        check_time(1_709_251_199, "2024-02-29T23:59:59.007Z");
        check_time(1_735_689_600, "2025-01-01T00:00:00.007Z");
        check_time(4_107_542_400, "2100-03-01T00:00:00.007Z");
    }

    #[test]
    fn defaults_are_those_of_the_source() {
        assert_eq!(defaults("k8s_audit").first(), Some(&("time", "evt.time")));
        assert_eq!(defaults("k8s_audit").len(), 7);
        for source in ["", "#", "k8s", "other"] {
            assert_eq!(defaults(source), [("time", "evt.time"), ("info", "evt.plugininfo")], "{source}");
        }
    }
}
