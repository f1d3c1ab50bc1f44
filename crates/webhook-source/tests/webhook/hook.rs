//! A webhook under a pump, and a consumer that can stand still.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event_source::{Decode, Decoded, Event, Next, Pump, PumpOptions, SourceError, SourceMetrics};
use webhook_source::{Endpoint, Webhook, WebhookMetrics, WebhookOptions};

/// What no test waits longer for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Each line of a body is an event.
struct Lines;

impl Decode<Bytes> for Lines {
    fn decode(&mut self, body: Bytes, events: &mut Vec<Event>) {
        for line in body.split(|byte| *byte == b'\n') {
            events.push(Event::new(body.slice_ref(line), 0));
        }
    }
}

#[derive(Default)]
struct Shared {
    evaluated: Mutex<Vec<String>>,
    stalls: AtomicBool,
    stops: AtomicBool,
}

pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<WebhookMetrics>,
    shared: Arc<Shared>,
    consumer: Option<JoinHandle<Duration>>,
}

impl Hook {
    /// Over `http`, with options changed by `change`.
    pub(crate) fn start(change: impl FnOnce(&mut WebhookOptions)) -> Self {
        Self::open("http://127.0.0.1:0/events", change).expect("open")
    }

    pub(crate) fn open(
        endpoint: &str,
        change: impl FnOnce(&mut WebhookOptions),
    ) -> Result<Self, SourceError> {
        let mut options = WebhookOptions::new(Endpoint::parse(endpoint)?);
        change(&mut options);
        let (metrics, shared) = (Arc::<WebhookMetrics>::default(), Arc::<Shared>::default());
        let (opened, is_open) = mpsc::channel();
        let consumer = std::thread::spawn({
            let (metrics, shared) = (Arc::clone(&metrics), Arc::clone(&shared));
            move || consume(options, metrics, &shared, &opened)
        });
        let address = is_open.recv().expect("it opens or fails")?;
        Ok(Self { address, metrics, shared, consumer: Some(consumer) })
    }

    /// The consumer evaluates what it has in hand, and asks for no more until [`resume`](Self::resume).
    pub(crate) fn stall(&self) {
        self.shared.stalls.store(true, SeqCst);
    }

    pub(crate) fn resume(&self) {
        self.shared.stalls.store(false, SeqCst);
    }

    /// What was evaluated, in its order.
    pub(crate) fn evaluated(&self) -> Vec<String> {
        self.shared.evaluated.lock().unwrap().clone()
    }

    /// Waits until that holds.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        let until = Instant::now() + DEADLINE;
        async move {
            while !holds(self) {
                assert!(Instant::now() < until, "{what}: not within {DEADLINE:?}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Closes the pump, on the consumer's thread, and tells how long that takes.
    pub(crate) async fn close(mut self) -> Duration {
        self.shared.stops.store(true, SeqCst);
        let consumer = self.consumer.take().expect("it runs");
        tokio::task::spawn_blocking(|| consumer.join().expect("no panic")).await.expect("no panic")
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.shared.stops.store(true, SeqCst);
        if let Some(consumer) = self.consumer.take() {
            let _ = consumer.join();
        }
    }
}

fn consume(
    options: WebhookOptions,
    metrics: Arc<WebhookMetrics>,
    shared: &Shared,
    opened: &mpsc::Sender<Result<SocketAddr, SourceError>>,
) -> Duration {
    let address = Arc::new(Mutex::new(None));
    let open = {
        let address = Arc::clone(&address);
        async move {
            let hook = Webhook::open(options, metrics, parse).await?;
            *address.lock().unwrap() = Some(hook.local_addr());
            Ok(vec![Decoded::new(hook, Lines)])
        }
    };
    let bounds = PumpOptions {
        max_queue_events: 1000,
        max_queue_bytes: 1 << 20,
        max_batch_bytes: 1 << 16,
        give_up_after: None,
    };
    let mut pump = match Pump::start(&bounds, Arc::new(SourceMetrics::default()), open) {
        Ok(pump) => pump,
        Err(error) => {
            let _ = opened.send(Err(error));
            return Duration::ZERO;
        }
    };
    let _ = opened.send(Ok(address.lock().unwrap().expect("it is open")));
    while !shared.stops.load(SeqCst) {
        if shared.stalls.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        match pump.next_batch(Duration::from_millis(20)) {
            Next::Batch(events) => {
                let texts = events.iter().map(|event| String::from_utf8(event.payload.to_vec()).unwrap());
                shared.evaluated.lock().unwrap().extend(texts);
            }
            Next::Timeout => {}
            ended => panic!("{ended:?}"),
        }
    }
    let begun = Instant::now();
    pump.close();
    begun.elapsed()
}

fn parse(body: Bytes) -> Result<Bytes, String> {
    match body.first() {
        Some(b'{') => Ok(body),
        Some(b'!') => panic!("a defect"),
        _ => Err("an event is a JSON object".to_owned()),
    }
}
