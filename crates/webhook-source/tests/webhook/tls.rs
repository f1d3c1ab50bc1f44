//! TLS: versions, certificates of both sides, and new certificates.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use webhook_source::TlsFiles;

use super::certificates::{Authority, Identity};
use super::client::{BOTH, Client, Protocol};
use super::hook::{DEADLINE, Hook};

const ENDPOINT: &str = "https://127.0.0.1:0/events";

/// A client that trusts `authority`, and shows `identity`.
fn client(
    authority: &Authority,
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        Some(identity) => {
            builder.with_client_auth_cert(vec![identity.certificate.clone()], identity.key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

fn open(folder: &Path, files: impl FnOnce(&Path) -> TlsFiles) -> Hook {
    let files = files(folder);
    Hook::open(ENDPOINT, |options| {
        options.tls = Some(files);
        options.timeouts.reload = Duration::from_millis(20);
        options.timeouts.first_request = Duration::from_millis(500);
    })
    .expect("open")
}

async fn status(hook: &Hook, protocol: Protocol, config: ClientConfig) -> Option<u16> {
    let mut client = Client::connect_tls(hook.address, protocol, config).await.ok()?;
    Some(client.post(r#"{"a":1}"#).await.ok()?.status)
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("server"));
    let hook = open(folder.path(), |folder| {
        let (certificate, key) = authority.identity().write_apart(folder);
        TlsFiles { certificate, key: Some(key), client_ca: None }
    });
    for version in [&TLS12, &TLS13] {
        for protocol in BOTH {
            assert_eq!(status(&hook, protocol, client(&authority, None, version)).await, Some(200));
        }
    }
    assert_eq!(hook.evaluated().len(), 4);
    let mut plain = Client::connect(hook.address, Protocol::Http1).await.unwrap();
    plain.post("{}").await.unwrap_err();
    let mut silent = TcpStream::connect(hook.address).await.unwrap();
    let mut nothing = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, silent.read_to_end(&mut nothing)).await.expect("it is closed");
    hook.wait_for("both failed", |hook| hook.metrics.connections_failed.get() == 2).await;
}

#[tokio::test]
async fn without_the_right_certificate_nothing_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let [server, clients, others] = ["server", "clients", "others"].map(Authority::new);
    let hook = open(folder.path(), |folder| {
        let (certificate, client_ca) = (folder.join("falco.pem"), folder.join("ca.pem"));
        std::fs::write(&certificate, server.identity().pem()).unwrap();
        std::fs::write(&client_ca, &clients.pem).unwrap();
        TlsFiles { certificate, key: None, client_ca: Some(client_ca) }
    });
    let (right, wrong) = (clients.identity(), others.identity());
    let mut accepted = 0;
    for version in [&TLS12, &TLS13] {
        for protocol in BOTH {
            for identity in [None, Some(&wrong), Some(&server.identity())] {
                assert_eq!(status(&hook, protocol, client(&server, identity, version)).await, None);
            }
            assert_eq!(hook.evaluated().len(), accepted);
            assert_eq!(status(&hook, protocol, client(&server, Some(&right), version)).await, Some(200));
            accepted += 1;
        }
    }
    assert_eq!(hook.evaluated().len(), accepted);
    hook.wait_for("all failed", |hook| hook.metrics.connections_failed.get() == 12).await;
    assert_eq!(hook.metrics.requests.get(), 4, "none of the others came as far as a request");
}

/// The certificate that the server shows.
async fn shown(hook: &Hook, authority: &Authority) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(hook.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(authority, None, &TLS13)));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
}

#[tokio::test]
async fn a_new_certificate_comes_into_use_and_a_broken_one_does_not() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("server"));
    let path = folder.path().join("falco.pem");
    let (first, second) = (authority.identity(), authority.identity());
    std::fs::write(&path, first.pem()).unwrap();
    let hook = open(folder.path(), |_| TlsFiles { certificate: path.clone(), key: None, client_ca: None });
    assert_eq!(shown(&hook, &authority).await.as_deref(), Some(&*first.certificate));
    let mut before =
        Client::connect_tls(hook.address, Protocol::Http2, client(&authority, None, &TLS13)).await.unwrap();
    std::fs::write(&path, "not yet").unwrap();
    hook.wait_for("noticed", |hook| hook.metrics.reload_errors.get() > 2).await;
    assert_eq!(shown(&hook, &authority).await.as_deref(), Some(&*first.certificate), "the one before stays");
    std::fs::write(&path, second.pem()).unwrap();
    hook.wait_for("reloaded", |hook| hook.metrics.reloads.get() == 1).await;
    assert_eq!(shown(&hook, &authority).await.as_deref(), Some(&*second.certificate));
    assert_eq!(before.post("{}").await.unwrap().status, 200, "a connection goes on");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_at_open() {
    let missing = |client_ca: Option<&str>| TlsFiles {
        certificate: "/no/such/falco.pem".into(),
        key: None,
        client_ca: client_ca.map(Into::into),
    };
    #[track_caller]
    fn check(endpoint: &str, tls: Option<TlsFiles>, expect: &str) {
        let Err(error) = Hook::open(endpoint, |options| options.tls = tls) else { panic!("it opened") };
        assert!(error.to_string().contains(expect), "{error}");
    }
    check(ENDPOINT, Some(missing(None)), "`/no/such/falco.pem`");
    check(ENDPOINT, None, "needs a certificate");
    check("http://127.0.0.1:0/", Some(missing(Some("ca.pem"))), "listen on `https://`");
}
