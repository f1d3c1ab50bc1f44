//! The tier that counts instructions: times depend on the machine, these hardly do.

use anyhow::Result;

use super::environment::Environment;
use super::tally::Tally;
use crate::bench::Harness;
use crate::bench::instructions::{self, Instructions};

/// One check for each piece of work; skipped where valgrind cannot be had.
pub(super) fn count(environment: &Environment) -> Result<Tally> {
    if let Err(why) = instructions::prepare() {
        return Ok(Tally::skip(format!("{why:#}")));
    }
    let workspace = &environment.workspace;
    let counted = Instructions::count(workspace, &Harness::build(workspace)?)?;
    println!("{}", counted.text());
    let mut tally = Tally::default();
    for count in &counted.counts {
        tally.add(&count.problem().map_or_else(|| Tally::check(&count.name, true), Tally::failure));
    }
    Ok(tally)
}
