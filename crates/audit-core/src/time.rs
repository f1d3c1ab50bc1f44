//! Points in time as audit events write them: RFC 3339, to nanoseconds since 1970 and back.
//!
//! It owns no clock: the time of arrival is always the caller's.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z, as Falco counts them; reaches to the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub u64);

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

impl UnixNanos {
    /// From milliseconds since 1970, as CloudWatch Logs counts; a time before 1970 becomes 1970, one after
    /// 2554 becomes the last that can be told.
    pub const fn from_millis(millis: i64) -> UnixNanos {
        if millis <= 0 { UnixNanos(0) } else { UnixNanos(millis.unsigned_abs().saturating_mul(1_000_000)) }
    }

    /// Reads `2026-08-04T09:00:02.668744Z`: date and time as RFC 3339 writes them, with any number of
    /// digits of a second (those after the ninth are left out) and `Z` or an offset.
    /// `None` for anything else, and for times before 1970 or after 2554: the zero time of Go, year 1,
    /// says that nothing was set.
    pub fn parse_rfc3339(text: &[u8]) -> Option<UnixNanos> {
        let mut reader = Reader { rest: text };
        let year = reader.number(4)?;
        reader.byte(b"-")?;
        let month = reader.number(2).filter(|month| (1..=12).contains(month))?;
        reader.byte(b"-")?;
        let day = reader.number(2).filter(|&day| day >= 1 && day <= days_in_month(year, month))?;
        reader.byte(b"Tt ")?;
        let hour = reader.number(2).filter(|&hour| hour < 24)?;
        reader.byte(b":")?;
        let minute = reader.number(2).filter(|&minute| minute < 60)?;
        reader.byte(b":")?;
        // A leap second is the 61st of its minute; it counts as the first of the next.
        let second = reader.number(2).filter(|&second| second <= 60)?;
        let nanos = reader.fraction()?;
        let offset = reader.offset()?;
        if !reader.rest.is_empty() {
            return None;
        }
        let days = days_since_1970(year, month, day)?;
        let seconds = i64::try_from(days * DAY + hour * 3600 + minute * 60 + second).ok()? - offset;
        let seconds = u64::try_from(seconds).ok()?;
        Some(UnixNanos(seconds.checked_mul(SECOND)?.checked_add(nanos)?))
    }
}

/// As `stageTimestamp` is written: UTC, six digits of a second.
impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / SECOND;
        let (year, month, day) = date(seconds / DAY);
        let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
        let micros = self.0 % SECOND / 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        if !allowed.contains(&first) {
            return None;
        }
        self.rest = rest;
        Some(first)
    }

    fn number(&mut self, digits: usize) -> Option<u64> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + u64::from(self.byte(b"0123456789")? - b'0');
        }
        Some(number)
    }

    fn fraction(&mut self) -> Option<u64> {
        if self.byte(b".,").is_none() {
            return Some(0);
        }
        let mut unit = SECOND / 10;
        let mut nanos = unit * self.number(1)?;
        while let Some(digit) = self.number(1) {
            unit /= 10;
            nanos += unit * digit;
        }
        Some(nanos)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.byte(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.number(2).filter(|&hours| hours < 24)?;
        self.byte(b":")?;
        let minutes = self.number(2).filter(|&minutes| minutes < 60)?;
        i64::try_from(hours * 3600 + minutes * 60).ok().map(|seconds| sign * seconds)
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0000-03-01 to 1970-01-01: years are counted from March, so that a leap day is the last.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_IN_400_YEARS: u64 = 146_097;

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).checked_sub(DAYS_TO_1970)
}

fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + DAYS_TO_1970;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, nanos: impl Into<Option<u64>>) {
        assert_eq!(UnixNanos::parse_rfc3339(text.as_bytes()), nanos.into().map(UnixNanos), "{text}");
    }

    #[test]
    fn reads_what_audit_events_hold() {
        check("1970-01-01T00:00:00Z", 0);
        check("2026-08-04T09:00:02.668744Z", 1_785_834_002_668_744_000);
        check("2026-08-04T09:00:02Z", 1_785_834_002_000_000_000);
        check("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999_999_999);
        check("2024-02-29T23:59:60Z", 1_709_251_200_000_000_000);
        check("2000-03-01t00:00:00z", 951_868_800_000_000_000);
    }

    #[test]
    fn reads_offsets() {
        check("2026-08-04T11:00:02+02:00", 1_785_834_002_000_000_000);
        check("2026-08-04T03:30:02-05:30", 1_785_834_002_000_000_000);
    }

    #[test]
    fn leaves_out_digits_beyond_nanoseconds() {
        check("1970-01-01T00:00:00.1234567899Z", 123_456_789);
        check("1970-01-01T00:00:00.5Z", 500_000_000);
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "Z",
            "2026",
            "2026-08-04",
            "2026-08-04T09:00:02",
            "2026-08-04T09:00:02.Z",
            "2026-13-04T09:00:02Z",
            "2026-02-29T09:00:02Z",
            "2026-00-04T09:00:02Z",
            "2026-08-00T09:00:02Z",
            "2026-08-04T24:00:02Z",
            "2026-08-04T09:60:02Z",
            "2026-08-04T09:00:61Z",
            "2026-08-04T09:00:02Zx",
            "2026-08-04T09:00:02+0200",
            "-026-08-04T09:00:02Z",
            "null",
            "2026-08-04T09:00:02+24:00",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_time_that_cannot_be_told_is_none() {
        check("0001-01-01T00:00:00Z", None);
        check("0000-01-01T00:00:00Z", None);
        check("1969-12-31T23:59:59Z", None);
        check("1970-01-01T00:00:00+00:01", None);
        check("2554-07-21T23:34:33Z", 18_446_744_073_000_000_000);
        check("2554-07-21T23:34:34Z", None);
        check("9999-12-31T23:59:59Z", None);
    }

    #[test]
    fn writes_what_it_reads() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "1999-12-31T23:59:59.999999Z",
            "2000-02-29T00:00:00.000001Z",
            "2024-02-29T12:34:56.789000Z",
            "2024-03-01T00:00:00.000000Z",
            "2100-02-28T23:59:59.500000Z",
            "2100-03-01T00:00:00.000000Z",
            "2400-02-29T00:00:00.000000Z",
            "2554-07-21T23:34:33.000000Z",
        ] {
            assert_eq!(UnixNanos::parse_rfc3339(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn milliseconds_never_overflow() {
        assert_eq!(UnixNanos::from_millis(-1), UnixNanos(0));
        assert_eq!(UnixNanos::from_millis(1_785_834_002_668), UnixNanos(1_785_834_002_668_000_000));
        assert_eq!(UnixNanos::from_millis(i64::MAX), UnixNanos(u64::MAX));
    }
}
