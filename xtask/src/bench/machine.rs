//! [`Machine`]: on what was measured.

use std::fmt;
use std::fs;
use std::process::Command;

use serde::Serialize;

/// Without this, figures say nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    /// Of those that code may look for when it runs.
    features: Vec<&'static str>,
    rustc: String,
    /// What the environment tells the compiler besides.
    rustflags: String,
}

const FEATURES: [&str; 5] = ["sse4_2", "avx2", "bmi2", "avx512bw", "avx512vbmi2"];

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = value("flags").unwrap_or_default();
        let has = |feature: &&str| flags.split(' ').any(|flag| flag == *feature);
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            processor: value("model name").unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: FEATURES.into_iter().filter(has).collect(),
            rustc: rustc.unwrap_or_default(),
            rustflags: std::env::var("RUSTFLAGS").unwrap_or_default(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, features, rustc, rustflags } = self;
        write!(f, "{processor}, {cores} cores ({}), {rustc}, built for ", features.join(", "))?;
        match rustflags.as_str() {
            "" => f.write_str("any x86-64 (baseline v1)"),
            flags => write!(f, "`RUSTFLAGS={flags}`"),
        }
    }
}
