//! The pump with a scripted source on one side and an impatient consumer on the other.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::RecordBatch;

/// What the source does next.
#[derive(Debug)]
enum Act {
    /// Gives that many events.
    Give(usize),
    Fail(ErrorKind),
    Panic,
    End,
    /// Has nothing, for ever.
    Rest,
    /// Blocks the close of the source for ever.
    NeverClose,
}

#[derive(Debug, Default)]
struct Record {
    given: u64,
    acknowledged: Vec<CheckpointDelta>,
    closed: bool,
}

struct Scripted {
    script: VecDeque<Act>,
    record: Arc<Mutex<Record>>,
    never_close: bool,
}

impl EventSource for Scripted {
    type Record = Event;

    fn name(&self) -> &str {
        "scripted"
    }

    async fn next_batch(&mut self) -> Result<NextBatch<Event>, SourceError> {
        match self.script.pop_front().unwrap_or(Act::Rest) {
            Act::Give(count) => {
                let mut record = self.record.lock().unwrap();
                record.given += count as u64;
                let event = Event { payload: Bytes::from_static(b"payload"), timestamp: 1 };
                Ok(NextBatch::Records(RecordBatch {
                    partition: PartitionId::new("p"),
                    records: vec![event; count],
                    end: Cursor(record.given),
                }))
            }
            Act::Fail(kind) => Err(SourceError::new(kind, format!("it is {kind}"))),
            Act::Panic => panic!("scripted"),
            Act::End => Ok(NextBatch::End),
            Act::NeverClose => {
                self.never_close = true;
                Ok(NextBatch::Idle(Duration::ZERO))
            }
            Act::Rest => Ok(NextBatch::Idle(Duration::from_secs(3600))),
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.record.lock().unwrap().acknowledged.push(delta);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        if self.never_close {
            std::future::pending::<()>().await;
        }
        self.record.lock().unwrap().closed = true;
        Ok(())
    }
}

struct Stage {
    pump: Pump,
    record: Arc<Mutex<Record>>,
    metrics: Arc<SourceMetrics>,
}

fn options() -> PumpOptions {
    PumpOptions {
        max_queue_events: 100,
        max_queue_bytes: 1 << 20,
        max_batch_bytes: 1 << 20,
        give_up_after: Some(Duration::from_millis(300)),
    }
}

fn play(script: impl IntoIterator<Item = Act>) -> Stage {
    play_with(&options(), script)
}

fn play_with(options: &PumpOptions, script: impl IntoIterator<Item = Act>) -> Stage {
    let (record, metrics) = (Arc::<Mutex<Record>>::default(), Arc::<SourceMetrics>::default());
    let source =
        Scripted { script: script.into_iter().collect(), record: Arc::clone(&record), never_close: false };
    let open = async move { Ok(vec![source]) };
    Stage { pump: Pump::start(options, Arc::clone(&metrics), open).expect("open"), record, metrics }
}

const LONG: Duration = Duration::from_secs(20);

impl Stage {
    /// How many events the next batch has.
    #[track_caller]
    fn next(&mut self) -> usize {
        match self.pump.next_batch(LONG) {
            Next::Batch(events) => events.len(),
            other => panic!("{other:?}"),
        }
    }

    /// The cursor up to which was acknowledged, once it is `expect` or time is up.
    fn acknowledged(&self, expect: u64) -> u64 {
        let start = Instant::now();
        loop {
            let last = self.record.lock().unwrap().acknowledged.last().map_or(0, |delta| delta.to.0);
            if last == expect || start.elapsed() > LONG {
                return last;
            }
            std::thread::yield_now();
        }
    }

    /// Until the error, with which it ends.
    fn failure(&mut self) -> SourceError {
        loop {
            match self.pump.next_batch(LONG) {
                Next::Failed(error) => return error,
                Next::Batch(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_batch_is_acknowledged_when_the_next_one_is_asked_for() {
    let mut stage = play([Act::Give(3)]);
    assert_eq!(stage.next(), 3);
    stage.pump.close();
    assert!(stage.record.lock().unwrap().acknowledged.is_empty(), "closing is no acknowledgement");
    assert!(stage.record.lock().unwrap().closed);

    let mut stage = play([Act::Give(3)]);
    assert_eq!(stage.next(), 3);
    assert!(matches!(stage.pump.next_batch(Duration::ZERO), Next::Timeout));
    assert_eq!(stage.acknowledged(3), 3);
    assert_eq!(stage.metrics.acknowledged.get(), 3);
}

#[test]
fn deltas_have_no_gaps() {
    let mut stage = play((0..50).map(|_| Act::Give(2)));
    let mut events = 0;
    while events < 100 {
        events += stage.next();
    }
    assert!(matches!(stage.pump.next_batch(Duration::ZERO), Next::Timeout));
    assert_eq!(stage.acknowledged(100), 100);
    let record = stage.record.lock().unwrap();
    let mut from = Cursor(0);
    for delta in &record.acknowledged {
        assert_eq!(delta.from, from);
        from = delta.to;
    }
}

#[test]
fn a_batch_of_nothing_is_no_batch_but_is_acknowledged() {
    let mut stage = play([Act::Give(0), Act::Give(0), Act::Give(1)]);
    let mut events = 0;
    while events == 0 {
        match stage.pump.next_batch(LONG) {
            Next::Batch(batch) => events = batch.len(),
            Next::Timeout => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(stage.pump.next_batch(Duration::ZERO), Next::Timeout));
    assert_eq!(stage.acknowledged(1), 1);
}

#[test]
fn an_error_is_retried_and_what_follows_comes() {
    let failures = [Act::Fail(ErrorKind::Throttled), Act::Fail(ErrorKind::Unavailable)];
    let mut stage = play([Act::Give(1)].into_iter().chain(failures).chain([Act::Give(2), Act::End]));
    assert_eq!(stage.next(), 1);
    let mut rest = 0;
    while rest < 2 {
        rest += stage.next();
    }
    assert_eq!(stage.metrics.errors_throttled.get(), 1);
    assert_eq!(stage.metrics.errors_unavailable.get(), 1);
}

#[test]
fn an_error_that_lasts_ends_the_source() {
    let mut stage = play((0..1000).map(|_| Act::Fail(ErrorKind::Denied)));
    let error = stage.failure();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let line = chain(&error);
    assert!(
        line.contains("`scripted`") && line.contains("give_up_after") && line.contains("it is denied"),
        "{line}"
    );
}

#[test]
fn a_consumer_that_stood_still_is_no_outage() {
    let mut stage =
        play((0..20).map(|_| Act::Give(10)).chain([Act::Fail(ErrorKind::Unavailable), Act::Give(1)]));
    // Longer than the patience; the queue is full all the while.
    std::thread::park_timeout(Duration::from_millis(600));
    let mut events = 0;
    while events < 201 {
        events += stage.next();
    }
}

#[test]
fn without_a_patience_it_never_gives_up() {
    let failures = (0..4).map(|_| Act::Fail(ErrorKind::Unavailable));
    let endless = PumpOptions { give_up_after: None, ..options() };
    assert_eq!(play_with(&endless, failures.chain([Act::Give(5)])).next(), 5);
}

#[test]
fn what_no_retry_can_help_ends_the_source_at_once() {
    let mut stage = play([Act::Give(1), Act::Fail(ErrorKind::Corrupt), Act::Give(1)]);
    assert_eq!(stage.next(), 1, "what was read before comes first");
    assert_eq!(stage.failure().kind(), ErrorKind::Corrupt);
    assert!(matches!(stage.pump.next_batch(LONG), Next::Failed(_)), "and it stays so");
}

#[test]
fn a_panic_of_the_source_is_an_error() {
    let mut stage = play([Act::Give(1), Act::Panic]);
    assert!(stage.failure().to_string().contains("panicked while reading: scripted"));
}

#[test]
fn a_panic_while_opening_is_an_error() {
    let open = async { if true { panic!("scripted") } else { Ok(Vec::<Scripted>::new()) } };
    let error = Pump::start(&options(), Arc::default(), open).expect_err("no source");
    assert!(error.to_string().contains("panicked while opening: scripted"), "{error}");
}

#[test]
fn an_error_while_opening_comes_back() {
    let open = async { Err::<Vec<Scripted>, _>(SourceError::new(ErrorKind::Denied, "no")) };
    let error = Pump::start(&options(), Arc::default(), open).expect_err("no source");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Denied, "no"));
}

#[test]
fn the_end_comes_after_everything_and_is_still_acknowledged() {
    let mut stage = play([Act::Give(4), Act::End]);
    assert_eq!(stage.next(), 4);
    assert!(matches!(stage.pump.next_batch(LONG), Next::End));
    assert_eq!(stage.acknowledged(4), 4);
    stage.pump.close();
    assert!(stage.record.lock().unwrap().closed);
}

#[test]
fn a_reader_holds_no_more_than_the_queue() {
    let mut stage = play((0..1000).map(|_| Act::Give(10)));
    let start = Instant::now();
    // 100 fit, and one more batch waits in the reader's hand.
    while stage.record.lock().unwrap().given < 110 && start.elapsed() < LONG {
        std::thread::yield_now();
    }
    std::thread::park_timeout(Duration::from_millis(100));
    assert_eq!(stage.record.lock().unwrap().given, 110);
    let mut events = 0;
    while events < 10_000 {
        events += stage.next();
    }
}

#[test]
fn a_call_waits_no_longer_than_it_was_told() {
    let mut stage = play([Act::Rest]);
    let start = Instant::now();
    assert!(matches!(stage.pump.next_batch(Duration::from_millis(50)), Next::Timeout));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn closing_under_load_and_against_a_source_that_hangs_ends_in_time() {
    for last in [Act::Rest, Act::NeverClose] {
        let mut stage = play([last].into_iter().chain((0..100).map(|_| Act::Give(10))));
        let start = Instant::now();
        stage.pump.close();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(stage.pump.thread.is_none());
    }
}
