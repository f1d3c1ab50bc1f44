//! [`Endpoint`]: where requests arrive, from `http://HOST:PORT/PATH`.

use std::fmt;
use std::io;

use event_source::{ErrorKind, SourceError};
use tokio::net::TcpListener;

/// An address to listen on, and the path of what is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    is_tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Endpoint {
    /// Reads `http://HOST:PORT/PATH` or `https://HOST:PORT/PATH`.
    ///
    /// Without a host it is every interface, without a port 80 or 443, without a path `/`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let is_tls = scheme.eq_ignore_ascii_case("https");
        if !is_tls && !scheme.eq_ignore_ascii_case("http") {
            return Err(wrong(text, "it begins with neither `http://` nor `https://`"));
        }
        // A password may stand there: the text is not repeated.
        if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
            let message =
                "the address to listen on cannot hold a user: name a file with a bearer token instead";
            return Err(SourceError::new(ErrorKind::Config, message));
        }
        if rest.contains(['?', '#']) || rest.contains(|letter: char| letter.is_whitespace()) {
            return Err(wrong(text, "it has a query, a fragment or a space"));
        }
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| wrong(text, "a `]` is missing"))?,
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong(text, "its port is no number up to 65535"))?,
            None if port.is_empty() && is_tls => 443,
            None if port.is_empty() => 80,
            None => return Err(wrong(text, "behind `]` comes no port")),
        };
        Ok(Self { is_tls, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Whether it is `https`.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The path, with its leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Listens.
    pub(crate) async fn bind(&self) -> Result<TcpListener, SourceError> {
        let bound = if self.host.is_empty() {
            match TcpListener::bind(("::", self.port)).await {
                // A kernel without IPv6.
                Err(error) if error.raw_os_error() == Some(EAFNOSUPPORT) => {
                    TcpListener::bind(("0.0.0.0", self.port)).await
                }
                bound => bound,
            }
        } else {
            TcpListener::bind((self.host.as_str(), self.port)).await
        };
        bound.map_err(|error| {
            let next = match error.kind() {
                io::ErrorKind::AddrInUse => "another process has the port: end it, or choose another port",
                io::ErrorKind::PermissionDenied => {
                    "a port below 1024 needs the capability CAP_NET_BIND_SERVICE: choose a higher one"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "no interface of this machine has that address: leave the host empty for every interface"
                }
                _ => "check host and port",
            };
            SourceError::new(ErrorKind::Config, format!("cannot listen on `{self}`: {next}")).because(error)
        })
    }
}

/// `EAFNOSUPPORT` of Linux: the kernel has no such family of addresses.
const EAFNOSUPPORT: i32 = 97;

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let Self { host, port, path, .. } = self;
        write!(f, "{scheme}://{open}{host}{close}:{port}{path}")
    }
}

fn wrong(text: &str, why: &str) -> SourceError {
    let message = format!("`{text}` is no address to listen on: {why}; write `http://HOST:PORT/PATH`");
    SourceError::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = match Endpoint::parse(text) {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(shown.contains(expect), "`{text}`: `{shown}`");
    }

    #[test]
    fn addresses_are_read_as_users_write_them() {
        check("http://:9765/k8s-audit", "http://:9765/k8s-audit");
        check("https://0.0.0.0:9765/k8s-audit", "https://0.0.0.0:9765/k8s-audit");
        check("http://[::1]:1/a/b", "http://[::1]:1/a/b");
        check("http://localhost", "http://localhost:80/");
        check("https://[::]", "https://[::]:443/");
        check("HTTPS://localhost/A", "https://localhost:443/A");
    }

    #[test]
    fn what_is_no_address_is_told() {
        check("ftp://host", "begins with neither");
        check("http://host:port/", "no number");
        check("http://host:70000/", "no number");
        check("http://host:1/?a=b", "a query");
        check("http://[::1/", "`]` is missing");
        check("http://[::1]x/", "no port");
        check("https://me:hunter2@host:1/", "cannot hold a user");
        assert!(!Endpoint::parse("https://me:hunter2@host").unwrap_err().to_string().contains("hunter2"));
    }
}
