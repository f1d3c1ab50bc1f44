//! Log groups, their streams, and the events in them.
//!
//! Owns: events that were put, plans of events made on demand, and the scan over
//! both in the service's order. Does not own: pages (`page`), what was shown (`ledger`).

use super::generate::{Generated, Visibility};
use crate::random::hash;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// An event to put into a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened: milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The text, as FilterLogEvents gives it.
    pub message: String,
    /// From when it can be seen: milliseconds since 1970, server clock.
    pub visible_at_ms: i64,
    /// What `ingestionTime` says: milliseconds since 1970.
    pub ingestion_time_ms: i64,
}

impl Event {
    /// An event that was ingested, and can be seen, from its timestamp on.
    pub fn new(timestamp_ms: i64, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { timestamp_ms, message, visible_at_ms: timestamp_ms, ingestion_time_ms: timestamp_ms }
    }

    /// The same event, ingested at and visible from `visible_at_ms`, by the server's clock.
    #[must_use]
    pub fn visible_at(mut self, visible_at_ms: i64) -> Self {
        self.visible_at_ms = visible_at_ms;
        self.ingestion_time_ms = visible_at_ms;
        self
    }
}

/// Which event: the number of its source, and its number there. Source 0 is what was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventRef {
    pub(crate) source: u32,
    pub(crate) number: u64,
}

impl EventRef {
    /// `eventId`: 56 digits, as at AWS; unique and stable.
    pub(crate) fn event_id(self) -> String {
        format!("3{:07}{:028}{:020}", self.source, hash(u64::from(self.source), 20, self.number), self.number)
    }
}

/// A place in a group's order: timestamp, then ingestion, then the place within the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) timestamp_ms: i64,
    pub(crate) ingestion_ms: i64,
    pub(crate) event: EventRef,
}

/// All groups of the account.
#[derive(Debug, Default)]
pub(crate) struct Store {
    groups: BTreeMap<String, Group>,
    put: u64,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) created_ms: i64,
    pub(crate) stored_bytes: u64,
    pub(crate) streams: BTreeMap<String, Stream>,
    put: BTreeMap<i64, Vec<Stored>>,
    plans: Vec<Plan>,
}

/// What DescribeLogStreams tells of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) created_ms: i64,
    pub(crate) first_event_ms: Option<i64>,
    pub(crate) last_event_ms: Option<i64>,
    pub(crate) last_ingestion_ms: Option<i64>,
}

#[derive(Debug)]
struct Stored {
    number: u64,
    ingestion_ms: i64,
    visible_at_ms: i64,
    stream: Arc<str>,
    message: Arc<str>,
}

#[derive(Debug)]
struct Plan {
    source: u32,
    generated: Arc<Generated>,
    streams: Vec<String>,
}

/// What to scan: both times inclusive, only what is visible at `now_ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) after: Option<Position>,
    pub(crate) now_ms: i64,
}

/// An event that the scan has come to.
pub(crate) struct Found<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a str,
    text: Text<'a>,
}

enum Text<'a> {
    Stored(&'a str),
    Generated(&'a Generated),
}

impl Found<'_> {
    pub(crate) fn message(&self) -> Cow<'_, str> {
        match self.text {
            Text::Stored(text) => Cow::Borrowed(text),
            Text::Generated(plan) => Cow::Owned(plan.message(self.position.event.number)),
        }
    }
}

impl Store {
    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// `false` when it was there already.
    pub(crate) fn create_group(&mut self, name: &str, now_ms: i64) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        let group = Group {
            created_ms: now_ms,
            stored_bytes: 0,
            streams: BTreeMap::new(),
            put: BTreeMap::new(),
            plans: Vec::new(),
        };
        self.groups.insert(name.to_owned(), group);
        true
    }

    /// `false` when it was there already; the group is made when it is missing.
    pub(crate) fn create_stream(&mut self, group: &str, stream: &str, now_ms: i64) -> bool {
        self.create_group(group, now_ms);
        let streams = &mut self.groups.get_mut(group).unwrap().streams;
        if streams.contains_key(stream) {
            return false;
        }
        streams.insert(stream.to_owned(), Stream::new(now_ms));
        true
    }

    /// Numbers the event, from 0 over all groups.
    pub(crate) fn put(&mut self, group: &str, stream: &str, event: Event, now_ms: i64) -> u64 {
        self.create_stream(group, stream, now_ms);
        let number = self.put;
        self.put += 1;
        let group = self.groups.get_mut(group).unwrap();
        group.stored_bytes += event.message.len() as u64;
        group.streams.get_mut(stream).unwrap().note(event.timestamp_ms, event.ingestion_time_ms);
        group.put.entry(event.timestamp_ms).or_default().push(Stored {
            number,
            ingestion_ms: event.ingestion_time_ms,
            visible_at_ms: event.visible_at_ms,
            stream: stream.into(),
            message: event.message.into(),
        });
        number
    }

    pub(crate) fn generate(&mut self, group: &str, source: u32, plan: Arc<Generated>, now_ms: i64) {
        let streams: Vec<String> = (0..plan.streams.max(1)).map(|n| plan.stream_name(n)).collect();
        for stream in &streams {
            self.create_stream(group, stream, now_ms);
        }
        let group = self.groups.get_mut(group).unwrap();
        group.stored_bytes += plan.count * plan.message_bytes as u64;
        if plan.count > 0 {
            for stream in &streams {
                let stream = group.streams.get_mut(stream).unwrap();
                stream.note(plan.timestamp_ms(0), plan.ingestion_time_ms(0));
                stream.note(plan.timestamp_ms(plan.count - 1), plan.ingestion_time_ms(plan.count - 1));
            }
        }
        group.plans.push(Plan { source, generated: plan, streams });
    }
}

impl Stream {
    fn new(now_ms: i64) -> Self {
        Self { created_ms: now_ms, first_event_ms: None, last_event_ms: None, last_ingestion_ms: None }
    }

    fn note(&mut self, timestamp_ms: i64, ingestion_ms: i64) {
        self.first_event_ms = Some(self.first_event_ms.map_or(timestamp_ms, |t| t.min(timestamp_ms)));
        self.last_event_ms = self.last_event_ms.max(Some(timestamp_ms));
        self.last_ingestion_ms = self.last_ingestion_ms.max(Some(ingestion_ms));
    }
}

impl Group {
    /// Visits what the window shows, in order, until `visit` breaks.
    ///
    /// Goes millisecond by millisecond: timestamps rise within each source, while
    /// ingestion times within one millisecond do not.
    pub(crate) fn scan(&self, window: Window, mut visit: impl FnMut(&Found<'_>) -> ControlFlow<()>) {
        let mut from_ms = window.after.map_or(window.from_ms, |after| after.timestamp_ms.max(window.from_ms));
        let mut indexes: Vec<u64> = self.plans.iter().map(|plan| plan.generated.first_at(from_ms)).collect();
        loop {
            let put = self.put.range(from_ms..).next().map(|(ms, _)| *ms);
            let planned = self
                .plans
                .iter()
                .zip(&indexes)
                .filter_map(|(plan, index)| plan.next_ms(*index, window.now_ms));
            let Some(ms) = planned.chain(put).min().filter(|ms| *ms <= window.to_ms) else { return };
            let mut found = Vec::new();
            for stored in self.put.get(&ms).into_iter().flatten() {
                if stored.visible_at_ms <= window.now_ms {
                    found.push(stored.found(ms));
                }
            }
            for (plan, index) in self.plans.iter().zip(&mut indexes) {
                plan.collect(ms, index, window.now_ms, &mut found);
            }
            found.retain(|found| window.after.is_none_or(|after| found.position > after));
            found.sort_by_key(|found| found.position);
            for found in &found {
                if visit(found).is_break() {
                    return;
                }
            }
            let Some(next) = ms.checked_add(1) else { return };
            from_ms = next;
        }
    }
}

impl Stored {
    fn found(&self, timestamp_ms: i64) -> Found<'_> {
        let event = EventRef { source: 0, number: self.number };
        Found {
            position: Position { timestamp_ms, ingestion_ms: self.ingestion_ms, event },
            stream: &self.stream,
            text: Text::Stored(&self.message),
        }
    }
}

impl Plan {
    /// The timestamp at `index`, when something may be visible there or later.
    fn next_ms(&self, index: u64, now_ms: i64) -> Option<i64> {
        if index >= self.generated.count {
            return None;
        }
        let ms = self.generated.timestamp_ms(index);
        // Nothing is seen before its timestamp, and timestamps rise: no need to look at the future.
        (self.generated.visibility == Visibility::Backlog || ms <= now_ms).then_some(ms)
    }

    /// Adds what is visible at `ms`, and moves `index` behind it.
    fn collect<'a>(&'a self, ms: i64, index: &mut u64, now_ms: i64, found: &mut Vec<Found<'a>>) {
        let plan = &*self.generated;
        while *index < plan.count && plan.timestamp_ms(*index) == ms {
            if plan.visible_at_ms(*index) <= now_ms {
                let event = EventRef { source: self.source, number: *index };
                found.push(Found {
                    position: Position {
                        timestamp_ms: ms,
                        ingestion_ms: plan.ingestion_time_ms(*index),
                        event,
                    },
                    stream: &self.streams[plan.stream_of(*index) as usize],
                    text: Text::Generated(plan),
                });
            }
            *index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Lateness;
    use super::*;

    fn all(group: &Group, window: Window) -> Vec<Position> {
        let mut found = Vec::new();
        group.scan(window, |event| {
            found.push(event.position);
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn order_and_bounds_over_put_and_generated() {
        let mut store = Store::default();
        let plan = Generated {
            lateness: Lateness::none().band(0.5, 0, 50),
            visibility: Visibility::Live,
            ..Generated::backlog(3_000, 10_000)
        };
        store.generate("g", 1, Arc::new(plan.clone()), 0);
        for ms in [9_999, 10_000, 10_500, 10_500, 11_000] {
            store.put("g", "s", Event::new(ms, "x").visible_at(ms + 7), 0);
        }
        let group = store.group("g").unwrap();
        let window = Window { from_ms: 10_000, to_ms: 11_000, after: None, now_ms: 10_900 };
        let found = all(group, window);
        assert!(found.is_sorted());
        let expect = (0..plan.count)
            .filter(|index| plan.timestamp_ms(*index) <= 11_000 && plan.visible_at_ms(*index) <= 10_900)
            .count();
        assert_eq!(found.len(), expect + 3);
        for cut in [0, 1, found.len() / 2, found.len() - 1] {
            assert_eq!(all(group, Window { after: Some(found[cut]), ..window }), found[cut + 1..]);
        }
    }

    #[test]
    fn event_ids_have_56_digits() {
        for event in
            [EventRef { source: 0, number: 0 }, EventRef { source: u32::MAX >> 10, number: u64::MAX }]
        {
            let id = event.event_id();
            assert!(id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
        }
    }
}
