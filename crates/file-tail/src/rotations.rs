//! [`Rotations`]: what became of the files that were at a path, and in which order they have to be read.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::position::{FileId, Position, TAIL};
use crate::siblings::{MAX_OPEN, Sibling, Siblings};
use crate::stop::Stop;
use crate::track::Track;

/// So long a folder may change without a pause before that is an error, which is told and tried again.
const BUSY: Duration = Duration::from_millis(500);

/// Looks for the files of a path: what is there, and what is beside it.
pub(crate) struct Rotations {
    path: PathBuf,
    stop: Arc<Stop>,
    /// Between two looks.
    pause: Duration,
    /// Its siblings cannot be seen, and that was told.
    is_alone: Cell<bool>,
}

/// What is known of the time before the file at the path was opened.
#[derive(Default)]
pub(crate) struct Before {
    /// The end of the file that was read last, if there was one.
    pub(crate) end: Option<Position>,
    /// When the first file was written to, when it was opened.
    pub(crate) begun: i64,
    /// What was beside it then.
    pub(crate) known: Siblings,
}

/// Where the file is of which a place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Where it was.
    InPlace,
    /// Beside the path, renamed or copied.
    Beside,
    /// Where it was, but its end is gone.
    Shortened,
    /// Where it was, but what it held is gone.
    Truncated,
    /// Nowhere.
    Gone,
}

impl Rotations {
    pub(crate) fn new(path: PathBuf, stop: Arc<Stop>, pause: Duration) -> Self {
        Self { path, stop, pause, is_alone: Cell::new(false) }
    }

    /// The file that `position` is a place in, and what came after it, the last one being what is at the path.
    /// `is_truncated`: it was seen to be, by whoever asks, who has read what was rotated before. `None`: files are being
    /// renamed; to be asked again.
    pub(crate) fn find(
        &self,
        position: &Position,
        is_truncated: bool,
    ) -> io::Result<Option<(VecDeque<Track>, Whereabouts)>> {
        let mut live = if_there(Track::live(&self.path))?;
        if let Some(track) = &mut live {
            // Another file with the same numbers, or the same file with other content, is told by its bytes.
            let may_be = track.id == position.file || position.tail() == TAIL;
            if position.is_in_a_file() && may_be && track.seek_to(position)? {
                if position.offset == 0 {
                    // What it held may have been copied and truncated since. Who compresses a file that was rotated
                    // before that, writes now too.
                    let siblings = self.siblings(&self.home())?;
                    let new = |one: &Sibling| !one.is_compressed();
                    let since = siblings.since(position.modified + 1, Some(track), new)?;
                    return Ok(chain(&siblings, since, live)?.map(|chain| (chain, Whereabouts::InPlace)));
                }
                return Ok(live.map(|track| ([track].into(), Whereabouts::InPlace)));
            }
            if track.id == position.file && track.seek_before(position)? {
                return Ok(live.map(|track| ([track].into(), Whereabouts::Shortened)));
            }
            track.seek(0)?;
        }
        let siblings = self.siblings(&self.home())?;
        if let Some(track) = siblings.find(position).filter(|_| position.is_in_a_file()) {
            let after = siblings.after(&track, live.as_ref())?;
            let misnamed = live.as_ref().and_then(|live| siblings.misnamed(&track, live)).map(Path::to_owned);
            return Ok(chain(&siblings, after, live)?.map(|mut chain| {
                if let Some(misnamed) = misnamed {
                    log::warn!(
                        "the clock was set back while nobody read `{}`: `{}`, and what is named after an earlier time, is not read, also if it was written since",
                        self.path.display(),
                        misnamed.display()
                    );
                }
                chain.push_front(track);
                (chain, Whereabouts::Beside)
            }));
        }
        // Who was there meanwhile has read what was rotated, and may see it compressed now.
        let new = |one: &Sibling| !is_truncated || !one.is_compressed();
        let since = siblings.since(position.modified, live.as_ref(), new)?;
        let is_there = live.as_ref().is_some_and(|track| track.id == position.file);
        let whereabouts = if is_there { Whereabouts::Truncated } else { Whereabouts::Gone };
        Ok(chain(&siblings, since, live)?.map(|chain| (chain, whereabouts)))
    }

    /// What came between the file that was read before and `live`, which is at the path, and `live` itself. `None`: it is
    /// not at the path any more, or files are being renamed.
    pub(crate) fn between(&self, before: &Before, live: &Track) -> io::Result<Option<VecDeque<Track>>> {
        let now = Track::live(&self.path)?;
        let siblings = self.siblings(&live.home)?;
        if now.id != live.id || siblings.contains(live.id) {
            // Renamed, and not truncated: it is held.
            return Ok(None);
        }
        let tracks = match before.end.and_then(|position| siblings.find(&position)) {
            Some(track) => siblings.after(&track, Some(live))?,
            None => {
                let moment = before.end.map_or(before.begun, |position| position.modified);
                siblings.since(moment + 1, Some(live), |one| !before.known.has(one))?
            }
        };
        chain(&siblings, tracks, Some(now))
    }

    /// What came after `track`, and whether there may have been more of it: who deletes what is old deletes what came
    /// next only after `track` itself.
    pub(crate) fn after(&self, track: &Track) -> io::Result<Option<(VecDeque<Track>, bool)>> {
        let mut live = Track::live(&self.path)?;
        let position = track.position();
        if position.tail() == TAIL && live.seek_to(&position)? {
            // An editor has put a copy in its place.
            return Ok(Some(([live].into(), false)));
        }
        live.seek(0)?;
        let siblings = self.siblings(&track.home)?;
        let after = siblings.after(track, Some(&live))?;
        Ok(chain(&siblings, after, Some(live))?.map(|chain| {
            // Deleted at once, with nothing but what is at the path behind it, it has no successor that could be gone.
            let is_gap = chain.front().is_some_and(|next| !next.is_live)
                && !siblings.contains(track.id)
                // Compressed, it is another file.
                && siblings.find(&position).is_none();
            (chain, is_gap)
        }))
    }

    /// What is beside a file whose path leads to `home`; nothing where the folder may not be listed.
    pub(crate) fn siblings(&self, home: &Path) -> io::Result<Siblings> {
        let mut siblings = Siblings::of(home);
        let deadline = Instant::now() + BUSY;
        while matches!(&siblings, Err(error) if error.kind() == io::ErrorKind::ResourceBusy)
            && Instant::now() < deadline
            && !self.stop.wait(BUSY / 20)
        {
            siblings = Siblings::of(home);
        }
        match siblings {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Siblings::default()),
            // The file itself can be read all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                if !self.is_alone.replace(true) {
                    log::warn!(
                        "the folder of `{}` may not be listed: a file that is rotated twice within {:.2} s, or while nobody reads, is not found; let this process list it",
                        self.path.display(),
                        self.pause.as_secs_f32()
                    );
                }
                Ok(Siblings::default())
            }
            siblings => siblings,
        }
    }

    /// Where the path leads to: what siblings are siblings of.
    pub(crate) fn home(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }
}

/// What was rotated, then what is at the path. `None`: a file has been renamed since it was opened.
fn chain(
    siblings: &Siblings,
    rotated: Option<Vec<Track>>,
    mut live: Option<Track>,
) -> io::Result<Option<VecDeque<Track>>> {
    let Some(rotated) = rotated else { return Ok(None) };
    if let Some(live) = live.as_ref().filter(|live| siblings.contains(live.id)) {
        // A link to it, under a name of a rotated file, is none.
        let found = if_there(fs::metadata(&live.path))?;
        if found.is_none_or(|metadata| FileId::of(&metadata) != live.id) {
            return Ok(None);
        }
    }
    let mut chain = VecDeque::from(rotated);
    if let Some(live) = &mut live {
        // What it held when it was opened may be in one of the others by now: that is not missing.
        live.measure()?;
    }
    // There may be more of them before it: the last one is where the next look begins.
    if chain.len() < MAX_OPEN {
        chain.extend(live);
    }
    Ok(Some(chain))
}

/// `None` when there is nothing of that name.
fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
