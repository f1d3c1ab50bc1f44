//! [`Places`]: an index on its way, beside the payload that it was built from.
//!
//! A source walks through each event anyway, on a thread of its own. Whoever asks for fields has the
//! [`Index`] from it for a fraction of what another way through would take.

use std::fmt;

use super::{Index, Slot};
use crate::fields::path::NODES;

/// Where the named parts of one event are, as bytes: 8 for each that it has, and 20 besides.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Places(Box<[u8]>);

impl Places {
    /// For whoever carries them, and need not know what they say.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.0
    }
}

impl AsRef<[u8]> for Places {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Places({} bytes)", self.0.len())
    }
}

/// The payload's length; of each place a bit, whether it is there, and one, whether its children were looked for.
const HEAD: usize = size_of::<u32>() + 2 * size_of::<u64>();
const SLOT: usize = size_of::<[u32; 2]>();

impl Index {
    /// What is known of the event so far, to be sent along with its payload.
    pub fn places(&self) -> Places {
        let present = self.present();
        let mut text = Vec::with_capacity(HEAD + present.count_ones() as usize * SLOT);
        // No payload is larger; were one, its places would be taken for those of another.
        text.extend_from_slice(&u32::try_from(self.len).unwrap_or_default().to_le_bytes());
        text.extend_from_slice(&present.to_le_bytes());
        text.extend_from_slice(&self.opened.get().to_le_bytes());
        for Slot { start, end } in self.slots.iter().map(|slot| slot.get()).filter(|slot| !slot.is_empty()) {
            text.extend_from_slice(&start.to_le_bytes());
            text.extend_from_slice(&end.to_le_bytes());
        }
        Places(text.into_boxed_slice())
    }

    /// The index that `places` were taken from, for the same payload; `false`, and the index of no event, when they
    /// are none of a payload of `len` bytes.
    ///
    /// Those of another payload of that length are safe, and meaningless.
    pub fn restore(&mut self, places: &[u8], len: usize) -> bool {
        self.clear();
        let Some((head, slots)) = places.split_first_chunk::<HEAD>() else { return false };
        let (of, rest) = head.split_at(4);
        let (present, opened) = rest.split_at(8);
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let (of, mut present, opened) = (number(of), number(present), number(opened));
        let (slots, rest) = slots.as_chunks::<SLOT>();
        if of != len as u64 || !rest.is_empty() || slots.len() != present.count_ones() as usize {
            return false;
        }
        for slot in slots {
            let [a, b, c, d, e, f, g, h] = *slot;
            let slot =
                Slot { start: u32::from_le_bytes([a, b, c, d]), end: u32::from_le_bytes([e, f, g, h]) };
            if let Some(place) = self.slots.get(present.trailing_zeros() as usize) {
                place.set(slot);
            }
            present &= present - 1;
        }
        self.len = len;
        self.opened.set(opened);
        true
    }

    fn present(&self) -> u64 {
        let bits = self.slots.iter().enumerate();
        bits.fold(0, |present, (number, slot)| present | u64::from(!slot.get().is_empty()) << number)
    }
}

// A bit for each must fit.
const _: () = assert!(NODES <= 64);
