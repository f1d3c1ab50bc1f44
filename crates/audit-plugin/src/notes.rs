//! [`Notes`]: what the source noted about the events that the host has, so that they are not read twice.

/// As many numbers as 1024 audit events need; memory for more is let go.
const KEPT: usize = 1 << 16;

/// Of one batch, found by where in memory an event's payload is.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Where the batch begins.
    base: usize,
    /// In the order of the batch.
    entries: Vec<Entry>,
    /// One behind the other.
    numbers: Vec<u64>,
    /// Which entry will be looked for, most likely: the host takes events one after the other.
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the payload is in the batch, and its length.
    start: usize,
    length: usize,
    /// Where its notes begin, and end.
    from: usize,
    to: usize,
}

impl Notes {
    /// Of another batch, which has none yet.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.numbers.clear();
        self.numbers.shrink_to(KEPT);
        self.next = 0;
    }

    /// Those of the payload that lies behind all others so far.
    pub(crate) fn push(&mut self, start: usize, length: usize, notes: &[u64]) {
        let from = self.numbers.len();
        self.numbers.extend_from_slice(notes);
        self.entries.push(Entry { start, length, from, to: self.numbers.len() });
    }

    /// The batch is complete, and stays at this address.
    pub(crate) fn settle(&mut self, base: usize) {
        self.base = base;
    }

    /// Those of the payload that lies there; nothing where there are none.
    #[inline]
    pub(crate) fn find(&mut self, address: usize, length: usize) -> &[u64] {
        let start = address.wrapping_sub(self.base);
        let number = match self.entries.get(self.next) {
            Some(entry) if entry.start == start => self.next,
            _ => match self.entries.binary_search_by_key(&start, |entry| entry.start) {
                Ok(number) => number,
                Err(_) => return &[],
            },
        };
        self.next = number + 1;
        let entry = self.entries.get(number).filter(|entry| entry.length == length);
        entry.and_then(|entry| self.numbers.get(entry.from..entry.to)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_found_by_address_in_any_order() {
        let mut notes = Notes::default();
        notes.push(38, 5, &[1]);
        notes.push(88, 0, &[]);
        notes.push(128, 7, &[3, 3]);
        notes.settle(1000);
        for (address, length, expect) in [
            (1038, 5, &[1][..]),
            (1128, 7, &[3, 3]),
            (1038, 5, &[1][..]),
            (1088, 0, &[]),
            (1128, 7, &[3, 3]),
            (1128, 8, &[]),
            (1000, 5, &[]),
            (38, 5, &[]),
            (1200, 5, &[]),
        ] {
            assert_eq!(notes.find(address, length), expect, "{address}");
        }
        notes.clear();
        assert!(notes.find(1038, 5).is_empty());
    }
}
