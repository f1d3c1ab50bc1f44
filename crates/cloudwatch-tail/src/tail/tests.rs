//! A tail that is given pages by hand, and one whose calls a script answers.

mod stage;

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use serde_json::json;
use tokio::sync::Semaphore;

use stage::{NOW, Stage, event, event_at, http, refusal, texts};

use super::*;
use crate::logged::logged;
use crate::session::tests::session;

#[test]
fn a_position_is_durable_once_everything_before_it_was_evaluated() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b")], "");
    stage.page(6000, &[event("c")], "");
    stage.page(11_000, &[], "");
    stage.rest();
    for (from, to, durable) in [(0, 0, 0), (0, 1, 0), (1, 2, 1000), (2, 3, 11_000)] {
        stage.acknowledge(from, to);
        assert_eq!((stage.tail.evaluated.0, stage.durable()), (to, durable), "up to {to}");
    }
    // Without anything in flight, a poll is durable at once.
    stage.page(16_000, &[], "");
    assert_eq!(stage.durable(), 16_000);
    assert_eq!((stage.tail.marks.len(), stage.tail.in_flight.len()), (0, 0));
}

#[test]
fn one_acknowledgement_may_make_several_positions_durable() {
    let mut stage = Stage::begun();
    for (at, id) in [(1000, "a"), (6000, "b"), (11_000, "c"), (16_000, "d")] {
        stage.page(at, &[event(id)], "");
    }
    stage.rest();
    stage.acknowledge(0, 3);
    assert_eq!((stage.durable(), stage.checkpoint()), (11_000, (11_000, "abc".into())));
}

#[test]
fn a_position_waits_for_the_last_page_of_its_window() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a")], "next");
    stage.rest();
    stage.acknowledge(0, 1);
    // A page without events, but with a token, is not the last one.
    stage.page(1000, &[], "after");
    assert_eq!((stage.durable(), stage.scan(1000).token.as_deref()), (0, Some("after")));
    stage.page(2000, &[event("b")], "");
    assert_eq!(stage.durable(), 0);
    stage.rest();
    stage.acknowledge(1, 2);
    assert_eq!(stage.durable(), 1000, "when its first page was asked for");
}

#[test]
fn a_checkpoint_knows_what_was_acknowledged_and_nothing_in_flight() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b"), event("c")], "");
    assert_eq!(stage.checkpoint(), (0, "".into()), "read, and not given yet");
    stage.rest();
    assert_eq!(stage.checkpoint(), (0, "".into()), "given, and not acknowledged");
    for (from, to, expect) in [(0, 1, (0, "a")), (1, 2, (0, "ab")), (1, 2, (0, "ab")), (2, 3, (1000, "abc"))]
    {
        stage.acknowledge(from, to);
        assert_eq!(stage.checkpoint(), (expect.0, expect.1.into()));
    }
}

#[test]
fn batches_come_in_order_and_end_where_they_end() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b"), event("c")], "next");
    let batch = |texts: &[&str], end| Some((texts.iter().map(ToString::to_string).collect(), end));
    assert_eq!(stage.batch(), batch(&["a", "b"], 2));
    stage.page(1000, &[event("d"), event("e")], "");
    assert_eq!(stage.batch(), batch(&["c", "d"], 4));
    assert_eq!(stage.batch(), batch(&["e"], 5));
    assert_eq!(stage.batch(), None);
}

#[test]
fn what_was_read_before_is_dropped_and_counted() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b"), event("a")], "");
    stage.page(6000, &[event("b"), event("c")], "");
    assert_eq!(stage.rest(), ["a", "b", "c"]);
    assert_eq!(stage.tail.read, Cursor(3));
    let metrics = &stage.metrics;
    assert_eq!(metrics.duplicates_dropped.get(), 2);
    assert_eq!((metrics.messages_read.get(), metrics.bytes_read.get()), (5, 5));
}

#[test]
fn without_an_id_time_stream_and_text_tell_events_apart() {
    let plain = FilteredLogEvent::builder().message("text").timestamp(*NOW).log_stream_name("one");
    let events = [
        plain.clone(),
        plain.clone(),
        plain.clone().message("other"),
        plain.clone().timestamp(*NOW + 1),
        plain.clone().log_stream_name("two"),
        // An odd message is better than none.
        plain.clone().set_message(None),
        plain.clone().message("undated").set_timestamp(None).ingestion_time(*NOW + 7),
    ];
    let mut stage = Stage::begun();
    stage.page(1000, &events.map(|event| event.build()), "");
    assert_eq!(stage.tail.pending.back().map(|message| message.timestamp_ms), Some(*NOW + 7));
    assert_eq!(stage.rest(), ["text", "other", "text", "text", "", "undated"]);
    assert_eq!((stage.tail.read, stage.metrics.duplicates_dropped.get()), (Cursor(6), 1));
}

#[test]
fn what_becomes_visible_after_its_time_was_read_counts_as_late() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event_at("first", 0), event_at("ahead", 9000)], "");
    assert_eq!(stage.metrics.late_events.get(), 0);
    stage.page(6000, &[event_at("late", 999), event_at("first", 0), event_at("just", 1000)], "");
    assert_eq!(stage.metrics.late_events.get(), 1, "those known before do not count");
}

#[test]
fn lateness_is_told_once_and_before_it_is_too_late() {
    let mut stage = Stage::begun();
    logged();
    for (index, (late, lines, most)) in
        [(-5000, 0, 0), (239_999, 0, 239), (240_000, 1, 240), (299_000, 0, 299), (250_000, 0, 299)]
            .into_iter()
            .enumerate()
    {
        let mut late_one = event_at(&index.to_string(), 0);
        late_one.ingestion_time = Some(*NOW + late);
        stage.page(index as i64 * 5000, &[late_one], "");
        let told = logged();
        assert_eq!(told.len(), lines, "{told:?}");
        assert!(told.iter().all(|line| line.starts_with("WARN") && line.contains("raise `settle`")));
        assert_eq!(stage.metrics.seconds_late_at_most.get(), most);
    }
}

#[test]
fn a_token_that_is_refused_starts_its_window_again_and_repeats_nothing() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b")], "old");
    let scan = stage.scan(1000);
    stage.answer_error(Some(scan.clone()), ErrorKind::Config).expect("no error");
    assert_eq!(stage.metrics.windows_restarted.get(), 1);
    let again = stage.scan(2000);
    assert_eq!((again.window, again.token), (scan.window, None));
    stage.page(2000, &[event("a"), event("b"), event("c")], "");
    assert_eq!(stage.rest(), ["a", "b", "c"]);
    stage.acknowledge(0, 3);
    assert_eq!(stage.durable(), 1000);
}

#[test]
fn tokens_that_are_refused_again_and_again_are_an_error() {
    let mut stage = Stage::begun();
    for (refused, is_told) in
        [(true, false), (true, false), (true, true), (true, true), (false, false), (true, false)]
    {
        stage.page(1000, &[event("a")], "next");
        let scan = stage.scan(1000);
        if refused {
            let error = stage.answer_error(Some(scan), ErrorKind::Config).err();
            assert_eq!(error.map(|error| error.kind()), is_told.then_some(ErrorKind::Unavailable));
        } else {
            stage.page(1000, &[event("b")], "after");
        }
    }
    assert_eq!(stage.rest(), ["a", "b"]);
}

#[test]
fn falling_behind_and_being_full_are_told_once_and_so_is_the_end() {
    let mut stage = Stage::begun();
    logged();
    let mut expect = |behind: i64, full: usize, expect: &[&str]| {
        let now = stage.tail.group.connection.clock.now_ms().expect("a time");
        let at = now - behind * 1000;
        stage.progress().planner = Planner::new(stage.tail.rhythm, Position { settled: at, frontier: at });
        stage.progress().seen = Seen::default();
        (0..full as u64).for_each(|key| assert!(stage.progress().seen.insert(now, EventKey(key))));
        for expect in [expect, &[]] {
            stage.tail.update_gauges();
            let told = logged();
            let is_told =
                told.len() == expect.len() && told.iter().zip(expect).all(|(line, text)| line.contains(text));
            assert!(is_told, "{behind} s behind: {told:?}");
        }
    };
    expect(600, 0, &[]); // It starts there: nobody expects it to be current.
    expect(5, 0, &[]);
    expect(325, 0, &[]);
    expect(335, 0, &["s behind and falling"]);
    expect(5, 0, &["caught up again"]);
    expect(335, Seen::MOST, &["more messages", "s behind and falling"]);
    expect(5, 0, &["caught up again"]);
    expect(5, Seen::MOST, &["more messages"]);
}

#[test]
fn any_other_error_comes_back_and_the_same_page_is_asked_for_again() {
    for (kind, told) in [
        (ErrorKind::Throttled, ErrorKind::Throttled),
        (ErrorKind::Denied, ErrorKind::Denied),
        (ErrorKind::NotFound, ErrorKind::NotFound),
        // It worked before: it is not what the user wrote, and no reason to end.
        (ErrorKind::Config, ErrorKind::Unavailable),
    ] {
        for token in [false, true] {
            let mut stage = Stage::begun();
            if token {
                stage.page(1000, &[event("a")], "next");
            }
            let scan = stage.scan(1000);
            let error = stage.answer_error(Some(scan.clone()), kind).err();
            if kind == ErrorKind::Config && token {
                continue;
            }
            let error = error.expect("an error");
            assert_eq!(error.kind(), told);
            assert!(chain(&error).contains("`group`") && chain(&error).ends_with("scripted"), "{error}");
            assert_eq!(stage.scan(9000), scan, "{kind}");
            assert_eq!(stage.metrics.windows_restarted.get(), 0);
        }
    }
}

#[test]
fn before_the_first_answer_a_wrong_parameter_is_what_the_user_wrote() {
    let mut stage = Stage::new(StartPosition::Beginning);
    let error = stage.answer_error(None, ErrorKind::Config).expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn it_starts_where_it_was_told_to() {
    for (start, at) in [
        (StartPosition::Beginning, -*NOW),
        (StartPosition::At(*NOW - 12), -12),
        // Before the moment of opening, not of the first answer.
        (StartPosition::Latest { before: Duration::from_secs(60) }, -70_000),
    ] {
        let mut stage = Stage::new(start);
        stage.tail.opened -= Duration::from_secs(10);
        stage.begin();
        let position = stage.progress().planner.position();
        let slack = if matches!(start, StartPosition::Latest { .. }) { 2000 } else { 0 };
        assert!((stage.durable() - at).abs() <= slack, "{start:?}: {position:?}");
        assert_eq!((position, position.settled), (stage.progress().durable, position.frontier));
    }
}

#[test]
fn the_gauges_show_what_was_evaluated_not_what_was_read() {
    let mut stage = Stage::begun();
    stage.page(60_000, &[event("a")], "");
    stage.tail.update_gauges();
    assert_eq!(stage.metrics.watermark.get(), *NOW as u64 / 1000);
    stage.acknowledge(0, 1);
    stage.tail.update_gauges();
    assert_eq!(stage.metrics.watermark.get(), *NOW as u64 / 1000 + 60);
    assert_eq!((stage.metrics.seconds_of_overlap.get(), stage.metrics.remembered_events.get()), (30, 1));
}

#[test]
fn keys_are_kept_until_their_time_is_durable() {
    let mut stage = Stage::new(StartPosition::At(*NOW - 1_000_000));
    stage.begin();
    // Old enough to be settled at once, but not evaluated.
    stage.page(0, &[event_at("old", -999_000)], "");
    assert_eq!(stage.progress().planner.floor(), *NOW - 940_000);
    assert_eq!(stage.progress().seen.len(), 1);
    stage.acknowledge(0, 1);
    assert_eq!(stage.progress().seen.len(), 0);
}

#[tokio::test]
async fn closing_writes_what_was_acknowledged_and_acknowledges_nothing() {
    let mut stage = Stage::begun();
    stage.page(1000, &[event("a"), event("b"), event("c")], "");
    stage.rest();
    stage.acknowledge(0, 2);
    stage.tail.close().await.expect("close");
    assert_eq!(Stage::read(stage.stored().await), (0, "ab".into()));
    stage.acknowledge(2, 3);
    stage.tail.close().await.expect("close");
    assert_eq!(Stage::read(stage.stored().await), (1000, "abc".into()));
}

#[tokio::test]
async fn closing_before_the_first_answer_leaves_the_checkpoint_alone() {
    let stage = Stage::begun();
    let body = stage.tail.checkpoint().expect("begun");
    stage.store.save(&stage.tail.partition, FORMAT, &body).await.expect("save");
    let mut next = Stage::with(StartPosition::Beginning, Arc::clone(&stage.store));
    next.tail.load().await.expect("load");
    next.tail.close().await.expect("close");
    assert_eq!((next.stored().await, next.written.checkpoints.get()), (Some(body), 0));
}

#[tokio::test]
async fn the_next_process_is_given_exactly_what_was_not_acknowledged() {
    let all = [event("a"), event("b"), event("c"), event("d")];
    for evaluated in 0..=4 {
        let mut stage = Stage::begun();
        stage.page(1000, &all, "");
        stage.rest();
        stage.acknowledge(0, evaluated);
        stage.tail.close().await.expect("close");
        let mut next =
            Stage::with(StartPosition::Latest { before: Duration::ZERO }, Arc::clone(&stage.store));
        next.tail.load().await.expect("load");
        next.begin();
        assert_eq!(next.durable(), if evaluated == 4 { 1000 } else { 0 });
        next.page(2000, &all, "");
        assert_eq!(next.rest(), ["a", "b", "c", "d"][evaluated as usize..]);
    }
}

#[tokio::test]
async fn a_damaged_checkpoint_is_no_fresh_start() {
    let mut stage = Stage::new(StartPosition::Beginning);
    stage.store.save(&stage.tail.partition, FORMAT, &Bytes::from("short")).await.expect("save");
    let error = stage.tail.load().await.expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("`test-1:group:` is damaged"), "{error}");
}

#[tokio::test]
async fn a_checkpoint_is_written_when_something_changed_and_only_then() {
    let mut stage = Stage::begun();
    stage.keep_each();
    let mut writes = Vec::new();
    for step in 0..7 {
        match step {
            1 => stage.page(1000, &[event("a"), event("b")], ""),
            2 => stage.acknowledge(0, 0),
            4 => stage.acknowledge(0, 1),
            5 => stage.acknowledge(1, 2),
            6 => stage.page(6000, &[], ""),
            _ => {}
        }
        stage.tail.keep_checkpoint().await;
        stage.tail.checkpointer.finish(None).await.expect("only waits");
        writes.push(stage.written.checkpoints.get());
    }
    assert_eq!(writes, [1, 1, 1, 1, 2, 3, 4]);
    assert_eq!(Stage::read(stage.stored().await), (6000, "ab".into()));
}

#[tokio::test]
async fn an_acknowledgement_writes_at_most_once_an_interval() {
    for each in [false, true] {
        let mut stage = Stage::begun();
        if each {
            stage.keep_each();
        }
        stage.page(1000, &[event("a"), event("b")], "");
        stage.acknowledge(0, 2);
        stage.tail.checkpointer.finish(None).await.expect("only waits");
        assert_eq!((stage.stored().await.is_some(), stage.tail.is_changed), (each, !each));
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_keeps_checkpoint_and_gauges_current() {
    let mut stage = Stage::begun();
    stage.keep_each();
    stage.page(60_000, &[], "");
    assert!(matches!(stage.tail.next_batch().await, Ok(NextBatch::Idle(_))));
    assert_eq!(stage.metrics.watermark.get(), *NOW as u64 / 1000 + 60);
    stage.tail.checkpointer.finish(None).await.expect("only waits");
    assert_eq!(Stage::read(stage.stored().await), (60_000, "".into()));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_due_waits_for_no_answer() {
    let mut stage = Stage::begun();
    stage.keep_each();
    stage.tail.is_changed = false;
    stage.aws.gate.forget_permits(Semaphore::MAX_PERMITS);
    let waited = tokio::time::timeout(Duration::from_secs(1), stage.tail.next_batch()).await;
    assert!(waited.is_err() && stage.stored().await.is_none(), "nothing has changed");
    stage.tail.is_changed = true;
    stage.tail.checkpointer.save(Bytes::from("under way"));
    let waited = tokio::time::timeout(Duration::from_secs(1), stage.tail.next_batch()).await;
    assert!(waited.is_err(), "no answer yet");
    assert_eq!(Stage::read(stage.stored().await), (0, "".into()));
}

#[test]
fn what_a_window_under_way_shows_again_is_known() {
    let mut stage = Stage::begun();
    let position = Position { settled: *NOW - 330_000, frontier: *NOW - 10_000 };
    let rhythm = Rhythm { overlap: 300_000, ..stage.tail.rhythm };
    *stage.progress() =
        Progress { planner: Planner::new(rhythm, position), seen: Seen::default(), durable: position };
    // The poll goes back to 310 s ago, and what is older than 300 s is settled meanwhile.
    let old = [event_at("old", -305_000)];
    stage.page(0, &old, "next");
    stage.acknowledge(0, 1);
    stage.page(0, &old, "");
    assert_eq!(stage.progress().durable.settled, *NOW - 300_000);
    let scan = stage.scan(0);
    stage.answer_error(Some(scan), ErrorKind::Config).expect("it starts again");
    stage.page(0, &old, "");
    assert_eq!(stage.rest(), ["old"], "once");
}

#[tokio::test(start_paused = true)]
async fn opening_asks_once_and_writes_where_it_begins() {
    let mut stage = Stage::new(StartPosition::At(*NOW - 1000));
    let groups = json!({"logGroups": [
        {"logGroupName": "group-2", "arn": "arn:aws:logs:test-1:2:log-group:group-2:*"},
        {"logGroupName": "group", "arn": "arn:aws:logs:test-1:1:log-group:group:*"},
    ]});
    stage.aws.script.lock().unwrap().extend([(200, json!({})), (200, json!({})), (200, groups)]);
    logged();
    stage.tail.probe().await.expect("open");
    let calls = stage.asked("FilterLogEvents");
    assert_eq!((calls.len(), &calls[0]["limit"]), (1, &json!(1)));
    assert_eq!(Stage::read(stage.stored().await), (-1000, "".into()));
    assert_eq!(stage.tail.home().map(|home| home.account.as_str()), Some("1"));
    assert!(logged().iter().any(|line| line.starts_with("WARN") && line.contains("`audit-`")));
}

#[tokio::test(start_paused = true)]
async fn opening_fails_for_what_stays_and_tries_on_over_what_may_pass() {
    let throttled = || refusal("ThrottlingException");
    for (script, calls, expect) in [
        (vec![refusal("AccessDeniedException")], 1, Err(ErrorKind::Denied)),
        (vec![refusal("InvalidParameterException")], 1, Err(ErrorKind::Config)),
        (vec![throttled(), refusal("ResourceNotFoundException")], 2, Err(ErrorKind::NotFound)),
        (vec![throttled(), throttled(), throttled()], 4, Ok(true)),
        (vec![throttled(), throttled(), throttled(), throttled()], 4, Ok(false)),
    ] {
        let mut stage = Stage::new(StartPosition::At(*NOW));
        stage.aws.script.lock().unwrap().extend(script);
        let opened = stage.tail.probe().await.map_err(|error| error.kind());
        assert_eq!(opened.map(|()| stage.tail.progress.is_some()), expect);
        assert_eq!(stage.asked("FilterLogEvents").len(), calls);
        assert_eq!(stage.stored().await.is_some(), expect == Ok(true), "nobody knows yet where it begins");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_asked_at_open_is_asked_later() {
    let mut stage = Stage::new(StartPosition::At(*NOW - 1000));
    let page = json!({"events": [{"eventId": "a", "message": "a", "timestamp": *NOW}]});
    stage.aws.script.lock().unwrap().extend([refusal("ThrottlingException"), (200, json!({})), (200, page)]);
    let error = stage.tail.next_batch().await.expect_err("throttled");
    assert_eq!(error.kind(), ErrorKind::Throttled);
    let Ok(NextBatch::Records(batch)) = stage.tail.next_batch().await else { panic!("no batch") };
    assert_eq!(texts(&batch), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_asked_for_with_its_last_millisecond() {
    let mut stage = Stage::new(StartPosition::At(*NOW - 100_000));
    stage.begin();
    let page = json!({"nextToken": "next"});
    stage.aws.script.lock().unwrap().extend([(200, page)]);
    assert!(matches!(stage.tail.next_batch().await, Ok(NextBatch::Idle(_))));
    let calls = stage.asked("FilterLogEvents");
    for (call, token) in calls.iter().zip([json!(null), json!("next")]) {
        assert_eq!(call["startTime"], json!(*NOW - 100_000));
        assert_eq!(call["endTime"], json!(*NOW - 40_001), "CloudWatch counts the end in");
        assert_eq!((&call["logGroupName"], &call["nextToken"]), (&json!("group"), &token));
        assert_eq!(
            (&call["logStreamNamePrefix"], &call["filterPattern"]),
            (&json!("audit-"), &json!("pattern"))
        );
    }
    assert!(calls.len() > 2);
    assert_eq!(calls[2]["startTime"], json!(*NOW - 40_000), "no millisecond is left out");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_may_be_cancelled_and_the_call_goes_on() {
    let mut stage = Stage::begun();
    stage.aws.gate.forget_permits(Semaphore::MAX_PERMITS);
    let page = json!({"events": [{"eventId": "a", "message": "a", "timestamp": *NOW}], "nextToken": "next"});
    stage.aws.script.lock().unwrap().extend([(200, page)]);
    for _ in 0..3 {
        let waited = tokio::time::timeout(Duration::from_secs(1), stage.tail.next_batch()).await;
        assert!(waited.is_err(), "no answer yet");
    }
    assert_eq!(stage.asked("FilterLogEvents").len(), 1);
    stage.aws.gate.add_permits(1);
    let Ok(NextBatch::Records(batch)) = stage.tail.next_batch().await else { panic!("no batch") };
    assert_eq!((texts(&batch), batch.end), (vec!["a".to_owned()], Cursor(1)));
    // While the consumer works on this page, the next one is on its way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.asked("FilterLogEvents").len(), 2);
    stage.aws.script.lock().unwrap().push_back((200, json!({})));
    stage.tail.close().await.expect("close");
    stage.aws.gate.add_permits(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.aws.script.lock().unwrap().len(), 1, "nobody asks any more");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_an_error_and_is_made_again() {
    for mut stage in [Stage::begun(), Stage::new(StartPosition::At(*NOW))] {
        let page = json!({"events": [{"eventId": "a", "message": "a", "timestamp": *NOW}]});
        let mut script = VecDeque::from([(0, json!({})), (200, page)]);
        if stage.tail.progress.is_none() {
            script.insert(1, (200, json!({})));
        }
        stage.aws.script.lock().unwrap().extend(script);
        let error = stage.tail.next_batch().await.expect_err("it panicked");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let Ok(NextBatch::Records(batch)) = stage.tail.next_batch().await else { panic!("no batch") };
        assert_eq!(texts(&batch), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_asked_for_while_too_much_is_remembered() {
    let mut stage = Stage::begun();
    for key in 0..Seen::MOST as u64 {
        stage.progress().seen.insert(*NOW, EventKey(key));
    }
    assert_eq!(stage.tail.start_call(), Duration::from_secs(5));
    assert!(stage.tail.call.is_none());
    stage.progress().seen.forget_before(*NOW + 1000);
    assert_eq!(stage.tail.start_call(), Duration::ZERO);
    assert!(stage.tail.call.is_some());
}

/// A store that takes nothing, for this reason.
#[derive(Debug)]
struct Sealed(ErrorKind);

impl std::fmt::Display for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sealed")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Sealed {
    async fn put_opts(&self, path: &Path, _: PutPayload, _: PutOptions) -> StoreResult<PutResult> {
        let (path, source) = (path.to_string(), "sealed".into());
        Err(match self.0 {
            ErrorKind::Denied => Error::PermissionDenied { path, source },
            _ => Error::Generic { store: "sealed", source },
        })
    }
    async fn get_opts(&self, path: &Path, _: GetOptions) -> StoreResult<GetResult> {
        Err(Error::NotFound { path: path.to_string(), source: "sealed".into() })
    }
    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        unreachable!("a checkpoint is read and written without it")
    }
    fn delete_stream(
        &self,
        _: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        unreachable!("a checkpoint is read and written without it")
    }
    fn list(&self, _: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        unreachable!("a checkpoint is read and written without it")
    }
    async fn list_with_delimiter(&self, _: Option<&Path>) -> StoreResult<ListResult> {
        unreachable!("a checkpoint is read and written without it")
    }
    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        unreachable!("a checkpoint is read and written without it")
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_written_to_is_told_at_open() {
    for (kind, opens) in [(ErrorKind::Denied, false), (ErrorKind::Unavailable, true)] {
        logged();
        let store = CheckpointStore::new(Arc::new(Sealed(kind)), Path::default(), "sealed://place");
        let mut stage = Stage::with(StartPosition::At(*NOW), Arc::new(store));
        let opened = stage.tail.probe().await;
        assert_eq!(opened.as_ref().err().map(SourceError::kind), (!opens).then_some(kind));
        let line = opened.err().map(|error| format!("WARN {error}"));
        let told = logged().into_iter().chain(line).filter(|line| line.contains("sealed://place/"));
        assert_eq!(told.filter(|line| line.starts_with("WARN")).count(), 1);
    }
}

#[tokio::test]
async fn a_checkpoint_that_failed_is_written_again_though_nothing_has_changed() {
    let store =
        CheckpointStore::new(Arc::new(Sealed(ErrorKind::Unavailable)), Path::default(), "sealed://place");
    let mut stage = Stage::with(StartPosition::At(*NOW), Arc::new(store));
    stage.begin();
    stage.keep_each();
    for failures in 1..4 {
        stage.tail.keep_checkpoint().await;
        stage.tail.checkpointer.finish(None).await.expect("only waits");
        assert_eq!((stage.written.checkpoint_errors.get(), stage.tail.is_changed), (failures, false));
    }
}

fn options() -> TailOptions {
    TailOptions {
        log_group: "group".into(),
        region: None,
        stream_prefix: Some("audit-".into()),
        filter_pattern: None,
        start: StartPosition::Latest { before: Duration::ZERO },
        polling_interval: Duration::from_secs(5),
        overlap: Duration::from_secs(30),
        settle: Duration::from_secs(300),
        batch_messages: 100,
        checkpoints: None,
        checkpoint_interval: Duration::from_secs(5),
    }
}

#[tokio::test(start_paused = true)]
async fn options_that_contradict_each_other_are_made_to_fit() {
    let aws = Stage::new(StartPosition::Beginning).aws;
    let session = session(http(&aws));
    let open = async |options| {
        Tail::open(&session, options, Arc::new(TailBoard::new(Arc::default())), Arc::default())
            .await
            .expect("open")
    };
    let tail = open(options()).await;
    assert_eq!((tail.rhythm.overlap, tail.rhythm.settle, tail.batch_messages), (30_000, 300_000, 100));
    assert_eq!(tail.name(), "test-1:group:audit-");
    let settle = Duration::from_secs(10);
    let tail =
        open(TailOptions { settle, batch_messages: 0, region: Some("test-2".into()), ..options() }).await;
    assert_eq!((tail.rhythm.overlap, tail.rhythm.settle, tail.batch_messages), (10_000, 10_000, 1));
    assert_eq!(tail.name(), "test-2:group:audit-");
}
