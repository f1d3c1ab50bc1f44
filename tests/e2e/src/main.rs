//! `e2e-host PLUGIN CONFIG OPEN [FIELD...]`: a host in a process of its own, so that it can be killed and measured.
//!
//! It evaluates as Falco does: a batch, one field of one event at a time, and only then the next batch. What it
//! says on standard output, a line each, flushed before the next batch is asked for:
//!
//! | line | |
//! |---|---|
//! | `open` | the source is open |
//! | `event MILLIS AUDITID` | evaluated, at that time of the local clock; `-`: its auditID was cut off |
//! | `log LEVEL TEXT` | the plugin's log |
//! | `metric NAME VALUE` | asked for by `metrics` on standard input |
//! | `failed TEXT`, `end` | how the source ended |
//! | `closed MILLIS` | how long closing took |
//!
//! It obeys, on standard input: `metrics`, `watch` (four threads read metrics from then on), `stall`, `go`, `quit`.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use plugin_host::{Batch, Library, Meter, Plugin, Request};

#[derive(Default)]
struct Orders {
    stall: AtomicBool,
    quit: AtomicBool,
    metrics: AtomicBool,
    watch: AtomicBool,
    watched: AtomicU64,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, config, open, fields @ ..] = args.as_slice() else {
        anyhow::bail!("usage: e2e-host PLUGIN CONFIG OPEN [FIELD...]");
    };
    let library = Library::load(plugin)?;
    let plugin = library.init(config, |level, text| println!("log {level} {}", text.replace('\n', " ")))?;
    let requests = fields.iter().map(|field| library.request(field)).collect::<Result<Vec<_>, _>>()?;
    let orders = Arc::new(Orders::default());
    std::thread::spawn({
        let orders = Arc::clone(&orders);
        move || obey(&orders)
    });
    let meter = plugin.meter();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| watch(&meter, &orders));
        }
        let result = evaluate(&plugin, open, &requests, &orders);
        orders.quit.store(true, Relaxed);
        result
    })
}

fn evaluate(plugin: &Plugin, open: &str, requests: &[Request], orders: &Orders) -> Result<()> {
    let mut source = plugin.open(open)?;
    println!("open");
    let mut lines = String::new();
    while !orders.quit.load(Relaxed) {
        if orders.metrics.swap(false, Relaxed) {
            tell(&plugin.meter());
        }
        if orders.stall.load(Relaxed) {
            // Evaluating takes long.
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        match source.next_batch() {
            Batch::Events(events) => {
                for event in events {
                    for request in requests {
                        plugin.extract_one(&event, request)?;
                    }
                    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
                    let id = audit_id(event.payload()).unwrap_or("-");
                    lines.push_str(&format!("event {now} {id}\n"));
                }
                // In one write, so that lines of the log do not come between.
                std::io::stdout().lock().write_all(lines.as_bytes())?;
                std::io::stdout().flush()?;
                lines.clear();
            }
            Batch::Timeout => {}
            Batch::Eof => {
                println!("end");
                break;
            }
            Batch::Failure(why) => {
                println!("failed {}", why.replace('\n', " "));
                break;
            }
        }
    }
    println!("metric metrics_read_by_watchers {}", orders.watched.load(Relaxed));
    tell(&plugin.meter());
    let start = Instant::now();
    source.close();
    println!("closed {}", start.elapsed().as_millis());
    Ok(())
}

/// Reads metrics as fast as it can, once it is told to.
fn watch(meter: &Meter<'_>, orders: &Orders) {
    while !orders.quit.load(Relaxed) {
        if orders.watch.load(Relaxed) {
            orders.watched.fetch_add(meter.read().len() as u64, Relaxed);
        } else {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn obey(orders: &Orders) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "metrics" => orders.metrics.store(true, Relaxed),
            "watch" => orders.watch.store(true, Relaxed),
            "stall" => orders.stall.store(true, Relaxed),
            "go" => orders.stall.store(false, Relaxed),
            _ => orders.quit.store(true, Relaxed),
        }
    }
    orders.quit.store(true, Relaxed);
}

fn tell(meter: &Meter<'_>) {
    let lines: String = meter
        .read()
        .iter()
        .map(|metric| format!("metric {} {}\n", metric.name, metric.value.as_f64()))
        .collect();
    println!("{lines}metric end 0");
}

/// The id as it stands in the bytes: nothing of the plugin has a hand in it.
fn audit_id(payload: &[u8]) -> Option<&str> {
    let key = br#""auditID":""#;
    let start = payload.windows(key.len()).position(|window| window == key)? + key.len();
    let rest = payload.get(start..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}
