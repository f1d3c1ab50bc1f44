//! Which records have been sent, and how often.
//!
//! Owns: a counter per event of a partition. "Sent" means: handed to the connection
//! in full. Does not own: whether the client read it, nor whether a reset overtook it.

use super::generate::Plan;
use super::record::Kind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// The record, as it was when [`Emulator::ledger`](super::Emulator::ledger) was called.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(crate) partitions: Vec<PartitionLedger>,
}

#[derive(Clone, Debug)]
pub(crate) struct PartitionLedger {
    pub(crate) id: u32,
    pub(crate) end: i64,
    /// How often each sequence number was sent; those behind the end of it never.
    pub(crate) times: Vec<u16>,
    pub(crate) plans: Vec<(i64, Arc<Plan>, Range<u64>)>,
}

/// One generated record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: u32,
    /// The sequence number of its message.
    pub sequence_number: i64,
    /// Its auditID; a copy has that of the record before it.
    pub audit_id: String,
    /// What sort of record it is.
    pub kind: Kind,
    /// How often it was sent.
    pub times: u16,
}

/// How many, and how many of them were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Enqueued so far.
    pub known: u64,
    /// Sent at least once.
    pub sent: u64,
    /// Sent more than once.
    pub repeated: u64,
    /// All sendings.
    pub sendings: u64,
}

impl Count {
    fn add(&mut self, times: u16) {
        self.known += 1;
        self.sent += u64::from(times > 0);
        self.repeated += u64::from(times > 1);
        self.sendings += u64::from(times);
    }
}

impl Ledger {
    /// The generated records that have arrived, in the order of their partitions.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.partitions.iter().flat_map(|partition| {
            let messages = partition.plans.iter().flat_map(|(first, plan, messages)| {
                messages
                    .clone()
                    .map(move |message| (first + (message - messages.start) as i64, plan, message))
            });
            messages.flat_map(move |(sequence_number, plan, message)| {
                plan.records(partition.id, message).map(move |record| Record {
                    partition: partition.id,
                    sequence_number,
                    audit_id: plan.audit_id(partition.id, record),
                    kind: plan.kind(partition.id, record),
                    times: partition.times(sequence_number),
                })
            })
        })
    }

    /// The auditIDs of the records of a kind that were sent at least once.
    pub fn sent(&self, kind: Kind) -> Vec<String> {
        self.records().filter(|it| it.kind == kind && it.times > 0).map(|it| it.audit_id).collect()
    }

    /// The auditIDs of all records of a kind.
    pub fn known(&self, kind: Kind) -> Vec<String> {
        self.records().filter(|it| it.kind == kind).map(|it| it.audit_id).collect()
    }

    /// Generated records by kind.
    pub fn counts(&self) -> BTreeMap<Kind, Count> {
        let mut counts = BTreeMap::<Kind, Count>::new();
        for partition in &self.partitions {
            for (first, plan, messages) in &partition.plans {
                for message in messages.clone() {
                    let times = partition.times(first + (message - messages.start) as i64);
                    for record in plan.records(partition.id, message) {
                        counts.entry(plan.kind(partition.id, record)).or_default().add(times);
                    }
                }
            }
        }
        counts
    }

    /// Messages of one partition, generated and not.
    pub fn messages(&self, partition: u32) -> Count {
        let mut count = Count::default();
        for it in self.partitions.iter().filter(|it| it.id == partition) {
            for sequence in 0..it.end {
                count.add(it.times(sequence));
            }
        }
        count
    }

    /// How often a message was sent.
    pub fn times(&self, partition: u32, sequence_number: i64) -> u16 {
        let found = self.partitions.iter().find(|it| it.id == partition);
        found.map_or(0, |it| it.times(sequence_number))
    }

    /// The partitions that it knows.
    pub fn partitions(&self) -> impl Iterator<Item = u32> {
        self.partitions.iter().map(|partition| partition.id)
    }

    /// Lines `partition<TAB>sequence number<TAB>auditID<TAB>kind<TAB>times`.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::new();
        for it in self.records() {
            let Record { partition, sequence_number, audit_id, kind, times } = it;
            writeln!(lines, "{partition}\t{sequence_number}\t{audit_id}\t{}\t{times}", kind.name()).unwrap();
        }
        lines
    }
}

impl PartitionLedger {
    fn times(&self, sequence: i64) -> u16 {
        usize::try_from(sequence).ok().and_then(|at| self.times.get(at)).copied().unwrap_or(0)
    }
}
