//! Who gets an event in, by programs that others wrote: `curl` and `openssl`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use e2e::{PATIENCE, beside, skip};
use emulators::cloudwatch::Generated;
use serde_json::json;

use crate::setup::{PATH, webhook};

const TOKEN: &str = "b4e1c0ffee-bearer-token";

/// Certificates of two authorities, as the documentation makes them.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn make() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for ca in ["ca", "other-ca"] {
            let (key, pem) = (format!("{ca}.key"), format!("{ca}.pem"));
            let subject = format!("/CN={ca}");
            made.openssl(&[
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &subject, "-keyout",
                &key, "-out", &pem,
            ]);
        }
        made.sign("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth");
        made.sign("client", "ca", "extendedKeyUsage=clientAuth");
        made.sign("stranger", "other-ca", "extendedKeyUsage=clientAuth");
        let both = ["server.pem", "server.key"].map(|name| std::fs::read_to_string(made.path(name)).unwrap());
        std::fs::write(made.path("falco.pem"), both.concat()).unwrap();
        std::fs::write(made.path("token"), format!("{TOKEN}\n")).unwrap();
        made
    }

    fn sign(&self, name: &str, ca: &str, extensions: &str) {
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let (ca_pem, ca_key, subject) = (format!("{ca}.pem"), format!("{ca}.key"), format!("/CN={name}"));
        std::fs::write(self.path("extensions"), extensions).unwrap();
        self.openssl(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca_pem,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            "extensions",
            "-out",
            &pem,
        ]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, args: &[&str]) {
        let output = Command::new("openssl").args(args).current_dir(self.0.path()).output().expect("openssl");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Posts that body: the status, 0 when there is no connection, and what `curl` says of it.
fn curl(folder: &Path, address: SocketAddr, body: &str, args: &str) -> (u32, String) {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--output",
        "answer",
        "--write-out",
        "%{http_code}",
        "--cacert",
        "ca.pem",
    ]);
    command
        .args(["--header", "Content-Type: application/json", "--data-binary", body])
        .args(args.split_whitespace());
    command.arg(format!("https://localhost:{}{PATH}", address.port()));
    // A space would divide it above.
    if args.contains("token.header") {
        std::fs::write(folder.join("token.header"), format!("Authorization: Bearer {TOKEN}")).unwrap();
        std::fs::write(folder.join("wrong-token.header"), "Authorization: Bearer b4e1c0ffee-bearer-tokem")
            .unwrap();
    }
    let Output { stdout, stderr, .. } =
        command.env_remove("https_proxy").current_dir(folder).output().expect("curl");
    let status = String::from_utf8(stdout).unwrap().parse().expect("a status");
    (status, String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn nobody_without_certificate_and_token_gets_an_event_in() {
    let _beside = beside();
    if let Some(missing) = ["curl", "openssl"].into_iter().find(|program| !is_there(program)) {
        return skip(missing, "it is not installed");
    }
    let made = Certificates::make();
    let path = |name: &str| made.path(name).to_str().unwrap().to_owned();
    let (host, address) = webhook(
        json!({
            "sslCertificate": path("falco.pem"), "clientCA": path("ca.pem"), "bearerTokenFile": path("token"),
        }),
        "https",
    );
    const CERTIFICATE: &str = "--cert client.pem --key client.key";
    const OK: &str = "--cert client.pem --key client.key --header @token.header";
    let cases = [
        ("", 0),
        ("--header @token.header", 0),
        ("--cert stranger.pem --key stranger.key --header @token.header", 0),
        ("--cert server.pem --key server.key --header @token.header", 0),
        (CERTIFICATE, 401),
        (&format!("{CERTIFICATE} --header @wrong-token.header"), 401),
        (&format!("{OK} --tls-max 1.1"), 0),
        (OK, 200),
        (&format!("{OK} --tls-max 1.2"), 200),
        (&format!("{OK} --tlsv1.3"), 200),
        (&format!("{OK} --http1.1"), 200),
        (&format!("{OK} --http2"), 200),
        (&format!("{OK} --request PUT"), 405),
        (&format!("{OK} --header Content-Encoding:br"), 415),
    ];
    let plan = Generated::backlog(cases.len() as u64, 1_790_000_000_000);
    let mut expected = Vec::new();
    for ((args, expect), index) in cases.into_iter().zip(0..) {
        // Whether an early answer arrives may be luck.
        for _ in 0..if expect == 200 { 1 } else { 5 } {
            let (status, why) = curl(made.0.path(), address, &plan.message(index), args);
            assert_eq!(status, expect, "curl {args}: {why}: {:#?}", host.state().log);
            assert!(!args.is_empty() || why.contains("certificate required"), "{why}");
        }
        if expect == 200 {
            expected.push(plan.id(index));
        }
    }
    for (version, is_spoken) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false)] {
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-brief",
            version,
            "-CAfile",
            "ca.pem",
            "-cert",
            "client.pem",
            "-key",
            "client.key",
        ]);
        command.args(["-verify_return_error", "-connect", &format!("localhost:{}", address.port())]);
        command.stdin(Stdio::null()).current_dir(made.0.path());
        let Output { status, stderr, .. } = command.output().expect("openssl");
        assert_eq!(status.success(), is_spoken, "{version}: {}", String::from_utf8_lossy(&stderr));
    }
    // What was confirmed was evaluated before; anything else had the time, too.
    host.wait(PATIENCE, "the last one", |state| state.events.len() >= expected.len());
    let evaluated: Vec<_> = host.state().events.iter().map(|event| event.audit_id.clone()).collect();
    assert_eq!(evaluated, expected);
    assert!(host.state().log.iter().all(|line| !line.text.contains(TOKEN)), "the token is told");
}
