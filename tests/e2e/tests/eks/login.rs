//! A role that AWS does not give is a reason to stop at open: no retry gets it.

use std::io::{Read, Write};
use std::net::TcpListener;

use e2e::{PATIENCE, beside};
use emulators::cloudwatch::{Config, Operation};
use serde_json::json;

use crate::setup::{emulator, options, start};

const ROLE: &str = "arn:aws:iam::111122223333:role/audit";
const REFUSAL: &str = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error><RequestId>1</RequestId></ErrorResponse>"#;

/// An STS that refuses whoever asks; its address.
fn refusing_sts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // The request is one packet on loopback, and its content does not matter.
            let _ = connection.read(&mut [0; 16 << 10]);
            let head = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\nconnection: close";
            let _ = write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{REFUSAL}", REFUSAL.len());
        }
    });
    format!("http://{address}")
}

#[test]
fn a_role_that_is_refused_ends_the_opening() {
    let _beside = beside();
    let emulator = emulator(Config::default());
    let mut options = options(&emulator, json!({ "role_arn": ROLE }));
    options.environment = vec![("AWS_ENDPOINT_URL_STS", refusing_sts())];
    let host = start(&options);
    host.wait(PATIENCE, "its end", |state| state.failure.is_some());
    let failure = host.state().failure.clone().unwrap();
    for part in ["AWS refuses the role", "sts:AssumeRole", "AccessDenied", "not authorized"] {
        assert!(failure.contains(part), "`{part}` is missing in: {failure}");
    }
    assert_eq!(emulator.stats().calls(Operation::FilterLogEvents), 0);
}
