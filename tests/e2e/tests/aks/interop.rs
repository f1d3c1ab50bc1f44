//! The plugin and the official Python client read a hub by turns: each goes on where the other stopped, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

use e2e::{Host, PATIENCE, beside, skip};
use emulators::blob;
use emulators::event_hubs::{Config, Emulator, Generated, Hub};
use serde_json::{Value, json};
use xtask::process::Running;

use crate::azurite::Azurite;
use crate::setup::{Azure, CONTAINER, HUB, until};

/// A consumer group whose name is the same in every spelling.
const LOWER: &str = "falco";
/// The Python client takes a second to close each.
const PARTITIONS: u32 = 4;
/// Records in a message, at most.
const MOST: u32 = 20;
/// Records of 2 KB in the 256 KiB that a partition hands over at once; what is evaluated is confirmed by such parts.
const AT_ONCE: u32 = 128;

/// Partition and sequence number.
type Message = (u32, i64);

/// A hub that both read, and a store that both write: Azurite's, where it is there.
struct Shared {
    azure: Azure,
    azurite: Option<Azurite>,
    python: OsString,
}

/// What the Python client read, and what it sees in the store afterwards.
#[derive(Debug, Default)]
struct Said {
    /// In the order of arrival.
    messages: Vec<Message>,
    checkpoints: BTreeMap<u32, i64>,
    owners: BTreeMap<u32, String>,
    blobs: Vec<String>,
}

impl Shared {
    /// `None`, and said so, where there is no Python with the client.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("PYTHON") else {
            skip("interop", "`PYTHON` names no Python with the official clients");
            return None;
        };
        let hub = Hub { groups: vec![LOWER.to_owned()], ..Hub::new(HUB, PARTITIONS) };
        let hubs = Emulator::start(Config { hubs: vec![hub], ..Config::default() }).expect("hubs");
        let blobs = blob::Emulator::start(blob::Config::default()).expect("blobs");
        blobs.create_container(CONTAINER);
        Some(Self { azure: Azure { hubs, blobs }, azurite: Azurite::start(), python })
    }

    fn storage(&self) -> String {
        let azurite = self.azurite.as_ref().map(Azurite::connection_string);
        azurite.unwrap_or_else(|| self.azure.blobs.connection_string())
    }

    /// Puts records into all partitions; gives the auditIDs of each message that this makes.
    fn put(&self, records: u64, seed: u64) -> BTreeMap<Message, Vec<String>> {
        let before: Vec<_> = (0..PARTITIONS).map(|partition| self.azure.hubs.end(HUB, partition)).collect();
        let start_ms = self.azure.hubs.clock().now_ms() - 60_000;
        let plan = Generated { seed, records_per_message: 1..=MOST, ..Generated::backlog(records, start_ms) };
        self.azure.hubs.generate(HUB, plan);
        let mut messages = BTreeMap::<Message, Vec<String>>::new();
        for record in self.azure.hubs.ledger(HUB).records() {
            if record.sequence_number >= before[record.partition as usize] {
                let message = messages.entry((record.partition, record.sequence_number)).or_default();
                message.push(record.audit_id);
            }
        }
        messages
    }

    /// The plugin, opened; nothing expires while this test runs.
    fn plugin(&self, group: &str, changes: Value) -> Host {
        let mut config = json!({
            "blob_storage_connection_string": self.storage(),
            "consumer_group": group,
            "ownership_expiration": 600,
        });
        config.as_object_mut().unwrap().extend(changes.as_object().expect("an object").clone());
        self.azure.host(config)
    }

    /// Lets the Python client read so many messages of the first `partitions`; without any, it only looks at the store.
    fn python(&self, group: &str, count: usize, partitions: u32) -> Said {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aks/consumer.py");
        let hub = self.azure.hubs.connection_string(None);
        let mut command = Command::new(&self.python);
        command.args([program, &hub, HUB, group, &self.storage(), CONTAINER]);
        command.args([count.to_string(), partitions.to_string()]);
        let mut running = Running::start(&mut command).expect("python");
        let (mut said, mut other) = (Said::default(), Vec::new());
        let deadline = Instant::now() + PATIENCE;
        while let Some(line) = running.next_line(deadline) {
            if !said.note(&line) {
                other.push(line);
            }
        }
        let status = running.wait(PATIENCE).expect("it ends");
        assert!(status.success(), "{status}: {other:#?}, {} messages", said.messages.len());
        said
    }
}

impl Said {
    /// Whether it is a line that the program is known for.
    fn note(&mut self, line: &str) -> bool {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        let partition = || first.parse().expect("a partition");
        let sequence = || second.parse().expect("a sequence number");
        match kind {
            "event" => self.messages.push((partition(), sequence())),
            "checkpoint" => drop(self.checkpoints.insert(partition(), sequence())),
            "owner" => drop(self.owners.insert(partition(), second.to_owned())),
            "blob" => self.blobs.push(rest.to_owned()),
            _ => return false,
        }
        true
    }

    /// What it read, once each, is exactly that.
    #[track_caller]
    fn expect<'m>(&self, messages: impl IntoIterator<Item = &'m Message>) {
        let mut found = self.messages.clone();
        found.sort_unstable();
        assert_eq!(found, messages.into_iter().copied().collect::<Vec<_>>());
    }

    /// Every partition was given up, and nobody began a second spelling of the names.
    #[track_caller]
    fn expect_clean(&self, group: &str) {
        assert_eq!(self.owners, (0..PARTITIONS).map(|partition| (partition, String::new())).collect());
        let namespace = format!("127.0.0.1/{HUB}/{}", group.to_lowercase());
        let names = ["checkpoint", "ownership"].into_iter().flat_map(|sort| {
            let namespace = &namespace;
            (0..PARTITIONS).map(move |partition| format!("{namespace}/{sort}/{partition}"))
        });
        assert_eq!(self.blobs, names.collect::<Vec<_>>());
    }
}

/// What the plugin evaluated, sorted.
fn evaluated(host: &Host) -> Vec<String> {
    let mut ids: Vec<_> = host.state().events.iter().map(|event| event.audit_id.clone()).collect();
    ids.sort_unstable();
    ids
}

fn sorted<'m>(messages: impl IntoIterator<Item = &'m Vec<String>>) -> Vec<String> {
    let mut ids: Vec<_> = messages.into_iter().flatten().cloned().collect();
    ids.sort_unstable();
    ids
}

/// The Python client, the plugin, and the Python client again. The first time it owns everything and reads half: the
/// other partitions have ownership blobs of its spelling, and no checkpoints yet.
fn by_turns(group: &str) {
    let _beside = beside();
    let Some(shared) = Shared::start() else { return };
    let backlog = shared.put(2_000, 1);
    let first = shared.python(group, 60, PARTITIONS / 2);
    assert_eq!(first.messages.len(), 60);
    first.expect(first.checkpoints.iter().flat_map(|(partition, last)| {
        backlog.keys().filter(move |(of, sequence)| of == partition && sequence <= last)
    }));

    let read: BTreeSet<_> = first.messages.iter().collect();
    let rest = sorted(backlog.iter().filter(|(message, _)| !read.contains(message)).map(|(_, ids)| ids));
    let mut host = shared.plugin(group, json!({}));
    host.wait(PATIENCE, "the rest of the backlog", |state| state.events.len() >= rest.len());
    until(PATIENCE, "all is acknowledged", || host.metrics()["acknowledged"] >= rest.len() as f64);
    host.quit();
    assert_eq!(evaluated(&host), rest, "log: {:#?}", host.state().log);
    shared.python(group, 0, 0).expect_clean(group);

    let new = shared.put(1_000, 2);
    let last = shared.python(group, new.len(), PARTITIONS);
    last.expect(new.keys());
    last.expect_clean(group);
}

#[test]
fn the_plugin_goes_on_where_the_python_client_stopped_and_the_other_way_round() {
    by_turns(LOWER);
}

#[test]
fn the_names_that_the_python_client_folds_are_found_and_kept() {
    by_turns("$Default");
}

#[test]
fn the_python_client_goes_on_in_the_middle_of_a_backlog() {
    let _beside = beside();
    let Some(shared) = Shared::start() else { return };
    let backlog = shared.put(2_000, 1);
    let mut host =
        shared.plugin(LOWER, json!({ "rate_limit_events_per_second": 100, "rate_limit_burst": 500 }));
    host.wait(PATIENCE, "a part of the backlog", |state| state.events.len() >= 700);
    host.quit();
    let evaluated: BTreeSet<_> = evaluated(&host).into_iter().collect();
    let found = shared.python(LOWER, 0, 0);
    found.expect_clean(LOWER);
    let is_behind = |(partition, sequence): &Message| {
        found.checkpoints.get(partition).is_some_and(|last| sequence <= last)
    };
    let (behind, ahead): (BTreeMap<_, _>, BTreeMap<_, _>) =
        backlog.into_iter().partition(|(message, _)| is_behind(message));
    assert!(
        sorted(behind.values()).iter().all(|id| evaluated.contains(id)),
        "a checkpoint covers what was evaluated"
    );
    // What each partition had handed over and the host had not evaluated to its end, and the last batch: closing
    // confirms nothing.
    let again = sorted(ahead.values()).iter().filter(|id| evaluated.contains(*id)).count();
    println!("{again} of {} come again", evaluated.len());
    assert!(again <= (PARTITIONS * AT_ONCE + 100) as usize, "{again} come again");
    shared.python(LOWER, ahead.len(), PARTITIONS).expect(ahead.keys());
}
