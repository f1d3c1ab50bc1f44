//! A plugin's metrics, as Falco's `/metrics` reads them: from another thread.

use std::fmt;

use falco_plugin_api::{self as api, ss_plugin_metric};

use crate::log::text;
use crate::plugin::Instance;

/// One metric at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Without the plugin's name, which Falco puts before it.
    pub name: String,
    /// Whether it may fall.
    pub kind: MetricKind,
    /// Its value.
    pub value: MetricValue,
}

/// Whether a metric may fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A counter.
    Monotonic,
    /// A gauge.
    NonMonotonic,
}

/// A metric's value, in the type that the plugin chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// 32 or 64 bits, not negative.
    Unsigned(u64),
    /// 32 or 64 bits.
    Signed(i64),
    /// 32 or 64 bits.
    Float(f64),
}

impl MetricValue {
    /// The value as a float, exact up to 2^53.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// Reads a plugin's metrics from any thread, while another one drives it: Falco's
/// HTTP thread does so.
#[derive(Clone, Copy)]
pub struct Meter<'p> {
    pub(crate) instance: &'p Instance,
}

// SAFETY: a meter calls nothing but `plugin_get_metrics`, which Falco calls from its HTTP
// thread while events flow, so that a plugin must bear it; what it returns is copied at once.
unsafe impl Send for Meter<'_> {}
// SAFETY: as above.
unsafe impl Sync for Meter<'_> {}

impl Meter<'_> {
    /// The metrics now; empty for a plugin that has none.
    pub fn read(&self) -> Vec<Metric> {
        let Some(get_metrics) = self.instance.api().get_metrics else { return Vec::new() };
        let mut count = 0u32;
        // SAFETY: the state is live as long as the instance that `self` borrows.
        let first = unsafe { get_metrics(self.instance.state(), &mut count) };
        if first.is_null() {
            return Vec::new();
        }
        // SAFETY: the plugin API says that `count` metrics are there, until the next call on
        // this thread.
        unsafe { std::slice::from_raw_parts(first, count as usize) }.iter().map(copy).collect()
    }
}

fn copy(metric: &ss_plugin_metric) -> Metric {
    let value = metric.value;
    // SAFETY: `value_type` names the member of the union that the plugin set.
    let value = unsafe {
        match metric.value_type {
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_U32 => {
                MetricValue::Unsigned(value.u32_.into())
            }
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_S32 => {
                MetricValue::Signed(value.s32.into())
            }
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_S64 => {
                MetricValue::Signed(value.s64)
            }
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_D => MetricValue::Float(value.d),
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_F => {
                MetricValue::Float(value.f.into())
            }
            api::ss_plugin_metric_value_type_SS_PLUGIN_METRIC_VALUE_TYPE_I => {
                MetricValue::Signed(value.i.into())
            }
            _ => MetricValue::Unsigned(value.u64_),
        }
    };
    let kind = match metric.type_ {
        api::ss_plugin_metric_type_SS_PLUGIN_METRIC_TYPE_MONOTONIC => MetricKind::Monotonic,
        _ => MetricKind::NonMonotonic,
    };
    // SAFETY: a metric's name is a C string or NULL by the plugin API.
    let name = unsafe { text(metric.name) }.unwrap_or_default();
    Metric { name, kind, value }
}
