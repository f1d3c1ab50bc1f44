//! [`Pointers`]: the pointers that rules ask for, each parsed once.

use std::collections::HashMap;

use audit_core::Pointer;

/// More than all rules that there are ask for; a host that asks for more makes this plugin start again.
const MAX: usize = 4096;

/// Pointers by their text.
#[derive(Debug, Default)]
pub(crate) struct Pointers {
    places: HashMap<Box<str>, usize>,
    parsed: Vec<Pointer>,
}

impl Pointers {
    /// The pointer of that text.
    pub(crate) fn get(&mut self, text: &str) -> Option<&Pointer> {
        let place = match self.places.get(text) {
            Some(place) => *place,
            None => self.parse(text),
        };
        self.parsed.get(place)
    }

    fn parse(&mut self, text: &str) -> usize {
        if self.parsed.len() == MAX {
            self.places.clear();
            self.parsed.clear();
        }
        let place = self.parsed.len();
        self.places.insert(text.into(), place);
        self.parsed.push(Pointer::parse(text));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_parsed_once() {
        let mut pointers = Pointers::default();
        for _ in 0..2 {
            for text in ["", "/", "/a/b", "a/b"] {
                assert_eq!(pointers.get(text), Some(&Pointer::parse(text)));
            }
        }
        assert_eq!(pointers.parsed.len(), 4);
    }

    #[test]
    fn there_are_not_more_than_the_bound() {
        let mut pointers = Pointers::default();
        for number in 0..MAX * 2 + 1 {
            let text = format!("/{number}");
            assert_eq!(pointers.get(&text), Some(&Pointer::parse(&text)));
            assert!(pointers.parsed.len() <= MAX && pointers.places.len() == pointers.parsed.len());
        }
        assert_eq!(pointers.parsed.len(), 1);
        assert_eq!(pointers.get("/0"), Some(&Pointer::parse("/0")));
    }
}
