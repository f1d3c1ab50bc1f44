//! What a decoder leaves of a batch.

use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::{Cursor, PartitionId};

/// Gives these batches; a record is how many events are in it.
struct Numbers(Vec<NextBatch<usize>>);

impl EventSource for Numbers {
    type Record = usize;

    fn name(&self) -> &str {
        "numbers"
    }
    async fn next_batch(&mut self) -> Result<NextBatch<usize>, SourceError> {
        Ok(self.0.pop().unwrap_or(NextBatch::End))
    }
    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        Err(SourceError::new(crate::ErrorKind::Denied, format!("acknowledge {}", delta.to.0)))
    }
    async fn close(&mut self) -> Result<(), SourceError> {
        Err(SourceError::new(crate::ErrorKind::Denied, "close"))
    }
}

struct Repeat;

impl Decode<usize> for Repeat {
    fn decode(&mut self, count: usize, events: &mut Vec<Event>) {
        let event = |index| Event::new("", index as u64);
        events.extend((0..count).map(event));
    }
}

/// Events and cursor of the batch that becomes of these records.
#[track_caller]
fn check(records: &[usize], expect: (Vec<u64>, u64)) {
    let batch = RecordBatch { partition: PartitionId::new("p"), records: records.to_vec(), end: Cursor(9) };
    let mut source = Decoded::new(Numbers(vec![NextBatch::Records(batch)]), Repeat);
    let Some(Ok(NextBatch::Records(batch))) = source.next_batch().now_or_never() else { panic!("no batch") };
    assert_eq!((batch.records.iter().map(|event| event.timestamp).collect(), batch.end.0), expect);
}

#[test]
fn every_record_is_decoded_in_order_and_the_cursor_stays() {
    check(&[2, 0, 3], (vec![0, 1, 0, 1, 2], 9));
    check(&[0, 0], (vec![], 9));
    check(&[], (vec![], 9));
}

#[test]
fn everything_else_passes() {
    let mut source = Decoded::new(Numbers(vec![NextBatch::Idle(Duration::from_secs(7))]), Repeat);
    assert_eq!(source.name(), "numbers");
    let mut next = || source.next_batch().now_or_never();
    assert!(matches!(next(), Some(Ok(NextBatch::Idle(pause))) if pause == Duration::from_secs(7)));
    assert!(matches!(next(), Some(Ok(NextBatch::End))));
    let delta = CheckpointDelta { partition: PartitionId::new("p"), from: Cursor(1), to: Cursor(2) };
    let error = |answer: Option<Result<(), SourceError>>| answer.unwrap().unwrap_err().to_string();
    assert_eq!(error(source.acknowledge(delta).now_or_never()), "acknowledge 2");
    assert_eq!(error(source.close().now_or_never()), "close");
}
