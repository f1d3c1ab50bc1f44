//! `cargo xtask COMMAND`.

use std::process::ExitCode;

use anyhow::Result;
use xtask::{bench, build_plugins, codegen, demo, run, test};

/// A command's arguments, without its name.
type Command = fn(&[String]) -> Result<ExitCode>;

const COMMANDS: [(&str, Command, &str); 6] = [
    (
        "bench",
        bench::main,
        "[growth | instructions [--save]] [--peer LIBRARY [--peer-config JSON]] [--rounds N] [--save-docs]: \
         how fast the plugins are",
    ),
    (
        "build-plugins",
        build_plugins::main,
        "[--debug]: build every plugin into target/plugins, and check what it exports and needs",
    ),
    ("codegen", codegen::main, "[--check]: write what is rendered from tables, or say what is out of date"),
    (
        "demo",
        demo::main,
        "[eks|aks] [--release] [--rules FILE] [--host auto|falco|sysdig|demo]: an attack, as Falco would see it",
    ),
    ("run", run::main, "PLUGIN [...]: print what a plugin reads, without Falco (`cargo xtask run --help`)"),
    ("test", test::main, "[TIER...]: everything that is checked before a change goes in"),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let found = args.split_first().and_then(|(name, rest)| {
        COMMANDS.iter().find(|(command, ..)| command == name).map(|(_, command, _)| (command, rest))
    });
    let Some((command, rest)) = found else {
        eprintln!("usage: cargo xtask COMMAND\n");
        for (name, _, help) in COMMANDS {
            eprintln!("  {name} {help}");
        }
        return ExitCode::from(2);
    };
    command(rest).unwrap_or_else(|why| {
        eprintln!("xtask: {why:#}");
        ExitCode::FAILURE
    })
}
