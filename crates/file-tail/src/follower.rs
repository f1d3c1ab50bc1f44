//! [`Follower`]: reads a file as it grows, on the reader's thread, over rotation and truncation.
//!
//! It looks at the path from time to time. No notification of the kernel would do instead: there is none on network
//! file systems and on many mounts of containers, and those that come say neither how much was written nor what was
//! there before a truncation. A look is two calls, some microseconds.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use crate::metrics::FileMetrics;
use crate::outbox::{Message, Outbox, Stopped};
use crate::position::{FileId, Position};
use crate::rotations::{Before, Rotations, Whereabouts};
use crate::splitter::Splitter;
use crate::stop::Stop;
use crate::track::{Found, Track, Window};
use crate::trouble::Trouble;

/// A rotated file is read until something is in the new one, for its writer may not have noticed; and what is written
/// to it after that is read too, as long as no pause in between is longer.
const LINGER: Duration = Duration::from_secs(10);
/// So long a path may be without a file while the old one is held: some who rotate take a moment.
const GAP: Duration = Duration::from_secs(5);

/// While a file grows, it is looked at that many times as often: who truncates it costs less.
const BUSIER: u32 = 10;

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// With what is written from now on.
    End,
    /// With what the file holds.
    Beginning,
    /// There, whatever became of the file.
    At(Position),
}

/// Why a turn ended.
enum Halt {
    Stopped,
    Trouble(Trouble),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// A file, followed.
pub(crate) struct Follower {
    path: PathBuf,
    start: Start,
    splitter: Splitter,
    outbox: Outbox,
    stop: Arc<Stop>,
    pause: Duration,
    metrics: Arc<FileMetrics>,
    /// What is read now; `None` before there was a file, and after an error.
    track: Option<Track>,
    /// What is to be read then, oldest first; the last one is what was at the path.
    chain: VecDeque<Track>,
    rotations: Rotations,
    before: Before,
    window: Window,
    /// Behind the last complete line.
    position: Option<Position>,
    /// The rotated file that was read before this one, and since when it has not grown.
    left: Option<(Track, Instant)>,
    /// Since when the rotated file that is read once more has not grown.
    looked_back: Option<Instant>,
    /// Since when there is nothing at the path.
    missing: Option<Instant>,
    /// What was seen and not read when the track was found to be truncated, until that was told.
    truncated: Option<u64>,
    /// Something was read since the last pause.
    has_grown: bool,
    is_failing: bool,
    /// It is copied and truncated, and that was told.
    is_copied: bool,
    /// What is at the path was removed, and that was told.
    is_removed: bool,
}

impl Follower {
    pub(crate) fn new(
        path: PathBuf,
        start: Start,
        max_record_bytes: usize,
        outbox: Outbox,
        (stop, pause): (Arc<Stop>, Duration),
        metrics: Arc<FileMetrics>,
    ) -> Self {
        let rotations = Rotations::new(path.clone(), Arc::clone(&stop), pause);
        Self {
            path,
            start,
            splitter: Splitter::lines(max_record_bytes),
            outbox,
            stop,
            pause,
            metrics,
            track: None,
            chain: VecDeque::new(),
            rotations,
            before: Before::default(),
            window: Window::default(),
            position: None,
            left: None,
            looked_back: None,
            missing: None,
            truncated: None,
            has_grown: false,
            is_failing: false,
            is_copied: false,
            is_removed: false,
        }
    }

    /// Reads until it is stopped.
    pub(crate) fn run(mut self) -> Result<(), Stopped> {
        let end = self.follow();
        let offset = self.position.map_or(0, |position| position.offset);
        self.splitter.cuts.tell_rest(&self.path, offset);
        end
    }

    fn follow(&mut self) -> Result<(), Stopped> {
        let mut pause = self.pause;
        loop {
            match self.turn() {
                Ok(()) if self.is_failing => {
                    self.is_failing = false;
                    self.outbox.send(Message::Recovered)?;
                }
                Ok(()) => self.outbox.looked(),
                Err(Halt::Stopped) => return Err(Stopped),
                Err(Halt::Trouble(trouble)) => self.tell(trouble)?,
            }
            // Who has just written writes again.
            pause = if self.has_grown { self.pause / BUSIER } else { (pause * 2).min(self.pause) };
            self.has_grown = false;
            if self.stop.wait(pause) {
                return Err(Stopped);
            }
        }
    }

    fn tell(&mut self, trouble: Trouble) -> Result<(), Stopped> {
        self.is_failing = true;
        self.outbox.flush(self.position)?;
        self.outbox.send(Message::Failing(trouble))
    }

    /// Reads everything that is there.
    fn turn(&mut self) -> Result<(), Halt> {
        if self.track.is_none() {
            self.attach()?;
        }
        loop {
            let is_more = match self.drain()? {
                Some(missing) => self.restart(missing)?,
                None => self.go_on()?,
            };
            if !is_more {
                return Ok(self.flush()?);
            }
        }
    }

    /// Finds where to begin.
    fn attach(&mut self) -> Result<(), Halt> {
        // Before anything is opened: what comes later is new.
        let home = self.rotations.home();
        self.before.known = self.rotations.siblings(&home).map_err(|error| self.trouble(&error))?;
        let mut chain = match self.start {
            Start::At(position) => match self.resume(&position)? {
                Some(chain) => chain,
                // Files are being renamed: the next look finds them.
                None => return Ok(()),
            },
            Start::End | Start::Beginning => [self.begin()?].into(),
        };
        let Some(track) = chain.pop_front() else { return Err(Halt::Trouble(not_there(&self.path))) };
        log::info!("`{}`: reading from byte {} on", track.path.display(), track.offset);
        (self.before.end, self.before.begun) = (None, track.modified);
        self.take_track(track);
        self.chain = chain;
        Ok(self.outbox.flush(self.position)?)
    }

    fn begin(&mut self) -> Result<Track, Halt> {
        let begun = Track::live(&self.path).and_then(|mut track| {
            if matches!(self.start, Start::End) {
                let end = track.last_line(track.size)?;
                track.seek(end)?;
            }
            Ok(track)
        });
        begun.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                // Whatever comes is new, also when it came and was rotated between two looks.
                let position = Position::before_any(SystemTime::now());
                self.position = Some(position);
                self.start = Start::At(position);
            }
            self.trouble(&error)
        })
    }

    /// The file that `position` is a place in, and what came after it. `None`: to be asked again.
    fn resume(&mut self, position: &Position) -> Result<Option<VecDeque<Track>>, Halt> {
        let found = self.rotations.find(position, self.truncated.is_some());
        found.map_err(|error| self.trouble(&error)).map(|found| {
            let (chain, whereabouts) = found?;
            if !chain.is_empty() {
                if let (Whereabouts::Beside, Some(missing), Some(copy)) =
                    (whereabouts, self.truncated, chain.front())
                {
                    let seen = position.offset + missing;
                    let lost = if copy.is_compressed() { 0 } else { seen.saturating_sub(copy.size) };
                    self.tell_copied(lost);
                }
                let start = chain.front().map_or(0, |track| track.offset);
                self.tell_whereabouts(position, whereabouts, start);
                self.truncated = None;
                if matches!(whereabouts, Whereabouts::Truncated | Whereabouts::Shortened | Whereabouts::Gone)
                {
                    // Its rest will not come.
                    self.splitter.end(&mut self.outbox, &self.metrics);
                }
            }
            Some(chain)
        })
    }

    /// Says what is lost, if something is; reading goes on at `start`.
    fn tell_whereabouts(&self, position: &Position, whereabouts: Whereabouts, start: u64) {
        let (name, offset) = (self.path.display(), position.offset);
        let advice = "rotate by renaming, or keep the copy beside the file";
        match (whereabouts, self.truncated) {
            (Whereabouts::InPlace | Whereabouts::Truncated | Whereabouts::Shortened, Some(missing @ 1..)) => {
                self.metrics.files_lost.increment();
                self.metrics.bytes_missing.add(missing);
                log::error!(
                    "`{name}` was truncated when {missing} bytes or more behind byte {offset} were not read, and no copy is beside it: they are lost; {advice}"
                );
            }
            (Whereabouts::Shortened, _) => log::warn!(
                "`{name}` was read up to byte {offset}, and does not hold all of that any more, as after a power loss: reading goes on at byte {start}, and what follows there comes again"
            ),
            (Whereabouts::Truncated, Some(_)) => log::warn!(
                "`{name}` was truncated, and no copy is beside it; it was read up to byte {offset}, its end at the last look: what was written behind that within {:.2} s, if anything, is lost; {advice}",
                self.pause.as_secs_f32()
            ),
            (Whereabouts::Truncated, None) => {
                self.metrics.files_lost.increment();
                log::error!(
                    "`{name}` was truncated, or made anew, while nobody read it, and no copy is beside it: what was written behind byte {offset} is lost; {advice}"
                );
            }
            (Whereabouts::Gone, _) if position.is_in_a_file() && offset > 0 => {
                self.metrics.files_lost.increment();
                log::error!(
                    "the file that was `{name}` and was read up to byte {offset} is not there any more, or may not be read: what was written behind that is lost; keep rotated files beside it for longer"
                );
            }
            (Whereabouts::Beside, _) => log::info!("`{name}`: its rest is read from a file beside it"),
            _ => {}
        }
    }

    /// Says what is lost by copying and truncating, as far as it is known.
    fn tell_copied(&mut self, lost: u64) {
        let name = self.path.display();
        if lost > 0 {
            self.metrics.files_lost.increment();
            self.metrics.bytes_missing.add(lost);
            log::error!(
                "`{name}` was copied and truncated: {lost} bytes or more that were written in between were not read, and are lost; rotate by renaming"
            );
        } else if !self.is_copied {
            self.is_copied = true;
            log::warn!(
                "`{name}` is copied and truncated: what is written in between, if anything, is lost each time; rotate by renaming"
            );
        }
    }

    /// Reads the track to its end. `Some`: it was truncated, and that many bytes were seen and not read.
    fn drain(&mut self) -> Result<Option<u64>, Halt> {
        while let Some(track) = &mut self.track {
            if self.stop.is_stopped() {
                return Err(Halt::Stopped);
            }
            match track.read(&mut self.window) {
                Ok(Found::Bytes(read)) => {
                    // Nothing that was read tells whether this is still the same content.
                    if track.offset == 0 && self.overtaken()? {
                        continue;
                    }
                    self.take(read)?;
                }
                Ok(Found::End) => {
                    self.tell_cuts();
                    self.tell_behind(0);
                    break;
                }
                Ok(Found::Truncated { missing }) => return Ok(Some(missing)),
                // Nobody mends it, and what comes after it can be read.
                Err(error) if track.is_compressed() => {
                    self.metrics.files_damaged.increment();
                    let trouble = Trouble::of(&track.path, &error);
                    log::error!("{}: what it holds behind byte {} is lost", trouble.message, track.offset);
                    break;
                }
                Err(error) => {
                    let trouble = Trouble::of(&track.path, &error);
                    self.let_go();
                    return Err(Halt::Trouble(trouble));
                }
            }
        }
        Ok(None)
    }

    /// What the window holds, to the outbox.
    fn take(&mut self, read: usize) -> Result<(), Halt> {
        if let Some(track) = &mut self.track {
            track.accept(&self.window);
        }
        self.has_grown = true;
        self.looked_back = self.looked_back.map(|_| Instant::now());
        self.metrics.bytes_read.add(read as u64);
        let mut at = 0;
        while at < read {
            at += self.splitter.feed(self.window.from(at), &mut self.outbox, &self.metrics);
            let pending = usize::try_from(self.splitter.pending()).unwrap_or(usize::MAX);
            if let (Some(end), Some(track)) = (at.checked_sub(pending), &self.track) {
                self.position = Some(track.position_in(&self.window, end));
            }
            self.tell_cuts();
            if self.outbox.is_full() {
                self.flush()?;
            }
        }
        let behind = self.track.as_ref().map_or(0, |track| track.size.saturating_sub(track.offset));
        self.tell_behind(behind);
        Ok(())
    }

    /// Hands over what was read; looks at the file while nobody takes it.
    fn flush(&mut self) -> Result<(), Stopped> {
        let Some(track) = &mut self.track else { return self.outbox.flush(self.position) };
        let behind = &self.metrics.bytes_behind;
        self.outbox.flush_and_watch(self.position, self.pause / BUSIER, || {
            track.watch();
            behind.set(track.size.saturating_sub(track.offset));
        })
    }

    fn tell_cuts(&mut self) {
        let Some((track, position)) = self.track.as_ref().zip(self.position) else { return };
        self.splitter.cuts.tell(&track.path, position.offset);
    }

    fn tell_behind(&self, bytes: u64) {
        let waiting: u64 = self.chain.iter().map(|track| track.size.saturating_sub(track.offset)).sum();
        self.metrics.bytes_behind.set(bytes + waiting);
    }

    /// Whether there are files between the one before and what is at the path now, of which nothing was read yet:
    /// what it held when it was opened was copied and truncated. They are read first then.
    fn overtaken(&mut self) -> Result<bool, Halt> {
        let Some(track) = self.track.as_ref().filter(|track| track.is_live) else { return Ok(false) };
        let chain = self.rotations.between(&self.before, track).map_err(|error| self.trouble(&error))?;
        let Some(mut chain) = chain.filter(|chain| chain.len() > 1) else { return Ok(false) };
        if let Some(first) = chain.pop_front() {
            self.metrics.truncations.increment();
            self.take_track(first);
            self.chain = chain;
        }
        Ok(true)
    }

    /// To be found again where it was left, in the midst of a line maybe.
    fn let_go(&mut self) {
        if let Some(track) = self.track.take() {
            self.start = Start::At(track.position());
        }
        self.looked_back = None;
        self.chain.clear();
    }

    /// The track was truncated: its rest may be in a copy. Whether there is more to read.
    fn restart(&mut self, missing: u64) -> Result<bool, Halt> {
        if self.track.as_ref().is_some_and(|track| track.offset == 0) && self.overtaken()? {
            return Ok(true);
        }
        self.metrics.truncations.increment();
        self.truncated = Some(missing);
        self.let_go();
        self.attach()?;
        Ok(self.track.is_some())
    }

    /// The track is at its end: goes to the next file, if it is time. Whether there is more to read.
    fn go_on(&mut self) -> Result<bool, Halt> {
        if self.chain.iter().all(|next| next.size == 0) {
            // Nothing is to be read there yet, and the writer may still be at this one.
            self.chain.clear();
            return self.look();
        }
        // Whoever writes late may be in the midst of a line: here it is not rotated, it was.
        if self.splitter.pending() > 0 && self.looked_back.is_some_and(|since| since.elapsed() < LINGER) {
            return Ok(false);
        }
        self.looked_back = None;
        let Some(next) = self.chain.pop_front() else { return Ok(false) };
        self.splitter.end(&mut self.outbox, &self.metrics);
        // Otherwise it goes on where it was before it looked back.
        if next.offset == 0 {
            log::info!(
                "`{}` was rotated, and is read to its end: going on in the next file",
                self.path.display()
            );
            self.metrics.rotations.increment();
        }
        self.before.end = self.track.as_ref().map(Track::position);
        let left = self.track.take().filter(|track| !track.is_compressed());
        self.left = left.map(|track| (track, Instant::now()));
        self.take_track(next);
        Ok(true)
    }

    fn take_track(&mut self, track: Track) {
        self.metrics.files_opened.increment();
        // In the midst of a line it stays in front of it.
        if self.splitter.pending() == 0 || self.position.is_none() {
            self.position = Some(track.position());
        }
        (self.missing, self.is_removed) = (None, false);
        self.track = Some(track);
    }

    /// Whether the path is another file's by now, to which it is time to go: then that is the chain, and the track
    /// is read once more, since what was written before the new file was made came after the last read.
    fn look(&mut self) -> Result<bool, Halt> {
        if self.look_back().map_err(|error| self.trouble(&error))? {
            return Ok(true);
        }
        let Some(track) = &self.track else { return Ok(false) };
        match fs::metadata(&self.path) {
            Ok(metadata) => {
                self.missing = None;
                if FileId::of(&metadata) == track.id {
                    if metadata.nlink() == 0 && !std::mem::replace(&mut self.is_removed, true) {
                        log::error!(
                            "`{}` was removed, and the path still leads to what is left of it: a new file would not be seen; where a container mounts this file, let it mount the folder",
                            self.path.display()
                        );
                    }
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let since = self.missing.get_or_insert_with(Instant::now);
                if since.elapsed() < GAP {
                    return Ok(false);
                }
                return Err(Halt::Trouble(not_there(&self.path)));
            }
            Err(error) => return Err(self.trouble(&error)),
        }
        let Some((chain, is_gap)) = self.rotations.after(track).map_err(|error| self.trouble(&error))? else {
            return Ok(false);
        };
        // Whoever writes has not noticed yet.
        if chain.iter().all(|next| next.size == 0) {
            return Ok(false);
        }
        if let Some(next) = chain.front().filter(|_| is_gap) {
            self.metrics.files_lost.increment();
            log::error!(
                "`{}` was rotated, and deleted, before it was left: what was rotated between it and `{}`, with which reading goes on, is lost, if there was any; keep rotated files beside it for longer",
                self.path.display(),
                next.path.display()
            );
        }
        self.chain = chain;
        Ok(true)
    }

    /// Whether something was written to the rotated file after it was left: that is read, then this one goes on.
    fn look_back(&mut self) -> io::Result<bool> {
        let Some((left, since)) = &mut self.left else { return Ok(false) };
        left.measure()?;
        if left.size <= left.offset || self.track.as_ref().is_none_or(Track::is_compressed) {
            if since.elapsed() > LINGER {
                self.left = None;
            }
            return Ok(false);
        }
        let (Some((left, _)), Some(mut track)) = (self.left.take(), self.track.take()) else {
            return Ok(false);
        };
        // The line that is not complete is read again.
        let start = track.offset.saturating_sub(self.splitter.pending());
        self.splitter.clear();
        track.seek(start)?;
        log::info!("`{}`: something was written to the rotated file, and is read", self.path.display());
        self.chain.push_front(track);
        self.take_track(left);
        self.looked_back = Some(Instant::now());
        Ok(true)
    }

    fn trouble(&self, error: &io::Error) -> Halt {
        Halt::Trouble(Trouble::of(&self.path, error))
    }
}

fn not_there(path: &Path) -> Trouble {
    Trouble::of(path, &io::ErrorKind::NotFound.into())
}
