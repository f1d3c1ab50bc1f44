//! What the plugin for one's own clusters reads: what an API server posts to it.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use emulators::api_server::{ApiServer, Config};
use emulators::cloudwatch::Story;
use serde_json::{Value, json};

use super::service::{Reader, Service};
use super::words;

const PATH: &str = "/k8s-audit";
const BATCH: u64 = 10;

/// An API server that knows the story, and where it posts it.
pub(super) struct Posting {
    address: SocketAddr,
    open_params: String,
    events: Arc<Vec<String>>,
    sender: RefCell<Sender>,
}

/// Who posts to the reader of the moment.
#[derive(Default)]
struct Sender {
    server: Option<ApiServer>,
    /// What readers before have confirmed.
    before: u64,
}

impl Sender {
    fn confirmed(&self) -> u64 {
        self.before + self.server.as_ref().map_or(0, ApiServer::confirmed)
    }
}

impl Posting {
    /// Tells the story up to now.
    pub(super) fn tell(story: &str, _cluster: &str) -> Result<Box<dyn Service>> {
        let story = Story::parse(&words::in_own_cluster(story))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let end = story.told_at(0).iter().map(|(_, event)| event.timestamp_ms).max().unwrap_or_default();
        let told = story.told_at(i64::try_from(now)? - end);
        // Free now, and most probably still when the plugin listens.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let address = listener.local_addr()?;
        Ok(Box::new(Self {
            address,
            open_params: format!("http://{address}{PATH}"),
            events: Arc::new(told.into_iter().map(|(_, event)| event.message).collect()),
            sender: RefCell::default(),
        }))
    }
}

impl Service for Posting {
    fn introduction(&self) -> String {
        format!("an API server that posts {} audit events to {}", self.events.len(), self.open_params)
    }

    fn events(&self) -> usize {
        self.events.len()
    }

    fn open_params(&self) -> &str {
        &self.open_params
    }

    /// The reader before is gone, and with it whatever it has not confirmed.
    fn begin(&self) {
        let mut sender = self.sender.borrow_mut();
        sender.before = sender.confirmed();
        let events = Arc::clone(&self.events);
        // The one before gives up first.
        sender.server = None;
        sender.server = Some(ApiServer::start(Config {
            address: self.address,
            path: PATH.to_owned(),
            senders: 1,
            is_http2: false,
            count: events.len() as u64,
            event: Arc::new(move |index| events.get(index as usize).cloned().unwrap_or_default()),
            batch: BATCH,
            resets: 0.0,
        }));
    }

    fn init_config(&self, _: Reader) -> Value {
        json!({ "log_level": "warn" })
    }

    fn showings(&self) -> u64 {
        self.sender.borrow().confirmed()
    }
}
