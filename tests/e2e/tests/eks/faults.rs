//! Every fault of the service passes without a gap, and is told once, not per call.

use std::time::Duration;

use e2e::{PATIENCE, beside};
use emulators::cloudwatch::{Config, Fault, FaultKind, Generated, Operation};
use serde_json::json;

use crate::setup::{GROUP, emulator, expect_exactly_once, host, until};

/// The fault holds until it has hit `hits` calls; then everything comes, once. `told`: lines of WARN for it.
#[track_caller]
fn check(kind: FaultKind, hits: u64, told: usize) {
    let _beside = beside();
    let emulator = emulator(Config::default());
    // The stream is there when the source is opened, its events come later.
    let start = emulator.clock().now_ms() + 1500;
    emulator.generate(GROUP, Generated { message_bytes: 600, ..Generated::live(4000, start, 1000.0) });
    let mut host = host(&emulator, json!({ "start_position": "beginning" }));
    host.wait(PATIENCE, "the first events", |state| state.events.len() > 100);
    let name = format!("{kind:?}");
    let fault = emulator.faults().add(Fault::next(kind, hits));
    until(PATIENCE, "the fault is over", || {
        emulator.faults().active().iter().all(|active| active.id != fault || active.hits >= hits)
    });
    host.wait(PATIENCE, &name, |state| state.events.len() >= 4000);
    expect_exactly_once(&emulator, &host);
    let state = host.state();
    let warnings: Vec<_> = state.logged("warning");
    assert_eq!(warnings.len(), told, "{name}: {warnings:#?}");
    let recovered = state.logged("info").iter().filter(|line| line.contains("reading again")).count();
    assert_eq!(recovered, told, "{name}: {:#?}", state.log);
    assert_eq!(state.logged("error"), Vec::<&str>::new());
    drop(state);
    host.quit();
}

#[test]
fn one_throttled_call_is_not_worth_a_line() {
    check(FaultKind::Throttling, 1, 0);
}

#[test]
fn throttled() {
    check(FaultKind::Throttling, 6, 1);
}

#[test]
fn unavailable() {
    check(FaultKind::ServiceUnavailable, 6, 1);
}

#[test]
fn internal_failure() {
    check(FaultKind::InternalFailure, 6, 1);
}

#[test]
fn connections_reset() {
    check(FaultKind::Reset, 6, 1);
}

#[test]
fn connections_reset_in_the_body() {
    check(FaultKind::ResetInBody, 6, 1);
}

#[test]
fn slow() {
    check(FaultKind::Slow(Duration::from_millis(400)), 6, 0);
}

#[test]
fn never_answered() {
    check(FaultKind::NeverAnswer, 1, 0);
}

#[test]
fn no_json() {
    check(FaultKind::InvalidJson, 6, 1);
}

#[test]
fn cut_off_body() {
    check(FaultKind::CutBody, 6, 1);
}

#[test]
fn denied_for_a_while() {
    check(FaultKind::AccessDenied, 4, 1);
}

#[test]
fn expired_credentials() {
    check(FaultKind::ExpiredToken, 4, 1);
}

#[test]
fn unrecognized_credentials() {
    check(FaultKind::UnrecognizedClient, 4, 1);
}

#[test]
fn group_gone_for_a_while() {
    check(FaultKind::ResourceNotFound, 4, 1);
}

#[test]
fn one_date_far_ahead() {
    check(FaultKind::DateOff(600_000), 1, 0);
}

#[test]
fn one_date_far_behind() {
    check(FaultKind::DateOff(-600_000), 1, 0);
}

#[test]
fn tokens_that_expire_start_a_window_again() {
    let _beside = beside();
    let lifetime = Duration::from_secs(1);
    let emulator = emulator(Config { token_lifetime: lifetime, page_bytes: 64 << 10, ..Config::default() });
    let start = emulator.clock().now_ms() - 3_600_000;
    emulator.generate(GROUP, Generated { per_second: 20.0, ..Generated::backlog(6000, start) });
    // Slow enough to be in the middle of it when the fault comes.
    let config = json!({ "start_position": "beginning", "max_calls_per_second": 50 });
    let mut host = host(&emulator, config);
    host.wait(PATIENCE, "the first events", |state| state.events.len() > 100);
    // Calls take longer than the token lives that they came with.
    let slow = FaultKind::Slow(lifetime * 2);
    let fault = emulator.faults().add(Fault::always(slow).on(Operation::FilterLogEvents));
    until(PATIENCE, "a window starts again", || host.metrics()["windows_restarted"] > 0.0);
    emulator.faults().remove(fault);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= 6000);
    expect_exactly_once(&emulator, &host);
    host.quit();
}

/// What does not pass ends the source with an error, so that the supervisor restarts the process.
#[track_caller]
fn check_end(kind: FaultKind, expect: &str) {
    let _beside = beside();
    let emulator = emulator(Config::default());
    emulator.generate(GROUP, Generated::backlog(10, emulator.clock().now_ms() - 60_000));
    // Long enough for the third failure, which is what is told, on a machine that stands still for a moment.
    let host = host(&emulator, json!({ "give_up_after": 5 }));
    emulator.faults().add(Fault::always(kind));
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let state = host.state();
    let failure = state.failure.as_deref().unwrap();
    assert!(failure.contains("give_up_after") && failure.contains(expect), "{failure}");
    assert_eq!(state.logged("warning").len(), 1, "{:#?}", state.log);
}

#[test]
fn denied_for_ever() {
    check_end(FaultKind::AccessDenied, "logs:FilterLogEvents");
}

#[test]
fn unavailable_for_ever() {
    check_end(FaultKind::ServiceUnavailable, GROUP);
}

#[test]
fn reset_for_ever() {
    check_end(FaultKind::Reset, GROUP);
}
