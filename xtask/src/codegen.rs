//! `cargo xtask codegen`: files that are rendered from tables in the code.
//!
//! Owns: which files those are. Does not own: how they are rendered.

use std::fs;
use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// A file's path in the checkout, and what renders it.
type Rendered = (&'static str, fn() -> String);

const RENDERED: [Rendered; 1] = [("docs/fields.md", audit_core::fields::render::markdown)];

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: cargo xtask codegen [--check]"),
    };
    let stale = stale(&Workspace::find()?, !check)?;
    for difference in &stale {
        println!("{difference}");
    }
    if check && !stale.is_empty() {
        println!("run `cargo xtask codegen`");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What differs from what would be rendered, one line per file; written anew with `write`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn stale(workspace: &Workspace, write: bool) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for (name, render) in RENDERED {
        let path = workspace.root().join(name);
        let current = match fs::read_to_string(&path) {
            Err(why) if why.kind() == ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("cannot read `{name}`"))?,
        };
        let rendered = render();
        let Some(difference) = first_difference(&current, &rendered) else { continue };
        stale.push(format!("{name}: {difference}"));
        if write {
            fs::create_dir_all(path.parent().context("no folder")?)?;
            fs::write(&path, rendered).with_context(|| format!("cannot write `{name}`"))?;
        }
    }
    Ok(stale)
}

/// The first line that differs, and both its forms.
fn first_difference(current: &str, rendered: &str) -> Option<String> {
    if current == rendered {
        return None;
    }
    let (mut old, mut new) = (current.lines(), rendered.lines());
    for line in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("`{line}`"));
                return Some(format!("line {line} is {}, rendered is {}", show(a), show(b)));
            }
        }
    }
    Some("line ends differ".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered_files_are_up_to_date() {
        assert_eq!(stale(&Workspace::find().unwrap(), false).unwrap(), Vec::<String>::new());
    }

    #[track_caller]
    fn check(current: &str, rendered: &str, expect: Option<&str>) {
        assert_eq!(first_difference(current, rendered).as_deref(), expect);
    }

    #[test]
    fn a_difference_is_shown_where_it_starts() {
        check("a\nb\n", "a\nb\n", None);
        check("a\nb\n", "a\nc\n", Some("line 2 is `b`, rendered is `c`"));
        check("", "a\n", Some("line 1 is nothing, rendered is `a`"));
        check("a\nb\n", "a\n", Some("line 2 is `b`, rendered is nothing"));
        check("a", "a\n", Some("line ends differ"));
    }
}
