//! Azurite, which others wrote, as the store of checkpoints and ownership.

use std::env::var_os;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use e2e::PATIENCE;
use emulators::blob;
use xtask::process::Running;

use crate::setup::CONTAINER;

/// Its Blob storage, in memory, on a port that is free.
pub(crate) struct Azurite {
    _server: Running,
    address: String,
}

impl Azurite {
    /// With the container; `None` where `NODE` and `AZURITE` name no Node.js and no Azurite.
    pub(crate) fn start() -> Option<Self> {
        let (node, script) = (var_os("NODE")?, var_os("AZURITE")?);
        let mut command = Command::new(node);
        command.arg(script).args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]);
        // It knows older versions of the interface than its clients ask for.
        command.args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"]);
        let mut server = Running::start(&mut command).expect("azurite");
        let deadline = Instant::now() + PATIENCE;
        let address = loop {
            let line = server.next_line(deadline).expect("azurite listens");
            if let Some((_, address)) = line.split_once("successfully listens on http://") {
                break address.trim().to_owned();
            }
        };
        let azurite = Self { _server: server, address };
        azurite.create_container();
        Some(azurite)
    }

    /// With the key of the account that all emulators have.
    pub(crate) fn connection_string(&self) -> String {
        let blob::Config { account, key, .. } = blob::Config::default();
        let endpoint = format!("http://{}/{account}", self.address);
        format!(
            "DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};BlobEndpoint={endpoint};"
        )
    }

    fn create_container(&self) {
        // The account is the same, so a signature for ours is good here.
        let ours = blob::Emulator::start(blob::Config::default()).expect("blobs").sas_connection_string();
        let (_, signature) = ours.split_once("SharedAccessSignature=").expect("a signature");
        let path = format!("/{}/{CONTAINER}?restype=container&{signature}", blob::Config::default().account);
        let mut stream = TcpStream::connect(&self.address).expect("azurite");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            self.address
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}
