//! [`Siblings`]: the files beside a followed one that it was, or may have been, before it was rotated.
//!
//! | name, beside `audit.log` | written by |
//! |---|---|
//! | `audit-2024-05-01T10-00-00.000.log` | the API server itself (lumberjack) |
//! | `audit.log.1`, `audit.log-20240501`, `audit-20240501.log` | logrotate |
//! | each of them with `.gz` or `.zst` behind it | |
//!
//! Any other name is another log's.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::position::{FileId, Position, TAIL, modified};
use crate::track::Track;
use crate::trouble::named;

/// How often a folder is listed until two lists are alike.
const TRIES: usize = 5;
/// Who compresses a file gives the result the time of the original, in whole seconds maybe.
const ROUNDED: i64 = 2_000_000_000;
/// How many are opened at once; the next look goes on behind them.
pub(crate) const MAX_OPEN: usize = 64;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sibling {
    path: PathBuf,
    home: PathBuf,
    name: String,
    /// Without what tells that it is compressed.
    plain_name: String,
    id: FileId,
    modified: i64,
    size: u64,
    /// `audit.log.7`: how often it was rotated.
    index: Option<u32>,
}

impl Sibling {
    pub(crate) fn is_compressed(&self) -> bool {
        self.name != self.plain_name
    }

    /// Opens it, unless it has another name by now.
    fn open(&self) -> io::Result<Option<Track>> {
        match Track::rotated(&self.path, &self.home) {
            Ok(track) => Ok(Some(track).filter(|track| track.id == self.id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&self.path, error)),
        }
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Siblings(Vec<Sibling>);

impl Siblings {
    /// Beside the file at `home`.
    ///
    /// # Errors
    /// When its folder cannot be listed; [`io::ErrorKind::ResourceBusy`] when it changes all the time.
    pub(crate) fn of(home: &Path) -> io::Result<Self> {
        let mut siblings = stable(home)?;
        // While a file is compressed, both are there.
        let plain: Vec<_> =
            siblings.iter().filter(|one| !one.is_compressed()).map(|one| one.plain_name.clone()).collect();
        siblings.retain(|one| !one.is_compressed() || !plain.contains(&one.plain_name));
        sort(&mut siblings);
        Ok(Self(siblings))
    }

    /// The file that `position` is a place in, at that place.
    ///
    /// One that cannot be read is not it; another one may be.
    pub(crate) fn find(&self, position: &Position) -> Option<Track> {
        let mut siblings: Vec<_> = self.0.iter().collect();
        // The same file under another name, then copies of it: the first one that was made after this place was read,
        // for the bytes by which a place is known may be the same in a later one where all lines end alike.
        siblings.sort_by_key(|one| {
            (one.id != position.file, one.is_compressed(), one.modified < position.modified)
        });
        siblings.into_iter().find_map(|one| {
            // What was compressed before is not worth the time.
            let is_old = one.is_compressed() && one.modified < position.modified.saturating_sub(ROUNDED);
            let may_be = !is_old
                && (one.id == position.file && !one.is_compressed()
                    || position.offset > 0 && (one.is_compressed() || one.size >= position.offset));
            let mut track = may_be.then(|| Track::rotated(&one.path, &one.home).ok()).flatten()?;
            track.seek_to(position).ok()?.then_some(track)
        })
    }

    /// What came after `track`, oldest first, but for copies of it and of what is `live`. `None`: files were renamed
    /// meanwhile.
    ///
    /// # Errors
    /// When one of them cannot be opened: it would be left out.
    pub(crate) fn after(&self, track: &Track, live: Option<&Track>) -> io::Result<Option<Vec<Track>>> {
        let place = self.0.iter().position(|one| one.id == track.id);
        let after = self.0.iter().enumerate().filter(|(index, one)| match place {
            Some(place) => *index > place,
            // It was deleted meanwhile.
            None => one.modified >= track.modified,
        });
        open(after.map(|(_, one)| one), Some(&track.position()), live)
    }

    /// The file with the last name before that of `track`, where names are dates and what is `live` was written to
    /// before `track` was: the clock was set back, and it may have come after `track`.
    pub(crate) fn misnamed(&self, track: &Track, live: &Track) -> Option<&Path> {
        let place = self.0.iter().position(|one| one.id == track.id)?;
        let before = self.0.get(place.checked_sub(1)?)?;
        let may_be = before.index.is_none()
            && before.plain_name.len() == self.0.get(place)?.plain_name.len()
            && live.modified < track.modified
            && before.modified <= live.modified;
        may_be.then_some(&before.path)
    }

    /// What was written to from a moment on, in nanoseconds since the epoch, and is `new`; otherwise like
    /// [`after`](Self::after).
    ///
    /// # Errors
    /// When one of them cannot be opened: it would be left out.
    pub(crate) fn since(
        &self,
        moment: i64,
        live: Option<&Track>,
        new: impl Fn(&Sibling) -> bool,
    ) -> io::Result<Option<Vec<Track>>> {
        open(self.0.iter().filter(|one| one.modified >= moment && new(one)), None, live)
    }

    /// Whether `other` was there already, under this or another name, maybe not compressed yet.
    pub(crate) fn has(&self, other: &Sibling) -> bool {
        self.0.iter().any(|one| {
            (one.id, one.modified) == (other.id, other.modified)
                // A time is the name of one file, a number becomes another one's.
                || one.index.is_none() && one.plain_name == other.plain_name
        })
    }

    /// Whether the file of that id is among them.
    pub(crate) fn contains(&self, id: FileId) -> bool {
        self.0.iter().any(|one| one.id == id)
    }
}

/// Opens them, but for those that hold what was read `before` or is `live`, and for those that are empty: who copies a
/// file makes an empty one first. If it gets content it is found before anything of the next file is read.
fn open<'s>(
    siblings: impl Iterator<Item = &'s Sibling>,
    before: Option<&Position>,
    live: Option<&Track>,
) -> io::Result<Option<Vec<Track>>> {
    let mut tracks = Vec::new();
    // A link to what is at the path, under a name of a rotated file, is no other file.
    let is_other = |one: &&Sibling| one.size > 0 && live.is_none_or(|live| live.id != one.id);
    for one in siblings.filter(is_other).take(MAX_OPEN) {
        let Some(track) = one.open()? else { return Ok(None) };
        // A short file is not told from another one.
        let is_read = match before.filter(|before| before.tail() == TAIL) {
            Some(before) => one.open()?.is_some_and(|mut one| one.seek_to(before).unwrap_or(false)),
            None => false,
        };
        let is_live = live.map(|live| live.begins_like(&track)).transpose()?.unwrap_or(false);
        if is_read || is_live {
            log::debug!("`{}` is a copy, and left out", one.path.display());
        } else {
            tracks.push(track);
        }
    }
    Ok(Some(tracks))
}

/// Oldest first: by what their names say if they all say the same sort of thing, else by when they were written to.
fn sort(siblings: &mut [Sibling]) {
    if siblings.iter().all(|one| one.index.is_some()) {
        siblings.sort_by_key(|one| Reverse(one.index));
    } else if siblings.iter().all(|one| one.index.is_none()) {
        siblings.sort_by(|a, b| a.plain_name.cmp(&b.plain_name));
    } else {
        siblings.sort_by(|a, b| {
            (a.modified, Reverse(a.index), &a.plain_name).cmp(&(b.modified, Reverse(b.index), &b.plain_name))
        });
    }
}

/// Who rotates renames one after the other; whoever lists meanwhile may see a file twice, or not at all.
fn stable(home: &Path) -> io::Result<Vec<Sibling>> {
    let mut siblings = list(home)?;
    for _ in 1..TRIES {
        let before = std::mem::replace(&mut siblings, list(home)?);
        let same = |(a, b): (&Sibling, &Sibling)| (&a.name, a.id) == (&b.name, b.id);
        if siblings.len() == before.len() && siblings.iter().zip(&before).all(same) {
            return Ok(siblings);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "files beside it are renamed without a pause"))
}

fn list(home: &Path) -> io::Result<Vec<Sibling>> {
    let (Some(folder), Some(base)) = (home.parent(), home.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut siblings = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((name, (plain_name, index))) =
            name.to_str().and_then(|name| Some((name, rotated(base, name)?)))
        else {
            continue;
        };
        // Deleted since: it is no sibling any more.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            siblings.push(Sibling {
                path: entry.path(),
                home: home.to_owned(),
                name: name.to_owned(),
                plain_name: plain_name.to_owned(),
                id: FileId::of(&metadata),
                modified: modified(&metadata),
                size: metadata.len(),
                index,
            });
        }
    }
    siblings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(siblings)
}

/// Whether `name` is what a rotated `base` is called: its name without a compression's ending, and its number.
fn rotated<'n>(base: &str, name: &'n str) -> Option<(&'n str, Option<u32>)> {
    let plain_name = [".gz", ".zst"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let (stem, ending) = base.rfind('.').and_then(|dot| base.split_at_checked(dot)).unwrap_or((base, ""));
    let behind = plain_name.strip_prefix(base);
    let within = plain_name.strip_prefix(stem).and_then(|name| name.strip_suffix(ending));
    let mark = [behind, within].into_iter().flatten().find(|mark| is_mark(mark))?;
    let index = mark.get(1..).filter(|digits| digits.len() <= 4).and_then(|digits| digits.parse().ok());
    Some((plain_name, index))
}

/// A number or a time, behind something that separates it.
fn is_mark(mark: &str) -> bool {
    mark.starts_with(['.', '-', '_'])
        && mark.contains(|c: char| c.is_ascii_digit())
        && mark.chars().all(|c| c.is_ascii_digit() || ".-_:+TZ".contains(c))
}

#[cfg(test)]
mod tests;
