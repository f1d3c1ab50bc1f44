//! The same against `moto`, which others wrote: its CloudWatch Logs, and its S3 for checkpoints.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use e2e::{Host, HostOptions, PATIENCE, beside, plugin, skip};
use serde_json::{Value, json};

use crate::setup::{CLUSTER, GROUP, start, until};

struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    /// `None`, and said so, where there is no Python with it.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("PYTHON") else {
            skip("moto", "`PYTHON` names no Python with moto");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_ACCOUNT_ID", "111122223333")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto");
        let mut moto = Self { server, port };
        until(PATIENCE, "moto is up", || {
            let ended = moto.server.try_wait().expect("moto");
            assert_eq!(ended, None, "moto ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(moto)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn send(&self, service: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    fn logs(&self, operation: &str, body: &Value) {
        let head = format!(
            "POST / HTTP/1.1\r\nX-Amz-Target: Logs_20140328.{operation}\r\nContent-Type: application/x-amz-json-1.1"
        );
        self.send("logs", &head, &body.to_string());
    }

    fn put(&self, ids: std::ops::Range<u32>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let event = |id: u32| {
            let message = json!({"kind": "Event", "auditID": format!("moto-{id}"), "verb": "get"});
            json!({"timestamp": now as u64, "message": message.to_string()})
        };
        let events: Vec<_> = ids.map(event).collect();
        let stream = "kube-apiserver-audit-0123456789abcdef0123456789abcdef";
        self.logs(
            "PutLogEvents",
            &json!({"logGroupName": GROUP, "logStreamName": stream, "logEvents": events}),
        );
    }

    fn host(&self, changes: Value) -> Host {
        let mut config = json!({
            "endpoint_url": self.url(), "region": "us-east-1", "polling_interval": 0.1, "overlap": 5,
            "settle": 20, "max_calls_per_second": 50, "start_position": "beginning", "checkpoint_interval": 0.2,
        });
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut options = HostOptions::new(plugin("k8saudit-eks"), config, CLUSTER);
        options.environment = vec![("AWS_ENDPOINT_URL_S3", self.url())];
        start(&options)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn ids(host: &Host) -> Vec<String> {
    host.state().events.iter().map(|event| event.audit_id.clone()).collect()
}

#[test]
fn events_come_once_and_checkpoints_go_to_s3() {
    let _beside = beside();
    let Some(moto) = Moto::start() else { return };
    let stream = "kube-apiserver-audit-0123456789abcdef0123456789abcdef";
    moto.logs("CreateLogGroup", &json!({"logGroupName": GROUP}));
    moto.logs("CreateLogStream", &json!({"logGroupName": GROUP, "logStreamName": stream}));
    moto.send("s3", "PUT /checkpoints HTTP/1.1", "");
    moto.put(0..500);
    let config = json!({ "checkpoint": "s3://checkpoints/falco/eks" });
    let mut first = moto.host(config.clone());
    first.wait(PATIENCE, "500 events", |state| state.events.len() >= 500);
    moto.put(500..900);
    first.wait(PATIENCE, "400 more", |state| state.events.len() >= 900);
    until(PATIENCE, "all is acknowledged", || first.metrics()["acknowledged"] >= 900.0);
    let written = first.metrics()["checkpoints"];
    until(PATIENCE, "a checkpoint after that", || first.metrics()["checkpoints"] >= written + 2.0);
    let before = ids(&first);
    first.kill();
    moto.put(900..1000);
    let mut second = moto.host(config);
    second.wait(PATIENCE, "100 more", |state| state.events.len() >= 100);
    second.quit();
    let all: Vec<String> = before.into_iter().chain(ids(&second)).collect();
    assert_eq!(all.len(), 1000, "each once, also over the kill");
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1000);
}

#[test]
fn a_bucket_that_is_not_there_is_an_error_that_names_it() {
    let _beside = beside();
    let Some(moto) = Moto::start() else { return };
    moto.logs("CreateLogGroup", &json!({"logGroupName": GROUP}));
    let host = moto.host(json!({ "checkpoint": "s3://nowhere/falco" }));
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let failure = host.state().failure.clone().unwrap();
    assert!(failure.contains("s3://nowhere/falco"), "{failure}");
}
