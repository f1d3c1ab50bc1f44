//! [`Sharing`]: the rhythm in which a process renews what it owns, sees what others own, and takes its share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use event_source::{ErrorKind, Health, HealthChange, SourceError, chain};
use futures::future::join_all;
use tokio::sync::{Mutex as FairMutex, Notify, watch};

use crate::balance::{Holder, claims};
use crate::metrics::HubMetrics;
use crate::store::{Blob, Ownership, PartitionStore};

/// How processes share the partitions.
#[derive(Clone, Copy, Debug)]
pub struct SharingOptions {
    /// A partition that its owner has not renewed for that long is free.
    pub ownership_expiration: Duration,
    /// Between two looks at who owns what.
    pub load_balancing_interval: Duration,
}

/// The `n`th time that this process owns a partition; `None`: it does not.
pub(crate) type Lease = Option<u64>;

/// The partitions of a hub, as this process shares them with others.
#[derive(Debug)]
pub(crate) struct Sharing {
    store: Arc<PartitionStore>,
    options: SharingOptions,
    /// New for each process: an owner that was killed is somebody else.
    me: String,
    partitions: Vec<String>,
    leases: Vec<watch::Sender<Lease>>,
    metrics: Arc<HubMetrics>,
    look_now: Notify,
    /// How many looks were begun, and the last of them that has worked.
    begun: AtomicU64,
    done: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    /// One look at a time, and none while a partition is given up.
    turn: FairMutex<Looks>,
    /// Why nothing can be known at the moment of who owns what.
    failure: Mutex<Option<(ErrorKind, String)>>,
}

/// What earlier looks have seen.
#[derive(Debug)]
struct Looks {
    /// For each partition, the blobs of the last look and since when they have not changed.
    seen: Vec<(Vec<Blob>, Instant)>,
    /// When they were seen last.
    seen_at: Instant,
    health: Health,
    leases: u64,
    random: fastrand::Rng,
}

impl Sharing {
    pub(crate) fn new(
        store: Arc<PartitionStore>,
        options: SharingOptions,
        partitions: Vec<String>,
        metrics: Arc<HubMetrics>,
    ) -> Self {
        let now = Instant::now();
        let looks = Looks {
            seen: vec![(Vec::new(), now); partitions.len()],
            seen_at: now,
            health: Health::new(),
            leases: 0,
            random: fastrand::Rng::new(),
        };
        Self {
            store,
            options,
            me: owner_id(),
            leases: partitions.iter().map(|_| watch::Sender::new(None)).collect(),
            partitions,
            metrics,
            look_now: Notify::new(),
            begun: AtomicU64::new(0),
            done: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            turn: FairMutex::new(looks),
            failure: Mutex::new(None),
        }
    }

    /// The lease of the `index`th partition, as it changes.
    pub(crate) fn lease(&self, index: usize) -> watch::Receiver<Lease> {
        self.leases.get(index).map_or_else(|| watch::Sender::new(None).subscribe(), watch::Sender::subscribe)
    }

    /// Something happened that may be somebody's taking over: looks before the interval is over. The first look that
    /// knows of it has the number that is returned, and [`looks`](Self::looks) tells when it has worked.
    pub(crate) fn look_now(&self) -> u64 {
        let next = self.begun.load(Relaxed) + 1;
        self.look_now.notify_one();
        next
    }

    /// The number of the last look that has worked.
    pub(crate) fn looks(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }

    /// Why nothing can be known of who owns what, if that is so.
    pub(crate) fn failure(&self) -> Option<SourceError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|(kind, text)| SourceError::new(*kind, text.clone()))
    }

    /// Looks and takes, in its rhythm, until it is closed.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut closing = self.closing.subscribe();
        loop {
            // Processes that were started together do not look together.
            let pause = self.options.load_balancing_interval.mul_f64(0.8 + 0.4 * fastrand::f64());
            // However often somebody asks for a look, the store has some rest.
            let asked = async {
                tokio::time::sleep(self.options.load_balancing_interval / 10).await;
                self.look_now.notified().await;
            };
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                () = tokio::time::sleep(pause) => {}
                () = asked => {}
            }
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                _ = self.look() => {}
            }
        }
    }

    /// One look at who owns what; renews, and takes a share.
    pub(crate) async fn look(&self) -> Result<(), SourceError> {
        let mut looks = self.turn.lock().await;
        let number = self.begun.fetch_add(1, Relaxed) + 1;
        let looked = self.balance(&mut looks).await;
        let change = match &looked {
            Ok(()) => looks.health.succeeded(Instant::now()),
            Err(error) => looks.health.failed(Instant::now(), error.kind()),
        };
        match (&looked, change) {
            // Who owns nothing hears of it from its partitions.
            (Err(error), HealthChange::Failing) if self.owns_any() => {
                log::warn!("who reads which partition cannot be known: {}; trying again", chain(error));
            }
            (_, HealthChange::Recovered { .. }) => log::info!("who reads which partition is known again"),
            _ => {}
        }
        let failure = looked.as_ref().err().map(|error| (error.kind(), chain(error)));
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        if looked.is_ok() {
            self.done.send_replace(number);
        }
        looked
    }

    fn owns_any(&self) -> bool {
        self.leases.iter().any(|lease| lease.borrow().is_some())
    }

    async fn balance(&self, looks: &mut Looks) -> Result<(), SourceError> {
        let ownerships = self.store.ownerships(&self.partitions).await?;
        let now = Instant::now();
        // After a time without a look nobody can be said to have given no sign in it.
        let was_blind = now.duration_since(looks.seen_at) > self.options.load_balancing_interval * 2;
        looks.seen_at = now;
        let mut holders = Vec::with_capacity(ownerships.len());
        for (ownership, (blobs, since)) in ownerships.iter().zip(&mut looks.seen) {
            if was_blind || *blobs != ownership.blobs {
                ownership.blobs.clone_into(blobs);
                *since = now;
            }
            // By what passes here, not by the store's time: no clock can be wrong.
            let is_expired = now.duration_since(*since) >= self.options.ownership_expiration;
            holders.push(self.holder(ownership, is_expired));
        }
        self.let_go(&holders);
        self.renew(looks, &holders).await?;
        let claims = claims(&holders, &mut looks.random);
        for (index, is_stolen) in
            claims.free.into_iter().map(|index| (index, false)).chain(claims.steal.map(|index| (index, true)))
        {
            if self.claim(looks, index).await? && is_stolen {
                self.metrics.partitions_stolen.increment();
            }
            // A store that is slow must not keep us from renewing what we have.
            if now.elapsed() > self.options.load_balancing_interval {
                break;
            }
        }
        Ok(())
    }

    fn holder(&self, ownership: &Ownership, is_expired: bool) -> Holder {
        // Where two spellings name two owners, the other one has claimed without knowing of ours: it is theirs.
        match (ownership.owners.iter().find(|owner| **owner != self.me), ownership.owners.is_empty()) {
            (None, true) => Holder::Nobody,
            (None, false) => Holder::Me,
            (Some(_), _) if is_expired => Holder::Nobody,
            (Some(other), _) => Holder::Other(other.clone()),
        }
    }

    /// What somebody else has is not ours any more.
    fn let_go(&self, holders: &[Holder]) {
        for ((lease, holder), partition) in self.leases.iter().zip(holders).zip(&self.partitions) {
            let had = lease.borrow().is_some();
            if had && *holder != Holder::Me {
                log::info!("partition {partition} is read by another process now");
                self.metrics.partitions_lost.increment();
                lease.send_replace(None);
            }
        }
    }

    async fn renew(&self, looks: &mut Looks, holders: &[Holder]) -> Result<(), SourceError> {
        let mine = holders.iter().zip(&looks.seen).enumerate();
        let mine = mine.filter(|(_, (holder, _))| **holder == Holder::Me);
        let renewals = join_all(mine.map(async |(index, (_, (blobs, _)))| {
            let renewed = self.store.claim(&self.me, blobs).await;
            (index, renewed)
        }));
        let renewals = renewals.await;
        let mut failure = None;
        for (index, renewed) in renewals {
            match renewed {
                Ok(Some(blobs)) => {
                    self.note(looks, index, blobs);
                    // Claimed by a look that was cut off after the store had said yes.
                    self.grant(looks, index);
                }
                // Overtaken: the next look tells by whom.
                Ok(None) => self.look_now.notify_one(),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn claim(&self, looks: &mut Looks, index: usize) -> Result<bool, SourceError> {
        let Some((blobs, _)) = looks.seen.get(index) else { return Ok(false) };
        let Some(blobs) = self.store.claim(&self.me, blobs).await? else { return Ok(false) };
        self.note(looks, index, blobs);
        self.grant(looks, index);
        Ok(true)
    }

    fn note(&self, looks: &mut Looks, index: usize, blobs: Vec<Blob>) {
        if let Some(seen) = looks.seen.get_mut(index) {
            *seen = (blobs, Instant::now());
        }
    }

    fn grant(&self, looks: &mut Looks, index: usize) {
        let Some(lease) = self.leases.get(index) else { return };
        if lease.borrow().is_none() {
            looks.leases += 1;
            lease.send_replace(Some(looks.leases));
        }
    }

    /// Gives a partition up, after its position was written; and looks no more, for this process is closing.
    pub(crate) async fn release(&self, index: usize) -> Result<(), SourceError> {
        self.closing.send_replace(true);
        let Some(lease) = self.leases.get(index) else { return Ok(()) };
        let looks = self.turn.lock().await;
        if lease.send_replace(None).is_none() {
            return Ok(());
        }
        let Some((blobs, _)) = looks.seen.get(index) else { return Ok(()) };
        let blobs = blobs.clone();
        // Others are given up at the same time.
        drop(looks);
        self.store.release(&self.me, &blobs).await
    }
}

/// A random name in the form that other SDKs use.
fn owner_id() -> String {
    let random = fastrand::u128(..);
    let hex = format!("{random:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests;
