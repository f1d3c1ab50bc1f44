//! Audit events made on demand: a million of them need no memory.
//!
//! Owns: a plan in which everything about an event (time, stream, lateness, id,
//! message) is a function of its index. Does not own: which of them were shown
//! (`ledger`), nor pages (`page`).

use crate::clock::rfc3339_micros;
use crate::random::{hash, unit};
use std::fmt::Write;

/// A plan of audit events, like those of an EKS control plane.
///
/// Event `i` of `count` has timestamp `start_ms + 1000 × floor(i / burst) × burst / per_second`,
/// so timestamps never fall with the index. Two plans in one test need different seeds,
/// or their auditIDs are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// How many events; below 2^32.
    pub count: u64,
    /// What ids, streams, lateness and contents are drawn from.
    pub seed: u64,
    /// How many streams they are spread over.
    pub streams: u32,
    /// What stream names start with; 32 hexadecimal digits follow.
    pub stream_prefix: String,
    /// Timestamp of the first event: milliseconds since 1970, server clock.
    pub start_ms: i64,
    /// Events per second of timestamps.
    pub per_second: f64,
    /// How many consecutive events share one timestamp.
    pub burst: u64,
    /// Size of a message in bytes, exactly; values below about 1,300 give the smallest possible.
    pub message_bytes: usize,
    /// How long after its timestamp an event is ingested.
    pub lateness: Lateness,
    /// Whether an event is hidden until it is ingested.
    pub visibility: Visibility,
}

/// Whether the clock decides what can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// An event can be seen from its ingestion on, by the server's clock.
    Live,
    /// Every event can be seen at once.
    Backlog,
}

/// A distribution of lateness: bands with a share of the events each; the rest is not late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lateness(Vec<Band>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Band {
    share: f64,
    from_ms: i64,
    to_ms: i64,
}

impl Lateness {
    /// Every event is ingested at its timestamp.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds: `share` of all events are late by `from_ms..=to_ms`, uniformly.
    #[must_use]
    pub fn band(mut self, share: f64, from_ms: i64, to_ms: i64) -> Self {
        assert!(from_ms >= 0 && to_ms >= from_ms, "lateness from {from_ms} to {to_ms} ms");
        self.0.push(Band { share, from_ms, to_ms });
        let total: f64 = self.0.iter().map(|band| band.share).sum();
        assert!(share >= 0.0 && total <= 1.0 + 1e-9, "shares add up to {total}");
        self
    }

    /// The largest lateness that an event can have, in milliseconds.
    pub fn max_ms(&self) -> i64 {
        self.0.iter().map(|band| band.to_ms).max().unwrap_or(0)
    }

    fn of(&self, seed: u64, index: u64) -> i64 {
        let mut place = unit(hash(seed, 1, index));
        for band in &self.0 {
            if place < band.share {
                let width = (band.to_ms - band.from_ms + 1) as u64;
                return band.from_ms + (hash(seed, 2, index) % width) as i64;
            }
            place -= band.share;
        }
        0
    }
}

impl Generated {
    /// `count` events that are all there already: 1,000 per second from `start_ms` on.
    pub fn backlog(count: u64, start_ms: i64) -> Self {
        Self {
            count,
            seed: 1,
            streams: 3,
            stream_prefix: "kube-apiserver-audit-".into(),
            start_ms,
            per_second: 1_000.0,
            burst: 3,
            message_bytes: 2_048,
            lateness: Lateness::none(),
            visibility: Visibility::Backlog,
        }
    }

    /// `count` events that appear as the server's clock reaches them.
    pub fn live(count: u64, start_ms: i64, per_second: f64) -> Self {
        Self { per_second, visibility: Visibility::Live, ..Self::backlog(count, start_ms) }
    }

    /// Milliseconds since 1970.
    pub fn timestamp_ms(&self, index: u64) -> i64 {
        let of_burst = index / self.burst.max(1) * self.burst.max(1);
        self.start_ms + (of_burst as f64 * 1_000.0 / self.per_second).floor() as i64
    }

    /// When CloudWatch took it in: timestamp and lateness.
    pub fn ingestion_time_ms(&self, index: u64) -> i64 {
        self.timestamp_ms(index) + self.lateness.of(self.seed, index)
    }

    /// From when it can be seen.
    pub fn visible_at_ms(&self, index: u64) -> i64 {
        match self.visibility {
            Visibility::Live => self.ingestion_time_ms(index),
            Visibility::Backlog => i64::MIN,
        }
    }

    /// The name of the `n`-th stream.
    pub fn stream_name(&self, n: u32) -> String {
        let (high, low) = (hash(self.seed, 3, u64::from(n)), hash(self.seed, 4, u64::from(n)));
        format!("{}{high:016x}{low:016x}", self.stream_prefix)
    }

    /// Which stream an event is in: an argument for [`Generated::stream_name`].
    pub fn stream_of(&self, index: u64) -> u32 {
        (hash(self.seed, 5, index) % u64::from(self.streams.max(1))) as u32
    }

    /// The auditID of an event: a version 4 UUID.
    ///
    /// The last 48 bits are the index, scrambled by an invertible function.
    pub fn id(&self, index: u64) -> String {
        let random = hash(self.seed, 6, index);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            random >> 32,
            random >> 16 & 0xffff,
            random & 0xfff,
            0x8000 | (hash(self.seed, 7, index) & 0x3fff),
            index.wrapping_mul(SCRAMBLE) & NODE,
        )
    }

    /// The inverse of [`Generated::id`]; `None` for an id of another plan.
    pub fn index_of(&self, id: &str) -> Option<u64> {
        let node = u64::from_str_radix(id.get(24..)?, 16).ok()?;
        let index = node.wrapping_mul(inverse(SCRAMBLE)) & NODE;
        (index < self.count && self.id(index) == id).then_some(index)
    }

    /// The sum of all messages, in bytes.
    pub fn total_message_bytes(&self) -> u64 {
        (0..self.count).map(|index| self.message(index).len() as u64).sum()
    }

    /// The audit event as CloudWatch has it: one line of JSON.
    pub fn message(&self, index: u64) -> String {
        let pick = |salt: u64, choices: &'static [&'static str]| {
            choices[(hash(self.seed, salt, index) % choices.len() as u64) as usize]
        };
        let (verb, code) = [("get", 200), ("list", 200), ("create", 201), ("update", 200), ("patch", 200)]
            [(hash(self.seed, 8, index) % 5) as usize];
        let user = pick(9, &USERS);
        let resource = pick(10, &["pods", "configmaps", "secrets", "deployments", "services"]);
        let namespace = pick(11, &["default", "kube-system", "payments", "monitoring"]);
        let (group, prefix) = if resource == "deployments" { ("apps", "/apis/apps") } else { ("", "/api") };
        let name = format!("{resource}-{:x}", hash(self.seed, 12, index) & 0xff_ffff);
        let address = hash(self.seed, 13, index);
        let time_ms = self.timestamp_ms(index);
        let mut head = String::with_capacity(self.message_bytes.max(1_500));
        write!(
            head,
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Request\",\
             \"auditID\":\"{}\",\"stage\":\"ResponseComplete\",\
             \"requestURI\":\"{prefix}/v1/namespaces/{namespace}/{resource}/{name}?timeout=10s\",\
             \"verb\":\"{verb}\",\"user\":{{\"username\":\"{user}\",\"uid\":\"{:x}\",\
             \"groups\":[\"system:serviceaccounts\",\"system:authenticated\"]}},\
             \"sourceIPs\":[\"10.0.{}.{}\"],\"userAgent\":\"kubectl/v1.31.2 (linux/amd64) kubernetes/5864a46\",\
             \"objectRef\":{{\"resource\":\"{resource}\",\"namespace\":\"{namespace}\",\"name\":\"{name}\",\
             \"apiGroup\":\"{group}\",\"apiVersion\":\"v1\"}},\
             \"responseStatus\":{{\"metadata\":{{}},\"code\":{code}}},\
             \"requestObject\":{{\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}},\
             \"spec\":{{\"containers\":[{{\"name\":\"main\",\"image\":\"registry.example/{name}:1.{}\",\"env\":[",
            self.id(index),
            hash(self.seed, 14, index),
            address >> 8 & 0xff,
            address & 0xff,
            address >> 16 & 0xff,
        )
        .unwrap();
        let tail = format!(
            "\"}}]}}]}}}},\"requestReceivedTimestamp\":\"{}\",\"stageTimestamp\":\"{}\",\
             \"annotations\":{{\"authorization.k8s.io/decision\":\"allow\",\
             \"authorization.k8s.io/reason\":\"RBAC: allowed by ClusterRoleBinding \\\"edit\\\"\"}}}}",
            rfc3339_micros(time_ms, (address >> 24 & 0xff) as u32),
            rfc3339_micros(time_ms, 999 - (address >> 32 & 0xff) as u32),
        );
        const LAST: &str = "{\"name\":\"NOTE\",\"value\":\"";
        let target = self.message_bytes.saturating_sub(tail.len() + LAST.len());
        let mut n = 0;
        while head.len() + 60 <= target {
            write!(head, "{{\"name\":\"SETTING_{n:03}\",\"value\":\"{:016x}\"}},", hash(address, n, index))
                .unwrap();
            n += 1;
        }
        head.push_str(LAST);
        while head.len() + tail.len() < self.message_bytes {
            head.push('x');
        }
        head.push_str(&tail);
        head
    }

    /// The first index whose timestamp is at least `timestamp_ms`; `count` when there is none.
    pub(crate) fn first_at(&self, timestamp_ms: i64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.timestamp_ms(middle) < timestamp_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

const USERS: [&str; 5] = [
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:monitoring:prometheus",
    "system:node:ip-10-0-3-17.ec2.internal",
    "alice@example.com",
    "kubernetes-admin",
];

/// 48 bits, the last group of a UUID.
const NODE: u64 = (1 << 48) - 1;

/// Odd, so that multiplying by it modulo a power of two can be undone.
const SCRAMBLE: u64 = 0x9e37_79b9_7f4b;

/// The multiplicative inverse modulo 2^64, by Newton's iteration: each step doubles the right bits.
fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    for _ in 0..6 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_lead_back_to_the_index() {
        let plan = Generated::backlog(50_000, 0);
        let ids: HashSet<String> = (0..plan.count).map(|index| plan.id(index)).collect();
        assert_eq!(ids.len(), 50_000);
        for index in [0, 1, 2, 49_999] {
            assert_eq!(plan.index_of(&plan.id(index)), Some(index));
        }
        assert_eq!(plan.index_of(&plan.id(50_000)), None);
        assert_eq!(plan.index_of(&Generated { seed: 2, ..plan.clone() }.id(7)), None);
        assert_eq!(plan.index_of("no uuid"), None);
    }

    #[test]
    fn messages_are_audit_events_of_the_size_asked_for() {
        for bytes in [1_300, 1_500, 2_048, 20_000] {
            let plan = Generated { message_bytes: bytes, ..Generated::backlog(200, 1_700_000_000_000) };
            for index in 0..plan.count {
                let message = plan.message(index);
                assert_eq!(message.len(), bytes);
                let event: serde_json::Value = serde_json::from_str(&message).unwrap();
                assert_eq!(event["auditID"], plan.id(index).as_str());
                assert_eq!(event["kind"], "Event");
            }
        }
    }

    #[test]
    fn the_first_index_at_a_time() {
        let plan = Generated { per_second: 1_500.0, burst: 4, ..Generated::backlog(1_000, 5_000) };
        assert_eq!(plan.first_at(0), 0);
        assert_eq!(plan.first_at(5_000), 0);
        assert_eq!(plan.first_at(i64::MAX), 1_000);
        for index in 1..plan.count {
            assert!(plan.timestamp_ms(index) >= plan.timestamp_ms(index - 1));
            let first = plan.first_at(plan.timestamp_ms(index));
            assert_eq!(plan.timestamp_ms(first), plan.timestamp_ms(index));
            assert!(first == 0 || plan.timestamp_ms(first - 1) < plan.timestamp_ms(index));
        }
    }

    #[test]
    fn lateness_follows_its_bands() {
        let lateness = Lateness::none().band(0.3, 0, 300).band(0.05, 1_000, 8_000);
        assert_eq!(lateness.max_ms(), 8_000);
        let all: Vec<i64> = (0..20_000).map(|index| lateness.of(9, index)).collect();
        let within = |from, to| all.iter().filter(|late| (from..=to).contains(*late)).count();
        assert_eq!(within(0, 300) + within(1_000, 8_000), all.len());
        assert!((900..1_100).contains(&within(1_000, 8_000)), "{}", within(1_000, 8_000));
        assert!((5_700..6_300).contains(&within(1, 300)), "{}", within(1, 300));
    }
}
