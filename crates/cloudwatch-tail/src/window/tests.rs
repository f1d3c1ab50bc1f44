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

/// A planner at these seconds from `START`, which stands for now, and the instant of now.
fn at_seconds(settled: i64, frontier: i64) -> (Planner, Instant) {
    let position = Position { settled: START + settled * 1000, frontier: START + frontier * 1000 };
    (Planner::new(rhythm(), position), Instant::now())
}

#[track_caller]
fn scan_of(plan: Plan) -> Scan {
    let Plan::Call(scan) = plan else { panic!("{plan:?}") };
    scan
}

/// Kind, start and end in seconds from `START`; an end of 9999 is open.
fn seconds(scan: &Scan) -> (Kind, f64, f64) {
    let Window { kind, start, end, .. } = scan.window;
    let seconds = |ms: i64| (ms - START) as f64 / 1000.0;
    (kind, seconds(start), end.map_or(9999.0, seconds))
}

const OPEN: f64 = 9999.0;

#[track_caller]
fn expect_windows(settled: i64, frontier: i64, expect: &[(Kind, f64, f64)]) {
    let (mut planner, at) = at_seconds(settled, frontier);
    let mut windows = Vec::new();
    for _ in 0..2 {
        if let Plan::Call(scan) = planner.plan(START, at, false) {
            windows.push(seconds(&scan));
        }
    }
    windows.dedup();
    assert_eq!(windows, expect, "settled at {settled} s, frontier at {frontier} s");
}

#[test]
fn what_is_read_follows_from_the_position() {
    use Kind::{First, Live, Settle};
    // Caught up: again what the overlap covers, but nothing that is settled.
    expect_windows(-60, -5, &[(Live, -35.0, OPEN)]);
    expect_windows(-10, -5, &[(Live, -10.0, OPEN)]);
    // The clock was ahead: again what it has not reached yet.
    expect_windows(-60, 100, &[(Live, -30.0, OPEN)]);
    // Polls that come late, and more than that.
    expect_windows(-60, -30, &[(Live, -60.0, OPEN)]);
    expect_windows(-60, -31, &[(First, -31.0, 0.0)]);
    // Behind: a slice, up to now at most, and up to where once is enough.
    expect_windows(-100, -100, &[(First, -100.0, -40.0)]);
    expect_windows(-310, -310, &[(First, -310.0, -250.0)]);
    expect_windows(-340, -340, &[(First, -340.0, -300.0)]);
    expect_windows(-1000, -1000, &[(First, -1000.0, -940.0)]);
    // Settled a tenth of `settle` at a time.
    expect_windows(-329, -5, &[(Live, -35.0, OPEN)]);
    expect_windows(-330, -5, &[(Live, -35.0, OPEN), (Settle, -330.0, -300.0)]);
    // Far behind, what was read once is settled before anything new.
    expect_windows(-1000, -990, &[(Settle, -1000.0, -990.0)]);
    expect_windows(-1000, -900, &[(Settle, -1000.0, -940.0)]);
    expect_windows(-400, -310, &[(First, -310.0, -250.0), (Settle, -400.0, -340.0)]);
}

/// Where the position is, in seconds, after the window at that place was read in one page.
#[track_caller]
fn expect_position(settled: i64, frontier: i64, slice: i64, expect: (i64, i64)) {
    let (mut planner, at) = at_seconds(settled, frontier);
    planner.slice = slice * 1000;
    let scan = scan_of(planner.plan(START, at, false));
    assert!(planner.page(scan, None, None, 20.0), "it moves");
    let Position { settled, frontier } = planner.position();
    assert_eq!(((settled - START) / 1000, (frontier - START) / 1000), expect);
}

#[test]
fn a_window_that_was_read_moves_what_it_covers() {
    expect_position(-60, -5, 60, (-60, 0));
    expect_position(-100, -100, 60, (-100, -40));
    // Old enough to be read only once, unless there is time before it that is not settled.
    expect_position(-1000, -1000, 60, (-940, -940));
    expect_position(-321, -320, 1, (-321, -319));
    expect_position(-320, -320, 1, (-319, -319));
    expect_position(-1000, -900, 60, (-940, -900));
}

#[test]
fn a_poll_reaches_to_its_beginning_however_long_it_takes() {
    let (mut planner, at) = at_seconds(-60, -5);
    let scan = scan_of(planner.plan(START, at, false));
    assert!(!planner.page(scan, Some("next".into()), Some(START), 20.0));
    assert_eq!(planner.position().frontier, START - 5000, "not before the last page");
    let scan = scan_of(planner.plan(START + 20_000, at, false));
    assert!(planner.page(scan, None, None, 20.0));
    assert_eq!(planner.position().frontier, START);
}

#[test]
fn a_position_that_stays_is_no_news_and_no_lag() {
    for frontier in [0, 100] {
        let (mut planner, at) = at_seconds(-60, frontier);
        let scan = scan_of(planner.plan(START, at, false));
        assert!(!planner.page(scan, None, None, 20.0));
        assert_eq!((planner.position().frontier, planner.lag(START)), (START + frontier * 1000, 0));
    }
}

#[test]
fn polls_keep_their_interval_from_beginning_to_beginning() {
    let (mut planner, at) = at_seconds(-60, -5);
    let scan = scan_of(planner.plan(START, at, false));
    planner.page(scan, None, None, 20.0);
    let later = |ms: u64| (START + ms as i64, at + Duration::from_millis(ms));
    let (now, instant) = later(2000);
    assert_eq!(planner.plan(now, instant, false), Plan::Wait(Duration::from_secs(3)));
    let (now, instant) = later(4999);
    assert_eq!(planner.plan(now, instant, false), Plan::Wait(Duration::from_millis(1)));
    let (now, instant) = later(5000);
    assert_eq!(seconds(&scan_of(planner.plan(now, instant, false))), (Kind::Live, -30.0, OPEN));
}

#[test]
fn a_pause_ends_when_something_is_to_be_settled() {
    let (mut planner, at) = at_seconds(-329, -5);
    let scan = scan_of(planner.plan(START, at, false));
    planner.page(scan, None, None, 20.0);
    assert_eq!(planner.plan(START, at, false), Plan::Wait(Duration::from_secs(1)));
    assert_eq!(seconds(&scan_of(planner.plan(START + 1000, at, false))), (Kind::Settle, -329.0, -299.0));
}

#[test]
fn nothing_new_is_read_while_too_much_is_remembered() {
    let (mut planner, at) = at_seconds(-330, -5);
    assert_eq!(scan_of(planner.plan(START, at, true)).window.kind, Kind::Settle);
    for (settled, frontier) in [(-100, -5), (-100, -100)] {
        let (mut planner, at) = at_seconds(settled, frontier);
        assert_eq!(planner.plan(START, at, true), Plan::Wait(Duration::from_secs(5)), "not a busy loop");
        // What is under way goes on: it moves the position.
        let scan = scan_of(planner.plan(START, at, false));
        planner.page(scan.clone(), Some("next".into()), Some(START), 20.0);
        assert_eq!(scan_of(planner.plan(START, at, true)).window, scan.window);
        // A poll that is due meanwhile is not waited for in a busy loop either.
        planner.page(scan, None, None, 20.0);
        let (now, at) = (START + 6000, at + Duration::from_secs(6));
        assert_eq!(planner.plan(now, at, true), Plan::Wait(Duration::from_secs(5)));
    }
}

#[test]
fn reading_and_settling_take_turns() {
    let (mut planner, at) = at_seconds(-330, -5);
    let mut kinds = Vec::new();
    for _ in 0..4 {
        let scan = scan_of(planner.plan(START, at, false));
        kinds.push(scan.window.kind);
        planner.page(scan, Some("next".into()), Some(START), 20.0);
    }
    assert_eq!(kinds, [Kind::Live, Kind::Settle, Kind::Live, Kind::Settle]);
}

/// Answers the next scan with that many pages that end in a token; returns the scan that follows.
fn after_pages(planner: &mut Planner, at: Instant, pages: usize, earliest: Option<i64>) -> Scan {
    for page in 0..pages {
        let scan = scan_of(planner.plan(START, at, false));
        planner.page(scan, Some(page.to_string()), earliest, 20.0);
    }
    scan_of(planner.plan(START, at, false))
}

#[test]
fn a_window_of_64_pages_is_given_up_and_read_in_parts() {
    for (settled, frontier, whole, part) in [
        (-100, -100, (Kind::First, -100.0, -40.0), (Kind::First, -100.0, -92.5)),
        (-1000, -900, (Kind::Settle, -1000.0, -940.0), (Kind::Settle, -1000.0, -992.5)),
        (-60, -5, (Kind::Live, -35.0, OPEN), (Kind::First, -5.0, 0.0)),
    ] {
        let (mut planner, at) = at_seconds(settled, frontier);
        let scan = after_pages(&mut planner, at, 63, Some(START - 2_000_000));
        assert_eq!((seconds(&scan), scan.token.as_deref()), (whole, Some("62")));
        let scan = after_pages(&mut planner, at, 1, Some(START - 2_000_000));
        assert_eq!((seconds(&scan), scan.token.as_deref()), (part, None));
        assert_eq!(planner.slice, ((part.2 - part.1) * 1000.0) as i64, "the next one is no longer");
        let before = planner.position();
        planner.page(scan, None, None, 20.0);
        assert_ne!(planner.position(), before);
        // Pages that hold nothing are no reason.
        let (mut planner, at) = at_seconds(settled, frontier);
        let scan = after_pages(&mut planner, at, 200, None);
        assert_eq!((seconds(&scan), scan.token.as_deref()), (whole, Some("199")));
    }
}

#[test]
fn a_poll_that_was_given_up_is_followed_by_slices_up_to_its_beginning() {
    let (mut planner, at) = at_seconds(-60, -20);
    planner.slice = 8000;
    let mut scan = after_pages(&mut planner, at, 64, Some(START));
    let mut windows = Vec::new();
    for _ in 0..3 {
        windows.push(seconds(&scan));
        // Between 4 and 16 pages: the next slice is as long.
        scan.pages = 4;
        planner.page(scan, None, None, 20.0);
        scan = scan_of(planner.plan(START, at, false));
    }
    assert_eq!(windows, [(Kind::First, -20.0, -12.0), (Kind::First, -12.0, -4.0), (Kind::First, -4.0, 0.0)]);
    assert_eq!(seconds(&scan), (Kind::Live, -15.0, OPEN), "and by one that reads less again");
}

#[test]
fn a_window_that_cannot_be_cut_goes_on() {
    let (mut planner, at) = at_seconds(-100, -100);
    planner.slice = 1;
    let scan = after_pages(&mut planner, at, 64, Some(START - 100_000));
    assert_eq!((seconds(&scan), scan.token.as_deref()), ((Kind::First, -100.0, -99.999), Some("63")));
}

#[test]
fn the_first_slice_after_a_poll_that_was_given_up_is_short() {
    let (mut planner, at) = at_seconds(-400, -200);
    (planner.rhythm.overlap, planner.slice) = (300_000, 3_600_000);
    let scan = scan_of(planner.plan(START, at, false));
    assert_eq!(scan.window.kind, Kind::Live);
    let scan = Scan { pages: 63, ..scan };
    planner.page(scan, Some("next".into()), Some(START), 20.0);
    let reading = planner.reading.as_ref().map(seconds);
    assert_eq!(reading, Some((Kind::First, -200.0, -140.0)));
}

#[test]
fn a_long_window_ends_before_its_first_events() {
    for (length, earliest, end) in [(3600, 1200, 1200.0), (3600, 60, 3600.0), (600, 300, 600.0)] {
        let (mut planner, at) = at_seconds(-90_000, -90_000);
        planner.slice = length * 1000;
        let scan = after_pages(&mut planner, at, 1, Some(START - 90_000_000 + earliest * 1000));
        assert_eq!(seconds(&scan), (Kind::First, -90_000.0, -90_000.0 + end));
        assert_eq!(scan.token.is_none(), end < length as f64, "a shorter window starts anew");
    }
}

#[test]
fn slices_follow_the_pages_that_they_had() {
    for (pages, next) in [(0, 240), (3, 240), (4, 60), (16, 60), (32, 30), (60, 16)] {
        let (mut planner, at) = at_seconds(-90_000, -90_000);
        let mut scan = scan_of(planner.plan(START, at, false));
        scan.pages = pages;
        planner.page(scan, None, None, 20.0);
        let (_, start, end) = seconds(&scan_of(planner.plan(START, at, false)));
        assert_eq!((end - start) as i64, next, "{pages} pages");
    }
    // From the epoch to today in one, and no longer.
    let (mut planner, at) = at_seconds(-START / 1000, -START / 1000);
    planner.slice = LONGEST_SLICE / 2;
    let scan = scan_of(planner.plan(START, at, false));
    planner.page(scan, None, None, 20.0);
    assert_eq!(planner.slice, LONGEST_SLICE);
    // One that was cut off at now says nothing of longer ones.
    let (mut planner, at) = at_seconds(-40, -40);
    planner.slice = 3_600_000;
    let scan = scan_of(planner.plan(START, at, false));
    planner.page(scan, None, None, 20.0);
    assert_eq!(planner.slice, 3_600_000);
}

#[test]
fn the_overlap_shrinks_when_calls_are_scarce_and_comes_back() {
    let (mut planner, at) = at_seconds(-60, -5);
    let mut overlaps = Vec::new();
    // Half of 20 calls may go into what is read again.
    for (poll, calls) in [10, 20, 40, 10, 10, 10].into_iter().enumerate() {
        let (now, at) = (START + poll as i64 * 5000, at + Duration::from_secs(5) * poll as u32);
        let mut scan = scan_of(planner.plan(now, at, false));
        scan.calls = calls - 1;
        planner.page(scan, None, None, 20.0);
        overlaps.push(planner.overlap());
    }
    assert_eq!(overlaps, [30_000, 15_000, 3750, 7501, 15_003, 30_000]);
}

#[test]
fn a_token_that_is_refused_starts_the_same_window_again() {
    for (settled, frontier) in [(-100, -100), (-1000, -900), (-60, -5)] {
        let (mut planner, at) = at_seconds(settled, frontier);
        let scan = after_pages(&mut planner, at, 40, Some(START));
        planner.restart(scan.clone());
        let again = after_pages(&mut planner, at, 0, None);
        assert_eq!((again.window, again.token, again.pages), (scan.window, None, 0));
        // Its pages count from the beginning: 63 more are no reason to give it up.
        let scan = after_pages(&mut planner, at, 63, Some(START));
        assert_eq!((scan.window, scan.token.as_deref()), (again.window, Some("62")));
    }
}

#[test]
fn what_a_window_under_way_may_still_show_is_remembered() {
    let (mut planner, at) = at_seconds(-330, -10);
    planner.rhythm.overlap = 300_000;
    planner.overlap = 300_000;
    assert_eq!(planner.floor(), START - 330_000);
    let live = scan_of(planner.plan(START, at, false));
    assert_eq!(seconds(&live), (Kind::Live, -310.0, OPEN));
    let settle = scan_of(planner.plan(START, at, false));
    assert!(planner.page(settle, None, None, 20.0));
    assert_eq!((planner.position().settled, planner.floor()), (START - 300_000, START - 310_000));
    planner.page(live, None, None, 20.0);
    assert_eq!(planner.floor(), START - 300_000);
}

#[test]
fn a_late_event_within_the_overlap_comes_with_the_next_poll() {
    let late = LogEvent { at: START + MINUTE, visible: START + MINUTE + 20_000 };
    let mut world = World::new(vec![late], 1000, position(START), START);
    world.run_until(START + MINUTE + 20_000 + 6000);
    world.expect_each_once();
}
