//! The pump with a scripted source on one side and an impatient consumer on the other.

use std::collections::VecDeque;

use super::*;
use crate::RecordBatch;
use crate::logged::logged;

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
    /// Has nothing for that long.
    Idle(Duration),
    /// Waits for an answer that never comes.
    Pend,
    /// Has this fault from now on.
    Have(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    CloseHangs,
    ClosePanics,
    CloseFails,
    AcknowledgePanics,
    AcknowledgeFails,
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
    fault: Option<Fault>,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Act>, record: &Arc<Mutex<Record>>) -> Self {
        Self { script: script.into_iter().collect(), record: Arc::clone(record), fault: None }
    }
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
                let event = Event::new(&b"payload"[..], 1);
                Ok(NextBatch::Records(RecordBatch {
                    partition: PartitionId::new("p"),
                    records: vec![event; count],
                    end: Cursor(record.given),
                }))
            }
            Act::Fail(kind) => Err(SourceError::new(kind, format!("it is {kind}"))),
            Act::Panic => panic!("scripted"),
            Act::End => Ok(NextBatch::End),
            Act::Have(fault) => {
                self.fault = Some(fault);
                Ok(NextBatch::Idle(Duration::ZERO))
            }
            Act::Rest => Ok(NextBatch::Idle(Duration::from_secs(3600))),
            Act::Idle(pause) => Ok(NextBatch::Idle(pause)),
            Act::Pend => std::future::pending().await,
        }
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        match self.fault {
            Some(Fault::AcknowledgePanics) => panic!("scripted"),
            Some(Fault::AcknowledgeFails) => Err(SourceError::new(ErrorKind::Denied, "no progress")),
            _ => {
                self.record.lock().unwrap().acknowledged.push(delta);
                Ok(())
            }
        }
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        match self.fault {
            Some(Fault::CloseHangs) => std::future::pending().await,
            Some(Fault::ClosePanics) => panic!("scripted"),
            Some(Fault::CloseFails) => Err(SourceError::new(ErrorKind::Denied, "no last checkpoint")),
            _ => {
                self.record.lock().unwrap().closed = true;
                Ok(())
            }
        }
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
    let source = Scripted::new(script, &record);
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
            Next::Batch(batch) => {
                assert!(!batch.is_empty());
                events = batch.len();
            }
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
    for last in [Act::Rest, Act::Have(Fault::CloseHangs), Act::Have(Fault::ClosePanics)] {
        let mut stage = play([last].into_iter().chain((0..100).map(|_| Act::Give(10))));
        let start = Instant::now();
        stage.pump.close();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(stage.pump.thread.is_none());
    }
}

#[test]
fn a_batch_is_bounded_by_bytes_and_counted() {
    let mut stage =
        play_with(&PumpOptions { max_batch_bytes: 14, ..options() }, (0..4).map(|_| Act::Give(1)));
    let start = Instant::now();
    while stage.pump.queue.size() != (4, 28) && start.elapsed() < LONG {
        std::thread::yield_now();
    }
    assert_eq!((stage.next(), stage.next()), (2, 2));
    let metrics = &stage.metrics;
    assert_eq!((metrics.batches.get(), metrics.events.get(), metrics.bytes.get()), (2, 4, 28));
}

#[test]
fn a_panic_in_an_acknowledgement_is_an_error() {
    let mut stage = play([Act::Have(Fault::AcknowledgePanics), Act::Give(1), Act::Pend]);
    assert_eq!(stage.next(), 1);
    assert!(stage.failure().to_string().contains("panicked"));
}

/// Sources that play these scripts, in one pump.
fn play_all<const N: usize>(scripts: [Vec<Act>; N]) -> (Pump, [Arc<Mutex<Record>>; N]) {
    let records = [(); N].map(|()| Arc::<Mutex<Record>>::default());
    let sources = scripts.into_iter().zip(&records).map(|(script, record)| Scripted::new(script, record));
    let sources: Vec<_> = sources.collect();
    let pump = Pump::start(&options(), Arc::default(), async move { Ok(sources) }).expect("open");
    (pump, records)
}

#[test]
fn each_source_hears_of_its_own_and_the_last_one_ends_the_pump() {
    // The first one has ended long before the second, which has far more than the queue holds.
    let much = (0..1000).map(|_| Act::Give(10)).chain([Act::End]).collect();
    let (mut pump, records) = play_all([vec![Act::Give(1), Act::End], much, vec![Act::End]]);
    let mut events = 0;
    loop {
        match pump.next_batch(LONG) {
            Next::Batch(batch) => events += batch.len(),
            Next::End => break,
            other => panic!("{other:?}"),
        }
    }
    pump.close();
    assert_eq!(events, 10_001);
    let last = |record: &Mutex<Record>| record.lock().unwrap().acknowledged.last().map(|delta| delta.to.0);
    assert_eq!(records.each_ref().map(|record| last(record)), [Some(1), Some(10_000), None]);
    assert!(records.iter().all(|record| record.lock().unwrap().closed));
}

#[test]
fn the_queue_ends_with_the_last_source_or_the_first_error() {
    let ends = |second: Result<(), SourceError>| {
        let crew = bench(None, []).crew;
        crew.reading.store(2, Relaxed);
        crew.ended(Ok(()));
        assert!(matches!(crew.queue.take(Duration::ZERO, 1), Taken::Nothing));
        crew.ended(second);
        crew.queue.take(Duration::ZERO, 1)
    };
    assert!(matches!(ends(Ok(())), Taken::End));
    assert!(matches!(ends(Err(SourceError::new(ErrorKind::Denied, "no"))), Taken::Failed(_)));
}

#[test]
fn one_source_that_fails_for_good_fails_the_pump() {
    let (mut pump, _records) = play_all([vec![Act::Rest], vec![Act::Fail(ErrorKind::Config)]]);
    assert!(matches!(pump.next_batch(LONG), Next::Failed(error) if error.kind() == ErrorKind::Config));
}

/// A reader alone, in paused time.
struct Bench {
    reader: Option<Reader<Scripted>>,
    acknowledge: UnboundedSender<(PartitionId, Cursor)>,
    stop: watch::Sender<bool>,
    record: Arc<Mutex<Record>>,
    crew: Crew,
    vital: Arc<Vital>,
}

fn bench(give_up_after: Option<Duration>, script: impl IntoIterator<Item = Act>) -> Bench {
    let (stop, stopped) = watch::channel(false);
    let (acknowledge, acknowledged) = unbounded_channel();
    let queue = Arc::new(Queue::new(10, 1000));
    let crew = Crew { queue, metrics: Arc::default(), give_up_after, reading: Arc::default(), stopped };
    crew.reading.store(1, Relaxed);
    let (record, vital) = (Arc::default(), Arc::new(Vital::new()));
    let source = Scripted::new(script, &record);
    let reader = Reader::new(crew.clone(), 0, source, acknowledged, Arc::clone(&vital));
    Bench { reader: Some(reader), acknowledge, stop, record, crew, vital }
}

impl Bench {
    /// Runs the reader for that long.
    async fn run(&mut self, time: Duration) {
        if let Some(reader) = self.reader.take() {
            tokio::spawn(reader.run());
        }
        tokio::time::sleep(time).await;
    }

    fn acknowledge(&self, partition: &str, to: u64) {
        self.acknowledge.send((PartitionId::new(partition), Cursor(to))).expect("a reader");
    }

    fn deltas(&self) -> Vec<(String, u64, u64)> {
        let record = self.record.lock().unwrap();
        let deltas = record.acknowledged.iter();
        deltas.map(|delta| (delta.partition.to_string(), delta.from.0, delta.to.0)).collect()
    }

    fn given(&self) -> u64 {
        self.record.lock().unwrap().given
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_was_evaluated_before_the_stop_is_acknowledged_before_the_close() {
    let mut bench = bench(None, [Act::Pend]);
    bench.acknowledge("p", 3);
    bench.stop.send(true).expect("a reader");
    bench.run(SECOND).await;
    assert_eq!(bench.deltas(), [("p".to_owned(), 0, 3)]);
    assert!(bench.record.lock().unwrap().closed);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_arrives_whatever_the_reader_waits_for() {
    for wait in [Act::Pend, Act::Rest, Act::Give(1), Act::End] {
        let what = format!("{wait:?}");
        // The queue holds ten: one more waits for room.
        let mut bench = bench(None, [Act::Give(10), wait]);
        bench.run(SECOND).await;
        bench.acknowledge("p", 1);
        bench.run(SECOND).await;
        assert_eq!(bench.deltas().len(), 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_partition_has_a_cursor_of_its_own() {
    let mut bench = bench(None, [Act::Pend]);
    for (partition, to) in [("p", 2), ("q", 3), ("p", 5)] {
        bench.acknowledge(partition, to);
    }
    bench.run(SECOND).await;
    let (p, q) = ("p".to_owned(), "q".to_owned());
    assert_eq!(bench.deltas(), [(p.clone(), 0, 2), (q, 0, 3), (p, 2, 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_source_is_asked_again_after_the_pause_it_named() {
    let mut bench = bench(None, [Act::Idle(10 * SECOND), Act::Give(1)]);
    bench.run(9 * SECOND).await;
    // What arrives meanwhile does not shorten the pause.
    bench.acknowledge("p", 1);
    bench.run(SECOND / 2).await;
    assert_eq!(bench.given(), 0);
    bench.run(SECOND).await;
    assert_eq!(bench.given(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_hangs_is_given_up_in_time_and_told() {
    logged();
    let mut bench = bench(None, [Act::Have(Fault::CloseHangs), Act::Pend]);
    bench.run(SECOND).await;
    bench.stop.send(true).expect("a reader");
    bench.run(3 * SECOND).await;
    let told = logged();
    assert!(
        matches!(&told[..], [line] if line.starts_with("ERROR") && line.contains("took over")),
        "{told:?}"
    );
}

/// Until the reader has given that many.
async fn time_until(bench: &mut Bench, given: u64) -> Duration {
    let start = tokio::time::Instant::now();
    while bench.given() < given {
        bench.run(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_while_it_fails_and_are_short_after_a_success() {
    let fail = || Act::Fail(ErrorKind::Unavailable);
    fastrand::seed(1);
    let mut long = bench(None, (0..20).map(|_| fail()).chain([Act::Give(1)]));
    let long = time_until(&mut long, 1).await;
    assert!(long > 60 * SECOND, "{long:?}");
    fastrand::seed(1);
    let mut short = bench(None, (0..8).flat_map(|_| [fail(), Act::Give(1)]));
    let short = time_until(&mut short, 8).await;
    assert!(short > SECOND / 5 && short < 3 * SECOND, "{short:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_so_is_its_end() {
    let failures = |kind, count| (0..count).map(move |_| Act::Fail(kind));
    for (kind, count, lines) in
        [(ErrorKind::Unavailable, 2, 0), (ErrorKind::Unavailable, 9, 1), (ErrorKind::Denied, 9, 1)]
    {
        logged();
        let mut bench = bench(None, failures(kind, count).chain([Act::Give(1), Act::Give(1)]));
        bench.run(1000 * SECOND).await;
        let told = logged();
        assert_eq!(told.len(), 2 * lines, "{told:?}");
        let (warned, informed) = told.split_at(lines);
        assert!(warned.iter().all(|line| line.starts_with("WARN") && line.contains("`scripted`: it is ")));
        assert!(informed.iter().all(|line| line.starts_with("INFO") && line.contains("after 9 failed")));
        assert_eq!(bench.crew.metrics.errors(kind).get(), count as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn progress_that_cannot_be_kept_is_told_and_reading_goes_on() {
    for (fault, text) in
        [(Fault::AcknowledgeFails, "`scripted`: no progress"), (Fault::CloseFails, "no last checkpoint")]
    {
        logged();
        let mut bench = bench(None, [Act::Have(fault), Act::Pend, Act::Give(1)]);
        bench.run(SECOND).await;
        bench.acknowledge("p", 1);
        bench.run(SECOND).await;
        assert_eq!(bench.given(), 1);
        bench.stop.send(true).expect("a reader");
        bench.run(SECOND).await;
        let told = logged();
        assert!(matches!(&told[..], [line] if line.starts_with("ERROR") && line.contains(text)), "{told:?}");
    }
}

#[tokio::test]
async fn patience_counts_from_the_first_failure_since_a_success() {
    let outage = 2 * SECOND;
    for (patience, succeeds, goes_on) in [
        (Some(SECOND), false, false),
        (Some(SECOND), true, true),
        (Some(3600 * SECOND), false, true),
        (None, false, true),
    ] {
        let mut reader = bench(patience, []).reader.expect("a reader");
        reader.health.failed(Instant::now() - outage, ErrorKind::Throttled);
        if succeeds {
            reader.succeeded();
        }
        let end = reader.failed(SourceError::new(ErrorKind::Denied, "no"));
        assert_eq!(end.is_ok(), goes_on, "{patience:?} {succeeds}");
        assert!(end.err().is_none_or(|error| error.kind() == ErrorKind::Denied));
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_source_that_works_again_no_longer_counts_as_failing() {
    let mut bench = bench(None, [Act::Fail(ErrorKind::Throttled), Act::Rest]);
    bench.run(Duration::from_millis(1)).await;
    assert!(bench.vital.failing.load(Relaxed));
    bench.run(SECOND).await;
    assert!(!bench.vital.failing.load(Relaxed));
}

#[tokio::test(start_paused = true)]
async fn gauges_show_what_waits_and_who_fails() {
    let mut busy = bench(None, [Act::Give(10), Act::Give(10)]);
    let mut failing = bench(None, (0..100).map(|_| Act::Fail(ErrorKind::Throttled)));
    busy.run(SECOND).await;
    failing.run(SECOND).await;
    assert_eq!(busy.vital.since_success(), Duration::ZERO, "waiting for the consumer is no outage");
    assert_ne!(failing.vital.since_success(), Duration::ZERO);
    busy.crew.observe(&[Arc::clone(&busy.vital), Arc::clone(&failing.vital)]);
    let metrics = &busy.crew.metrics;
    assert_eq!((metrics.events_queued.get(), metrics.bytes_queued.get()), (10, 70));
    assert_eq!(metrics.failing.get(), 1);
    *failing.vital.last_success.lock().unwrap() -= 2 * SECOND;
    busy.crew.observe(&[Arc::clone(&failing.vital), Arc::clone(&busy.vital)]);
    assert!(metrics.seconds_since_success.get() >= 2, "the one that waits longest");
    assert!(matches!(busy.crew.queue.take(Duration::ZERO, 1000), Taken::Items(_)));
    busy.run(SECOND).await;
    assert_ne!(busy.vital.since_success(), Duration::ZERO);
}
