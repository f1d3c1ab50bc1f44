//! The server's clock, and the forms in which times appear on the wire.
//!
//! Owns: the local time plus an offset, so that a client whose clock is wrong can
//! be tested on one machine; the `Date` header's own error on top of it. Does not
//! own: token buckets and token expiry, which run on a monotonic clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The server's idea of the time: milliseconds since 1970, UTC.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
    date_offset_ms: AtomicI64,
}

impl Clock {
    /// The server's time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since_epoch.as_millis() as i64 + self.offset_ms()
    }

    /// How far the server's clock is ahead of this machine's, in milliseconds.
    ///
    /// `600_000` means that, seen from the server, the client's clock is 10 minutes slow.
    pub fn set_offset_ms(&self, offset: i64) {
        self.offset_ms.store(offset, Ordering::Relaxed);
    }

    /// See [`Clock::set_offset_ms`].
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// How far the `Date` header is ahead of the server's own clock, in milliseconds.
    ///
    /// For a single answer with a wrong `Date`, see [`FaultKind::DateOff`](crate::cloudwatch::FaultKind::DateOff).
    pub fn set_date_offset_ms(&self, offset: i64) {
        self.date_offset_ms.store(offset, Ordering::Relaxed);
    }

    /// See [`Clock::set_date_offset_ms`].
    pub fn date_offset_ms(&self) -> i64 {
        self.date_offset_ms.load(Ordering::Relaxed)
    }
}

/// A moment in UTC, taken apart.
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

/// Days and dates after Howard Hinnant, "chrono-compatible low-level date algorithms".
fn civil(unix_seconds: i64) -> Civil {
    let days = unix_seconds.div_euclid(86_400);
    let of_day = unix_seconds.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day,
        weekday: (days + 4).rem_euclid(7) as usize,
        hour: of_day / 3_600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: the `Date` header (RFC 9110, IMF-fixdate).
pub(crate) fn http_date(unix_ms: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let t = civil(unix_ms.div_euclid(1_000));
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[t.weekday],
        t.day,
        MONTHS[t.month as usize - 1],
        t.year,
        t.hour,
        t.minute,
        t.second
    )
}

/// `19941106T084937Z`: the header `x-amz-date`, and AWS's messages about it.
pub(crate) fn amz_date(unix_ms: i64) -> String {
    let t = civil(unix_ms.div_euclid(1_000));
    format!("{:04}{:02}{:02}T{:02}{:02}{:02}Z", t.year, t.month, t.day, t.hour, t.minute, t.second)
}

/// The inverse of [`amz_date`]; `None` when the text has another form.
pub(crate) fn parse_amz_date(text: &str) -> Option<i64> {
    let shape_fits = text.len() == 16 && text.is_ascii() && &text[8..9] == "T" && text.ends_with('Z');
    if !shape_fits {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok().map(i64::from);
    let days = days_from_civil(number(0..4)?, number(4..6)?, number(6..8)?);
    Some((days * 86_400 + number(9..11)? * 3_600 + number(11..13)? * 60 + number(13..15)?) * 1_000)
}

/// `1994-11-06T08:49:37.123456Z`: the times in audit events.
pub(crate) fn rfc3339_micros(unix_ms: i64, micros: u32) -> String {
    let t = civil(unix_ms.div_euclid(1_000));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{:03}Z",
        t.year,
        t.month,
        t.day,
        t.hour,
        t.minute,
        t.second,
        unix_ms.rem_euclid(1_000),
        micros
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unix_ms: i64, http: &str, amz: &str, rfc3339: &str) {
        assert_eq!(http_date(unix_ms), http);
        assert_eq!(amz_date(unix_ms), amz);
        assert_eq!(parse_amz_date(amz), Some(unix_ms.div_euclid(1_000) * 1_000));
        assert_eq!(rfc3339_micros(unix_ms, 7), rfc3339);
    }

    #[test]
    fn dates() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT", "19700101T000000Z", "1970-01-01T00:00:00.000007Z");
        check(
            784_111_777_123,
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "19941106T084937Z",
            "1994-11-06T08:49:37.123007Z",
        );
        check(
            1_709_164_800_999,
            "Thu, 29 Feb 2024 00:00:00 GMT",
            "20240229T000000Z",
            "2024-02-29T00:00:00.999007Z",
        );
        check(
            1_735_689_599_000,
            "Tue, 31 Dec 2024 23:59:59 GMT",
            "20241231T235959Z",
            "2024-12-31T23:59:59.000007Z",
        );
    }

    #[test]
    fn other_forms_of_a_date_are_refused() {
        for text in ["", "19941106T084937", "1994-11-06T08:49Z", "19941106 084937Z", "1994110éT08493Z"] {
            assert_eq!(parse_amz_date(text), None, "{text}");
        }
    }
}
