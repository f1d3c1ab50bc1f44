//! A running server.

use super::config::Config;
use super::faults::Faults;
use super::generate::Generated;
use super::ledger::Ledger;
use super::server;
use super::state::State;
use super::stats::Stats;
use super::store::Event;
use crate::clock::Clock;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A CloudWatch Logs service on a thread of its own; dropping it ends the thread.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts to listen; the server answers when this returns.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread not be started.
    pub fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("cloudwatch-emulator".into()).spawn(move || {
            runtime.block_on(server::run(listener, shared, stopped));
            // Dropping the runtime drops every open connection.
        })?;
        Ok(Self { state, address, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens; giving it to another [`Config::listen`] starts a successor on the same port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a log group; nothing happens when it exists.
    pub fn create_group(&self, name: &str) {
        self.state.create_group(name);
    }

    /// Adds events to a stream; group and stream are made when they are missing.
    pub fn put(&self, group: &str, stream: &str, events: Vec<Event>) {
        self.state.put(group, stream, events);
    }

    /// Adds a plan of events to a group, which is made when it is missing.
    pub fn generate(&self, group: &str, plan: Generated) {
        self.state.generate(group, plan);
    }

    /// Faults, to be switched on and off at any time.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Which events have been shown: a copy, so ask seldom when there are millions.
    pub fn ledger(&self) -> Ledger {
        self.state.books().ledger.clone()
    }

    /// How many events have been shown at least once: cheap, for waiting.
    pub fn shown(&self) -> u64 {
        self.state.books().ledger.shown()
    }

    /// Calls and bytes so far.
    pub fn stats(&self) -> Stats {
        self.state.books().stats.clone()
    }

    /// Ends the server and waits for its thread; open connections are closed.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the emulator's thread panicked");
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.end();
    }
}
