//! The events of the hubs.
//!
//! Owns: sequence numbers, offsets, enqueued times, what is there at a time, and
//! retention. Does not own: who reads (`readers`), nor the form on the wire.

use super::config::{Hub as HubConfig, Offsets};
use super::generate::Plan;
use super::position::Position;
use crate::random::hash;
use fe2o3_amqp::types::messaging::{Body, Message};
use serde_amqp::Value;
use std::sync::Arc;

/// A message as it is kept and sent.
pub(crate) type Kept = Message<Body<Value>>;

/// An event that was sent or put.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) enqueued_ms: i64,
    pub(crate) partition_key: Option<String>,
    pub(crate) message: Kept,
}

/// What is behind a sequence number.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Stored(Arc<Stored>),
    Generated { plan: Arc<Plan>, partition: u32, message: u64 },
}

#[derive(Debug)]
struct Segment {
    first: i64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Stored(Vec<Arc<Stored>>),
    /// Messages `from..until` of a plan; the last segment of a partition may be open.
    Generated {
        plan: Arc<Plan>,
        from: u64,
        until: Option<u64>,
    },
}

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    id: u32,
    offsets: Offsets,
    retention_ms: Option<i64>,
    dropped_to: i64,
    segments: Vec<Segment>,
}

/// What the management node tells of a partition, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extent {
    /// Sequence number of the first event that is kept; that of the next one when there is none.
    pub(crate) begin: i64,
    /// Sequence number of the next event.
    pub(crate) end: i64,
    /// Of the last event; `-1`, as text, when there never was one.
    pub(crate) last_offset: String,
    /// Of the last event; 1970 when there never was one.
    pub(crate) last_enqueued_ms: i64,
}

impl Partition {
    fn new(id: u32, offsets: Offsets, retention_ms: Option<i64>) -> Self {
        Self { id, offsets, retention_ms, dropped_to: 0, segments: Vec::new() }
    }

    /// Sequence number of the next event.
    pub(crate) fn end(&self, now_ms: i64) -> i64 {
        self.segments.last().map_or(0, |segment| segment.first + self.length(segment, now_ms) as i64)
    }

    fn length(&self, segment: &Segment, now_ms: i64) -> u64 {
        match &segment.content {
            Content::Stored(events) => events.len() as u64,
            Content::Generated { from, until: Some(until), .. } => until - from,
            Content::Generated { plan, from, until: None } => plan.arrived(self.id, now_ms).max(*from) - from,
        }
    }

    pub(crate) fn extent(&self, now_ms: i64) -> Extent {
        let end = self.end(now_ms);
        Extent {
            begin: self.begin(now_ms),
            end,
            last_offset: if end == 0 { "-1".into() } else { self.offset(end - 1) },
            last_enqueued_ms: if end == 0 { 0 } else { self.enqueued_ms(end - 1) },
        }
    }

    /// Sequence number of the first event that retention has left.
    fn begin(&self, now_ms: i64) -> i64 {
        let oldest = match self.retention_ms {
            Some(retention_ms) => self.first_after(now_ms - retention_ms, now_ms),
            None => 0,
        };
        oldest.max(self.dropped_to).min(self.end(now_ms))
    }

    /// The first event that is enqueued later than this.
    fn first_after(&self, ms: i64, now_ms: i64) -> i64 {
        let (mut low, mut high) = (0, self.end(now_ms));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.enqueued_ms(middle) <= ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Forgets the events before a sequence number, as retention would.
    pub(crate) fn drop_before(&mut self, sequence: i64) {
        self.dropped_to = self.dropped_to.max(sequence);
    }

    fn segment(&self, sequence: i64) -> &Segment {
        let after = self.segments.partition_point(|segment| segment.first <= sequence);
        &self.segments[after - 1]
    }

    pub(crate) fn item(&self, sequence: i64) -> Item {
        let segment = self.segment(sequence);
        let index = (sequence - segment.first) as u64;
        match &segment.content {
            Content::Stored(events) => Item::Stored(Arc::clone(&events[index as usize])),
            Content::Generated { plan, from, .. } => {
                Item::Generated { plan: Arc::clone(plan), partition: self.id, message: from + index }
            }
        }
    }

    pub(crate) fn enqueued_ms(&self, sequence: i64) -> i64 {
        let segment = self.segment(sequence);
        let index = (sequence - segment.first) as u64;
        match &segment.content {
            Content::Stored(events) => events[index as usize].enqueued_ms,
            Content::Generated { plan, from, .. } => plan.enqueued_ms(self.id, from + index),
        }
    }

    /// When the next event arrives by itself.
    pub(crate) fn next_arrival_ms(&self, now_ms: i64) -> Option<i64> {
        let segment = self.segments.last()?;
        let Content::Generated { plan, from, until: None } = &segment.content else { return None };
        let next = from + self.length(segment, now_ms);
        (next < plan.messages(self.id)).then(|| plan.enqueued_ms(self.id, next))
    }

    /// `x-opt-offset`.
    pub(crate) fn offset(&self, sequence: i64) -> String {
        let offset = sequence * STRIDE + 24;
        match self.offsets {
            Offsets::Numbers => offset.to_string(),
            Offsets::Geo => format!("1:g{offset}"),
        }
    }

    /// The first event that a selector asks for; `None` when its offset is in a form not given out.
    pub(crate) fn resolve(&self, position: &Position, now_ms: i64) -> Option<i64> {
        let begin = self.begin(now_ms);
        let wanted = match position {
            Position::Earliest => begin,
            Position::Latest => self.end(now_ms),
            Position::Sequence { number, inclusive } => number.saturating_add(i64::from(!inclusive)),
            Position::Enqueued { ms, inclusive } => {
                self.first_after(ms.saturating_sub(i64::from(*inclusive)), now_ms)
            }
            Position::Offset { text, inclusive } => {
                let digits = match self.offsets {
                    Offsets::Numbers => text.as_str(),
                    Offsets::Geo => text.strip_prefix("1:g")?,
                };
                let offset: i64 = digits.parse().ok()?;
                // The first sequence number whose offset is not below, or is above, the one given.
                let first = (offset - 24 + STRIDE - 1).div_euclid(STRIDE);
                let exact = (offset - 24).rem_euclid(STRIDE) == 0;
                first + i64::from(exact && !inclusive)
            }
        };
        Some(wanted.max(begin))
    }

    pub(crate) fn put(&mut self, event: Stored, now_ms: i64) -> i64 {
        let sequence = self.end(now_ms);
        let event = Arc::new(event);
        if let Some(Segment { content: Content::Stored(events), .. }) = self.segments.last_mut() {
            events.push(event);
            return sequence;
        }
        let rest = self.close_plan(now_ms);
        self.segments.push(Segment { first: sequence, content: Content::Stored(vec![event]) });
        if let Some((plan, from)) = rest {
            let content = Content::Generated { plan, from, until: None };
            self.segments.push(Segment { first: sequence + 1, content });
        }
        sequence
    }

    pub(crate) fn generate(&mut self, plan: Arc<Plan>, now_ms: i64) {
        let first = self.end(now_ms);
        let rest = self.close_plan(now_ms);
        assert!(rest.is_none(), "a hub's second plan begins after its first has ended");
        self.segments.push(Segment { first, content: Content::Generated { plan, from: 0, until: None } });
    }

    /// Ends the open segment with what has arrived; gives what has not.
    fn close_plan(&mut self, now_ms: i64) -> Option<(Arc<Plan>, u64)> {
        let length = self.segments.last().map(|segment| self.length(segment, now_ms))?;
        let Content::Generated { plan, from, until } = &mut self.segments.last_mut()?.content else {
            return None;
        };
        let end = *from + length;
        *until = Some(end);
        let rest = (end < plan.messages(self.id)).then(|| (Arc::clone(plan), end));
        if length == 0 {
            self.segments.pop();
        }
        rest
    }

    /// The messages of plans, as `(sequence number of the first, plan, messages)`.
    pub(crate) fn plans(&self, now_ms: i64) -> Vec<(i64, Arc<Plan>, std::ops::Range<u64>)> {
        let plans = self.segments.iter().filter_map(|segment| match &segment.content {
            Content::Stored(_) => None,
            Content::Generated { plan, from, .. } => {
                let length = self.length(segment, now_ms);
                Some((segment.first, Arc::clone(plan), *from..*from + length))
            }
        });
        plans.collect()
    }
}

/// From one offset to the next; no offset is a sequence number.
const STRIDE: i64 = 1_072;

/// One hub.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) config: HubConfig,
    pub(crate) created_ms: i64,
    pub(crate) partitions: Vec<Partition>,
    next: usize,
}

impl Hub {
    pub(crate) fn new(config: HubConfig, offsets: Offsets, retention_ms: Option<i64>, now_ms: i64) -> Self {
        let partitions = (0..config.partitions).map(|id| Partition::new(id, offsets, retention_ms)).collect();
        Self { config, created_ms: now_ms, partitions, next: 0 }
    }

    /// The partition of an event: by its key, or the next in turn.
    pub(crate) fn route(&mut self, key: Option<&str>) -> u32 {
        let count = self.partitions.len();
        let partition = match key {
            Some(key) => {
                let hashed = key.bytes().fold(0, |sum, byte| hash(sum, 30, u64::from(byte)));
                (hashed % count as u64) as usize
            }
            None => {
                self.next = (self.next + 1) % count;
                self.next
            }
        };
        partition as u32
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        group.eq_ignore_ascii_case("$Default")
            || self.config.groups.iter().any(|known| known.eq_ignore_ascii_case(group))
    }
}
