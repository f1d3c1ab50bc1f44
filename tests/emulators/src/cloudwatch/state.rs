//! What all connections share.

use super::books::Books;
use super::config::Config;
use super::faults::Faults;
use super::generate::Generated;
use super::limiter::Limiter;
use super::store::{Event, Store};
use crate::clock::Clock;
use crate::random::Random;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// The account. Locks are taken in the order `store`, `books`, and the others alone.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) started: Instant,
    store: Mutex<Store>,
    books: Mutex<Books>,
    limiter: Mutex<Limiter>,
    random: Mutex<Random>,
    request_ids: Mutex<Random>,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            clock: Clock::default(),
            faults: Faults::new(config.seed),
            started: Instant::now(),
            store: Mutex::default(),
            books: Mutex::default(),
            limiter: Mutex::new(Limiter::new(config.calls_per_second)),
            random: Mutex::new(Random::new(config.seed)),
            request_ids: Mutex::new(Random::new(config.seed ^ 0x1d)),
            config,
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap()
    }

    pub(crate) fn request_ids(&self) -> MutexGuard<'_, Random> {
        self.request_ids.lock().unwrap()
    }

    /// For the choices that shape pages, and nothing else, so that they repeat with the seed.
    pub(crate) fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().unwrap()
    }

    pub(crate) fn create_group(&self, name: &str) -> bool {
        self.store().create_group(name, self.clock.now_ms())
    }

    pub(crate) fn put(&self, group: &str, stream: &str, events: Vec<Event>) {
        let now_ms = self.clock.now_ms();
        let mut store = self.store();
        let mut books = self.books();
        store.create_stream(group, stream, now_ms);
        for event in events {
            books.ledger.add_put(&event.message);
            store.put(group, stream, event, now_ms);
        }
    }

    pub(crate) fn generate(&self, group: &str, plan: Generated) {
        let plan = Arc::new(plan);
        let mut store = self.store();
        let mut books = self.books();
        let source = books.ledger.add_plan(Arc::clone(&plan));
        store.generate(group, source, plan, self.clock.now_ms());
    }
}
