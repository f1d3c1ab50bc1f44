//! The rhythm of checkpoints, against a store that is slow or fails on request.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};

use super::*;
use crate::logged::logged;
use crate::{ErrorKind, chain};

#[derive(Debug, Default)]
struct Fickle {
    objects: InMemory,
    /// Seconds that a write takes.
    slow: AtomicU64,
    /// How every call fails.
    trouble: Mutex<Option<ErrorKind>>,
    writes: AtomicU64,
}

impl Fickle {
    fn check(&self) -> StoreResult<()> {
        let (path, source) = ("path".to_owned(), "scripted".into());
        match *self.trouble.lock().unwrap() {
            None => Ok(()),
            Some(ErrorKind::Denied) => Err(Error::PermissionDenied { path, source }),
            Some(ErrorKind::NotFound) => Err(Error::NotFound { path, source }),
            Some(_) => Err(Error::Generic { store: "fickle", source }),
        }
    }
}

impl fmt::Display for Fickle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fickle")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Fickle {
    async fn put_opts(&self, path: &Path, body: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.writes.fetch_add(1, Relaxed);
        tokio::time::sleep(Duration::from_secs(self.slow.load(Relaxed))).await;
        self.check()?;
        self.objects.put_opts(path, body, options).await
    }
    async fn get_opts(&self, path: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.check()?;
        self.objects.get_opts(path, options).await
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

struct Desk {
    store: Arc<Fickle>,
    keeper: Checkpointer,
    metrics: Arc<SourceMetrics>,
}

fn desk(interval: Duration) -> Desk {
    let (store, metrics) = (Arc::<Fickle>::default(), Arc::<SourceMetrics>::default());
    let place = CheckpointStore::new(Arc::clone(&store) as _, Path::default(), "fickle://place");
    let partition = PartitionId::new("p");
    let keeper =
        Checkpointer::new(Some(Arc::new(place)), partition, "test/1", interval, Arc::clone(&metrics));
    Desk { store, keeper, metrics }
}

impl Desk {
    async fn stored(&self) -> Option<Bytes> {
        self.keeper.load().await.expect("load")
    }

    /// Saves, and hears how it went.
    async fn save(&mut self) {
        self.keeper.save(Bytes::from("body"));
        self.keeper.finish(None).await.expect("only waits");
    }
}

const INTERVAL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_save_is_due_an_interval_after_the_one_before() {
    let mut desk = desk(INTERVAL);
    assert!(!desk.keeper.is_due().await, "the first one too");
    desk.keeper.saver.started -= INTERVAL;
    assert!(desk.keeper.is_due().await);
    assert!(desk.keeper.is_due().await, "it stays so until the save");
    desk.save().await;
    assert!(!desk.keeper.is_due().await);
}

#[tokio::test]
async fn without_a_store_nothing_is_ever_due() {
    let metrics = Arc::<SourceMetrics>::default();
    let mut keeper =
        Checkpointer::new(None, PartitionId::new("p"), "test/1", Duration::ZERO, Arc::clone(&metrics));
    assert!(!keeper.is_kept() && !keeper.is_due().await);
    keeper.save(Bytes::from("body"));
    keeper.finish(Some(Bytes::from("body"))).await.expect("nothing to write");
    assert_eq!((keeper.load().await.expect("load"), metrics.checkpoints.get()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn one_write_at_a_time_and_nobody_waits_for_it() {
    let mut desk = desk(Duration::ZERO);
    desk.store.slow.store(10, Relaxed);
    desk.keeper.save(Bytes::from("first"));
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(!desk.keeper.is_due().await);
    assert_eq!(desk.metrics.checkpoints.get(), 0, "not before it is written");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(desk.keeper.is_due().await);
    assert_eq!((desk.stored().await, desk.metrics.checkpoints.get()), (Some(Bytes::from("first")), 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_checkpoint_is_not_overtaken_by_the_one_under_way() {
    for (last, expect, writes) in [(Some("last"), "last", 2), (None, "slow", 1)] {
        let mut desk = desk(Duration::ZERO);
        desk.store.slow.store(10, Relaxed);
        desk.keeper.save(Bytes::from("slow"));
        tokio::task::yield_now().await;
        desk.store.slow.store(0, Relaxed);
        desk.keeper.finish(last.map(Bytes::from)).await.expect("written");
        assert_eq!(desk.stored().await, Some(Bytes::from(expect)));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(desk.stored().await, Some(Bytes::from(expect)), "also later");
        assert_eq!((desk.store.writes.load(Relaxed), desk.metrics.checkpoints.get()), (writes, writes));
    }
}

#[tokio::test]
async fn writes_that_fail_are_told_once_and_so_is_their_end() {
    for (kind, failures, lines) in [
        (ErrorKind::Denied, 1, 1),
        (ErrorKind::Denied, 9, 1),
        (ErrorKind::Unavailable, 2, 0),
        (ErrorKind::Unavailable, 9, 1),
    ] {
        let mut desk = desk(Duration::ZERO);
        logged();
        *desk.store.trouble.lock().unwrap() = Some(kind);
        for _ in 0..failures {
            desk.save().await;
        }
        let told = logged();
        assert_eq!(told.len(), lines, "{told:?}");
        let is_whole = |line: &String| {
            line.starts_with("ERROR") && line.contains("fickle://place/p-") && line.contains("scripted")
        };
        assert!(told.iter().all(is_whole), "{told:?}");
        *desk.store.trouble.lock().unwrap() = None;
        desk.save().await;
        desk.save().await;
        let told = logged();
        assert_eq!(told.len(), lines, "{told:?}");
        assert!(told.iter().all(|line| line.starts_with("INFO") && line.contains("again")), "{told:?}");
        assert_eq!((desk.metrics.checkpoint_errors.get(), desk.metrics.checkpoints.get()), (failures, 2));
    }
}

#[tokio::test]
async fn a_failure_names_the_object_and_what_is_missing() {
    for (trouble, read) in [
        (ErrorKind::Denied, Some(ErrorKind::Denied)),
        (ErrorKind::Unavailable, Some(ErrorKind::Unavailable)),
        (ErrorKind::NotFound, None),
    ] {
        let mut desk = desk(Duration::ZERO);
        *desk.store.trouble.lock().unwrap() = Some(trouble);
        let write = desk.keeper.finish(Some(Bytes::from("body"))).await.expect_err("scripted");
        assert_eq!((write.kind(), desk.metrics.checkpoints.get()), (trouble, 0));
        let load = desk.keeper.load().await;
        assert_eq!(load.as_ref().err().map(SourceError::kind), read, "{load:?}");
        for (error, verb) in [(Some(write), "write"), (load.err(), "read")] {
            let Some(line) = error.map(|error| chain(&error)) else { continue };
            assert!(line.contains(&format!("cannot {verb} the checkpoint `fickle://place/p-")), "{line}");
            assert_eq!(line.contains("allow to"), trouble == ErrorKind::Denied, "{line}");
            assert!(line.contains("scripted"), "{line}");
        }
    }
}

#[tokio::test]
async fn what_failed_is_tried_again_soon_whatever_the_interval() {
    let hour = Duration::from_secs(3600);
    let mut desk = desk(hour);
    for (trouble, is_due) in [(Some(ErrorKind::Denied), true), (None, false)] {
        *desk.store.trouble.lock().unwrap() = trouble;
        desk.save().await;
        assert_eq!(desk.keeper.has_failed(), is_due);
        assert!(!desk.keeper.is_due().await, "not at once");
        let longest = if is_due { Saver::<()>::TRY_AGAIN } else { hour };
        let until = desk.keeper.until_due();
        assert!(until <= longest && until > longest / 2, "{until:?}");
        desk.keeper.saver.started -= Saver::<()>::TRY_AGAIN;
        assert_eq!(desk.keeper.is_due().await, is_due);
    }
    *desk.store.trouble.lock().unwrap() = Some(ErrorKind::Unavailable);
    desk.keeper.finish(Some(Bytes::from("body"))).await.expect_err("scripted");
    assert!(desk.keeper.has_failed(), "the last one counts too");
}

#[tokio::test]
async fn who_asks_when_is_told_no_time_that_would_be_a_busy_loop() {
    let mut desk = desk(Duration::ZERO);
    desk.save().await;
    assert_eq!(desk.keeper.until_due(), Saver::<()>::LOOK);
    desk.keeper.store = None;
    assert_eq!(desk.keeper.until_due(), Duration::MAX);
}
