//! `event-hubs-emulator`: the emulator as a program, for tests in other languages.
//!
//! Owns: the command line. The first line on standard output is
//! `listening on amqp://127.0.0.1:PORT`, the second `control on http://127.0.0.1:PORT`, with
//! `--blob` the third `blob on http://127.0.0.1:PORT/ACCOUNT`; for
//! what can be asked of it and changed while it runs, see the endpoints under `/_emulator/`
//! in `event_hubs::control`.

use clap::Parser;
use emulators::blob;
use emulators::event_hubs::{Arrival, Brokenness, Config, Egress, Emulator, Generated, Hub, Offsets, Policy};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// An Event Hubs namespace on loopback, with faults on request.
#[derive(Debug, Parser)]
#[command(name = "event-hubs-emulator", version)]
struct Args {
    /// Where to listen for AMQP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to listen for control requests; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// A hub and its partitions; may be repeated
    #[arg(long, value_name = "NAME:PARTITIONS", value_parser = hub, default_value = "insights-logs-kube-audit:4")]
    hub: Vec<Hub>,
    /// A consumer group of every hub, besides $Default; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// The name of the shared access policy
    #[arg(long, default_value = "RootManageSharedAccessKey")]
    key_name: String,
    /// The key of the shared access policy
    #[arg(long, default_value = "SAS_KEY_VALUE")]
    key: String,
    /// A Microsoft Entra ID token to accept
    #[arg(long, value_name = "TOKEN")]
    bearer: Option<String>,
    /// Offsets that are no numbers, as with geo-replication
    #[arg(long)]
    geo_offsets: bool,
    /// Forget events after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    retention: Option<f64>,
    /// Throughput units [default: no limit]
    #[arg(long, value_name = "COUNT")]
    throughput_units: Option<u32>,
    /// Detach readers that are too fast, instead of slowing them down
    #[arg(long)]
    egress_errors: bool,
    /// Understand TLS, too, and write the authority's certificate to this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Make so many records in the first hub
    #[arg(long, value_name = "COUNT")]
    generate: Option<u64>,
    /// Records per message
    #[arg(long, value_name = "LEAST..MOST", value_parser = range, default_value = "1..200")]
    records_per_message: RangeInclusive<u32>,
    /// Bytes of an audit event
    #[arg(long, default_value_t = 2_048)]
    record_bytes: usize,
    /// Share of records of other categories
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    foreign: f64,
    /// Share of audit events that are cut off
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    cut: f64,
    /// Share of records that are broken JSON
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    broken: f64,
    /// Some of the broken records end in the middle, too
    #[arg(long)]
    unterminated: bool,
    /// Share of records that come again as kube-audit-admin
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    admin_copies: f64,
    /// Records per second of enqueued times
    #[arg(long, default_value_t = 1_000.0, value_parser = positive)]
    rate: f64,
    /// Messages appear as the clock reaches them, instead of being there already
    #[arg(long)]
    live: bool,
    /// What all choices are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start a blob storage account beside it, with this container
    #[arg(long, value_name = "CONTAINER")]
    blob: Option<String>,
    /// Where blob storage listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    blob_listen: SocketAddr,
    /// End after so many seconds; never, if not given
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    run_for: Option<f64>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event-hubs-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::start(args.config())
        .map_err(|error| format!("cannot listen on `{}`: {error}", args.listen))?;
    if let (Some(records), Some(hub)) = (args.generate, args.hub.first()) {
        emulator.generate(&hub.name, args.plan(records, emulator.clock().now_ms()));
    }
    if let (Some(file), Some(pem)) = (&args.tls, emulator.authority_pem()) {
        std::fs::write(file, pem).map_err(|error| format!("cannot write `{}`: {error}", file.display()))?;
    }
    let blob = match &args.blob {
        Some(container) => {
            let config = blob::Config { listen: args.blob_listen, ..blob::Config::default() };
            let blob = blob::Emulator::start(config)
                .map_err(|error| format!("cannot listen on `{}`: {error}", args.blob_listen))?;
            blob.create_container(container);
            Some(blob)
        }
        None => None,
    };
    println!("listening on {}", emulator.endpoint_url());
    println!("control on {}", emulator.control_url().unwrap_or_default());
    if let Some(blob) = &blob {
        println!("blob on {}", blob.endpoint_url());
    }
    std::io::stdout().flush()?;
    match args.run_for {
        Some(seconds) => std::thread::sleep(Duration::from_secs_f64(seconds)),
        None => loop {
            std::thread::park();
        },
    }
    emulator.stop();
    Ok(())
}

impl Args {
    fn config(&self) -> Config {
        let hubs = self.hub.iter().map(|hub| Hub { groups: self.group.clone(), ..hub.clone() });
        Config {
            listen: self.listen,
            control: Some(self.control),
            hubs: hubs.collect(),
            policies: vec![Policy {
                name: self.key_name.clone(),
                key: self.key.clone(),
                ..Policy::default()
            }],
            bearer: self.bearer.clone(),
            offsets: if self.geo_offsets { Offsets::Geo } else { Offsets::Numbers },
            retention: self.retention.map(Duration::from_secs_f64),
            throughput_units: self.throughput_units,
            tls: self.tls.is_some(),
            egress: if self.egress_errors { Egress::ServerBusy } else { Egress::Slower },
            ..Config::default()
        }
    }

    fn plan(&self, records: u64, now_ms: i64) -> Generated {
        let length_ms = (records as f64 * 1_000.0 / self.rate) as i64;
        let mut brokenness = vec![Brokenness::SingleQuotes, Brokenness::RawNewline];
        if self.unterminated {
            brokenness.push(Brokenness::Unterminated);
        }
        Generated {
            seed: self.seed,
            records_per_message: self.records_per_message.clone(),
            record_bytes: self.record_bytes,
            foreign: self.foreign,
            cut: self.cut,
            broken: self.broken,
            brokenness,
            admin_copies: self.admin_copies,
            per_second: self.rate,
            arrival: if self.live { Arrival::Live } else { Arrival::Backlog },
            ..Generated::backlog(records, if self.live { now_ms } else { now_ms - length_ms })
        }
    }
}

fn hub(text: &str) -> Result<Hub, String> {
    let parsed = text.rsplit_once(':').and_then(|(name, count)| Some(Hub::new(name, count.parse().ok()?)));
    parsed
        .filter(|hub| !hub.name.is_empty() && (1..=1_024).contains(&hub.partitions))
        .ok_or_else(|| format!("expected `NAME:PARTITIONS`, as in `audit:4`, found `{text}`"))
}

fn range(text: &str) -> Result<RangeInclusive<u32>, String> {
    let parsed = text.split_once("..").and_then(|(least, most)| {
        let (least, most) = (least.parse().ok()?, most.parse().ok()?);
        (least > 0 && most >= least).then_some(least..=most)
    });
    parsed.ok_or_else(|| format!("expected `LEAST..MOST`, as in `1..200`, found `{text}`"))
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("expected a number above 0, found `{text}`"))
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("expected a number from 0 to 1, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(hub("audit:8").unwrap(), Hub::new("audit", 8));
        for wrong in ["", "audit", "audit:0", ":4", "audit:x"] {
            assert!(hub(wrong).is_err(), "{wrong}");
        }
        assert_eq!(range("1..200").unwrap(), 1..=200);
        for wrong in ["", "5", "0..5", "5..4"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
