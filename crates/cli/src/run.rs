//! `k8saudit run`: opens a plugin's event source and prints its events.
//!
//! Owns: the order of things, the end by count or by signal, and where a configuration
//! comes from. Does not own: what a line looks like ([`output`]), what stands in it
//! ([`mod@column`]), where plugins are ([`locate`]).

mod column;
mod locate;
mod output;

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use plugin_host::{Batch, Library, Metric, Plugin};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::column::Column;
use self::output::{Output, Style};

/// What `run` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of a plugin, such as k8saudit-eks, or path of its .so
    plugin: String,
    /// The plugin's init configuration: a JSON file, or - for standard input
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The plugin's open parameters, such as the name of a cluster
    #[arg(long, value_name = "PARAMS", default_value = "")]
    open: String,
    /// Fields to print, separated by commas; evt.num, evt.time, evt.rawtime and evt.plugininfo are there too
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// Print the plugin's metrics to standard error at the end
    #[arg(long)]
    metrics: bool,
    /// Where to look for a plugin first
    #[arg(long, value_name = "DIR")]
    plugin_dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let path = locate::locate(&args.plugin, args.plugin_dir.as_deref())?;
    let library = Library::load(&path)?;
    let columns = Column::resolve(&library, &args.fields)?;
    let config = args.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
    let stop = stop_on_signal().context("cannot handle signals")?;

    let plugin = library.init(&config, |level, line| eprintln!("{level:>8}: {line}"))?;
    let stdout = io::stdout();
    let style = match (args.json, stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none()) {
        (true, _) => Style::Json,
        (false, true) => Style::Coloured,
        (false, false) => Style::Plain,
    };
    let mut output = Output::new(style, &columns);
    let outcome = follow(&plugin, args, &columns, &mut output, &stop);
    if args.metrics {
        print_metrics(library.name(), &plugin.metrics());
    }
    outcome
}

/// Prints events until the source ends, enough were seen, a signal came, or nobody reads.
fn follow(
    plugin: &Plugin,
    args: &Args,
    columns: &[Column],
    output: &mut Output,
    stop: &AtomicBool,
) -> Result<()> {
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut source = plugin.open(&args.open)?;
    while left > 0 && !stop.load(Ordering::Relaxed) {
        match source.next_batch() {
            Batch::Timeout => {}
            Batch::Eof => break,
            Batch::Failure(why) => bail!("{why}"),
            Batch::Events(events) => {
                let mut rows = Vec::new();
                for event in events.take(usize::try_from(left).unwrap_or(usize::MAX)) {
                    rows.push(column::row(plugin, columns, &event)?);
                    left -= 1;
                }
                let mut stdout = io::stdout().lock();
                match output.write(&mut stdout, &rows).and_then(|()| stdout.flush()) {
                    Err(why) if why.kind() == io::ErrorKind::BrokenPipe => break,
                    written => written.context("cannot write to standard output")?,
                }
            }
        }
    }
    Ok(())
}

fn read_config(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().read_to_string(&mut text).context("cannot read the configuration from standard input")?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
    }
    serde_json::from_str::<serde_json::Value>(&text).with_context(|| {
        format!(
            "the configuration `{}` is not JSON; it is what stands under `init_config` in falco.yaml",
            path.display()
        )
    })?;
    Ok(text)
}

/// The first signal asks for a clean end, with a close that keeps checkpoints; the second
/// one kills as ever.
fn stop_on_signal() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn print_metrics(plugin: &str, metrics: &[Metric]) {
    let width = metrics.iter().map(|metric| metric.name.len()).max().unwrap_or_default();
    eprintln!("metrics of {plugin}:");
    for metric in metrics {
        eprintln!("  {:width$}  {}", metric.name, metric.value);
    }
}
