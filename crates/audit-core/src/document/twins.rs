//! What is fast, held to what is plain: for the fuzz target `twins`, and for tests.

use std::borrow::Cow;

use super::marks::{Mark, Marks};
use super::scan;
use super::skimmer::Skimmer;
use super::value::{decode, unescape_bytes};

/// How many strings are read of one input: each may be as long as all of it.
const STRINGS: usize = 64;

/// Panics where a fast scanner and its plain twin do not say the same of `bytes`.
pub fn check(bytes: &[u8]) {
    let mut marks = Marks::default();
    marks.rebuild(bytes);
    for noted in [false, true] {
        if noted {
            // As a document's way through its top level leaves them.
            let mut top = Skimmer::with_marks(bytes, marks.as_slice(), 0);
            let mut at = 1;
            while let Ok(end) = top.skip_at_top(at) {
                at = end + 1;
            }
        }
        for inwards in [false, true] {
            for from in [0, bytes.len() / 3] {
                skim(bytes, &[], from, inwards);
                skim(bytes, marks.as_slice(), from, inwards);
                // The beginning of a document.
                skim(bytes.get(..bytes.len() / 2).unwrap_or_default(), marks.as_slice(), from, inwards);
            }
        }
    }
    let quotes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'"');
    for (at, _) in quotes.take(STRINGS) {
        assert_eq!(scan::string(bytes, at), scan::string_plainly(bytes, at + 1), "the string at {at}");
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
