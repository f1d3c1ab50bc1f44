//! [`State`]: a plugin between `init` and `destroy`, as the host holds it.
//!
//! It owns everything that outlives an opening: the plugin, its metrics, the memory of extraction, the last
//! error, and the way to the host's log. Everything here is safe to call from any thread at any time; the host
//! asks for metrics from a thread of its own while events flow.

use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use event_source::metrics::{MetricGroup, MetricKind};
use event_source::{ErrorKind, Pump, SourceError, SourceMetrics, chain};

use crate::abi::turn::Turn;
use crate::config;
use crate::extraction::Extraction;
use crate::instance::Instance;
use crate::logging::{Audience, HostLog, Registration};
use crate::notes::Notes;
use crate::{Plugin, Provider, lock};

/// libscap keeps that many bytes of an error; a longer one is written to the log as a whole.
const HOST_ERROR_BYTES: usize = 255;

/// What the host holds, also when `init` failed: it asks for the error before it destroys.
#[derive(Debug)]
pub(crate) struct State<P: Plugin> {
    last_error: Mutex<String>,
    running: Option<Running<P>>,
}

/// A plugin that was initialised.
pub(crate) struct Running<P: Plugin> {
    plugin: P,
    source_metrics: Arc<SourceMetrics>,
    metrics: Vec<Group>,
    extraction: Turn<Extraction<P::Fields>>,
    epoch: AtomicU64,
    notes: Mutex<Notes>,
    /// The payload that was shown last, as a C string.
    shown: Mutex<Vec<u8>>,
    /// Last: what is dropped before may still have something to say.
    _log: Registration,
}

impl<P: Plugin> fmt::Debug for Running<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the plugin nor its configuration: they may hold secrets.
        f.debug_struct("Running").field("plugin", &P::NAME).finish_non_exhaustive()
    }
}

/// Metrics that are read at once, and their names as C strings.
struct Group {
    values: Arc<dyn MetricGroup>,
    specs: Vec<(CString, MetricKind)>,
}

impl Group {
    fn new(values: Arc<dyn MetricGroup>) -> Self {
        let specs = values.specs().iter();
        let specs = specs.map(|spec| (CString::new(spec.name).unwrap_or_default(), spec.kind)).collect();
        Self { values, specs }
    }
}

/// A metric of the moment.
pub(crate) struct MetricValue<'p> {
    /// Lives as long as the plugin.
    pub(crate) name: &'p CStr,
    pub(crate) kind: MetricKind,
    pub(crate) value: u64,
}

impl<P: Plugin> State<P> {
    /// Reads the configuration and makes the plugin. What goes wrong is in [`State::last_error`].
    pub(crate) fn init(
        configuration: Result<&str, SourceError>,
        host: Box<dyn HostLog>,
        own_target: &'static str,
    ) -> Self {
        match Running::new(configuration, host, own_target) {
            Ok(running) => Self { last_error: Mutex::default(), running: Some(running) },
            Err(error) => Self::failed(chain(&error)),
        }
    }

    /// A plugin that could not be initialised.
    pub(crate) fn failed(error: String) -> Self {
        Self { last_error: Mutex::new(error), running: None }
    }

    /// The plugin, unless `init` failed.
    pub(crate) fn running(&self) -> Option<&Running<P>> {
        self.running.as_ref()
    }

    /// What the host asks for after a call that failed.
    pub(crate) fn last_error(&self) -> String {
        lock(&self.last_error).clone()
    }

    /// Keeps what went wrong, with all its causes, for the host to ask.
    pub(crate) fn fail(&self, error: &dyn std::error::Error) {
        self.fail_with(chain(error));
    }

    /// Keeps what went wrong for the host to ask.
    pub(crate) fn fail_with(&self, line: String) {
        if line.len() > HOST_ERROR_BYTES {
            log::error!("{line}");
        }
        *lock(&self.last_error) = line;
    }
}

impl<P: Plugin> Running<P> {
    fn new(
        configuration: Result<&str, SourceError>,
        host: Box<dyn HostLog>,
        own_target: &'static str,
    ) -> Result<Self, SourceError> {
        let config::Loaded { config, common, warnings } = config::load::<P>(configuration?)?;
        let level = common.log_level.into();
        let log = Registration::new(Audience { host, level, own_target, targets: P::LOG_TARGETS });
        for warning in warnings {
            log::warn!("{warning}");
        }
        let plugin = P::new(config, common)?;
        let source_metrics = Arc::new(SourceMetrics::default());
        let mut metrics = Vec::new();
        if P::READS_EVENTS {
            metrics.push(Group::new(Arc::clone(&source_metrics) as _));
        }
        metrics.extend(plugin.metrics().into_iter().map(Group::new));
        Ok(Self {
            plugin,
            source_metrics,
            metrics,
            extraction: Turn::default(),
            epoch: AtomicU64::new(0),
            notes: Mutex::default(),
            shown: Mutex::default(),
            _log: log,
        })
    }

    /// The memory of extraction.
    #[inline]
    pub(crate) fn extraction(&self) -> &Turn<Extraction<P::Fields>> {
        &self.extraction
    }

    /// The memory of events is about to be used again, and their numbers may be: what comes is another event,
    /// whatever it looks like.
    pub(crate) fn forget_events(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        lock(&self.notes).clear();
    }

    /// What is known of the events that the host has.
    #[inline]
    pub(crate) fn notes(&self) -> &Mutex<Notes> {
        &self.notes
    }

    /// A number that is another one after each [`forget_events`](Self::forget_events).
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Where a payload is kept while the host looks at it.
    pub(crate) fn shown(&self) -> MutexGuard<'_, Vec<u8>> {
        lock(&self.shown)
    }

    /// The metrics of the moment, in a fixed order.
    pub(crate) fn visit_metrics<'p>(&'p self, visit: &mut dyn FnMut(MetricValue<'p>)) {
        for Group { values, specs } in &self.metrics {
            let mut specs = specs.iter();
            values.visit(&mut |_, value| {
                if let Some((name, kind)) = specs.next() {
                    visit(MetricValue { name, kind: *kind, value });
                }
            });
        }
    }
}

impl<P: Provider> Running<P> {
    /// Opens the source: the first I/O, and the first thread.
    pub(crate) fn open(&self, parameters: &str) -> Result<Instance, SourceError> {
        self.forget_events();
        let opening = self.plugin.open(parameters, Arc::clone(&self.source_metrics))?;
        let options = self.plugin.pump_options();
        let pump = Pump::start(&options, Arc::clone(&self.source_metrics), opening)?;
        Ok(Instance::new(pump, P::ID, options.max_batch_bytes))
    }
}

/// A panic as an error: a defect of ours that must not end the host.
pub(crate) fn panicked(during: &str, panic: &(dyn std::any::Any + Send)) -> SourceError {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    // An assertion's message has several lines.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!("panic while {during}: {said}; this is a defect, please report it");
    SourceError::new(ErrorKind::Unavailable, message)
}
