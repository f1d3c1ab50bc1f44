//! A client of a few lines over plain TCP, so that nothing between the test and the wire is shared
//! with the programs under test.

use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body's `__type`, which must agree with the header.
    #[track_caller]
    pub fn error(&self) -> String {
        let code = self.json()["__type"].as_str().unwrap().to_owned();
        assert_eq!(self.header("x-amzn-errortype"), code);
        code
    }
}

/// A kept connection.
pub struct Client {
    stream: TcpStream,
    date: String,
}

impl Client {
    /// `date` goes into `x-amz-date`.
    pub fn connect(endpoint: &str, date: &str) -> Self {
        let stream = TcpStream::connect(endpoint.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, date: date.to_owned() }
    }

    pub fn call(&mut self, operation: &str, body: &Value) -> io::Result<Answer> {
        let headers = format!(
            "x-amz-target: Logs_20140328.{operation}\r\nx-amz-date: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/logs/aws4_request\r\n\
             content-type: application/x-amz-json-1.1\r\n",
            self.date
        );
        self.request("POST", "/", &headers, body.to_string().as_bytes())
    }

    /// Sends requests one after the other, and reads no answer.
    pub fn send_without_reading(&mut self, operation: &str, bodies: &[String]) {
        for body in bodies {
            let length = body.len();
            let request = format!(
                "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: Logs_20140328.{operation}\r\n\
                 authorization: x\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            self.stream.write_all(request.as_bytes()).unwrap();
        }
    }

    pub fn control(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.request(method, &format!("/_emulator/{path}"), "", body.as_bytes()).unwrap()
    }

    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.read()
    }

    /// All pages of a window, as events; `Err` on the first call that does not answer 200.
    pub fn read_all(&mut self, request: &Value) -> Result<Vec<Value>, Answer> {
        let mut request = request.clone();
        let mut events = Vec::new();
        loop {
            let answer = self.call("FilterLogEvents", &request).unwrap();
            if answer.status != 200 {
                return Err(answer);
            }
            let mut page = answer.json();
            events.append(page["events"].as_array_mut().unwrap());
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => return Ok(events),
            }
        }
    }

    fn read(&mut self) -> io::Result<Answer> {
        let mut received = Vec::new();
        let head_end = loop {
            if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.more(&mut received)?;
        };
        let head = String::from_utf8(received[..head_end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length =
            headers.iter().find(|(key, _)| key == "content-length").map(|(_, value)| value.parse().unwrap());
        let mut body = received.split_off(head_end + 4);
        match length {
            Some(length) => {
                while body.len() < length {
                    self.more(&mut body)?;
                }
            }
            None => {
                while !body.ends_with(b"0\r\n\r\n") {
                    self.more(&mut body)?;
                }
                body = unchunk(&body);
            }
        }
        Ok(Answer { status, headers, body })
    }

    fn more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 17];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                into.extend_from_slice(&buffer[..n]);
                Ok(())
            }
        }
    }
}

fn unchunk(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = chunked.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunked[line + 2..line + 2 + size]);
        chunked = &chunked[line + 2 + size + 2..];
    }
}

/// A request for a whole group.
pub fn whole(group: &str) -> Value {
    json!({ "logGroupName": group })
}
