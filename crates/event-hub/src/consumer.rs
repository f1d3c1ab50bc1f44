//! Opening a hub: its partitions, each an event source, shared with whoever else reads them.

use std::sync::Arc;
use std::time::Duration;

use event_source::checkpoint::Saver;
use event_source::{Backoff, ErrorKind, SourceError, SourceMetrics};

use crate::blob::BlobContainer;
use crate::error::HubError;
use crate::hub::Hub;
use crate::link::close;
use crate::local_thread::LocalThread;
use crate::metrics::{HubBoard, HubMetrics};
use crate::options::ConsumerOptions;
use crate::ownership::Sharing;
use crate::partition::{Partition, Shared, partition_id};
use crate::store::PartitionStore;

/// How often opening tries what fails for a reason that may pass.
const OPEN_TRIES: u32 = 5;
/// Between two looks at how many partitions there are.
const WATCH: Duration = Duration::from_secs(300);
/// The hub's own properties.
const ANSWER: Duration = Duration::from_secs(8);

/// Opens a hub: asks it for its partitions, and takes a share of them. Each is read while this process owns it.
///
/// # Errors
/// What will not pass by itself, and a hub that cannot be reached at all. The message names the resource and what to
/// do.
pub async fn open(
    hub: Hub,
    container: BlobContainer,
    options: ConsumerOptions,
    board: Arc<HubBoard>,
    metrics: Arc<SourceMetrics>,
) -> Result<Vec<Partition>, SourceError> {
    let names = partitions(&hub).await?;
    board.metrics().partitions.set(names.len() as u64);
    let store = Arc::new(PartitionStore::new(container, &hub));
    let sharing =
        Arc::new(Sharing::new(Arc::clone(&store), options.sharing, names.clone(), board.hub_metrics()));
    // A container that is not there, or may not be read, shows in this answer; in that to a list it does not.
    let mut looked = store.checkpoint(names.first().map_or("0", String::as_str)).await.map(drop);
    if looked.is_ok() {
        looked = sharing.look().await;
    }
    match looked {
        Err(error) if !error.kind().is_transient() => return Err(error),
        // The rhythm looks again.
        Ok(()) | Err(_) => {}
    }
    let thread = LocalThread::start("event-hub").map_err(|error| {
        SourceError::new(ErrorKind::Unavailable, "cannot start the hub's thread").because(error)
    })?;
    let hub = Arc::new(hub);
    let rhythm = {
        let (hub, sharing, board, read) =
            (Arc::clone(&hub), Arc::clone(&sharing), Arc::clone(&board), names.len());
        let rhythm =
            async move { tokio::join!(sharing.run(), board.run(), watch(&hub, read, board.metrics())) };
        tokio::spawn(rhythm).abort_handle()
    };
    let shared = Arc::new(Shared { hub, options, store, sharing, board, thread, rhythm });
    let partition = |(index, name): (usize, String)| {
        let id = partition_id(&shared.hub, &name);
        let saver = Saver::new(id, options.checkpoint_interval, Arc::clone(&metrics));
        Partition::new(Arc::clone(&shared), index, name, saver)
    };
    Ok(names.into_iter().enumerate().map(partition).collect())
}

/// Some hubs can be given more partitions; nobody would read them, and nobody would know.
async fn watch(hub: &Hub, read: usize, metrics: &HubMetrics) {
    let mut told = read;
    loop {
        tokio::time::sleep(WATCH).await;
        // A hub that does not answer is the partitions' matter.
        let Ok(names) = ask(hub).await else { continue };
        metrics.partitions.set(names.len() as u64);
        if names.len() > told {
            let (title, count) = (hub.title(), names.len());
            log::error!(
                "`{title}` has {count} partitions now, and {read} are read: start again to read them all"
            );
            told = count;
        }
    }
}

async fn partitions(hub: &Hub) -> Result<Vec<String>, SourceError> {
    let mut backoff = Backoff::new();
    for attempt in 1.. {
        let error = match ask(hub).await {
            Ok(names) => return Ok(names),
            Err(error) => error,
        };
        if attempt >= OPEN_TRIES || !error.kind.is_transient() {
            return Err(error.while_doing(&format!("open the hub `{}`", hub.title())));
        }
        tokio::time::sleep(backoff.pause()).await;
    }
    Ok(Vec::new())
}

async fn ask(hub: &Hub) -> Result<Vec<String>, HubError> {
    let client = hub.connect().await?;
    let found = tokio::time::timeout(ANSWER, client.get_eventhub_properties()).await;
    let found = found.map_err(|_| HubError::silent("a look at the hub", ANSWER))??;
    close(client).await;
    Ok(found.partition_ids)
}
