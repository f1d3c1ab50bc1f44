//! `cargo xtask test`: everything that is checked before a change goes in.
//!
//! Owns: the tiers, their order, what they need, and the count. Does not own: any test.
//! One failing tier does not hide the others; a tier that cannot run says why, and counts
//! as skipped. The last line is `N passed, N failed, N skipped`.

mod cargo_tiers;
mod environment;
mod instructions_tier;
mod node_tier;
mod python_tiers;
mod tally;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::environment::Environment;
use self::tally::Tally;

/// A group of checks that runs, fails and is left out as one.
struct Tier {
    name: &'static str,
    about: &'static str,
    run: fn(&Environment) -> Result<Tally>,
}

/// In the order of a reader's patience: what fails soonest comes first, and what needs
/// something built comes after the building.
const TIERS: [Tier; 11] = [
    Tier { name: "format", about: "cargo fmt --check", run: cargo_tiers::format },
    Tier { name: "clippy", about: "no warnings, all targets", run: cargo_tiers::clippy },
    Tier { name: "codegen", about: "rendered files are up to date", run: cargo_tiers::rendered },
    Tier { name: "unit", about: "every crate's own tests", run: cargo_tiers::unit },
    Tier { name: "docs", about: "cargo doc, no warnings", run: cargo_tiers::docs },
    Tier {
        name: "plugins",
        about: "release builds, and what they export and need",
        run: cargo_tiers::plugins,
    },
    Tier {
        name: "instructions",
        about: "what fixed work takes, by valgrind, beside stored bounds",
        run: instructions_tier::count,
    },
    Tier {
        name: "python",
        about: "official clients and moto, for the tiers below",
        run: python_tiers::prepare,
    },
    Tier {
        name: "node",
        about: "official JavaScript client and Azurite, for the tiers below",
        run: node_tier::prepare,
    },
    Tier {
        name: "fidelity",
        about: "the emulators against official clients, moto and Azurite",
        run: python_tiers::fidelity,
    },
    Tier {
        name: "e2e",
        about: "the plugins through the C ABI, in sysdig, and in Falco",
        run: cargo_tiers::end_to_end,
    },
];

/// Runs the tiers named, or all of them; fails when any check does.
///
/// # Errors
/// When there is no such tier, or cargo cannot be asked where things are.
pub fn main(args: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = args.iter().find(|arg| TIERS.iter().all(|tier| tier.name != **arg)) {
        let tiers: Vec<_> = TIERS.iter().map(|tier| format!("{} ({})", tier.name, tier.about)).collect();
        bail!("no tier `{unknown}`; there are {}", tiers.join(", "));
    }
    let environment = Environment::find()?;
    let mut done = Vec::new();
    for tier in TIERS.iter().filter(|tier| args.is_empty() || args.iter().any(|arg| arg == tier.name)) {
        println!("\n== {}: {}", tier.name, tier.about);
        let start = Instant::now();
        let tally = (tier.run)(&environment).unwrap_or_else(|why| Tally::failure(format!("{why:#}")));
        done.push((tier.name, start.elapsed(), tally));
    }
    Ok(report(&done))
}

/// A line per tier, a line per reason, and the count.
fn report(done: &[(&str, Duration, Tally)]) -> ExitCode {
    let mut sum = Tally::default();
    println!("\n{:10} {:>7} {:>7} {:>7} {:>9}", "tier", "passed", "failed", "skipped", "seconds");
    for (name, time, tally) in done {
        let Tally { passed, failed, .. } = tally;
        println!("{name:10} {passed:>7} {failed:>7} {:>7} {:>9.1}", tally.skipped.len(), time.as_secs_f64());
    }
    for (name, _, tally) in done {
        tally.skipped.iter().for_each(|why| println!("skipped in {name}: {why}"));
        tally.failures.iter().for_each(|why| println!("failed in {name}: {why}"));
        sum.add(tally);
    }
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped.len());
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
