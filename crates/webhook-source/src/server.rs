//! [`Server`]: accepts connections, and looks at the files from time to time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::activity::Activity;
use crate::connection::{self, GRACE};
use crate::quiet::Quiet;
use crate::reception::Reception;
use crate::watched::Watched;

/// Everything of a webhook that runs by itself.
pub(crate) struct Server<T> {
    pub(crate) reception: Arc<Reception<T>>,
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<Watched<TlsAcceptor>>>,
    pub(crate) max_connections: usize,
    pub(crate) stopped: watch::Receiver<bool>,
}

/// A connection of the moment.
struct Guest {
    peer: SocketAddr,
    activity: Arc<Activity>,
    task: AbortHandle,
}

/// How long to wait after the system had no connection to give: mostly of file descriptors there are too few.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl<T: Send + 'static> Server<T> {
    /// Until it is stopped, and the connections had their grace.
    pub(crate) async fn run(self) {
        let Self { reception, listener, tls, max_connections, stopped } = self;
        let mut stop = stopped.clone();
        let (name, metrics) = (&reception.name, &reception.metrics);
        let (crowded, failing) = (Quiet::default(), Quiet::default());
        let mut connections = JoinSet::new();
        // In the order of their arrival.
        let mut guests: VecDeque<Guest> = VecDeque::new();
        let mut watch = pin!(watch_files(Arc::clone(&reception), tls.clone()));
        loop {
            metrics.connections_open.set(connections.len() as u64);
            let (stream, peer) = tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => break,
                () = &mut watch => continue,
                Some(ended) = connections.join_next() => {
                    tell_defect(name, ended);
                    continue;
                }
                accepted = accept(&listener, &reception, &failing) => accepted,
            };
            guests.retain(|guest| !guest.task.is_finished());
            if guests.len() >= max_connections {
                metrics.connections_refused.increment();
                // Whoever may send must not be kept out by those who may not.
                let stranger = guests.iter().position(|guest| !guest.activity.is_trusted());
                let stranger = stranger.and_then(|stranger| guests.remove(stranger));
                let closed = stranger.as_ref().map_or(peer, |stranger| stranger.peer);
                if crowded.is_due() {
                    let total = metrics.connections_refused.get();
                    log::warn!(
                        "`{name}`: all {max_connections} connections are in use, that of {closed} is closed, {total} so far; senders have to try again"
                    );
                }
                let Some(stranger) = stranger else { continue };
                stranger.task.abort();
            }
            metrics.connections.increment();
            let activity = Arc::new(Activity::new(&reception.timeouts));
            let tls = tls.as_ref().map(|tls| tls.current());
            let served = connection::serve(
                Arc::clone(&reception),
                stream,
                tls,
                peer,
                Arc::clone(&activity),
                stopped.clone(),
            );
            guests.push_back(Guest { peer, activity, task: connections.spawn(served) });
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(GRACE + Duration::from_millis(100), all).await;
        metrics.connections_open.set(0);
    }
}

/// The next connection, however often the system has none to give.
async fn accept<T>(
    listener: &TcpListener,
    reception: &Reception<T>,
    failing: &Quiet,
) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                reception.metrics.accept_errors.increment();
                if failing.is_due() {
                    log::error!(
                        "`{}`: the system gives no connection, raise its limit of open files; trying again: {error}",
                        reception.name
                    );
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection's task should not panic.
fn tell_defect(name: &str, ended: Result<(), JoinError>) {
    if ended.is_err_and(|ended| ended.is_panic()) {
        log::error!(
            "`{name}`: a connection's task panicked, and its sender has to send again; this is a defect, please report it"
        );
    }
}

/// Looks at the files again and again; never ends.
async fn watch_files<T>(reception: Arc<Reception<T>>, tls: Option<Arc<Watched<TlsAcceptor>>>) {
    let mut looks = interval(reception.timeouts.reload);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(tls) = &tls {
            tls.look(&reception.name, &reception.metrics).await;
        }
        if let Some(token) = &reception.token {
            token.look(&reception.name, &reception.metrics).await;
        }
    }
}
