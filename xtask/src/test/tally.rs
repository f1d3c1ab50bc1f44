//! Counting: what libtest, pytest and the tests themselves say, line by line.

/// What came of some checks.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// Why each check that did not run did not.
    pub(super) skipped: Vec<String>,
    /// What is known of the failures beyond their number.
    pub(super) failures: Vec<String>,
    /// Which of the failures the lines that come are about.
    describes: Option<usize>,
}

/// Lines that are told again at the end, from the one on that says where a test failed.
const REASON_LINES: usize = 8;
/// Bytes of each of them.
const LINE_BYTES: usize = 1000;

/// A test prints this, with a name and a reason, when a tier that it needs is not there; it
/// then passes for libtest, and counts as skipped here.
const SKIPPED: &str = "test-tier skipped: ";

impl Tally {
    /// One check, by its outcome.
    pub(super) fn check(name: &str, success: bool) -> Self {
        if success { Self { passed: 1, ..Self::default() } } else { Self::failure(name.to_owned()) }
    }

    /// One failed check.
    pub(super) fn failure(why: String) -> Self {
        Self { failed: 1, failures: vec![why], ..Self::default() }
    }

    /// One check that did not run.
    pub(super) fn skip(why: String) -> Self {
        Self { skipped: vec![why], ..Self::default() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend_from_slice(&other.skipped);
        self.failures.extend_from_slice(&other.failures);
    }

    /// Takes one line of a test run into account.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(why) = line.split_once(SKIPPED).map(|(_, why)| why) {
            self.skipped.push(why.trim().to_owned());
            // libtest counts it as passed, in a line that is still to come.
            self.passed = self.passed.wrapping_sub(1);
        } else if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
            let counts = counts.split_once(". ").map_or("", |(_, counts)| counts);
            self.count(counts.split(';'), "ignored");
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        } else if is_pytest_summary(line) {
            let counts = line.trim_matches(['=', ' ']);
            let counts = counts.rsplit_once(" in ").map_or(counts, |(counts, _)| counts);
            self.count(counts.split(','), "skipped");
        } else {
            self.describe(line);
        }
    }

    /// What a test that failed has said comes behind its name, after all tests.
    fn describe(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            self.describes = self.failures.iter().rposition(|failure| failure == name);
        } else if line == "stack backtrace:" || line == "failures:" || line.starts_with("running ") {
            self.describes = None;
        } else if let Some(failure) = self.describes.and_then(|index| self.failures.get_mut(index))
            && (failure.contains('\n') || line.contains(" panicked at "))
            && failure.lines().count() <= REASON_LINES
        {
            failure.push_str("\n  ");
            failure.push_str(&line[..line.floor_char_boundary(LINE_BYTES)]);
        }
    }

    /// Ends a run: one that failed without a failed test did not get as far as its tests.
    pub(super) fn end(&mut self, name: &str, success: bool) {
        // More tests skipped than passed can only be one that skips and then fails.
        if self.passed > u64::MAX / 2 {
            self.passed = 0;
        }
        if !success && self.failed == 0 {
            self.add(&Self::failure(format!("{name} ended with an error, see above")));
        }
    }

    fn count<'a>(&mut self, counts: impl Iterator<Item = &'a str>, skipped: &str) {
        for count in counts {
            let mut words = count.split_whitespace();
            let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed = self.passed.wrapping_add(number),
                "failed" | "error" | "errors" => self.failed += number,
                it if it == skipped => self.skipped.extend((0..number).map(|_| format!("marked {skipped}"))),
                _ => {}
            }
        }
    }
}

/// Such as `=== 12 passed, 1 skipped in 3.21s ===`, or without the bars with `-q`.
fn is_pytest_summary(line: &str) -> bool {
    let line = line.trim_matches(['=', ' ']);
    let Some((counts, time)) = line.rsplit_once(" in ") else { return false };
    let seconds = time.split_whitespace().next().and_then(|time| time.strip_suffix('s'));
    let is_time = seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok());
    is_time && counts.split(',').all(|count| count.trim().starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expects passed, failed and skipped.
    #[track_caller]
    fn check(lines: &str, success: bool, expect: (u64, u64, usize)) {
        let mut tally = Tally::default();
        lines.lines().for_each(|line| tally.read(line));
        tally.end("run", success);
        assert_eq!((tally.passed, tally.failed, tally.skipped.len()), expect);
    }

    const OK: &str =
        "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
    const BAD: &str = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";

    #[test]
    fn libtest_is_counted() {
        check(OK, true, (12, 0, 1));
        check(&format!("{OK}\n{BAD}\n"), false, (15, 2, 1));
        check("error[E0432]: unresolved import", false, (0, 1, 0));
        check("running 3 tests\ntest a ... ok", true, (0, 0, 0));
    }

    #[test]
    fn a_test_that_says_that_its_tier_was_skipped_did_not_pass() {
        check(&format!("test-tier skipped: sysdig: no root\n{OK}"), true, (11, 0, 2));
        check("test-tier skipped: a: b", false, (0, 1, 1));
    }

    #[test]
    fn what_a_failed_test_said_is_told_with_its_name() {
        let mut tally = Tally::default();
        let lines = "test a ... ok\ntest b ... FAILED\nsuccesses:\n---- a stdout ----\nfine\n\nfailures:\n\n\
                     ---- b stdout ----\nsaid before\n\nthread 'b' panicked at b.rs:1:\nleft: 1\nstack backtrace:\n 0: x\n\n\
                     failures:\n    b\n";
        lines.lines().for_each(|line| tally.read(line));
        assert_eq!(tally.failures, ["b\n  thread 'b' panicked at b.rs:1:\n  left: 1"]);
    }

    #[test]
    fn pytest_is_counted() {
        check("======= 12 passed, 1 skipped in 3.21s =======", true, (12, 0, 1));
        check("12 passed in 0.50s", true, (12, 0, 0));
        check("1 failed, 3 passed, 2 errors, 4 warnings in 61.10s (0:01:01)", false, (3, 3, 0));
        check("waited in 3s", true, (0, 0, 0));
        check("12 events in 3 pages", true, (0, 0, 0));
    }
}
