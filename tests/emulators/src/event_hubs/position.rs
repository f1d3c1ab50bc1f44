//! Where a receiver starts: the selector filter of the service.
//!
//! Owns: its grammar, `amqp.annotation.x-opt-… OP 'value'`. Does not own: what is there.

/// Where to start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Position {
    Earliest,
    Latest,
    Offset { text: String, inclusive: bool },
    Sequence { number: i64, inclusive: bool },
    Enqueued { ms: i64, inclusive: bool },
}

impl Position {
    /// `None` when the text is no selector that the service knows.
    pub(crate) fn parse(selector: &str) -> Option<Self> {
        let rest = selector.trim().strip_prefix("amqp.annotation.")?;
        let at = rest.find(['>', ' '])?;
        let (name, rest) = rest.split_at(at);
        let rest = rest.trim_start().strip_prefix('>')?;
        let (inclusive, rest) = match rest.strip_prefix('=') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let value = rest.trim();
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        let number = || value.parse::<i64>().ok();
        match (name, value) {
            ("x-opt-offset", "-1") => Some(Self::Earliest),
            ("x-opt-offset", "@latest") => Some(Self::Latest),
            ("x-opt-offset", text) => Some(Self::Offset { text: text.to_owned(), inclusive }),
            ("x-opt-sequence-number", _) => Some(Self::Sequence { number: number()?, inclusive }),
            // The .NET and Go SDKs write the second form.
            ("x-opt-enqueued-time" | "x-opt-enqueuedtimeutc", _) => {
                Some(Self::Enqueued { ms: number()?, inclusive })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<Position>) {
        assert_eq!(Position::parse(text), expect, "{text}");
    }

    #[test]
    fn selectors() {
        let offset = |text: &str, inclusive| Position::Offset { text: text.into(), inclusive };
        check("amqp.annotation.x-opt-offset > '-1'", Some(Position::Earliest));
        check("amqp.annotation.x-opt-offset >= '-1'", Some(Position::Earliest));
        check("amqp.annotation.x-opt-offset > '@latest'", Some(Position::Latest));
        check("amqp.annotation.x-opt-offset > '42'", Some(offset("42", false)));
        check("amqp.annotation.x-opt-offset >='1:g42'", Some(offset("1:g42", true)));
        let sequence = |number, inclusive| Position::Sequence { number, inclusive };
        check("amqp.annotation.x-opt-sequence-number > '-1'", Some(sequence(-1, false)));
        check("amqp.annotation.x-opt-sequence-number >= 7", Some(sequence(7, true)));
        check(
            "amqp.annotation.x-opt-enqueued-time > '1700000000000'",
            Some(Position::Enqueued { ms: 1_700_000_000_000, inclusive: false }),
        );
        check("amqp.annotation.x-opt-sequence-number > 'x'", None);
        check("amqp.annotation.x-opt-offset < '1'", None);
        check("offset > '1'", None);
    }
}
