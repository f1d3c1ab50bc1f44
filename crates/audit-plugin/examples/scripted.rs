//! A plugin that does what its configuration and its open parameters tell it to, for the tests of the C ABI.
//!
//! It has no `unsafe` and names no type of the host: what a provider looks like.

#![allow(clippy::panic, reason = "a panic is what it is for")]

use std::alloc::System;
use std::ffi::CStr;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_core::Index;
use audit_plugin::extraction::{Argument, Fields, UnknownField, Values};
use audit_plugin::{AuditFields, CommonConfig, Plugin, Provider, Seconds, config};
use event_source::metrics::{MetricGroup, MetricKind, MetricSpec};
use event_source::{
    CheckpointDelta, Cursor, ErrorKind, Event, EventSource, NextBatch, PartitionId, PumpOptions, RecordBatch,
    Secret, SourceError, SourceMetrics,
};
use schemars::JsonSchema;
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// What the plugin does before it is opened, and what its fields are made of.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Config {
    /// Where it misbehaves.
    fault: Fault,
    /// Seconds between two batches.
    polling_interval: Seconds,
    /// Never seen anywhere.
    #[serde(deserialize_with = "config::secret")]
    #[schemars(with = "Option<String>")]
    api_key: Option<Secret>,
    /// Lines for the log, at level `info`, when it is initialised.
    say: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fault {
    #[default]
    Nowhere,
    ErrorInNew,
    PanicInNew,
    PanicInMetrics,
    PanicInDrop,
    LogInDrop,
}

/// What an opening does.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Script {
    /// Where opening goes wrong.
    open: Step,
    /// Payloads to give first, as they are.
    payloads: Vec<String>,
    /// Then that many audit events of a user called after its number.
    events: u64,
    /// Then that many more, without end when negative.
    batch: u64,
    /// Bytes of padding in each of them.
    padding: usize,
    /// The event whose places are noted for all of them.
    noted_as: Option<String>,
    /// What comes after them.
    then: Step,
    /// Milliseconds that closing takes.
    close_ms: u64,
    /// Batches without an event that come before anything else.
    empty_batches: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            open: Step::Idle,
            payloads: Vec::new(),
            events: 0,
            batch: 10,
            padding: 0,
            noted_as: None,
            then: Step::Idle,
            close_ms: 0,
            empty_batches: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Idle,
    End,
    Error,
    LongError,
    Panic,
    PanicAtOnce,
    Hang,
}

event_source::metrics! {
    /// What the script saw.
    pub struct ScriptMetrics {
        gauge script_acknowledged: "The cursor up to which the source was told that events were evaluated.",
        counter script_closed: "Sources that were closed.",
    }
}

struct Scripted {
    config: Config,
    common: CommonConfig,
    metrics: Arc<ScriptMetrics>,
}

/// Counts what this library allocates, for the test that says when it does not.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Allocations;

impl MetricGroup for Allocations {
    fn specs(&self) -> &'static [MetricSpec] {
        const {
            &[MetricSpec {
                name: "script_allocations",
                kind: MetricKind::Counter,
                help: "Allocations so far.",
            }]
        }
    }
    fn visit(&self, visit: &mut dyn FnMut(&'static MetricSpec, u64)) {
        let stats = ALLOCATOR.stats();
        for spec in self.specs() {
            visit(spec, (stats.allocations + stats.reallocations) as u64);
        }
    }
}

struct Panicking;

impl MetricGroup for Panicking {
    fn specs(&self) -> &'static [MetricSpec] {
        ScriptMetrics::SPECS
    }
    fn visit(&self, _: &mut dyn FnMut(&'static MetricSpec, u64)) {
        panic!("metrics");
    }
}

impl Plugin for Scripted {
    const NAME: &'static CStr = c"scripted";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Does what it is told to";
    const CONTACT: &'static CStr = c"the tests of audit-plugin";
    const LOG_TARGETS: &'static [&'static str] = &["transport"];
    const ALIASES: &'static [(&'static str, &'static str)] = &[("pollingInterval", "polling_interval")];
    const DEFAULTS: CommonConfig = CommonConfig { max_event_size: 262_144, ..CommonConfig::DEFAULT };

    type Config = Config;
    type Fields = ScriptedFields;

    fn new(config: Config, common: CommonConfig) -> Result<Self, SourceError> {
        for line in &config.say {
            log::info!("{line}");
            log::debug!("{line} in detail");
            log::info!(target: "transport::call", "{line} from the transport");
            log::warn!(target: "sdk::call", "{line} from elsewhere");
            log::error!(target: "sdk::call", "{line} failed elsewhere");
        }
        match config.fault {
            Fault::ErrorInNew => {
                let cause = SourceError::new(ErrorKind::Unavailable, "innermost");
                let cause = SourceError::new(ErrorKind::Unavailable, "middle").because(cause);
                return Err(SourceError::new(ErrorKind::Config, "outermost").because(cause));
            }
            Fault::PanicInNew => panic!("in new"),
            _ => {}
        }
        log::debug!("{config:?}");
        Ok(Self { config, common, metrics: Arc::default() })
    }

    fn metrics(&self) -> Vec<Arc<dyn MetricGroup>> {
        let mut metrics: Vec<Arc<dyn MetricGroup>> =
            vec![Arc::clone(&self.metrics) as _, Arc::new(Allocations)];
        if self.config.fault == Fault::PanicInMetrics {
            metrics.push(Arc::new(Panicking));
        }
        metrics
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        match self.config.fault {
            Fault::PanicInDrop => panic!("in drop"),
            Fault::LogInDrop => {
                // Goes on after the host's log is gone.
                let end = Instant::now() + Duration::from_millis(500);
                std::thread::spawn(move || {
                    while Instant::now() < end {
                        log::error!("too late");
                    }
                });
                log::info!("the last words");
            }
            _ => {}
        }
    }
}

impl Provider for Scripted {
    const ID: u32 = 999;

    type Source = Actor;

    fn pump_options(&self) -> PumpOptions {
        self.common.pump_options(200)
    }

    fn open(
        &self,
        parameters: &str,
        _metrics: Arc<SourceMetrics>,
    ) -> Result<impl Future<Output = Result<Vec<Actor>, SourceError>> + Send + use<>, SourceError> {
        let script: Script = if parameters.is_empty() {
            Script::default()
        } else {
            serde_json::from_str(parameters)
                .map_err(|cause| SourceError::new(ErrorKind::Config, "no script").because(cause))?
        };
        assert_ne!(script.open, Step::PanicAtOnce, "told to, at once");
        let actor = Actor {
            metrics: Arc::clone(&self.metrics),
            pause: self.config.polling_interval.as_duration(),
            given: 0,
            script,
        };
        Ok(async move {
            match actor.script.open {
                Step::Idle => Ok(vec![actor]),
                step => act(step).await.map(|_| Vec::new()),
            }
        })
    }
}

/// Gives what the script says.
struct Actor {
    script: Script,
    metrics: Arc<ScriptMetrics>,
    pause: Duration,
    given: u64,
}

async fn act(step: Step) -> Result<NextBatch<Event>, SourceError> {
    match step {
        Step::Idle => Ok(NextBatch::Idle(Duration::from_millis(20))),
        Step::End => Ok(NextBatch::End),
        Step::Error | Step::LongError => {
            let text = if step == Step::LongError { "long ".repeat(100) } else { String::new() };
            let cause = SourceError::new(ErrorKind::Denied, format!("{text}cause"));
            Err(SourceError::new(ErrorKind::Config, "told to fail").because(cause))
        }
        Step::Panic | Step::PanicAtOnce => panic!("told to panic"),
        Step::Hang => pending().await,
    }
}

impl Actor {
    fn event(&self, number: u64) -> Event {
        let text = match usize::try_from(number).ok().and_then(|number| self.script.payloads.get(number)) {
            Some(payload) => payload.clone(),
            None => {
                let padding = "x".repeat(self.script.padding);
                format!(
                    r#"{{"auditID":"{number:06}","user":{{"username":"user-{number:06}"}},"padding":"{padding}"}}"#
                )
            }
        };
        let index = self.script.noted_as.as_ref().and_then(|event| Index::parse(event.as_bytes()).ok());
        let notes = index.map_or_else(Default::default, |index| index.places().into_numbers());
        Event { notes, ..Event::new(text, 1_700_000_000_000_000_000) }
    }
}

impl EventSource for Actor {
    type Record = Event;

    fn name(&self) -> &str {
        "script"
    }

    async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
        let partition = PartitionId::new("script");
        if self.script.empty_batches > 0 {
            self.script.empty_batches -= 1;
            return Ok(NextBatch::Records(RecordBatch { partition, records: Vec::new(), end: Cursor(0) }));
        }
        let total = self.script.payloads.len() as u64 + self.script.events;
        let end = total.min(self.given + self.script.batch);
        if self.given == end {
            return act(self.script.then).await;
        }
        if self.given > 0 {
            tokio::time::sleep(self.pause).await;
        }
        let records = (self.given..end).map(|number| self.event(number)).collect();
        self.given = end;
        Ok(NextBatch::Records(RecordBatch { partition, records, end: Cursor(end) }))
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.metrics.script_acknowledged.set(delta.to.0);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        tokio::time::sleep(Duration::from_millis(self.script.close_ms)).await;
        self.metrics.script_closed.increment();
        Ok(())
    }
}

/// The fields of audit events, but for one payload.
#[derive(Default)]
struct ScriptedFields(AuditFields);

impl Fields for ScriptedFields {
    const SOURCES: &'static CStr = AuditFields::SOURCES;

    fn describe() -> String {
        AuditFields::describe()
    }

    fn read(&mut self, payload: &[u8], timestamp: u64, notes: &[u64]) {
        assert_ne!(payload, b"panic", "told to panic while reading");
        self.0.read(payload, timestamp, notes);
    }

    fn extract(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
        values: &mut Values,
    ) -> Result<(), UnknownField> {
        self.0.extract(payload, field, argument, values)
    }
}

audit_plugin::export_plugin!(Scripted);
