//! Diagnostic messages of AKS made on demand: a million records need no memory.
//!
//! Owns: a plan in which everything about a message (its records, their kinds, ids
//! and bytes, and when it is enqueued) is a function of seed, partition and index.
//! Does not own: how a record is written (`record`), nor which were sent (`ledger`).

use super::record::{Body, Kind, Writer};
use crate::random::{hash, unit};
use std::ops::RangeInclusive;

/// What to generate: `{"records":[...]}` messages as a diagnostic setting sends them.
///
/// Two plans in one test need different seeds, or their auditIDs are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// How many records, over all partitions; below 2^32.
    pub records: u64,
    /// What ids, kinds, sizes and contents are drawn from.
    pub seed: u64,
    /// How many records a message holds, drawn evenly.
    pub records_per_message: RangeInclusive<u32>,
    /// Size of an audit event's text in bytes, exactly; below about 1,100 the smallest possible.
    pub record_bytes: usize,
    /// Probability that a record is of another category, with plain text in `log`.
    pub foreign: f64,
    /// Probability that an audit event's `log` is cut off, at any byte.
    pub cut: f64,
    /// Probability that a record is broken JSON.
    pub broken: f64,
    /// The ways of being broken that occur, drawn evenly.
    pub brokenness: Vec<Brokenness>,
    /// Share of the records that are the audit event before them once more, under
    /// `kube-audit-admin`; at most 0.5.
    pub admin_copies: f64,
    /// When the first message is enqueued: milliseconds since 1970, server clock.
    pub start_ms: i64,
    /// Records per second over all partitions, by enqueued times.
    pub per_second: f64,
    /// Whether the clock decides what is there.
    pub arrival: Arrival,
    /// The clusters that share the hub: `resourceId`, drawn evenly.
    pub clusters: Vec<String>,
}

/// Whether the clock decides what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A message is there from its enqueued time on, by the server's clock.
    Live,
    /// Everything is there at once.
    Backlog,
}

/// A way of being broken that has been seen in the wild, and one that has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brokenness {
    /// The record's own quotes are single quotes; those inside `log` are as they should be.
    SingleQuotes,
    /// `log` holds a raw newline.
    RawNewline,
    /// The record ends inside `log`: neither quote nor braces are closed, the next record follows.
    Unterminated,
}

impl Generated {
    /// `records` good audit records of 2 KB, 1 to 200 in a message, that are all there already:
    /// 1,000 per second from `start_ms` on.
    pub fn backlog(records: u64, start_ms: i64) -> Self {
        Self {
            records,
            seed: 1,
            records_per_message: 1..=200,
            record_bytes: 2_048,
            foreign: 0.0,
            cut: 0.0,
            broken: 0.0,
            brokenness: vec![Brokenness::SingleQuotes, Brokenness::RawNewline],
            admin_copies: 0.0,
            start_ms,
            per_second: 1_000.0,
            arrival: Arrival::Backlog,
            clusters: vec![
                "/SUBSCRIPTIONS/00000000-1111-2222-3333-444444444444/RESOURCEGROUPS/RG-DEMO/PROVIDERS/\
                 MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS-DEMO"
                    .into(),
            ],
        }
    }

    /// `records` good audit records that appear as the server's clock reaches them.
    pub fn live(records: u64, start_ms: i64, per_second: f64) -> Self {
        Self { per_second, arrival: Arrival::Live, ..Self::backlog(records, start_ms) }
    }
}

/// A plan spread over the partitions of a hub.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) what: Generated,
    partitions: u32,
    /// For each partition: the first record of each message, and at the end the number of records.
    layout: Vec<Vec<u64>>,
    writer: Writer,
}

impl Plan {
    pub(crate) fn new(what: Generated, partitions: u32) -> Self {
        let shares = [what.foreign, what.cut, what.broken];
        let total: f64 = shares.iter().sum();
        assert!(shares.iter().all(|share| *share >= 0.0) && total <= 1.0, "shares add up to {total}");
        assert!(*what.records_per_message.start() > 0, "a message holds at least one record");
        assert!(what.records < 1 << 32 && partitions <= 1 << 12, "records and partitions fit an auditID");
        let (least, most) = (*what.records_per_message.start(), *what.records_per_message.end());
        let layout = (0..partitions).map(|partition| {
            let share = u64::from(partitions);
            let records = what.records / share + u64::from(u64::from(partition) < what.records % share);
            let mut firsts = vec![0];
            let mut end = 0;
            while end < records {
                let drawn = hash(what.seed ^ u64::from(partition), 20, firsts.len() as u64);
                end += u64::from(least) + drawn % u64::from(most - least + 1);
                firsts.push(end.min(records));
            }
            firsts
        });
        let layout = layout.collect();
        let writer = Writer::new(what.record_bytes);
        Self { partitions, layout, writer, what }
    }

    /// Messages of a partition, whether there already or not.
    pub(crate) fn messages(&self, partition: u32) -> u64 {
        self.layout[partition as usize].len() as u64 - 1
    }

    /// Records of a partition, whether there already or not.
    pub(crate) fn records_of(&self, partition: u32) -> u64 {
        self.layout[partition as usize].last().copied().unwrap_or(0)
    }

    /// Messages of a partition that are there.
    pub(crate) fn arrived(&self, partition: u32, now_ms: i64) -> u64 {
        match self.what.arrival {
            Arrival::Backlog => self.messages(partition),
            Arrival::Live => self.first_after(partition, now_ms),
        }
    }

    /// The first message that is enqueued later than this; the number of messages when there is none.
    pub(crate) fn first_after(&self, partition: u32, ms: i64) -> u64 {
        let (mut low, mut high) = (0, self.messages(partition));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.enqueued_ms(partition, middle) <= ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// A message is enqueued when its last record has happened.
    pub(crate) fn enqueued_ms(&self, partition: u32, message: u64) -> i64 {
        self.happened_ms(self.layout[partition as usize][message as usize + 1])
    }

    fn happened_ms(&self, record: u64) -> i64 {
        let of_all = record as f64 * f64::from(self.partitions);
        self.what.start_ms + (of_all * 1_000.0 / self.what.per_second) as i64
    }

    /// Which records of its partition a message holds.
    pub(crate) fn records(&self, partition: u32, message: u64) -> std::ops::Range<u64> {
        let layout = &self.layout[partition as usize];
        layout[message as usize]..layout[message as usize + 1]
    }

    /// The body of a message.
    pub(crate) fn message(&self, partition: u32, message: u64) -> Vec<u8> {
        let records = self.records(partition, message);
        let expected = (records.end - records.start) as usize * (self.what.record_bytes * 5 / 4 + 1_024);
        let mut out = String::with_capacity(expected);
        out.push_str("{\"records\":[");
        for record in records.clone() {
            if record > records.start {
                out.push(',');
            }
            self.write(partition, record, &mut out);
        }
        out.push_str("]}");
        out.into_bytes()
    }

    fn write(&self, partition: u32, record: u64, out: &mut String) {
        let kind = self.kind(partition, record);
        let source = if kind == Kind::Copy { record - 1 } else { record };
        let draw = self.draw(21, partition, source);
        let clusters = &self.what.clusters;
        let body = Body {
            kind,
            id: self.audit_id(partition, record),
            draw,
            time_ms: self.happened_ms(source),
            cluster: &clusters[(draw % clusters.len() as u64) as usize],
            cut_at: self.cut_at(partition, record),
            brokenness: self.brokenness(partition, record),
        };
        self.writer.write(&body, out);
    }

    /// What sort of record it is.
    pub(crate) fn kind(&self, partition: u32, record: u64) -> Kind {
        let copies = self.what.admin_copies;
        // Only odd records may be copies, so that a copy is never copied.
        if record % 2 == 1
            && unit(self.draw(22, partition, record)) < copies * 2.0
            && self.drawn_kind(partition, record - 1) == Kind::Audit
        {
            return Kind::Copy;
        }
        self.drawn_kind(partition, record)
    }

    fn drawn_kind(&self, partition: u32, record: u64) -> Kind {
        let mut place = unit(self.draw(23, partition, record));
        let shares = [
            (self.what.foreign, Kind::Foreign),
            (self.what.cut, Kind::Cut),
            (self.what.broken, Kind::Broken),
        ];
        for (share, kind) in shares {
            if place < share {
                if kind == Kind::Cut && !self.writer.keeps_id(self.cut_at(partition, record)) {
                    return Kind::CutEarly;
                }
                return kind;
            }
            place -= share;
        }
        Kind::Audit
    }

    fn cut_at(&self, partition: u32, record: u64) -> usize {
        (self.draw(24, partition, record) % self.writer.event_bytes() as u64) as usize
    }

    fn brokenness(&self, partition: u32, record: u64) -> Brokenness {
        let ways = &self.what.brokenness;
        let drawn = (self.draw(25, partition, record) % ways.len().max(1) as u64) as usize;
        ways.get(drawn).copied().unwrap_or(Brokenness::SingleQuotes)
    }

    /// The auditID of a record: a version 4 UUID that ends in the partition (3 digits) and the
    /// record's index in it. A copy has that of the record before it.
    pub(crate) fn audit_id(&self, partition: u32, record: u64) -> String {
        let record = if self.kind(partition, record) == Kind::Copy { record - 1 } else { record };
        let random = self.draw(26, partition, record);
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{partition:03x}0{record:08x}",
            random >> 32,
            random >> 16 & 0xffff,
            random & 0xfff,
            self.what.seed & 0xfff,
        )
    }

    /// The whole text of an audit event, as it is in `properties.log` where that is not cut.
    pub(crate) fn event(&self, partition: u32, record: u64) -> String {
        let record = if self.kind(partition, record) == Kind::Copy { record - 1 } else { record };
        let id = self.audit_id(partition, record);
        self.writer.event(&id, self.draw(21, partition, record), self.happened_ms(record))
    }

    fn draw(&self, salt: u64, partition: u32, record: u64) -> u64 {
        hash(self.what.seed, salt, u64::from(partition) << 40 | record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    #[test]
    fn every_message_is_an_envelope_of_its_records() {
        let what = Generated { admin_copies: 0.2, foreign: 0.1, cut: 0.1, ..Generated::backlog(3_000, 0) };
        let plan = Plan::new(what, 3);
        let mut ids = HashSet::new();
        let (mut records, mut copies) = (0, 0);
        for partition in 0..3 {
            for message in 0..plan.messages(partition) {
                let envelope: Value = serde_json::from_slice(&plan.message(partition, message)).unwrap();
                let found = envelope["records"].as_array().unwrap();
                assert_eq!(found.len() as u64, plan.records(partition, message).count() as u64);
                for (record, index) in found.iter().zip(plan.records(partition, message)) {
                    let log = record["properties"]["log"].as_str().unwrap();
                    let whole = plan.event(partition, index);
                    let category = record["category"].as_str().unwrap();
                    records += 1;
                    match plan.kind(partition, index) {
                        Kind::Audit | Kind::Copy => assert_eq!(log, whole.clone() + "\n"),
                        Kind::Cut | Kind::CutEarly => assert!(whole.starts_with(log) && log != whole),
                        Kind::Foreign => assert!(!log.starts_with('{')),
                        Kind::Broken => unreachable!(),
                    }
                    match plan.kind(partition, index) {
                        Kind::Copy => {
                            copies += 1;
                            assert_eq!(category, "kube-audit-admin");
                            assert!(!ids.insert(plan.audit_id(partition, index)));
                        }
                        kind => {
                            assert!(ids.insert(plan.audit_id(partition, index)));
                            assert_eq!(category.starts_with("kube-audit"), kind != Kind::Foreign);
                        }
                    }
                    if plan.kind(partition, index) == Kind::Audit {
                        assert_eq!(whole.len(), 2_048);
                        let event: Value = serde_json::from_str(&whole).unwrap();
                        assert_eq!(event["auditID"], plan.audit_id(partition, index).as_str());
                    }
                }
            }
        }
        assert_eq!(records, 3_000);
        assert!((400..700).contains(&copies), "{copies}");
    }

    #[test]
    fn cut_records_are_early_when_the_id_is_gone() {
        let plan = Plan::new(Generated { cut: 1.0, ..Generated::backlog(2_000, 0) }, 1);
        let mut early = 0;
        for record in 0..2_000 {
            let (id, log) = (plan.audit_id(0, record), plan.event(0, record));
            let kept = log[..plan.cut_at(0, record)].contains(&format!("{id}\""));
            assert_eq!(plan.kind(0, record), if kept { Kind::Cut } else { Kind::CutEarly });
            early += usize::from(!kept);
        }
        assert!((40..200).contains(&early), "{early}");
    }

    #[test]
    fn broken_records_are_broken() {
        for brokenness in [Brokenness::SingleQuotes, Brokenness::RawNewline, Brokenness::Unterminated] {
            let what = Generated { broken: 1.0, brokenness: vec![brokenness], ..Generated::backlog(10, 0) };
            let plan = Plan::new(what, 1);
            let message = plan.message(0, 0);
            assert!(serde_json::from_slice::<Value>(&message).is_err());
            assert!(String::from_utf8(message).unwrap().contains(&plan.audit_id(0, 0)));
        }
    }

    #[test]
    fn times_rise_with_the_index() {
        let what = Generated { records_per_message: 1..=7, ..Generated::live(1_000, 5_000, 100.0) };
        let plan = Plan::new(what, 2);
        let last = plan.messages(1) - 1;
        for message in 1..=last {
            assert!(plan.enqueued_ms(1, message) > plan.enqueued_ms(1, message - 1));
        }
        assert_eq!(plan.enqueued_ms(1, last), 5_000 + 10_000);
        assert_eq!(plan.arrived(1, 0), 0);
        assert_eq!(plan.arrived(1, plan.enqueued_ms(1, 3)), 4);
        assert_eq!(plan.arrived(1, i64::MAX), last + 1);
    }
}
