//! A running server.

use super::config::Config;
use super::control::Control;
use super::event::Event;
use super::faults::Fault;
use super::generate::Generated;
use super::ledger::Ledger;
use super::server;
use super::state::{Place, State};
use super::stats::Stats;
use super::tls;
use crate::clock::Clock;
use crate::http;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A namespace of Event Hubs on a thread of its own; dropping it ends the thread.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    address: SocketAddr,
    control: Option<SocketAddr>,
    authority: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts to listen; the server answers when this returns.
    ///
    /// # Errors
    /// An address cannot be bound, or the thread not be started.
    pub fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let control = match config.control {
            Some(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Some(listener)
            }
            None => None,
        };
        let control_address = control.as_ref().map(TcpListener::local_addr).transpose()?;
        let (tls, authority) = if config.tls { Some(tls::make()) } else { None }.unzip();
        let state = Arc::new(State::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("event-hubs-emulator".into()).spawn(move || {
            runtime.block_on(async {
                if let Some(control) = control {
                    let handler = Control { state: Arc::clone(&shared), address };
                    tokio::spawn(http::run(control, Arc::new(handler)));
                }
                server::run(listener, shared, tls, stopped).await;
            });
            // Dropping the runtime drops every open connection.
        })?;
        Ok(Self {
            state,
            address,
            control: control_address,
            authority,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `amqp://127.0.0.1:PORT`: what the Rust SDK takes as custom endpoint.
    pub fn endpoint_url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// Where it listens; giving it to another [`Config::listen`] starts a successor on the same port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, in PEM, of the authority behind the server's own; `None` without
    /// [`Config::tls`]. Clients that read `SSL_CERT_FILE` want it in a file of its own.
    pub fn authority_pem(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// `amqps://localhost:PORT`, with [`Config::tls`].
    pub fn tls_url(&self) -> String {
        format!("amqps://localhost:{}", self.address.port())
    }

    /// `http://127.0.0.1:PORT`, before `/_emulator/...`; `None` without [`Config::control`].
    pub fn control_url(&self) -> Option<String> {
        self.control.map(|address| format!("http://{address}"))
    }

    /// A connection string of the first policy, with `UseDevelopmentEmulator=true` and the port in
    /// `Endpoint`; with `EntityPath` when a hub is given.
    pub fn connection_string(&self, hub: Option<&str>) -> String {
        self.state.config.connection_string(self.address, hub)
    }

    /// Puts events into a partition, or where their keys lead; gives partition and sequence number
    /// of each.
    ///
    /// # Panics
    /// There is no such hub or partition.
    pub fn put(&self, hub: &str, partition: Option<u32>, events: Vec<Event>) -> Vec<(u32, i64)> {
        let at = self.state.named(hub);
        events.into_iter().map(|event| self.state.put(at, partition, event)).collect()
    }

    /// Spreads a plan of records over the partitions of a hub.
    ///
    /// # Panics
    /// There is no such hub, or it has a live plan that has not ended.
    pub fn generate(&self, hub: &str, plan: Generated) {
        self.state.generate(self.state.named(hub), plan);
    }

    /// Forgets the events of a partition before a sequence number, as retention would.
    ///
    /// # Panics
    /// There is no such hub or partition.
    pub fn drop_before(&self, hub: &str, partition: u32, sequence_number: i64) {
        self.state.drop_before(Place { hub: self.state.named(hub), partition }, sequence_number);
    }

    /// The text of a generated audit event, as `properties.log` has it when it is not cut.
    ///
    /// `None` when the message is no generated one or holds no such auditID.
    pub fn event(&self, hub: &str, partition: u32, audit_id: &str) -> Option<String> {
        let now_ms = self.state.clock.now_ms();
        let hubs = self.state.hubs();
        let hub = hubs.iter().find(|it| it.config.name.eq_ignore_ascii_case(hub))?;
        let plans = hub.partitions.get(partition as usize)?.plans(now_ms);
        plans.into_iter().find_map(|(_, plan, _)| {
            let record = u64::from_str_radix(audit_id.get(28..)?, 16).ok()?;
            let held = record < plan.records_of(partition) && plan.audit_id(partition, record) == audit_id;
            held.then(|| plan.event(partition, record))
        })
    }

    /// Sequence number of the next event of a partition.
    ///
    /// # Panics
    /// There is no such hub or partition.
    pub fn end(&self, hub: &str, partition: u32) -> i64 {
        self.state.extent(Place { hub: self.state.named(hub), partition }).end
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.state.inject(fault);
    }

    /// Ends all faults that last; connections that fell silent stay so.
    pub fn clear_faults(&self) {
        self.state.clear_faults();
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Which records and messages of a hub have been sent: a copy, so ask seldom when there are millions.
    ///
    /// # Panics
    /// There is no such hub.
    pub fn ledger(&self, hub: &str) -> Ledger {
        self.state.ledger(self.state.named(hub))
    }

    /// Connections, links and events so far: cheap, for waiting.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Ends the server and waits for its thread; open connections are closed.
    pub fn stop(mut self) {
        self.end_thread();
    }

    fn end_thread(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the emulator's thread panicked");
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.end_thread();
    }
}
