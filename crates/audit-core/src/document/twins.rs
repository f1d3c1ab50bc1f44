//! What is fast, held to what is plain: for the fuzz target `twins`, and for tests.

use std::borrow::Cow;

use fearless_simd::Level;

use super::marks::{Mark, Marks};
use super::scan;
use super::skimmer::Skimmer;
use super::unescape::{decode, unescape_bytes, unescape_onto};

/// How many strings are read of one input: each may be as long as all of it.
const STRINGS: usize = 64;

/// What a processor can have, and this one has; all of it must say the same.
pub(super) fn levels() -> impl Iterator<Item = Level> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let levels = [
        best.as_sse2().map(Level::Sse2),
        best.as_sse4_2().map(Level::Sse4_2),
        best.as_avx2().map(Level::Avx2),
        best.as_avx512().map(Level::Avx512),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let levels = [Some(best)];
    levels.into_iter().flatten()
}

/// Numbers below the bound that it is called with, the same for the same seed.
#[cfg(test)]
pub(super) fn dice(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % bound
    }
}

/// Panics where a fast scanner and its plain twin do not say the same of `bytes`.
pub fn check(bytes: &[u8]) {
    let marks = Marks::of(Level::new(), bytes);
    let walked = scan::walk(bytes, 0, 0, &mut ());
    for level in levels() {
        assert_eq!(scan::walk_at(level, bytes, 0, 0, &mut ()), walked, "{level:?}");
        assert_eq!(marks, Marks::of(level, bytes), "{level:?}");
        let mut text = Vec::new();
        unescape_onto(level, bytes, 0, &mut text);
        assert_eq!(text, unescape_plainly(bytes), "{level:?}");
    }
    for inwards in [false, true] {
        for from in [0, bytes.len() / 3] {
            skim(bytes, &[], from, inwards);
            skim(bytes, marks.as_slice(), from, inwards);
            // The beginning of a document.
            skim(bytes.get(..bytes.len() / 2).unwrap_or_default(), marks.as_slice(), from, inwards);
        }
    }
    let quotes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'"');
    for (at, _) in quotes.take(STRINGS) {
        for level in levels() {
            let ends = scan::string_at(level, bytes, at);
            assert_eq!(ends, scan::string_plainly(bytes, at + 1), "the string at {at}, {level:?}");
        }
    }
    assert_eq!(unescape_bytes(bytes), Cow::<[u8]>::Owned(unescape_plainly(bytes)));
}

/// Goes from one string or container to the next with one skimmer; into the containers, or past them.
fn skim(bytes: &[u8], marks: &[Mark], from: usize, inwards: bool) {
    let mut skimmer = Skimmer::with_marks(bytes, marks, from);
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        let (fast, plain) = match byte {
            b'"' => (skimmer.string(at), scan::skip_string(bytes, at)),
            b'{' | b'[' if !inwards => (skimmer.container(at), scan::skip_container(bytes, at)),
            _ => {
                at += 1;
                continue;
            }
        };
        assert_eq!(fast, plain, "at {at} from {from} of {} bytes", bytes.len());
        let Ok(end) = plain else { return };
        at = end;
    }
}

fn unescape_plainly(bytes: &[u8]) -> Vec<u8> {
    let (mut text, mut rest) = (Vec::new(), bytes);
    while let Some((&first, behind)) = rest.split_first() {
        let decoded = if first == b'\\' { decode(rest) } else { None };
        match decoded {
            Some((character, len)) => {
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(len..).unwrap_or_default();
            }
            None => {
                text.push(first);
                rest = behind;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_of_all_targets() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let mut checked = 0;
        for folder in std::fs::read_dir(seeds).unwrap() {
            for seed in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let seed = std::fs::read(seed.unwrap().path()).unwrap();
                for bytes in [&seed[..], &seed[..seed.len() / 2], &seed[seed.len() / 3..], &seed.repeat(2)] {
                    super::check(bytes);
                }
                checked += 1;
            }
        }
        assert!(checked > 0, "no seeds");
    }
}
