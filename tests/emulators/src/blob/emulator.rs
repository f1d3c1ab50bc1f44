//! A running server.

use super::config::Config;
use super::faults::Fault;
use super::server::Server;
use super::signature;
use super::store::{Blob, Conditions};
use crate::clock::{Clock, rfc3339_micros};
use crate::http;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A storage account on a thread of its own; dropping it ends the thread.
#[derive(Debug)]
pub struct Emulator {
    server: Arc<Server>,
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
        let server = Arc::new(Server::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&server);
        let thread = std::thread::Builder::new().name("blob-emulator".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = http::run(listener, shared) => {}
                }
            });
        })?;
        Ok(Self { server, address, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT/ACCOUNT`: the `BlobEndpoint`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}/{}", self.address, self.server.config.account)
    }

    /// Where it listens; giving it to another [`Config::listen`] starts a successor on the same port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection string with the account's key.
    pub fn connection_string(&self) -> String {
        let Config { account, key, .. } = &self.server.config;
        format!(
            "DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};BlobEndpoint={};",
            self.endpoint_url()
        )
    }

    /// A connection string with a shared access signature that is good for a day or two.
    pub fn sas_connection_string(&self) -> String {
        let tomorrow = rfc3339_micros(self.server.clock.now_ms() + 86_400_000, 0);
        let token = signature::issue(&self.server.config, &tomorrow[..10]);
        format!("BlobEndpoint={};SharedAccessSignature={token}", self.endpoint_url())
    }

    /// Makes a container; nothing happens when it exists.
    pub fn create_container(&self, name: &str) {
        // It may exist.
        let _ = self.server.store().create(name);
    }

    /// Writes a blob without a body; its container is made when it is missing.
    pub fn put(&self, container: &str, name: &str, metadata: &[(&str, &str)]) {
        self.create_container(container);
        let now_ms = self.server.clock.now_ms();
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let blob = Blob {
            body: Vec::new(),
            metadata: metadata.collect(),
            etag: String::new(),
            content_type: "application/octet-stream".into(),
            created_ms: now_ms,
            modified_ms: now_ms,
        };
        self.server.store().put(container, name, blob, &Conditions::default()).unwrap();
    }

    /// Deletes a blob, if there is one.
    pub fn delete(&self, container: &str, name: &str) {
        let _ = self.server.store().delete(container, name, &Conditions::default());
    }

    /// What a container holds, by name: a copy; nothing when there is no such container.
    pub fn blobs(&self, container: &str) -> BTreeMap<String, Blob> {
        self.server.store().blobs(container).cloned().unwrap_or_default()
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.server.clock
    }

    /// Calls by operation and status, or `reset`: `put_blob 201`.
    pub fn stats(&self) -> BTreeMap<String, u64> {
        self.server.stats()
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
