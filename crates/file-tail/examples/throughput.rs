//! Makes a large file, or reads one and tells how fast, and with how much memory.
//!
//! ```text
//! throughput make MEGABYTES PATH      # PATH, PATH.gz, PATH.zst
//! throughput read -|PATH|file:///PATH # the last one up to the size that the file has
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceMetrics};
use file_tail::{FileMetrics, FileOptions, FileRecord, FileSource, StartPosition, Target};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, FrameCompressor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", megabytes, path] => make(megabytes.parse()?, path)?,
        ["read", target] => read(target)?,
        _ => return Err("throughput make MEGABYTES PATH, or throughput read TARGET".into()),
    }
    Ok(())
}

/// Lines of 2.5 KB, of the sort that compresses like an audit log.
struct Lines {
    left: u64,
    line: Vec<u8>,
    number: u64,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.line.is_empty() {
            if self.left == 0 {
                return Ok(0);
            }
            self.number += 1;
            let id = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let words = ["get", "list", "watch", "patch", "configmaps", "secrets", "pods", "kube-system"];
            let mut text =
                format!("{{\"kind\":\"Event\",\"auditID\":\"{id:016x}{:016x}\"", id.rotate_left(23));
            let mut random = id;
            while text.len() < 2490 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let word = words.get((random >> 60) as usize % words.len()).copied().unwrap_or_default();
                text.push_str(&format!(",\"{word}\":\"{:x}\"", random >> 44));
            }
            text.push_str("}\n");
            self.left = self.left.saturating_sub(text.len() as u64);
            self.line = text.into_bytes();
        }
        let count = buffer.len().min(self.line.len());
        let rest = self.line.split_off(count);
        buffer.iter_mut().zip(&self.line).for_each(|(to, from)| *to = *from);
        self.line = rest;
        Ok(count)
    }
}

fn make(megabytes: u64, path: &str) -> Result<(), Box<dyn Error>> {
    let lines = || Lines { left: megabytes << 20, line: Vec::new(), number: 0 };
    let create = |end: &str| Ok::<_, io::Error>(BufWriter::new(File::create(format!("{path}{end}"))?));
    io::copy(&mut lines(), &mut create("")?)?;
    let mut gzip = GzEncoder::new(create(".gz")?, Compression::default());
    io::copy(&mut lines(), &mut gzip)?;
    gzip.finish()?.flush()?;
    let mut zstd = FrameCompressor::new(CompressionLevel::Fastest);
    zstd.set_source(lines());
    zstd.set_drain(create(".zst")?);
    zstd.compress();
    Ok(())
}

struct Events;

impl Decode<FileRecord> for Events {
    fn decode(&mut self, record: FileRecord, events: &mut Vec<Event>) {
        events.push(Event::new(record.bytes, 0));
    }
}

fn read(target: &str) -> Result<(), Box<dyn Error>> {
    let target = Target::parse(target)?;
    let size = match &target {
        Target::Follow(path) => fs::metadata(path)?.len(),
        _ => u64::MAX,
    };
    let options = FileOptions { start: StartPosition::Beginning, ..FileOptions::default() };
    let metrics = Arc::new(SourceMetrics::default());
    let counted = Arc::clone(&metrics);
    let open = async move {
        let source = FileSource::open(target, options, Arc::new(FileMetrics::default()), counted).await?;
        Ok(vec![Decoded::new(source, Events)])
    };
    let bounds = PumpOptions {
        max_queue_events: 2000,
        max_queue_bytes: 16 << 20,
        max_batch_bytes: 1 << 20,
        give_up_after: None,
    };
    let start = Instant::now();
    let mut pump = Pump::start(&bounds, metrics, open)?;
    let (mut events, mut bytes) = (0_u64, 0_u64);
    // Each line has a line feed, too.
    while bytes + events < size {
        match pump.next_batch(Duration::from_millis(100)) {
            Next::Batch(batch) => {
                events += batch.len() as u64;
                bytes += batch.iter().map(|event| event.payload.len() as u64).sum::<u64>();
            }
            Next::Timeout => {}
            Next::End => break,
            Next::Failed(error) => return Err(error.into()),
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    pump.close();
    let status = fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{events} events, {} MB in {elapsed:.2} s: {:.0} MB/s, {:.0} events/s; {resident}",
        bytes >> 20,
        bytes as f64 / elapsed / 1e6,
        events as f64 / elapsed
    );
    Ok(())
}
