//! `nextToken`: where a scan goes on.
//!
//! Owns: a token that carries its position, the parameters that it belongs to and
//! its age, so that the server keeps nothing, and that no other token is like: a client
//! takes a token that it has seen before for a loop. Does not own: secrecy; the checksum
//! tells a mistyped token, not a forged one.

use super::store::{EventRef, Position};
use crate::random::mix;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a token says; as text, 112 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token {
    /// Fingerprint of the request's parameters.
    pub(crate) request: u64,
    /// Milliseconds since the server's start.
    pub(crate) issued_ms: u64,
    /// The last event that the scan has passed; `None` before the first.
    pub(crate) after: Option<Position>,
    /// Tells tokens apart that say the same.
    serial: u32,
}

impl Token {
    pub(crate) fn new(request: u64, issued_ms: u64, after: Option<Position>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { request, issued_ms, after, serial: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn encode(&self, key: u64) -> String {
        let after = self.after.unwrap_or(START);
        let words = [
            self.request,
            self.issued_ms,
            after.timestamp_ms as u64,
            after.ingestion_ms as u64,
            u64::from(self.serial) << 32 | u64::from(after.event.source),
            after.event.number,
        ];
        let mut text = String::with_capacity(112);
        for (n, word) in words.iter().chain([&checksum(key, &words)]).enumerate() {
            write!(text, "{:016x}", word ^ mix(key ^ n as u64)).unwrap();
        }
        text
    }

    /// `None` when the text is not a token of this server.
    pub(crate) fn decode(key: u64, text: &str) -> Option<Self> {
        if text.len() != 112 || !text.is_ascii() {
            return None;
        }
        let mut words = [0; 7];
        for (n, word) in words.iter_mut().enumerate() {
            let digits = &text[n * 16..(n + 1) * 16];
            *word = u64::from_str_radix(digits, 16).ok()? ^ mix(key ^ n as u64);
        }
        let [request, issued_ms, timestamp, ingestion, source, number, sum] = words;
        let after = Position {
            timestamp_ms: timestamp as i64,
            ingestion_ms: ingestion as i64,
            event: EventRef { source: source as u32, number },
        };
        let fits = sum == checksum(key, &words[..6]);
        let after = (after != START).then_some(after);
        fits.then_some(Self { request, issued_ms, after, serial: (source >> 32) as u32 })
    }
}

/// Stands for "before the first event": no event has this position.
const START: Position =
    Position { timestamp_ms: i64::MIN, ingestion_ms: i64::MIN, event: EventRef { source: 0, number: 0 } };

fn checksum(key: u64, words: &[u64]) -> u64 {
    words.iter().fold(mix(key), |sum, word| mix(sum ^ word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn there_and_back() {
        let position =
            Position { timestamp_ms: 1, ingestion_ms: -2, event: EventRef { source: 3, number: 4 } };
        for after in [None, Some(position)] {
            let token = Token::new(9, 8, after);
            let text = token.encode(5);
            assert_eq!(Token::decode(5, &text), Some(token));
            assert_eq!(Token::decode(6, &text), None);
            assert_eq!(Token::decode(5, &text[1..]), None);
            let mut changed = text.into_bytes();
            changed[40] ^= 1;
            assert_eq!(Token::decode(5, &String::from_utf8(changed).unwrap()), None);
        }
    }

    #[test]
    fn no_token_comes_twice() {
        let texts: HashSet<String> = (0..100).map(|_| Token::new(9, 8, None).encode(5)).collect();
        assert_eq!(texts.len(), 100);
    }
}
