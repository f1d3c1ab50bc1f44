use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::Transport;

fn store(group: &str) -> PartitionStore {
    shared(group, Arc::new(InMemory::new()))
}

pub(crate) fn shared(group: &str, memory: Arc<InMemory>) -> PartitionStore {
    let text = "Endpoint=sb://Ns.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0";
    let hub = Hub::from_connection_string("key", text, Some("Audit"), group, Transport::Amqp).expect("hub");
    PartitionStore::new(BlobContainer { store: memory, url: "memory://".to_owned() }, &hub)
}

fn at(sequence: i64) -> Position {
    Position { sequence, offset: Some(format!("{}", sequence * 100)) }
}

pub(crate) async fn put(store: &PartitionStore, path: &str, metadata: Vec<(&'static str, String)>) {
    let path = Path::from(path);
    let etag = store.metadata(&path).await.expect("read").map(|(etag, _)| etag);
    store.put(&Blob { path, etag }, metadata).await.expect("write").expect("first");
}

/// What stands in the checkpoint of partition 3 of that spelling.
async fn stored(store: &PartitionStore, prefix: &str) -> Option<i64> {
    let found = store.metadata(&Path::from(format!("{prefix}/checkpoint/3"))).await.expect("read");
    found.and_then(|(_, metadata)| Position::from_metadata(&metadata)).map(|position| position.sequence)
}

const GIVEN: &str = "Ns.servicebus.windows.net/Audit/$Default";
pub(crate) const FOLDED: &str = "ns.servicebus.windows.net/audit/$default";

#[tokio::test]
async fn a_checkpoint_is_read_in_both_spellings_and_the_furthest_wins() {
    for (given, folded, expect) in [
        (None, None, None),
        (Some(5), None, Some(5)),
        (None, Some(7), Some(7)),
        (Some(5), Some(7), Some(7)),
        (Some(9), Some(7), Some(9)),
    ] {
        let store = store("$Default");
        for (prefix, sequence) in [(GIVEN, given), (FOLDED, folded)] {
            if let Some(sequence) = sequence {
                put(&store, &format!("{prefix}/checkpoint/3"), at(sequence).to_metadata()).await;
            }
        }
        let found = store.checkpoint("3").await.expect("checkpoint");
        assert_eq!(found.position.as_ref().map(|position| position.sequence), expect);
        // What is there is written, the given spelling where nothing is.
        store.save(&at(20), found.blobs).await.expect("save");
        let expect_given = (given.is_some() || folded.is_none()).then_some(20);
        assert_eq!(stored(&store, GIVEN).await, expect_given);
        assert_eq!(stored(&store, FOLDED).await, folded.map(|_| 20));
    }
}

#[tokio::test]
async fn a_checkpoint_never_moves_backwards() {
    let store = store("$Default");
    let first = store.checkpoint("3").await.expect("checkpoint").blobs;
    let mine = store.save(&at(10), first.clone()).await.expect("save");
    // Somebody else has taken over and moved on, without conditions, as SDKs do.
    put(&store, &format!("{GIVEN}/checkpoint/3"), at(30).to_metadata()).await;
    let mine = store.save(&at(12), mine).await.expect("save");
    assert_eq!(stored(&store, GIVEN).await, Some(30));
    // From there on it goes forwards again.
    store.save(&at(31), mine).await.expect("save");
    assert_eq!(stored(&store, GIVEN).await, Some(31));
    // Whoever believes that nothing is there yet does no harm either.
    store.save(&at(2), first).await.expect("save");
    assert_eq!(stored(&store, GIVEN).await, Some(31));
}

#[tokio::test]
async fn no_checkpoint_is_an_error_that_names_it() {
    let store = store("$Default");
    put(&store, &format!("{GIVEN}/checkpoint/3"), vec![("something", "else".to_owned())]).await;
    let error = store.checkpoint("3").await.expect_err("no checkpoint");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&format!("{GIVEN}/checkpoint/3")), "{error}");
}

#[tokio::test]
async fn one_of_two_who_claim_at_once_has_it() {
    let memory = Arc::new(InMemory::new());
    let (one, other) = (shared("g", Arc::clone(&memory)), shared("g", memory));
    let names = ["0".to_owned(), "1".to_owned()];
    let seen = one.ownerships(&names).await.expect("look");
    assert_eq!(seen.iter().map(|one| one.owners.clone()).collect::<Vec<_>>(), [[""; 0]; 2]);
    let claimed = one.claim("one", &seen[0].blobs).await.expect("claim").expect("first");
    assert_eq!(other.claim("other", &seen[0].blobs).await.expect("claim"), None);
    let seen = other.ownerships(&names).await.expect("look");
    assert_eq!((seen[0].owners.join(","), seen[1].owners.join(",")), ("one".into(), String::new()));
    // Stealing is claiming what was seen last; the owner's renewal fails then.
    other.claim("other", &seen[0].blobs).await.expect("steal").expect("nobody was faster");
    assert_eq!(one.claim("one", &claimed).await.expect("renew"), None);
    // Giving up what is not one's own any more changes nothing.
    one.release("one", &claimed).await.expect("release");
    assert_eq!(one.ownerships(&names).await.expect("look")[0].owners, ["other"]);
    other.release("other", &seen[0].blobs).await.expect("release");
    let seen = one.ownerships(&names).await.expect("look");
    assert!(seen[0].owners.is_empty());
    one.claim("one", &seen[0].blobs).await.expect("claim").expect("it is free");
}

#[tokio::test]
async fn ownership_is_written_in_the_spelling_that_is_there() {
    let store = store("$Default");
    put(&store, &format!("{FOLDED}/ownership/3"), vec![(OWNER, String::new())]).await;
    let seen = store.ownerships(&["3".to_owned()]).await.expect("look");
    store.claim("me", &seen[0].blobs).await.expect("claim").expect("free");
    let at = |prefix: &str| Path::from(format!("{prefix}/ownership/3"));
    let found = store.metadata(&at(FOLDED)).await.expect("read").expect("there");
    assert_eq!(found.1.get(OWNER).map(String::as_str), Some("me"));
    assert!(store.metadata(&at(GIVEN)).await.expect("read").is_none());
}

#[tokio::test]
async fn a_first_checkpoint_is_written_where_the_partition_is_owned() {
    for (owned_as, expect) in [(vec![], GIVEN), (vec![FOLDED], FOLDED), (vec![GIVEN], GIVEN)] {
        let store = store("$Default");
        for prefix in &owned_as {
            put(&store, &format!("{prefix}/ownership/3"), vec![(OWNER, "me".to_owned())]).await;
        }
        let blobs = store.checkpoint("3").await.expect("checkpoint").blobs;
        store.create(&at(5), &blobs).await.expect("write").expect("the first");
        assert_eq!(stored(&store, expect).await, Some(5), "{owned_as:?}");
        assert_eq!(blobs.len(), 1);
        // What is there is not what was seen: somebody else has begun.
        assert_eq!(store.create(&at(9), &blobs).await.expect("write"), None);
        assert_eq!(stored(&store, expect).await, Some(5));
    }
}

#[tokio::test]
async fn a_new_partition_is_owned_in_the_spelling_of_the_others() {
    let store = store("$Default");
    put(&store, &format!("{FOLDED}/ownership/0"), vec![(OWNER, String::new())]).await;
    let seen = store.ownerships(&["0".to_owned(), "1".to_owned()]).await.expect("look");
    assert!(seen[1].blobs[0].path.as_ref().starts_with(FOLDED), "{:?}", seen[1]);
}
