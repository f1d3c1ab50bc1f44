//! Lines: aligned columns for people, JSON objects for programs.

use std::io::{self, Write};

use plugin_host::Value;
use serde_json::json;

use super::column::{Column, Content};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Aligned, without escapes.
    Plain,
    /// Aligned, with ANSI colours.
    Coloured,
    /// One JSON object per line, in the order of the columns.
    Json,
}

/// Writes rows under the titles of the columns.
pub(crate) struct Output {
    style: Style,
    titles: Vec<String>,
    widths: Vec<usize>,
    started: bool,
}

/// What Falco prints for an absent value.
const ABSENT: &str = "<NA>";
/// A longer cell pushes its line to the right rather than every line.
const MAX_WIDTH: usize = 56;
const DIM: &str = "2";
/// Colours of the columns, again from the first after the last: time dim, then user, verb and so on.
const COLOURS: [&str; 7] = [DIM, "36", "1", "33", "35", "32", "34"];

impl Output {
    pub(crate) fn new(style: Style, columns: &[Column]) -> Self {
        // People read titles; programs need names that stay.
        let title = |column: &Column| match style {
            Style::Json => column.field.clone(),
            Style::Plain | Style::Coloured => column.title.clone(),
        };
        Self::titled(style, columns.iter().map(title).collect())
    }

    fn titled(style: Style, titles: Vec<String>) -> Self {
        let widths = titles.iter().map(|title| title.chars().count()).collect();
        Self { style, titles, widths, started: false }
    }

    /// Writes the rows of one batch; columns widen as wider cells come, and stay.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&mut self, out: &mut impl Write, rows: &[Vec<Content>]) -> io::Result<()> {
        if self.style == Style::Json {
            return rows.iter().try_for_each(|row| self.write_json(out, row));
        }
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(text).collect()).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().min(MAX_WIDTH).max(*width);
            }
        }
        if !self.started && !rows.is_empty() {
            self.started = true;
            let titles: Vec<_> = self.titles.iter().map(|title| title.to_uppercase()).collect();
            self.write_cells(out, &titles, |_, _| DIM)?;
        }
        let colour = |index: usize, cell: &str| match cell {
            ABSENT => DIM,
            _ => COLOURS.get(index % COLOURS.len()).copied().unwrap_or(DIM),
        };
        rows.iter().try_for_each(|row| self.write_cells(out, row, colour))
    }

    fn write_cells(
        &self,
        out: &mut impl Write,
        cells: &[String],
        colour: impl Fn(usize, &str) -> &'static str,
    ) -> io::Result<()> {
        let mut line = String::new();
        // Spaces before a cell, not after: a line has none at its end.
        let mut gap = 0;
        for (index, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            line.extend(std::iter::repeat_n(' ', gap));
            match self.style {
                Style::Coloured => {
                    line.push_str(&format!("\x1b[{}m{cell}\x1b[0m", colour(index, cell)));
                }
                _ => line.push_str(cell),
            }
            gap = width.saturating_sub(cell.chars().count()) + 2;
        }
        writeln!(out, "{line}")
    }

    fn write_json(&self, out: &mut impl Write, row: &[Content]) -> io::Result<()> {
        // By hand, because a map would lose the order of the columns.
        let mut separator = '{';
        for (title, content) in self.titles.iter().zip(row) {
            let value = match content {
                Content::Absent => json!(null),
                Content::One(value) => json_value(value),
                Content::Many(values) => values.iter().map(json_value).collect(),
            };
            write!(out, "{separator}{}:{value}", json!(title))?;
            separator = ',';
        }
        writeln!(out, "}}")
    }
}

/// A cell's text, lists as Falco prints them; control characters cannot touch the terminal.
fn text(content: &Content) -> String {
    let text = match content {
        Content::Absent => ABSENT.to_owned(),
        Content::One(value) => value_text(value),
        Content::Many(values) => format!("({})", values.iter().map(value_text).collect::<Vec<_>>().join(",")),
    };
    text.replace(char::is_control, ".")
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::Text(_) | Value::Bytes(_) => json!(value_text(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Content {
        Content::One(Value::Text(text.to_owned()))
    }

    fn many(texts: &[&str]) -> Content {
        Content::Many(texts.iter().map(|text| Value::Text((*text).to_owned())).collect())
    }

    #[track_caller]
    fn check(style: Style, batches: &[&[Vec<Content>]], expect: &str) {
        let mut output = Output::titled(style, vec!["user".to_owned(), "verb".to_owned()]);
        let mut out = Vec::new();
        batches.iter().for_each(|rows| output.write(&mut out, rows).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn columns_are_aligned_and_stay_as_wide_as_they_were() {
        let wide = vec![one("system:admin"), one("get")];
        check(Style::Plain, &[&[vec![one("a"), one("get")]]], "USER  VERB\na     get\n");
        check(
            Style::Plain,
            &[&[wide], &[vec![Content::Absent, many(&["x", "y"])]]],
            "USER          VERB\nsystem:admin  get\n<NA>          (x,y)\n",
        );
        check(Style::Plain, &[&[]], "");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        check(Style::Plain, &[&[vec![one("a\x1b[2J\nb"), one("é")]]], "USER     VERB\na.[2J.b  é\n");
    }

    #[test]
    fn colours_stand_around_cells() {
        check(
            Style::Coloured,
            &[&[vec![Content::Absent, one("get")]]],
            "\x1b[2mUSER\x1b[0m  \x1b[2mVERB\x1b[0m\n\x1b[2m<NA>\x1b[0m  \x1b[36mget\x1b[0m\n",
        );
    }

    #[test]
    fn json_keeps_order_lists_and_absence() {
        check(
            Style::Json,
            &[&[vec![one("a\"b"), Content::Absent], vec![Content::One(Value::Number(7)), many(&["x"])]]],
            "{\"user\":\"a\\\"b\",\"verb\":null}\n{\"user\":7,\"verb\":[\"x\"]}\n",
        );
    }
}
