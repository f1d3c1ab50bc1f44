//! Behind the pump, which drops the future of a call at each acknowledgement.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use event_source::{Decode, Decoded, ErrorKind, Event, Next, Pump, PumpOptions};
use file_tail::{FileRecord, FileSource, Target};

use crate::desk::{DEADLINE, Desk, appender, compare, line};

struct Lines;

impl Decode<FileRecord> for Lines {
    fn decode(&mut self, record: FileRecord, events: &mut Vec<Event>) {
        events.push(Event::new(record.bytes, 0));
    }
}

fn pump(desk: &Desk, target: Target, give_up_after: Option<Duration>) -> Pump {
    let (options, metrics) = (desk.options.clone(), Arc::clone(&desk.metrics));
    let sources = Arc::clone(&desk.source_metrics);
    let open = async move {
        let source = FileSource::open(target, options, metrics, sources).await?;
        Ok(vec![Decoded::new(source, Lines)])
    };
    let bounds =
        PumpOptions { max_queue_events: 100, max_queue_bytes: 1 << 20, max_batch_bytes: 1000, give_up_after };
    Pump::start(&bounds, Arc::clone(&desk.source_metrics), open).expect("open")
}

/// Evaluates until there are that many lines, or there is nothing more.
fn evaluate(pump: &mut Pump, lines: &mut Vec<String>, count: usize) {
    let deadline = Instant::now() + DEADLINE;
    while lines.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} lines came", lines.len());
        match pump.next_batch(Duration::from_millis(50)) {
            Next::Batch(events) => {
                lines.extend(events.iter().map(|event| String::from_utf8_lossy(&event.payload).into_owned()));
            }
            Next::Timeout => {}
            Next::End => return,
            Next::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_file_is_read_to_its_end() {
    let mut desk = Desk::new();
    desk.options.max_batch_records = 10;
    let count = 20_000;
    desk.append("audit.log", (0..count).map(line).collect::<String>());
    let mut lines = Vec::new();
    evaluate(&mut pump(&desk, Target::Path(desk.path("audit.log")), None), &mut lines, usize::MAX);
    assert!(lines.iter().map(String::as_str).eq((0..count).map(line).collect::<String>().lines()));
}

#[test]
fn a_followed_file_is_given_once_over_restarts() {
    let mut desk = Desk::with_checkpoints();
    desk.options.max_batch_records = 10;
    let mut writer = appender(&desk.path("audit.log"));
    let mut lines = Vec::new();
    for life in 0..5 {
        let mut pump = pump(&desk, Target::Follow(desk.path("audit.log")), None);
        for number in life * 500..(life + 1) * 500 {
            writer.write_all(line(number).as_bytes()).expect("written");
        }
        evaluate(&mut pump, &mut lines, (life + 1) * 500);
        // Asking for more is what acknowledges.
        assert!(matches!(pump.next_batch(Duration::from_millis(100)), Next::Timeout));
        let start = Instant::now();
        pump.close();
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    assert_eq!(compare(&lines, 2500), (vec![], vec![]));
}

#[test]
fn a_file_that_does_not_come_ends_the_source_after_its_patience() {
    let desk = Desk::new();
    let target = Target::Follow(desk.path("audit.log"));
    let mut pump = pump(&desk, target, Some(Duration::from_secs(1)));
    let start = SystemTime::now();
    let error = loop {
        match pump.next_batch(Duration::from_millis(50)) {
            Next::Failed(error) => break error,
            Next::Timeout => assert!(start.elapsed().expect("time") < DEADLINE),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let told: Vec<_> = desk.logged();
    assert_eq!(told.len(), 1, "told once: {told:?}");
}
