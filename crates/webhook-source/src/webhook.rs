//! [`Webhook`]: what is posted, as an [`EventSource`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event_source::{
    CheckpointDelta, ErrorKind, EventSource, NextBatch, PartitionId, RecordBatch, SourceError,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::Ledger;
use crate::quiet::Quiet;
use crate::reception::Reception;
use crate::server::Server;
use crate::token::Token;
use crate::{Acknowledge, WebhookMetrics, WebhookOptions, tls};

/// Makes what is evaluated of a body, or says to its sender why it cannot.
pub(crate) type Parse<T> = Box<dyn Fn(Bytes) -> Result<T, String> + Send + Sync>;

/// Bodies that are posted, each parsed into a `T`: a record for each request.
///
/// Dropped, it ends at once, and its senders get no answer; [`close`](EventSource::close) answers them.
pub struct Webhook<T> {
    partition: PartitionId,
    address: SocketAddr,
    acknowledge: Acknowledge,
    ledger: Arc<Ledger<T>>,
    stop: watch::Sender<bool>,
    /// One task, which ends with this.
    server: JoinSet<()>,
}

/// After that time without a request, the pump is told that all is well.
const QUIET: Duration = Duration::from_secs(1);

/// The longest that closing takes; the pump allows 2.5 s.
const CLOSE: Duration = Duration::from_millis(1800);

impl<T: Send + 'static> Webhook<T> {
    /// Reads the files and listens; requests are taken from now on.
    ///
    /// `parse` is called once for each body, before it is queued; what it refuses gets 400 with its reason.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the address cannot be listened on, or a file cannot be used;
    /// [`ErrorKind::NotFound`] or [`ErrorKind::Denied`] when a file cannot be read. The message names it.
    pub async fn open(
        options: WebhookOptions,
        metrics: Arc<WebhookMetrics>,
        parse: impl Fn(Bytes) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let WebhookOptions { endpoint, acknowledge, timeouts, .. } = options;
        let tls = match (&options.tls, endpoint.is_tls()) {
            (Some(files), true) => Some(Arc::new(tls::open(files).await?)),
            (None, true) => {
                let message =
                    format!("`{endpoint}` needs a certificate: name its file, or listen on `http://`");
                return Err(SourceError::new(ErrorKind::Config, message));
            }
            (Some(files), false) if files.client_ca.is_some() => {
                let message =
                    format!("`{endpoint}` cannot check certificates of clients: listen on `https://`");
                return Err(SourceError::new(ErrorKind::Config, message));
            }
            (_, false) => None,
        };
        let token = match &options.bearer_token_file {
            Some(path) => Some(Arc::new(Token::open(path).await?)),
            None => None,
        };
        let listener = endpoint.bind().await?;
        let address = listener.local_addr().map_err(|error| {
            SourceError::new(ErrorKind::Unavailable, format!("cannot listen on `{endpoint}`")).because(error)
        })?;
        let name = endpoint.to_string();
        let ledger = Arc::new(Ledger::new(
            name.clone(),
            acknowledge,
            timeouts.evaluation,
            options.max_queue_bytes,
            Arc::clone(&metrics),
        ));
        let (stop, stopped) = watch::channel(false);
        let asks = match (&token, options.tls.as_ref().is_some_and(|files| files.client_ca.is_some())) {
            (None, false) => "of anyone",
            (Some(_), false) => "with the bearer token",
            (None, true) => "with a client certificate",
            (Some(_), true) => "with a client certificate and the bearer token",
        };
        log::info!("`{name}`: listening on {address} for requests {asks}");
        if token.is_some() && tls.is_none() && !address.ip().is_loopback() {
            log::warn!("`{name}`: the bearer token travels unencrypted: listen on `https://`");
        }
        let reception = Arc::new(Reception {
            name: name.clone(),
            path: endpoint.path().to_owned(),
            token,
            parse: Box::new(parse),
            max_body_bytes: options.max_body_bytes,
            timeouts,
            ledger: Arc::clone(&ledger),
            metrics,
            quiet: Default::default(),
            no_tls: Quiet::default(),
        });
        let max_connections = options.max_connections;
        let mut server = JoinSet::new();
        server.spawn(Server { reception, listener, tls, max_connections, stopped }.run());
        let partition = PartitionId::new(name);
        Ok(Self { partition, address, acknowledge, ledger, stop, server })
    }

    /// Where it listens; with port 0 in the endpoint, the system has chosen one.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A server that panicked is a source that ended, so whoever reads it hears of it.
    fn check_server(&mut self) {
        if let Some(Err(ended)) = self.server.try_join_next()
            && let Ok(panic) = ended.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl<T: Send + 'static> EventSource for Webhook<T> {
    type Record = T;

    fn name(&self) -> &str {
        self.partition.as_str()
    }

    /// A request at a time: each is acknowledged by itself.
    async fn next_batch(&mut self) -> Result<NextBatch<T>, SourceError> {
        self.check_server();
        Ok(match tokio::time::timeout(QUIET, self.ledger.next()).await {
            Ok((end, content)) => {
                let partition = self.partition.clone();
                NextBatch::Records(RecordBatch { partition, records: vec![content], end })
            }
            Err(_) => NextBatch::Idle(Duration::ZERO),
        })
    }

    async fn acknowledge(&mut self, delta: CheckpointDelta) -> Result<(), SourceError> {
        self.ledger.evaluated(delta.to);
        Ok(())
    }

    /// Answers all that wait with 503, and ends the listener and all connections, within 2 s.
    async fn close(&mut self) -> Result<(), SourceError> {
        let lost = self.ledger.close();
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(CLOSE, self.server.join_next()).await;
        self.server.shutdown().await;
        if self.acknowledge == Acknowledge::Received && lost > 0 {
            log::error!(
                "`{}`: {lost} requests were confirmed, and are not known to be evaluated; confirm them when they are (`acknowledge: evaluated`)",
                self.partition
            );
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Webhook<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", &self.partition).finish_non_exhaustive()
    }
}
