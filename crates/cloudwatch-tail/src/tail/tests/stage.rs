//! [`Stage`]: a tail, and an AWS that answers by a script.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatchlogs::config::{Config, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::http::{Response, StatusCode};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use futures::FutureExt;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::super::*;
use crate::budget::{BudgetKey, CallBudget};
use crate::clock::{DateObserver, ServerClock};
use crate::metrics::TailMetrics;
use crate::session::Connection;

/// What the provider's clock shows, near the local one; times in these tests are milliseconds from here on.
pub(super) static NOW: LazyLock<i64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    since.as_secs() as i64 * 1000
});

/// Answers calls by its script, then with empty pages.
#[derive(Clone, Debug)]
pub(super) struct Aws {
    pub(super) script: Arc<Mutex<VecDeque<(u16, Value)>>>,
    /// Name and parameters of each call so far.
    pub(super) asked: Arc<Mutex<Vec<(String, Value)>>>,
    /// Answers that may be given.
    pub(super) gate: Arc<Semaphore>,
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let name = request.headers().get("x-amz-target").unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).expect("json");
        self.asked.lock().unwrap().push((name, body));
        let aws = self.clone();
        HttpConnectorFuture::new(async move {
            aws.gate.acquire().await.expect("open").forget();
            let (status, body) = aws.script.lock().unwrap().pop_front().unwrap_or((200, json!({})));
            assert_ne!(status, 0, "a call that panics");
            let date = DateTime::from_millis(*NOW).fmt(Format::HttpDate).expect("date");
            let status = StatusCode::try_from(status).expect("status");
            let mut answer = Response::new(status, SdkBody::from(body.to_string()));
            answer.headers_mut().insert("date", date);
            Ok(answer)
        })
    }
}

pub(super) fn http(aws: &Aws) -> SharedHttpClient {
    let aws = aws.clone();
    http_client_fn(move |_, _| SharedHttpConnector::new(aws.clone()))
}

pub(super) fn refusal(code: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": "scripted"}))
}

pub(super) struct Stage {
    pub(super) tail: Tail,
    pub(super) aws: Aws,
    pub(super) store: Arc<CheckpointStore>,
    pub(super) metrics: Arc<TailMetrics>,
    pub(super) written: Arc<SourceMetrics>,
    pub(super) began: Instant,
}

impl Stage {
    /// A tail that reads from `start` on, and has not asked anything yet.
    pub(super) fn new(start: StartPosition) -> Self {
        Self::with(start, Arc::new(CheckpointStore::new(Arc::new(InMemory::new()), "".into(), "memory://")))
    }

    pub(super) fn with(start: StartPosition, store: Arc<CheckpointStore>) -> Self {
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let aws = Aws {
            script: Arc::default(),
            asked: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let clock = Arc::new(ServerClock::default());
        let config = Config::builder()
            .behavior_version_latest()
            .region(Region::new("test-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http(&aws))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(DateObserver(Arc::clone(&clock)))
            .build();
        // A budget of its own for each: shared ones shrink with their number.
        let account = STAGES.fetch_add(1, Relaxed).to_string();
        let key = BudgetKey { account, region: "test-1".into(), endpoint: String::new() };
        let connection = Connection {
            client: aws_sdk_cloudwatchlogs::Client::from_conf(config),
            clock,
            budget: CallBudget::shared(key, 1000.0),
            region: "test-1".into(),
        };
        let (metrics, written) = (Arc::<TailMetrics>::default(), Arc::<SourceMetrics>::default());
        let partition = PartitionId::new("test-1:group:");
        let hour = Duration::from_secs(3600);
        let tail = Tail {
            group: Arc::new(LogGroup {
                connection,
                name: "group".into(),
                stream_prefix: Some("audit-".into()),
                filter_pattern: Some("pattern".into()),
                board: Arc::new(TailBoard::new(Arc::clone(&metrics))),
            }),
            home: None,
            checkpointer: Checkpointer::new(
                Some(Arc::clone(&store)),
                partition.clone(),
                FORMAT,
                hour,
                Arc::clone(&written),
            ),
            partition,
            rhythm: Rhythm { polling_interval: Duration::from_secs(5), overlap: 30_000, settle: 300_000 },
            start,
            opened: Instant::now(),
            batch_messages: 2,
            progress: None,
            stored: None,
            call: None,
            pending: VecDeque::new(),
            read: Cursor(0),
            evaluated: Cursor(0),
            in_flight: VecDeque::new(),
            marks: VecDeque::new(),
            is_changed: false,
            lateness_told: false,
            tokens_refused: 0,
            told: Told::default(),
        };
        Self { tail, aws, store, metrics, written, began: Instant::now() }
    }

    /// One that begins at `NOW`.
    pub(super) fn begun() -> Self {
        let mut stage = Self::new(StartPosition::At(*NOW));
        stage.begin();
        stage
    }

    pub(super) fn begin(&mut self) {
        let now = UNIX_EPOCH + Duration::from_millis(*NOW as u64);
        self.tail.group.connection.clock.observe(now, Instant::now(), now);
        self.tail.begin();
    }

    /// No interval between checkpoints.
    pub(super) fn keep_each(&mut self) {
        let (store, written) = (Some(Arc::clone(&self.store)), Arc::clone(&self.written));
        let partition = self.tail.partition.clone();
        self.tail.checkpointer = Checkpointer::new(store, partition, FORMAT, Duration::ZERO, written);
    }

    pub(super) fn progress(&mut self) -> &mut Progress {
        self.tail.progress.as_mut().expect("begun")
    }

    /// What is asked for at that time.
    pub(super) fn scan(&mut self, at: i64) -> Scan {
        let instant = self.began + Duration::from_millis(at as u64);
        match self.progress().planner.plan(*NOW + at, instant, false) {
            Plan::Call(scan) => scan,
            Plan::Wait(pause) => panic!("nothing for {pause:?}"),
        }
    }

    /// A page for what is asked for at that time; an empty token is none.
    pub(super) fn page(&mut self, at: i64, events: &[FilteredLogEvent], token: &str) {
        let scan = self.scan(at);
        let events = Some(events.to_vec());
        let page = FilterLogEventsOutput::builder().set_events(events).next_token(token).build();
        self.tail.answered(Some(scan), Ok(page)).expect("a page is no error");
    }

    pub(super) fn answer_error(&mut self, scan: Option<Scan>, kind: ErrorKind) -> Result<(), SourceError> {
        self.tail
            .answered(scan, Err(CallError { kind, at_login: false, code: None, text: "scripted".into() }))
    }

    /// The messages of the next batch, and its end.
    pub(super) fn batch(&mut self) -> Option<(Vec<String>, u64)> {
        self.tail.take_batch().map(|batch| (texts(&batch), batch.end.0))
    }

    /// All messages that wait.
    pub(super) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.batch()).flat_map(|(texts, _)| texts).collect()
    }

    pub(super) fn acknowledge(&mut self, from: u64, to: u64) {
        let partition = self.tail.partition.clone();
        let delta = CheckpointDelta { partition, from: Cursor(from), to: Cursor(to) };
        self.tail.acknowledge(delta).now_or_never().expect("at once").expect("acknowledged");
    }

    /// The frontier that would be found again after a crash, from `NOW` on.
    pub(super) fn durable(&self) -> i64 {
        self.tail.progress.as_ref().expect("begun").durable.frontier - *NOW
    }

    /// The frontier of a checkpoint from `NOW` on, and which of a to f it knows.
    pub(super) fn read(body: Option<Bytes>) -> (i64, String) {
        let (position, mut seen) = decode(body.expect("a checkpoint")).expect("its format");
        let known = ["a", "b", "c", "d", "e", "f"];
        // Each at the time of its event; see `event`.
        let known =
            known.iter().enumerate().filter(|(at, id)| !seen.insert(*NOW + *at as i64, EventKey::of(id)));
        (position.frontier - *NOW, known.map(|(_, id)| *id).collect())
    }

    pub(super) fn checkpoint(&self) -> (i64, String) {
        Self::read(self.tail.checkpoint())
    }

    pub(super) async fn stored(&self) -> Option<Bytes> {
        self.store.load(&self.tail.partition, FORMAT).await.expect("load")
    }

    pub(super) fn asked(&self, name: &str) -> Vec<Value> {
        let asked = self.aws.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked == name).map(|(_, body)| body.clone()).collect()
    }
}

pub(super) fn texts(batch: &RecordBatch<LogMessage>) -> Vec<String> {
    batch.records.iter().map(|one| String::from_utf8_lossy(&one.message).into_owned()).collect()
}

/// The event of that id and text, a to f at 0 to 5 ms after `NOW`.
pub(super) fn event(id: &str) -> FilteredLogEvent {
    event_at(id, i64::from(id.as_bytes()[0] - b'a'))
}

pub(super) fn event_at(id: &str, at: i64) -> FilteredLogEvent {
    FilteredLogEvent::builder().event_id(id).message(id).timestamp(*NOW + at).build()
}
