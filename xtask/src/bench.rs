//! `cargo xtask bench`: how fast the plugins are, through their C ABI, beside a yardstick.
//!
//! Owns: what is measured, the goals, and how it is told. Does not own: the measuring, which is `bench-host`'s
//! (`tests/bench`).

mod chart;
mod falco;
mod goal;
mod growth;
mod harness;
mod inputs;
pub(crate) mod instructions;
mod machine;
mod page;
mod report;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use self::chart::Chart;
use self::falco::{Falco, Load};
use self::goal::row;
use self::growth::Growth;
pub(crate) use self::harness::Harness;
use self::inputs::Inputs;
use self::instructions::Instructions;
use self::machine::Machine;
use self::page::Page;
use self::report::Report;
use self::table::Table;
use crate::workspace::Workspace;

const USAGE: &str = "cargo xtask bench [--peer LIBRARY [--peer-config JSON]] [--rounds N] [--save-docs]\n       \
                     cargo xtask bench growth\n       cargo xtask bench instructions [--save]";

/// What the command line says.
struct Options {
    /// Another plugin, measured beside ours.
    peer: Option<PathBuf>,
    /// Its `init_config`.
    peer_config: String,
    /// How often each row is measured.
    rounds: usize,
    /// Whether the figures in `docs` are written.
    save_docs: bool,
}

/// Runs the command.
///
/// # Errors
/// When something does not build, or cannot be measured.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match args {
        [word] if word == "growth" => growth(&workspace)?,
        [word] if word == "instructions" => instructions(&workspace, false)?,
        [word, flag] if word == "instructions" && flag == "--save" => instructions(&workspace, true)?,
        _ => table(&workspace, &Options::parse(args)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Where results, and what they are made of, lie.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    Ok(folder)
}

fn table(workspace: &Workspace, options: &Options) -> Result<()> {
    let (folder, machine) = (folder(workspace)?, Machine::this());
    let harness = Harness::build(workspace)?;
    let inputs = Inputs::find(workspace)?;
    ensure!(
        inputs.is_parity || !options.save_docs,
        "the figures in `docs` are those of the parity set: set AUDIT_SHARED_DIR"
    );
    let file = inputs.file(workspace)?;
    let report = harness.run("rows", &rows(&harness, &inputs, &file, options))?;
    let mut table = Table::new(&report, inputs.is_parity);
    match instructions::prepare() {
        Ok(()) => allocations(workspace, &harness, &inputs, &mut table)?,
        Err(why) => println!("allocations: not counted: {why:#}"),
    }
    let caption = caption(&report, &inputs, options);
    println!("{machine}\n{caption}\n\n{}", table.text());
    for (row, why) in &report.skipped {
        println!("not measured: {row}: {why}");
    }
    fs::write(folder.join("report.json"), serde_json::to_vec(&report)?)?;
    let results = json!({ "machine": machine, "caption": caption, "table": table });
    fs::write(folder.join("table.json"), serde_json::to_vec_pretty(&results)?)?;
    let chart = Chart::new(&report, inputs.is_parity).context("nothing was measured")?.svg();
    fs::write(folder.join("performance.svg"), &chart)?;
    whole_falco(workspace, &folder, &harness, &file.0, options)?;
    if options.save_docs {
        let figures = format!("{caption}\n{machine}.\n\n{}", table.markdown());
        Page { figures: &figures, chart: &chart }.save(workspace)?;
        println!("`docs/performance.md` and its chart say so");
    }
    Ok(())
}

/// Counts what extraction allocates, once it is warm.
fn allocations(workspace: &Workspace, harness: &Harness, inputs: &Inputs, table: &mut Table) -> Result<()> {
    let (sample, events) = inputs.sample(workspace)?;
    for (name, requests) in [(row::TWENTY, &inputs.twenty), (row::ALL, &inputs.all)] {
        let count = instructions::allocations_of(harness, events, |rounds| {
            json!({
                "events": sample, "copies": 1, "rounds": rounds, "silent": true,
                "subjects": [{ "library": harness.k8saudit(), "rows": [{ "row": "", "requests": requests }] }],
            })
        })?;
        table.add_allocations(name, count);
    }
    Ok(())
}

fn caption(report: &Report, inputs: &Inputs, options: &Options) -> String {
    let (events, bytes) = report.size(row::YARDSTICK).unwrap_or_default();
    let values = |row| report.values(row).unwrap_or_default();
    format!(
        "{}: {events} events in memory, {bytes:.0} bytes on average, {} alternating rounds. \
         Values an event: {:.1} of 20 fields, {:.1} of 209 requests.",
        inputs.source,
        options.rounds,
        values(row::TWENTY),
        values(row::ALL)
    )
}

fn growth(workspace: &Workspace) -> Result<()> {
    let harness = Harness::build(workspace)?;
    let growth = Growth::measure(workspace, &harness, &Inputs::find(workspace)?)?;
    println!("{}\n\n{}", Machine::this(), growth.text());
    fs::write(folder(workspace)?.join("growth.json"), serde_json::to_vec_pretty(&growth)?)?;
    Ok(())
}

fn instructions(workspace: &Workspace, save: bool) -> Result<()> {
    instructions::prepare()?;
    let counted = Instructions::count(workspace, &Harness::build(workspace)?)?;
    println!("{}", counted.text());
    let json = instructions::json(&counted.counts);
    fs::write(folder(workspace)?.join("instructions.json"), serde_json::to_vec_pretty(&json)?)?;
    if save { counted.save(workspace) } else { Ok(()) }
}

/// How often each event lies in memory: 5 MB of the parity set, which is more than a core's own caches hold.
const COPIES: usize = 4;

/// Every row of the table, and the same of the peer.
fn rows(harness: &Harness, inputs: &Inputs, (path, bytes): &(PathBuf, u64), options: &Options) -> Value {
    let pointer = "jevt.value[/stage]";
    let again = vec![pointer; 101];
    let audit = |name: fn(&str) -> String| {
        vec![
            json!({ "row": name(row::EMPTY), "requests": [] }),
            json!({ "row": name(row::ONE), "requests": inputs.one }),
            json!({ "row": name(row::TWENTY), "requests": inputs.twenty }),
            json!({ "row": name(row::ALL), "requests": inputs.all }),
        ]
    };
    let pointers = |name: fn(&str) -> String| {
        vec![
            json!({ "row": name(row::POINTER), "requests": [pointer] }),
            json!({ "row": name(row::POINTER_AGAIN), "requests": again }),
        ]
    };
    let file = |name: fn(&str) -> String| {
        json!({
            "open": path, "bytes": bytes, "read": name(row::FILE), "hand_over": name(row::HAND_OVER),
            "extract": { "row": name(row::OWN), "requests": inputs.twenty },
        })
    };
    let mut subjects = vec![
        json!({ "library": harness.k8saudit(), "rows": audit(str::to_owned), "file": file(str::to_owned) }),
        json!({ "library": harness.json(), "rows": pointers(str::to_owned) }),
    ];
    if let Some(peer) = &options.peer {
        // Rows for which it lacks a field are left out.
        let rows = [audit(table::of_peer), pointers(table::of_peer)].concat();
        let (config, file) = (&options.peer_config, file(table::of_peer));
        subjects.push(json!({ "library": peer, "config": config, "rows": rows, "file": file }));
    }
    json!({
        "events": inputs.events, "copies": COPIES, "rounds": options.rounds, "envelopes": true,
        "subjects": subjects,
    })
}

/// How often Falco runs with each plugin.
const FALCO_ROUNDS: usize = 3;

/// What a whole Falco takes, where there is one: the best of several runs, those of the peer in between.
fn whole_falco(
    workspace: &Workspace,
    folder: &Path,
    harness: &Harness,
    file: &Path,
    options: &Options,
) -> Result<()> {
    let Some(falco) = Falco::find(workspace)? else {
        println!("whole Falco: not measured, since FALCO names none");
        return Ok(());
    };
    let peer = options.peer.as_deref().map(|peer| ("peer", peer, options.peer_config.as_str()));
    let subjects: Vec<_> = [("k8saudit", harness.k8saudit(), "")].into_iter().chain(peer).collect();
    let mut best = vec![None::<falco::Outcome>; subjects.len()];
    for _ in 0..FALCO_ROUNDS {
        for (best, &(_, source, config)) in best.iter_mut().zip(&subjects) {
            let outcome = falco.run(folder, &Load { source, config, json: harness.json(), file })?;
            if best.is_none_or(|best| outcome.cpu_seconds < best.cpu_seconds) {
                *best = Some(outcome);
            }
        }
    }
    for (best, (name, ..)) in best.iter().flatten().zip(&subjects) {
        println!("whole Falco, {name}: {:.2} s of CPU, {} alerts", best.cpu_seconds, best.alerts);
    }
    fs::write(folder.join("falco.json"), serde_json::to_vec_pretty(&best)?)?;
    Ok(())
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { peer: None, peer_config: String::new(), rounds: 15, save_docs: false };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let mut value =
                || words.next().with_context(|| format!("`{word}` lacks its value\nusage: {USAGE}"));
            match word.as_str() {
                "--peer" => options.peer = Some(fs::canonicalize(value()?).context("no such peer")?),
                "--peer-config" => options.peer_config = value()?.clone(),
                "--rounds" => options.rounds = value()?.parse().with_context(|| format!("usage: {USAGE}"))?,
                "--save-docs" => options.save_docs = true,
                _ => bail!("usage: {USAGE}"),
            }
        }
        Ok(options)
    }
}
