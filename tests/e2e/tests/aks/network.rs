//! The ways to the hub: TLS, websockets, Microsoft Entra ID; and what the hub says of itself.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::{Host, HostOptions, PATIENCE, beside};
use emulators::event_hubs::{Config, Generated, Offsets};
use serde_json::{Value, json};

use crate::setup::{Azure, HUB, expect_exactly_once, start, until};

const COUNT: usize = 5000;

/// A hub behind TLS, whose authority the host trusts, and which the plugin takes for one at Azure.
fn behind_tls(
    config: Config,
    changes: impl FnOnce(&Azure) -> Value,
) -> (Azure, tempfile::TempDir, HostOptions) {
    let azure = Azure::with(config);
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, azure.hubs.authority_pem().unwrap()).unwrap();
    let text = azure.hubs.connection_string(None).replace("UseDevelopmentEmulator=true", "");
    let text = text.replace("127.0.0.1", "localhost");
    let mut all = json!({ "event_hub_namespace_connection_string": text });
    all.as_object_mut().unwrap().extend(changes(&azure).as_object().unwrap().clone());
    let mut options = azure.options(all);
    options.environment.push(("SSL_CERT_FILE", authority.display().to_string()));
    (azure, folder, options)
}

fn tls_config() -> Config {
    Config { tls: true, ..Config::default() }
}

fn read_all(azure: &Azure, options: &HostOptions) -> Host {
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut host = start(options);
    host.wait(PATIENCE, "every event", |state| state.events.len() >= COUNT);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    host
}

#[test]
fn tls() {
    let _beside = beside();
    let (azure, _folder, options) = behind_tls(tls_config(), |_| json!({}));
    read_all(&azure, &options);
    let stats = azure.hubs.stats();
    assert_eq!((stats.tls, stats.websockets), (stats.connections, 0));
}

#[test]
fn websockets() {
    let _beside = beside();
    let (azure, _folder, options) = behind_tls(tls_config(), |_| json!({ "transport": "websockets" }));
    read_all(&azure, &options);
    let stats = azure.hubs.stats();
    assert_eq!((stats.tls, stats.websockets), (stats.connections, stats.connections));
}

/// Microsoft Entra ID by a managed identity, which asks an endpoint of its machine for tokens.
#[test]
fn a_managed_identity() {
    let _beside = beside();
    const TOKEN: &str = "eyJ0b2tlbiI6MX0";
    let config = Config { tls: true, bearer: Some(TOKEN.to_owned()), ..Config::default() };
    let endpoint = TokenEndpoint::start(TOKEN);
    let (azure, _folder, mut options) = behind_tls(config, |azure| {
        let port = azure.hubs.address().port();
        json!({
            "event_hub_namespace": format!("localhost:{port}"),
            "event_hub_namespace_connection_string": "",
            "client_id": "0a1b2c3d-0000-0000-0000-000000000000",
        })
    });
    options.environment.push(("IDENTITY_ENDPOINT", format!("http://127.0.0.1:{}/token", endpoint.port)));
    options.environment.push(("IDENTITY_HEADER", "secret-of-the-machine".to_owned()));
    let host = read_all(&azure, &options);
    let asked = endpoint.asked.lock().unwrap();
    let first = asked.first().expect("a token was asked for");
    assert!(first.contains("eventhubs.azure.net") && first.contains("0a1b2c3d"), "{first}");
    assert!(host.state().log.iter().all(|line| !line.text.contains(TOKEN)));
}

/// Gives one token to everybody.
struct TokenEndpoint {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenEndpoint {
    fn start(token: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let lines = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut first = String::new();
                let _ = reader.read_line(&mut first);
                lines.lock().unwrap().push(first);
                let mut line = String::new();
                while matches!(reader.read_line(&mut line), Ok(3..)) {
                    line.clear();
                }
                let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
                let body = json!({
                    "access_token": token, "expires_on": expires.to_string(), "token_type": "Bearer",
                    "resource": "https://eventhubs.azure.net/",
                })
                .to_string();
                let _ = write!(
                    reader.get_mut(),
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { port, asked }
    }
}

#[test]
fn an_authority_that_nobody_trusts_is_told() {
    let _beside = beside();
    let (_azure, _folder, mut options) = behind_tls(tls_config(), |_| json!({}));
    options.environment.clear();
    let host = start(&options);
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let failure = host.state().failure.clone().unwrap();
    assert!(failure.to_lowercase().contains("certificate"), "{failure}");
}

/// With geo-replication offsets are no numbers.
#[test]
fn offsets_that_are_no_numbers() {
    let _beside = beside();
    let azure = Azure::with(Config { offsets: Offsets::Geo, ..Config::default() });
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut first = azure.host(json!({}));
    first.wait(PATIENCE, "every event", |state| state.events.len() >= COUNT);
    // What the host holds when it ends comes again.
    until(PATIENCE, "the last batch is evaluated", || first.metrics()["acknowledged"] >= COUNT as f64);
    first.quit();
    expect_exactly_once(&azure.hubs, &first);
    assert!(azure.blob("checkpoint", 0)["offset"].contains('g'), "{:?}", azure.blob("checkpoint", 0));
    let plan = Generated { seed: 2, ..Generated::backlog(1000, azure.hubs.clock().now_ms()) };
    azure.hubs.generate(HUB, plan);
    let mut second = azure.host(json!({}));
    second.wait(PATIENCE, "what came later", |state| state.events.len() >= 1000);
    second.quit();
    assert_eq!(second.state().events.len(), 1000);
}

/// What the hub forgot before it was read is counted and told, once; what is left comes.
#[test]
fn what_retention_took_is_told() {
    let _beside = beside();
    let azure = Azure::new();
    let plan = || Generated::backlog(8000, azure.hubs.clock().now_ms() - 60_000);
    azure.hubs.generate(HUB, plan());
    let mut first = azure.host(json!({}));
    first.wait(PATIENCE, "every event", |state| state.events.len() >= 8000);
    // What the host holds when it ends comes again.
    until(PATIENCE, "the last batch is evaluated", || first.metrics()["acknowledged"] >= 8000.0);
    first.quit();
    azure.hubs.generate(HUB, Generated { seed: 2, records_per_message: 1..=1, ..plan() });
    let kept_from = azure.hubs.end(HUB, 3) - 100;
    azure.hubs.drop_before(HUB, 3, kept_from);
    let mut second = azure.host(json!({}));
    second.wait(PATIENCE, "what is left", |state| state.events.len() >= 7 * 1000 + 100);
    let missed = second.metrics()["messages_missed"];
    second.quit();
    assert_eq!((second.state().events.len(), missed as usize), (7 * 1000 + 100, 900));
    let errors = second.state().logged("error").join("\n");
    assert_eq!(errors.matches("900 messages were never read").count(), 1, "{errors}");
}

/// A hub that was made anew has other messages under the numbers that the checkpoints know.
#[test]
fn a_hub_that_was_made_anew_is_read_from_its_beginning() {
    let _beside = beside();
    let azure = Azure::new();
    for partition in 0..8 {
        azure.blobs.put(
            crate::setup::CONTAINER,
            &format!("127.0.0.1/{HUB}/$Default/checkpoint/{partition}"),
            &[("sequencenumber", "123456"), ("offset", "9999999")],
        );
    }
    azure.hubs.generate(HUB, Generated::backlog(COUNT as u64, azure.hubs.clock().now_ms() - 60_000));
    let mut host = azure.host(json!({}));
    host.wait(PATIENCE, "every event", |state| state.events.len() >= COUNT);
    host.quit();
    expect_exactly_once(&azure.hubs, &host);
    assert!(azure.blob("checkpoint", 0)["sequencenumber"].parse::<i64>().unwrap() < 1000);
}
