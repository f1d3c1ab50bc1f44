//! What all connections share.

use super::config::{Config, Egress};
use super::error::LinkError;
use super::event::Event;
use super::faults::{Fault, Faults};
use super::generate::{Generated, Plan};
use super::ledger::{Ledger, PartitionLedger};
use super::position::Position;
use super::readers::{Reader, Readers, stolen};
use super::stats::Stats;
use super::store::{Extent, Hub, Item, Stored};
use super::throughput::Throughput;
use crate::clock::Clock;
use crate::wire::Wire;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The namespace. Of its locks none is taken while another is held, but `readers` before `faults`.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    hubs: Mutex<Vec<Hub>>,
    readers: Mutex<Readers>,
    faults: Mutex<Faults>,
    books: Mutex<Books>,
    throughput: Mutex<Throughput>,
    connections: Mutex<HashMap<u64, Arc<Wire>>>,
    /// Moves whenever there may be more to send.
    changed: watch::Sender<u64>,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct Books {
    stats: Stats,
    /// By hub and partition: how often each sequence number was sent.
    times: HashMap<(usize, u32), Vec<u16>>,
}

/// A partition that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) hub: usize,
    pub(crate) partition: u32,
}

/// What a reader does next.
pub(crate) enum Step {
    Send(Box<Outgoing>),
    /// Until something changes, or for so long.
    Wait(Option<Duration>),
}

/// An event on its way.
pub(crate) struct Outgoing {
    pub(crate) sequence: i64,
    pub(crate) offset: String,
    pub(crate) enqueued_ms: i64,
    pub(crate) item: Item,
    pub(crate) extent: Extent,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        let clock = Clock::default();
        let retention_ms = config.retention.map(|retention| retention.as_millis() as i64);
        let hubs = config.hubs.iter();
        let hubs = hubs.map(|hub| Hub::new(hub.clone(), config.offsets, retention_ms, clock.now_ms()));
        Self {
            hubs: Mutex::new(hubs.collect()),
            readers: Mutex::default(),
            faults: Mutex::default(),
            books: Mutex::default(),
            throughput: Mutex::new(Throughput::new(config.throughput_units)),
            connections: Mutex::default(),
            changed: watch::Sender::new(0),
            numbers: AtomicU64::new(1),
            clock,
            config,
        }
    }

    pub(crate) fn hubs(&self) -> MutexGuard<'_, Vec<Hub>> {
        self.hubs.lock().unwrap()
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    pub(crate) fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap()
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Stats)) {
        count(&mut self.books.lock().unwrap().stats);
    }

    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn hub(&self, name: &str) -> Option<usize> {
        self.hubs().iter().position(|hub| hub.config.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn place(&self, hub: &str, partition: &str) -> Option<Place> {
        let hubs = self.hubs();
        let at = hubs.iter().position(|it| it.config.name.eq_ignore_ascii_case(hub))?;
        let partition = partition.parse::<u32>().ok().filter(|id| id.to_string() == partition)?;
        (partition < hubs[at].config.partitions).then_some(Place { hub: at, partition })
    }

    /// The hub with this name; the first one's index when there is no name.
    ///
    /// # Panics
    /// There is none: the test is wrong.
    pub(crate) fn named(&self, hub: &str) -> usize {
        self.hub(hub).unwrap_or_else(|| panic!("no hub `{hub}`"))
    }

    pub(crate) fn extent(&self, place: Place) -> Extent {
        let now_ms = self.clock.now_ms();
        self.hubs()[place.hub].partitions[place.partition as usize].extent(now_ms)
    }

    pub(crate) fn resolve(&self, place: Place, position: &Position) -> Option<i64> {
        let now_ms = self.clock.now_ms();
        self.hubs()[place.hub].partitions[place.partition as usize].resolve(position, now_ms)
    }

    /// What a reader that wants this sequence number next has to do.
    pub(crate) fn step(&self, place: Place, wanted: i64) -> Step {
        let now_ms = self.clock.now_ms();
        let hubs = self.hubs();
        let partition = &hubs[place.hub].partitions[place.partition as usize];
        let extent = partition.extent(now_ms);
        let sequence = wanted.max(extent.begin);
        if sequence < extent.end {
            return Step::Send(Box::new(Outgoing {
                sequence,
                offset: partition.offset(sequence),
                enqueued_ms: partition.enqueued_ms(sequence),
                item: partition.item(sequence),
                extent,
            }));
        }
        let arrival = partition.next_arrival_ms(now_ms);
        Step::Wait(arrival.map(|ms| Duration::from_millis((ms - now_ms).max(1) as u64)))
    }

    /// How long an event of this size has to wait, or that it may not go out at all.
    pub(crate) fn take_out(&self, bytes: usize) -> Result<Duration, LinkError> {
        let wait = self.throughput.lock().unwrap().take_out(bytes, Instant::now());
        if !wait.is_zero() && self.config.egress == Egress::ServerBusy {
            return Err(LinkError::server_busy());
        }
        Ok(wait)
    }

    pub(crate) fn take_in(&self, bytes: usize, events: usize) -> Result<(), LinkError> {
        let busy = self.faults().busy(Instant::now());
        if busy || !self.throughput.lock().unwrap().take_in(bytes, events, Instant::now()) {
            return Err(LinkError::server_busy());
        }
        Ok(())
    }

    pub(crate) fn note_sent(&self, place: Place, sequence: i64, bytes: usize) {
        let mut books = self.books.lock().unwrap();
        books.stats.sent += 1;
        books.stats.sent_bytes += bytes as u64;
        let times = books.times.entry((place.hub, place.partition)).or_default();
        let at = sequence as usize;
        if times.len() <= at {
            times.resize(at + 1, 0);
        }
        times[at] = times[at].saturating_add(1);
    }

    /// Adds an event; gives its partition and sequence number.
    pub(crate) fn put(&self, hub: usize, partition: Option<u32>, event: Event) -> (u32, i64) {
        let now_ms = self.clock.now_ms();
        let mut hubs = self.hubs();
        let partition = partition.unwrap_or_else(|| hubs[hub].route(event.partition_key.as_deref()));
        let stored: Stored = event.into_stored(now_ms);
        let sequence = hubs[hub].partitions[partition as usize].put(stored, now_ms);
        drop(hubs);
        self.touch();
        (partition, sequence)
    }

    pub(crate) fn generate(&self, hub: usize, what: Generated) {
        let partitions = self.hubs()[hub].config.partitions;
        let plan = Arc::new(Plan::new(what, partitions));
        let now_ms = self.clock.now_ms();
        for partition in &mut self.hubs()[hub].partitions {
            partition.generate(Arc::clone(&plan), now_ms);
        }
        self.touch();
    }

    pub(crate) fn drop_before(&self, place: Place, sequence: i64) {
        self.hubs()[place.hub].partitions[place.partition as usize].drop_before(sequence);
    }

    pub(crate) fn attach(&self, reader: Reader) -> Result<(), LinkError> {
        let partition = reader.partition.to_string();
        self.readers().attach(reader)?;
        self.count(|stats| *stats.attaches.entry(partition).or_default() += 1);
        Ok(())
    }

    pub(crate) fn detach(&self, number: u64) {
        self.readers().detach(number);
        self.faults().silent_readers.remove(&number);
    }

    /// What a new link or message meets before anything else.
    pub(crate) fn check_busy(&self) -> Result<(), LinkError> {
        if self.faults().busy(Instant::now()) { Err(LinkError::server_busy()) } else { Ok(()) }
    }

    pub(crate) fn connected(&self, number: u64, wire: Arc<Wire>) {
        self.connections.lock().unwrap().insert(number, wire);
        self.count(|stats| stats.connections += 1);
    }

    pub(crate) fn disconnected(&self, number: u64) {
        self.connections.lock().unwrap().remove(&number);
    }

    pub(crate) fn inject(&self, fault: Fault) {
        let after = |ms| Some(Instant::now() + Duration::from_millis(ms));
        match fault {
            Fault::Reset { partition } => self.each_wire(partition.as_deref(), Wire::reset),
            Fault::SilentPeer { partition } => self.each_wire(partition.as_deref(), Wire::fall_silent),
            Fault::Detach { partition, condition, description } => {
                self.detach_readers(partition.as_deref(), &LinkError::new(condition, description));
            }
            Fault::Steal { partition } => {
                for reader in self.readers().of(Some(&partition)) {
                    let _ = reader.detach.send(stolen("nil", reader.epoch.unwrap_or(0), reader));
                }
            }
            Fault::Refuse { ms } => self.faults().refuse_until = after(ms),
            Fault::BadToken { next } => self.faults().bad_tokens = next.unwrap_or(u64::MAX),
            Fault::SilentPartition { partition } => {
                let numbers: Vec<u64> = self.readers().of(Some(&partition)).map(|it| it.number).collect();
                self.faults().silent_readers.extend(numbers);
            }
            Fault::Delay { ms } => self.faults().delay = Duration::from_millis(ms),
            Fault::ServerBusy { ms } => {
                self.faults().busy_until = after(ms);
                self.detach_readers(None, &LinkError::server_busy());
            }
        }
        self.touch();
    }

    pub(crate) fn clear_faults(&self) {
        *self.faults() = Faults::default();
        self.touch();
    }

    fn detach_readers(&self, partition: Option<&str>, error: &LinkError) {
        for reader in self.readers().of(partition) {
            // The link may be ending by itself.
            let _ = reader.detach.send(error.clone());
        }
    }

    fn each_wire(&self, partition: Option<&str>, act: fn(&Wire)) {
        let only: Option<HashSet<u64>> =
            partition.map(|id| self.readers().of(Some(id)).map(|reader| reader.connection).collect());
        let connections = self.connections.lock().unwrap();
        let chosen =
            connections.iter().filter(|(number, _)| only.as_ref().is_none_or(|it| it.contains(number)));
        for (_, wire) in chosen {
            act(wire);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.books.lock().unwrap().stats.clone();
        stats.open = self.connections.lock().unwrap().len() as u64;
        stats.readers = self.readers().all.len() as u64;
        stats
    }

    pub(crate) fn ledger(&self, hub: usize) -> Ledger {
        let now_ms = self.clock.now_ms();
        let mut partitions: Vec<PartitionLedger> = {
            let hubs = self.hubs();
            let partitions = hubs[hub].partitions.iter().zip(0..);
            let partitions = partitions.map(|(partition, id)| PartitionLedger {
                id,
                end: partition.end(now_ms),
                times: Vec::new(),
                plans: partition.plans(now_ms),
            });
            partitions.collect()
        };
        let books = self.books.lock().unwrap();
        for partition in &mut partitions {
            partition.times = books.times.get(&(hub, partition.id)).cloned().unwrap_or_default();
        }
        Ledger { partitions }
    }
}
