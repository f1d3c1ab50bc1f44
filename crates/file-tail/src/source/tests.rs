use std::sync::mpsc;

use super::*;

/// A source whose reader does what it is told.
fn source(work: impl FnOnce(Outbox) + Send + 'static) -> FileSource {
    let partition = PartitionId::new("audit.log");
    let checkpointer = Checkpointer::new(None, partition.clone(), FORMAT, Duration::ZERO, Arc::default());
    let mut source = FileSource::start(checkpointer, partition, &FileOptions::default(), |outbox, _| {
        move || {
            work(outbox);
            Ok(())
        }
    })
    .expect("started");
    source.is_followed = true;
    source
}

#[tokio::test(start_paused = true)]
async fn a_file_system_that_does_not_answer_is_told_until_it_does() {
    let (answer, answered) = mpsc::channel::<()>();
    let (end, ended) = mpsc::channel::<()>();
    let mut source = source(move |outbox| {
        let _ = answered.recv();
        outbox.looked();
        let _ = ended.recv();
    });
    let begun = tokio::time::Instant::now();
    let error = source.next_batch().await.expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() > SILENCE);
    answer.send(()).expect("it listens");
    while !matches!(source.next_batch().await, Ok(NextBatch::Idle(_))) {}
    assert!(source.failing.is_none());
    end.send(()).expect("it listens");
}

#[tokio::test]
async fn records_that_come_while_it_is_opened_are_given() {
    let mut source = source(|mut outbox| {
        outbox.looked();
        outbox.push(FileRecord { bytes: Bytes::from_static(b"a") });
        let _ = outbox.flush(None);
    });
    source.settle().await.expect("settled");
    let given = source.next_batch().await.expect("the records");
    assert!(matches!(given, NextBatch::Records(batch) if batch.records.len() == 1));
    source.close().await.expect("closed");
}

#[tokio::test]
async fn a_reader_that_panics_is_an_error_and_no_end() {
    let mut source = source(|_| panic!("on purpose"));
    for _ in 0..2 {
        let error = source.next_batch().await.expect_err("a panic");
        assert!(error.kind().is_fatal() && error.to_string().contains("panicked"), "{error}");
    }
    source.close().await.expect("closed");
}
