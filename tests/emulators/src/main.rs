//! `cloudwatch-emulator`: the emulator as a program, for the demo and for other programs.
//!
//! Owns: the command line. The first line on standard output is
//! `listening on http://127.0.0.1:PORT`; for what can be asked of it and changed while it
//! runs, see the endpoints under `/_emulator/` in `cloudwatch::control`.
#![allow(clippy::expect_used, reason = "a test double: what cannot happen must stop it at once")]

use clap::Parser;
use emulators::cloudwatch::{Config, Emulator, Fault, Generated, Lateness, Story, Visibility};
use serde_json::{Map, Value};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// A CloudWatch Logs service on loopback, with faults on request.
#[derive(Debug, Parser)]
#[command(name = "cloudwatch-emulator", version)]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The log group to make
    #[arg(long, default_value = "/aws/eks/demo/cluster")]
    group: String,
    /// Make so many audit events on demand
    #[arg(long, value_name = "COUNT")]
    generate: Option<u64>,
    /// Timestamps per second of the generated events
    #[arg(long, default_value_t = 1000.0, value_parser = positive)]
    rate: f64,
    /// Generated events appear as the clock reaches them, instead of being there already
    #[arg(long)]
    live: bool,
    /// Where the generated timestamps start, in seconds from now [default: now when live, else so that they end now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    start: Option<f64>,
    /// A share of the generated events that is late, by how many seconds; may be repeated
    #[arg(long, value_name = "SHARE:FROM..TO")]
    lateness: Vec<Late>,
    /// Streams of the generated events
    #[arg(long, default_value_t = 3)]
    streams: u32,
    /// Generated events in a row with the same timestamp
    #[arg(long, default_value_t = 3)]
    burst: u64,
    /// Bytes of a generated event
    #[arg(long, default_value_t = 2048)]
    message_bytes: usize,
    /// A story: lines `{"offset_ms": 0, "stream": "...", "event": {...}}`, told from now on
    #[arg(long, value_name = "FILE")]
    story: Option<PathBuf>,
    /// A fault: `throttling,share=0.05` or `slow,ms=50,next=3,operation=FilterLogEvents`; may be repeated
    #[arg(long, value_name = "KIND[,KEY=VALUE..]")]
    fault: Vec<FaultArg>,
    /// Calls per second and operation that the account may make [AWS: 5]
    #[arg(long, value_parser = positive)]
    calls_per_second: Option<f64>,
    /// Most events in a page
    #[arg(long, default_value_t = 10_000)]
    page_events: usize,
    /// Most bytes in a page
    #[arg(long, default_value_t = 1 << 20)]
    page_bytes: usize,
    /// Probability that a page stops early
    #[arg(long, default_value_t = 0.0, value_parser = probability)]
    partial_pages: f64,
    /// Probability that a page is empty
    #[arg(long, default_value_t = 0.0, value_parser = probability)]
    empty_pages: f64,
    /// Seconds for which a token is good
    #[arg(long, default_value_t = 86_400.0, value_parser = positive)]
    token_lifetime: f64,
    /// The region in ARNs
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The account in ARNs
    #[arg(long, default_value = "111122223333")]
    account: String,
    /// What all choices are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End after so many seconds; never, if not given
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    run_for: Option<f64>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloudwatch-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let story = match &args.story {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("the story `{}` cannot be read: {error}", path.display()))?;
            Some(Story::parse(&text)?)
        }
        None => None,
    };
    let emulator = Emulator::start(args.config())
        .map_err(|error| format!("cannot listen on `{}`: {error}", args.listen))?;
    emulator.create_group(&args.group);
    for FaultArg(fault) in &args.fault {
        emulator.faults().add(fault.clone());
    }
    let now_ms = emulator.clock().now_ms();
    if let Some(count) = args.generate {
        emulator.generate(&args.group, args.plan(count, now_ms));
    }
    for (stream, event) in story.iter().flat_map(|story| story.told_at(now_ms)) {
        emulator.put(&args.group, &stream, vec![event]);
    }
    println!("listening on {}", emulator.endpoint_url());
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
        Config {
            listen: self.listen,
            account: self.account.clone(),
            region: self.region.clone(),
            page_events: self.page_events,
            page_bytes: self.page_bytes,
            partial_pages: self.partial_pages,
            empty_pages: self.empty_pages,
            token_lifetime: Duration::from_secs_f64(self.token_lifetime),
            calls_per_second: self.calls_per_second,
            seed: self.seed,
            ..Config::default()
        }
    }

    fn plan(&self, count: u64, now_ms: i64) -> Generated {
        let length_s = count as f64 / self.rate;
        let start_s = self.start.unwrap_or(if self.live { 0.0 } else { -length_s });
        let lateness = self.lateness.iter().fold(Lateness::none(), |all, late| {
            all.band(late.share, (late.from_s * 1e3) as i64, (late.to_s * 1e3) as i64)
        });
        Generated {
            seed: self.seed,
            streams: self.streams,
            burst: self.burst,
            per_second: self.rate,
            message_bytes: self.message_bytes,
            lateness,
            visibility: if self.live { Visibility::Live } else { Visibility::Backlog },
            ..Generated::backlog(count, now_ms + (start_s * 1e3) as i64)
        }
    }
}

/// `0.05:1..8`: five of a hundred are late by one to eight seconds.
#[derive(Clone, Copy, Debug)]
struct Late {
    share: f64,
    from_s: f64,
    to_s: f64,
}

impl FromStr for Late {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(share, times)| {
            let (from, to) = times.split_once("..")?;
            Some(Self { share: share.parse().ok()?, from_s: from.parse().ok()?, to_s: to.parse().ok()? })
        });
        let fits =
            |late: &Self| (0.0..=1.0).contains(&late.share) && late.from_s >= 0.0 && late.to_s >= late.from_s;
        parsed
            .filter(fits)
            .ok_or_else(|| format!("expected `SHARE:FROM..TO`, as in `0.05:1..8`, found `{text}`"))
    }
}

/// The JSON form of a fault, written with commas.
#[derive(Clone, Debug)]
struct FaultArg(Fault);

impl FromStr for FaultArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut members = Map::new();
        for (n, part) in text.split(',').enumerate() {
            let (key, value) = match part.split_once('=') {
                Some(pair) => pair,
                None if n == 0 => ("kind", part),
                None => return Err(format!("expected `key=value`, found `{part}`")),
            };
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            members.insert(key.to_owned(), value);
        }
        serde_json::from_value(Value::Object(members)).map(Self).map_err(|error| error.to_string())
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("expected a number above 0, found `{text}`"))
}

fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..1.0).contains(number));
    number.ok_or_else(|| format!("expected a number from 0 to below 1, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use emulators::cloudwatch::{FaultKind, Operation};

    #[test]
    fn faults_on_the_command_line() {
        let fault = |text: &str| text.parse::<FaultArg>().map(|fault| fault.0);
        assert_eq!(fault("throttling,share=0.05").unwrap(), Fault::share(FaultKind::Throttling, 0.05));
        let slow = FaultKind::Slow(Duration::from_millis(50));
        assert_eq!(
            fault("slow,ms=50,next=3,operation=FilterLogEvents").unwrap(),
            Fault::next(slow, 3).on(Operation::FilterLogEvents)
        );
        assert!(fault("slow,50").unwrap_err().contains("`50`"));
        assert!(fault("slow").unwrap_err().contains("`ms`"));
    }

    #[test]
    fn lateness_on_the_command_line() {
        let late = "0.05:1..8.5".parse::<Late>().unwrap();
        assert_eq!((late.share, late.from_s, late.to_s), (0.05, 1.0, 8.5));
        for wrong in ["", "0.05", "0.05:1", "2:1..8", "0.1:8..1", "0.1:-1..1"] {
            assert!(wrong.parse::<Late>().is_err(), "{wrong}");
        }
    }
}
