//! The planner against a log group in virtual time.

use std::collections::HashMap;

use super::*;
use crate::position::{decode, encode};
use crate::seen::{EventKey, KeySet, Seen};

const MINUTE: i64 = 60_000;
const START: i64 = 1_800_000_000_000;

fn rhythm() -> Rhythm {
    Rhythm { polling_interval: Duration::from_secs(5), overlap: 30_000, settle: 300_000 }
}

struct LogEvent {
    at: i64,
    visible: i64,
}

/// A log group whose events become visible late, read by a planner; every call takes 250 ms of virtual time.
struct World {
    events: Vec<LogEvent>,
    page: usize,
    now: i64,
    epoch: Instant,
    planner: Planner,
    seen: Seen,
    got: HashMap<u64, u32>,
    calls: u32,
    shown: usize,
}

impl World {
    fn new(mut events: Vec<LogEvent>, page: usize, position: Position, now: i64) -> Self {
        events.sort_by_key(|event| event.at);
        let planner = Planner::new(rhythm(), position);
        let (seen, got) = (Seen::default(), HashMap::new());
        Self { events, page, now, epoch: Instant::now(), planner, seen, got, calls: 0, shown: 0 }
    }

    fn at(&self) -> Instant {
        self.epoch + Duration::from_millis((self.now - START + 1_000_000_000) as u64)
    }

    fn step(&mut self) {
        match self.planner.plan(self.now, self.at(), self.seen.is_full()) {
            Plan::Wait(pause) => self.now += pause.as_millis().max(1) as i64,
            Plan::Call(scan) => self.call(scan),
        }
    }

    fn call(&mut self, scan: Scan) {
        self.calls += 1;
        let Window { start, end, .. } = scan.window;
        let from: usize = scan.token.as_deref().map_or(0, |token| token.parse().unwrap());
        let from = from.max(self.events.partition_point(|event| event.at < start));
        let window = self.events.iter().enumerate().skip(from);
        let window = window.take_while(|(_, event)| end.is_none_or(|end| event.at < end));
        let hits = window.filter(|(_, event)| event.visible <= self.now);
        let mut hits: Vec<usize> = hits.map(|(index, _)| index).take(self.page + 1).collect();
        let token = hits.get(self.page).map(ToString::to_string);
        hits.truncate(self.page);
        self.shown += hits.len();
        for index in &hits {
            if self.seen.insert(self.events[*index].at, EventKey(*index as u64)) {
                *self.got.entry(*index as u64).or_default() += 1;
            }
        }
        let earliest = hits.iter().map(|index| self.events[*index].at).min();
        self.now += 250;
        self.planner.page(scan, token, earliest, 20.0);
        self.seen.forget_before(self.planner.floor());
    }

    /// Until no more than that many milliseconds are unread.
    fn catch_up(&mut self, lag: i64) {
        let patience = self.now + 120 * MINUTE;
        while self.planner.lag(self.now) > lag {
            self.step();
            assert!(self.now < patience, "it never catches up");
        }
    }

    fn run_until(&mut self, end: i64) {
        while self.now < end {
            self.step();
        }
    }

    #[track_caller]
    fn expect_each_once(&self) {
        let from = |index: &usize| self.got.get(&(*index as u64)).copied().unwrap_or_default();
        let wrong: Vec<_> = (0..self.events.len()).filter(|index| from(index) != 1).collect();
        assert!(wrong.is_empty(), "{} of {} not exactly once", wrong.len(), self.events.len());
    }
}

/// `count` events over `span` from `start` on, a fifth of them late by up to `late`.
fn events(count: i64, start: i64, span: i64, late: i64) -> Vec<LogEvent> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut event = |index: i64| {
        let at = start + index * span / count;
        let late = if random.u8(..5) == 0 { random.i64(0..=late) } else { random.i64(0..=500) };
        LogEvent { at, visible: at + late }
    };
    (0..count).map(&mut event).collect()
}

fn position(at: i64) -> Position {
    Position { settled: at, frontier: at }
}

#[test]
fn caught_up_nothing_late_is_lost_and_nothing_comes_twice() {
    let mut world = World::new(events(20_000, START, 10 * MINUTE, 299_000), 1000, position(START), START);
    world.run_until(START + 17 * MINUTE);
    world.expect_each_once();
}

#[test]
fn far_behind_each_byte_is_read_once() {
    let mut world =
        World::new(events(50_000, START, 60 * MINUTE, 100), 1000, position(START), START + 120 * MINUTE);
    world.catch_up(300_000);
    let read = world.shown as f64 / world.got.len() as f64;
    assert!(read <= 1.1, "{read}");
    world.run_until(world.now + 7 * MINUTE);
    world.expect_each_once();
}

#[test]
fn half_behind_stragglers_are_still_found() {
    let mut world =
        World::new(events(20_000, START, 4 * MINUTE, 295_000), 1000, position(START), START + 3 * MINUTE);
    world.run_until(START + 12 * MINUTE);
    world.expect_each_once();
}

#[test]
fn the_beginning_of_a_group_is_found_in_few_calls() {
    let mut world = World::new(events(5000, START, MINUTE, 10), 1000, position(0), START + 60 * MINUTE);
    world.catch_up(30_000);
    assert!(world.calls < 60, "{}", world.calls);
    world.expect_each_once();
}

#[test]
fn a_burst_is_read_in_parts() {
    // 200,000 events in one minute, in pages of 100: no window holds them all.
    let mut burst = events(200_000, START, MINUTE, 10);
    burst.extend(events(100, START + MINUTE, 30 * MINUTE, 10));
    let mut world = World::new(burst, 100, position(START - 60 * MINUTE), START + 60 * MINUTE);
    let (mut most, patience) = (0, world.now + 120 * MINUTE);
    while world.planner.lag(world.now) > 30_000 {
        world.step();
        most = most.max(world.seen.len());
        assert!(world.now < patience, "it never catches up");
    }
    assert!(most < 20_000, "{most} remembered at once");
    world.expect_each_once();
}

#[test]
fn more_than_the_calls_allow_is_read_once_and_late() {
    // Twice as many pages per second as there are calls.
    let mut world = World::new(events(160_000, START, 10 * MINUTE, 10), 33, position(START), START);
    world.run_until(START + 40 * MINUTE);
    world.expect_each_once();
}

#[test]
fn a_silent_group_costs_few_calls() {
    let mut world = World::new(Vec::new(), 1000, position(START), START);
    world.run_until(START + 60 * MINUTE);
    // A poll each 5 s, and one to settle each 30 s.
    assert!(world.calls <= 720 + 120 + 10, "{}", world.calls);
}

#[test]
fn the_frontier_never_passes_the_clock() {
    let mut world = World::new(events(1000, START, 5 * MINUTE, 100), 100, position(START), START);
    while world.now < START + 10 * MINUTE {
        world.step();
        assert!(world.planner.position().frontier <= world.now);
        assert!(world.planner.position().settled <= (world.now - rhythm().settle).max(START));
    }
}

#[test]
fn events_dated_ahead_of_the_clock_come_once() {
    let ahead = (0..300).map(|i| LogEvent { at: START + i * 1000 + 120_000, visible: START + i * 1000 });
    let mut world = World::new(ahead.collect(), 100, position(START), START);
    world.run_until(START + 14 * MINUTE);
    world.expect_each_once();
}

#[test]
fn a_clock_that_was_ahead_loses_nothing() {
    let mut world = World::new(events(2000, START, 10 * MINUTE, 1000), 100, position(START), START);
    world.planner.position.frontier = START + 10 * MINUTE;
    world.run_until(START + 22 * MINUTE);
    world.expect_each_once();
}

#[test]
fn restarted_at_any_moment_nothing_is_lost_or_repeated() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut world = World::new(events(20_000, START, 20 * MINUTE, 299_000), 100, position(START), START);
    while world.now < START + 27 * MINUTE {
        for _ in 0..random.usize(1..200) {
            world.step();
        }
        let (position, seen) =
            decode(encode(world.planner.position(), &world.seen, &KeySet::default())).unwrap();
        (world.planner, world.seen) = (Planner::new(rhythm(), position), seen);
        world.now += random.i64(0..20_000);
    }
    world.expect_each_once();
}

#[test]
fn a_token_that_expired_starts_the_window_again() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut world =
        World::new(events(20_000, START, 20 * MINUTE, 100), 100, position(START), START + 30 * MINUTE);
    let patience = world.now + 120 * MINUTE;
    while world.planner.lag(world.now) > 30_000 {
        assert!(world.now < patience, "it never catches up");
        match world.planner.plan(world.now, world.at(), false) {
            Plan::Call(scan) if scan.token.is_some() && random.u8(..20) == 0 => {
                world.now += 250;
                world.planner.restart(scan);
            }
            Plan::Call(scan) => world.call(scan),
            Plan::Wait(pause) => world.now += pause.as_millis() as i64,
        }
    }
    world.expect_each_once();
}
