//! [`Planner`]: which window of time to read next. Pure: it is told the time, and does no I/O.
//!
//! Three kinds of windows, all half-open intervals of event time:
//!
//! ```text
//!       settled                        frontier            now
//! ─────────┼──────────────────────────────┼─────────────────┼────▶ event time
//!          [── Settle ──)                 [─── First ───)           behind: slices up to now
//!                                [overlap [─── Live ────────────▶   caught up: open to the end
//! ```
//!
//! - Behind, each slice is read once ([`Kind::First`]), and once more at age `settle` if it was younger.
//! - Caught up, each poll ([`Kind::Live`]) reads the last `overlap` again, as far as the calls allow, and
//!   everything after it, also what is dated after now; the frontier moves to the time at which the poll began.
//! - At age `settle` time is read once more ([`Kind::Settle`]), and then never again.
//!
//! So a window's end never limits what is seen, only what need not be read again, and that never passes `now`,
//! which is the provider's own clock.

use std::time::{Duration, Instant};

use crate::position::Position;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// Between polls, once caught up.
    pub(crate) polling_interval: Duration,
    /// What each poll reads again, in milliseconds.
    pub(crate) overlap: i64,
    /// The age at which time is read for the last time, in milliseconds.
    pub(crate) settle: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    First,
    Live,
    Settle,
}

/// A window of event time, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) kind: Kind,
    /// Included.
    pub(crate) start: i64,
    /// Excluded; `None`: open.
    pub(crate) end: Option<i64>,
    /// The provider's time when its first page was asked for.
    pub(crate) began: i64,
}

/// A window under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) window: Window,
    /// Where the next page starts; `None`: at the window's start.
    pub(crate) token: Option<String>,
    began_at: Instant,
    /// Answers so far.
    calls: u32,
    /// Those of them that held events.
    pages: u32,
}

impl Scan {
    const fn new(window: Window, at: Instant) -> Self {
        Self { window, token: None, began_at: at, calls: 0, pages: 0 }
    }

    /// From the start of `window` on.
    fn restart(self, window: Window) -> Self {
        Self { window, token: None, pages: 0, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Ask for the next page of this scan.
    Call(Scan),
    /// Nothing is due for that long.
    Wait(Duration),
}

/// Pages of a window that are no reason to make the next one shorter or longer.
const PAGES: std::ops::RangeInclusive<u32> = 4..=16;
/// A window with more pages is given up, and read again in parts.
const MOST_PAGES: u32 = 64;
/// The length of the first slice.
const FIRST_SLICE: i64 = 60_000;
/// A slice that is longer was made so because there was little in it.
const LONG_SLICE: i64 = 10 * FIRST_SLICE;
/// No slice is longer: 64 years reach from the epoch to today in one.
const LONGEST_SLICE: i64 = 64 * 366 * 86_400_000;

#[derive(Debug)]
pub(crate) struct Planner {
    rhythm: Rhythm,
    position: Position,
    reading: Option<Scan>,
    settling: Option<Scan>,
    /// Length of the next slice.
    slice: i64,
    /// What the next poll reads again; `rhythm.overlap` unless the calls do not suffice.
    overlap: i64,
    /// Polls are made when this is reached; slices without pause.
    next_poll: Option<Instant>,
    /// A poll had too many pages: read in slices up to here.
    slices_until: i64,
    settle_is_next: bool,
}

impl Planner {
    pub(crate) fn new(rhythm: Rhythm, position: Position) -> Self {
        Self {
            rhythm,
            position,
            reading: None,
            settling: None,
            slice: FIRST_SLICE,
            overlap: rhythm.overlap,
            next_poll: None,
            slices_until: i64::MIN,
            settle_is_next: false,
        }
    }

    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// No event before this will be given again, so what is known of them can be forgotten.
    pub(crate) fn floor(&self) -> i64 {
        let scans = [&self.reading, &self.settling].into_iter().flatten();
        scans.map(|scan| scan.window.start).fold(self.position.settled, i64::min)
    }

    /// How far behind the provider's clock new time is read, in milliseconds.
    pub(crate) fn lag(&self, now: i64) -> i64 {
        (now - self.position.frontier).max(0)
    }

    /// What to do at `now`. `is_full`: no new time may be read before old time was settled.
    pub(crate) fn plan(&mut self, now: i64, at: Instant, is_full: bool) -> Plan {
        if self.reading.is_none() && !is_full {
            self.reading = self.next_read(now, at);
        }
        if self.settling.is_none() {
            self.settling = self.next_settle(now, at);
        }
        // Taking turns keeps a poll prompt while much is to be settled, and settling going while much is to be read.
        let first = if self.settle_is_next { &self.settling } else { &self.reading };
        let other = if self.settle_is_next { &self.reading } else { &self.settling };
        match first.as_ref().or(other.as_ref()) {
            Some(scan) => {
                self.settle_is_next = scan.window.kind != Kind::Settle;
                Plan::Call(scan.clone())
            }
            None => Plan::Wait(self.pause(now, at, is_full)),
        }
    }

    fn next_read(&self, now: i64, at: Instant) -> Option<Scan> {
        let Position { settled, frontier } = self.position;
        let window = if self.is_behind(now) {
            if self.must_settle_first(now) {
                return None;
            }
            // A slice that starts where once is enough ends there too.
            let most = if self.is_old(frontier, now) { now - self.rhythm.settle } else { now };
            let end = frontier.saturating_add(self.slice).min(most);
            Window { kind: Kind::First, start: frontier, end: Some(end), began: now }
        } else if self.next_poll.is_none_or(|due| at >= due) {
            // The provider's clock may have been corrected: what it has not reached yet can still appear.
            let start = (frontier.min(now) - self.overlap).max(settled);
            Window { kind: Kind::Live, start, end: None, began: now }
        } else {
            return None;
        };
        Some(Scan::new(window, at))
    }

    /// Far behind, time that was read once is settled before new time is read: from then on, once is enough.
    fn must_settle_first(&self, now: i64) -> bool {
        let Position { settled, frontier } = self.position;
        settled < frontier && self.is_old(frontier, now)
    }

    /// Whether there is time after `from` that is worth a window and old enough to be read only once.
    fn is_old(&self, from: i64, now: i64) -> bool {
        from + self.settle_step() <= now - self.rhythm.settle
    }

    fn is_behind(&self, now: i64) -> bool {
        // Polls that come a little late are no reason to change the way of reading.
        let usual = millis(self.rhythm.polling_interval).saturating_mul(3).max(self.rhythm.overlap);
        let frontier = self.position.frontier;
        self.lag(now) > usual || (frontier < self.slices_until && frontier < now)
    }

    fn next_settle(&self, now: i64, at: Instant) -> Option<Scan> {
        let Position { settled, .. } = self.position;
        let due = self.settle_due(now);
        if due - settled < self.settle_step() && !self.must_settle_first(now) {
            return None;
        }
        let end = settled.saturating_add(self.slice).min(due);
        Some(Scan::new(Window { kind: Kind::Settle, start: settled, end: Some(end), began: now }, at))
    }

    /// Time before this is old enough, and was read once.
    fn settle_due(&self, now: i64) -> i64 {
        self.position.frontier.min(now - self.rhythm.settle)
    }

    /// Calls are scarce: a quiet group is settled a tenth of `settle` at a time, in one call.
    fn settle_step(&self) -> i64 {
        (self.rhythm.settle / 10).max(1)
    }

    fn pause(&self, now: i64, at: Instant, is_full: bool) -> Duration {
        let until_settle = self.settle_step() - (self.settle_due(now) - self.position.settled);
        let until_settle = Duration::from_millis(u64::try_from(until_settle).unwrap_or(0).max(1));
        match self.next_poll {
            Some(due) if !is_full => due.saturating_duration_since(at).min(until_settle),
            _ => until_settle.min(self.rhythm.polling_interval),
        }
    }

    /// A page of `scan` was read; `earliest` is the time of its earliest event, `share` how many calls a poll may
    /// take. Returns whether the position moved.
    pub(crate) fn page(
        &mut self,
        scan: Scan,
        next_token: Option<String>,
        earliest: Option<i64>,
        share: f64,
    ) -> bool {
        let (calls, pages) = (scan.calls + 1, scan.pages + u32::from(earliest.is_some()));
        let scan = Scan { token: next_token, calls, pages, ..scan };
        let kind = scan.window.kind;
        if scan.token.is_some() {
            let scan = self.continue_scan(scan, earliest);
            *self.slot(kind) = Some(scan);
            return false;
        }
        *self.slot(kind) = None;
        self.finish(&scan, share)
    }

    /// The token of `scan` is not accepted any more: start the window again. What was read of it is known.
    pub(crate) fn restart(&mut self, scan: Scan) {
        let window = scan.window;
        *self.slot(window.kind) = Some(scan.restart(window));
    }

    fn slot(&mut self, kind: Kind) -> &mut Option<Scan> {
        if kind == Kind::Settle { &mut self.settling } else { &mut self.reading }
    }

    /// Shortens a window that turns out to hold too much: its position would move too late, and too many events
    /// would have to be remembered until it does.
    fn continue_scan(&mut self, scan: Scan, earliest: Option<i64>) -> Scan {
        let Window { kind, start, end, began } = scan.window;
        let is_long = scan.pages >= MOST_PAGES;
        let (kind, start, shorter) = match (end, earliest) {
            (None, _) if is_long => {
                self.slices_until = began;
                self.slice = self.slice.min(FIRST_SLICE);
                // What was read again may be what was too much.
                self.overlap /= 2;
                let start = self.position.frontier;
                (Kind::First, start, self.slice.min(began - start))
            }
            (None, _) => return scan,
            // The first events of a group, or after a long silence: end before them, and go on in small steps.
            (Some(end), Some(earliest)) if end - start > LONG_SLICE && earliest - start > FIRST_SLICE => {
                (kind, start, earliest - start)
            }
            (Some(end), _) if is_long => (kind, start, (end - start) / 8),
            (Some(_), _) => return scan,
        };
        let shorter = shorter.max(1);
        if end.is_some_and(|end| start + shorter >= end) {
            return scan;
        }
        self.slice = shorter.min(FIRST_SLICE);
        scan.restart(Window { kind, start, end: Some(start + shorter), began })
    }

    fn finish(&mut self, scan: &Scan, share: f64) -> bool {
        let before = self.position;
        let Window { kind, start, end, began } = scan.window;
        let position = &mut self.position;
        match (kind, end) {
            (Kind::Settle, Some(end)) => position.settled = position.settled.max(end),
            (_, Some(end)) => {
                position.frontier = position.frontier.max(end);
                let is_settled = end <= began - self.rhythm.settle && position.settled >= start;
                if is_settled {
                    position.settled = position.settled.max(end);
                }
            }
            (_, None) => position.frontier = position.frontier.max(began),
        }
        match end {
            Some(end) => self.adapt_slice(scan.pages, end - start),
            None => {
                self.adapt_overlap(scan.calls, share);
                // From the beginning of the poll on: one that took longer is followed by the next at once.
                self.next_poll = Some(scan.began_at + self.rhythm.polling_interval);
            }
        }
        self.position != before
    }

    fn adapt_slice(&mut self, pages: u32, length: i64) {
        if pages < *PAGES.start() {
            // A window that was cut off at now says nothing of longer ones.
            self.slice = self.slice.max(length.saturating_mul(4)).min(LONGEST_SLICE);
        } else if pages > *PAGES.end() {
            self.slice = (length * i64::from(*PAGES.end()) / i64::from(pages)).max(1);
        }
    }

    /// Half of a poll's share of the calls may go into what is read again; the rest is for new time and for settling.
    fn adapt_overlap(&mut self, calls: u32, share: f64) {
        let allowed = (share / 2.0).max(1.0);
        let calls = f64::from(calls);
        let overlap = self.overlap as f64;
        let next = if calls > allowed { overlap * allowed / calls } else { overlap * 2.0 + 1.0 };
        self.overlap = (next as i64).clamp(0, self.rhythm.overlap);
    }

    /// What the next poll reads again, in milliseconds.
    pub(crate) const fn overlap(&self) -> i64 {
        self.overlap
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
