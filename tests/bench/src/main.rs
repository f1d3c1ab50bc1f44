//! `bench-host PLAN`: measures plugins through their C ABI, beside a yardstick.
//!
//! It reads a [`Plan`] (JSON) and prints a [`Report`] (JSON): for each row, what every round took. Rounds
//! alternate: each of them measures every row once, so that what else the machine does meets them all. It knows
//! no goals and draws no conclusions; `cargo xtask bench` does.
//!
//! A process of its own, built like the plugins, because xtask itself is not optimised; and one that allocates,
//! looks up and copies nothing while it measures.

mod clock;
mod corpus;
mod envelopes;
mod extraction;
mod plan;
mod report;
mod source_file;
mod yardstick;

use std::fs;

use anyhow::{Context, Result};
use plugin_host::{Level, Library};

use self::corpus::Corpus;
use self::envelopes::Envelopes;
use self::extraction::Extraction;
use self::plan::Plan;
use self::report::Report;
use self::source_file::SourceFile;
use self::yardstick::Yardstick;

/// Something that is measured once a round.
trait Bench {
    fn round(&mut self, report: &mut Report) -> Result<()>;
}

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).context("usage: bench-host PLAN")?;
    let plan: Plan = serde_json::from_slice(&fs::read(path).context("cannot read the plan")?)?;
    let report = measure(&plan)?;
    if !plan.silent {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

fn measure(plan: &Plan) -> Result<Report> {
    let corpus = Corpus::read(&plan.events, plan.copies)?;
    let mut report = Report::new(plan.rounds);
    let mut plugins = Vec::new();
    for subject in &plan.subjects {
        let library = Library::load(&subject.library)?;
        let plugin = library.init(&subject.config, |level, line| {
            if level <= Level::Error {
                eprintln!("{level}: {line}");
            }
        })?;
        plugins.push((subject, plugin));
    }
    let mut benches: Vec<(&str, Box<dyn Bench + '_>)> = Vec::new();
    if !plan.silent {
        benches.push((Yardstick::ROW, Box::new(Yardstick::new(&corpus))));
    }
    for (subject, plugin) in &plugins {
        for row in &subject.rows {
            match Extraction::new(plugin, row, &corpus) {
                Ok(bench) => benches.push((&row.row, Box::new(bench))),
                Err(why) => report.skip(&row.row, &why),
            }
        }
        if let Some(file) = &subject.file {
            match SourceFile::new(plugin, file) {
                Ok(bench) => benches.push((&file.read, Box::new(bench))),
                Err(why) => report.skip(&file.read, &why),
            }
        }
    }
    if plan.envelopes {
        benches.push(("envelopes", Box::new(Envelopes::new(&corpus))));
    }
    // The first round fills caches and memory that is used again; it is not told.
    let mut warming = Report::new(1);
    benches.retain_mut(|(row, bench)| match bench.round(&mut warming) {
        Ok(()) => true,
        Err(why) => {
            report.skip(row, &why);
            false
        }
    });
    for _ in 0..plan.rounds {
        for (_, bench) in &mut benches {
            bench.round(&mut report)?;
        }
    }
    Ok(report)
}
