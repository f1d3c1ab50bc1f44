//! `k8saudit`: what a Falco plugin of audit events reads, without Falco.
//!
//! Owns: the command line, and how a failure ends. Does not own: loading and driving
//! a plugin (`plugin-host`), nor any plugin's configuration.

mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs Falco plugins without Falco.
#[derive(Parser)]
#[command(name = "k8saudit", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what a plugin reads: one line per event, until ^C
    ///
    /// Checkpoints are kept as in Falco, and moved: what is to be read beside Falco wants its own place for them.
    /// For k8saudit-aks that is a consumer_group that nobody else reads; in that of a running Falco it would take
    /// partitions away from it.
    Run(run::Args),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let outcome = match command {
        Command::Run(args) => run::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("k8saudit: {}", one_line(&format!("{why:#}")));
            ExitCode::FAILURE
        }
    }
}

/// An error is one line, whatever a plugin put into it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
