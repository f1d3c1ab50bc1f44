//! [`Places`]: an index on its way, beside the payload that it was built from.
//!
//! A source walks through each event anyway, on a thread of its own. Whoever asks for fields has the
//! [`Index`] from it for a fraction of what another way through would take.

use std::fmt;

use super::{Index, Slot};

/// Where the named parts of one event are, in numbers: one for each that it has, and three besides.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Places(Box<[u64]>);

impl Places {
    /// For whoever carries them, and need not know what they say.
    pub fn into_numbers(self) -> Box<[u64]> {
        self.0
    }
}

impl AsRef<[u64]> for Places {
    fn as_ref(&self) -> &[u64] {
        &self.0
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Places({} numbers)", self.0.len())
    }
}

impl Index {
    /// What is known of the event so far, to be sent along with its payload.
    pub fn places(&self) -> Places {
        let (mut present, opened) = (self.present.get(), self.opened.get());
        let mut numbers = Vec::with_capacity(3 + present.count_ones() as usize);
        numbers.extend([self.len as u64, present, opened]);
        while present != 0 {
            let Slot { start, end } = self.slot(present.trailing_zeros() as usize);
            numbers.push(u64::from(start) | u64::from(end) << 32);
            present &= present - 1;
        }
        Places(numbers.into_boxed_slice())
    }

    /// The index that `places` were taken from, for the same payload; `false`, and the index of no event, when they
    /// are none of a payload of `len` bytes.
    ///
    /// Those of another payload of that length are safe, and meaningless.
    pub fn restore(&mut self, places: &[u64], len: usize) -> bool {
        self.clear();
        let [of, present, opened, slots @ ..] = places else { return false };
        if *of != len as u64 || slots.len() != present.count_ones() as usize {
            return false;
        }
        let mut left = *present;
        for slot in slots {
            let [a, b, c, d, e, f, g, h] = slot.to_le_bytes();
            let slot =
                Slot { start: u32::from_le_bytes([a, b, c, d]), end: u32::from_le_bytes([e, f, g, h]) };
            let Some(place) = self.slots.get(left.trailing_zeros() as usize) else { return false };
            if slot.start > slot.end || slot.end as usize > len {
                return false;
            }
            place.set(slot);
            left &= left - 1;
        }
        self.len = len;
        self.present.set(*present);
        self.opened.set(*opened);
        true
    }
}
