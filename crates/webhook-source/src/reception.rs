//! [`Reception`]: what becomes of a request, from its head to its answer.
//!
//! In that order: path, method, token, type, length; then room is reserved, the body is read, parsed and handed to
//! the [`Ledger`]. So nothing of a body is kept in memory without room, nor of a sender that may not send.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response};
use tokio::time::timeout;

use crate::activity::Activity;
use crate::answer::Answer;
use crate::body::{Encoding, Upload};
use crate::ledger::{Ledger, Taken, Unconfirmed};
use crate::quiet::Quiet;
use crate::token::Token;
use crate::watched::Watched;
use crate::{Parse, Timeouts, WebhookMetrics};

/// Takes requests.
pub(crate) struct Reception<T> {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) token: Option<Arc<Watched<Token>>>,
    pub(crate) parse: Parse<T>,
    pub(crate) max_body_bytes: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) ledger: Arc<Ledger<T>>,
    pub(crate) metrics: Arc<WebhookMetrics>,
    pub(crate) quiet: Quiets,
    /// For connections on which no TLS came about.
    pub(crate) no_tls: Quiet,
}

/// For each kind of answer that is told.
#[derive(Debug, Default)]
pub(crate) struct Quiets {
    bad: Quiet,
    unauthorized: Quiet,
    too_slow: Quiet,
    too_large: Quiet,
    other_type: Quiet,
    other_encoding: Quiet,
    defect: Quiet,
}

/// Where one can ask whether events flow.
const HEALTH: &str = "/healthz";

impl<T: Send + 'static> Reception<T> {
    /// The answer to a request of `peer`.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Activity,
    ) -> Response<Full<Bytes>> {
        self.metrics.requests.increment();
        let (head, body) = request.into_parts();
        let mut upload = Upload::new(&head, body);
        let route = self.route(&head.method, head.uri.path(), &head.headers);
        let method = head.method.clone();
        // What follows may take its time, and a stranger's head may be large.
        drop(head);
        let answer = match route {
            Ok(encoding) => {
                activity.trust();
                self.take(encoding, &mut upload).await
            }
            Err(answer) => answer,
        };
        if answer != Answer::TooSlow {
            upload.drain().await;
        }
        self.tell(&answer, peer);
        answer.into_response(&method)
    }

    /// Whether it is something to take in, as far as the head tells.
    fn route(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Encoding, Answer> {
        let is_here = path == self.path;
        if path == HEALTH && (!is_here || method != Method::POST) {
            return Err(match *method {
                Method::GET | Method::HEAD => self.health(),
                _ => Answer::MethodNotAllowed("GET, HEAD"),
            });
        }
        if !is_here {
            return Err(Answer::NotFound);
        }
        if method != Method::POST {
            return Err(Answer::MethodNotAllowed("POST"));
        }
        if self.token.as_ref().is_some_and(|token| !token.current().is_in(headers)) {
            return Err(Answer::Unauthorized);
        }
        is_json(headers)?;
        Encoding::of(headers)
    }

    fn health(&self) -> Answer {
        match self.ledger.stalled() {
            None => Answer::Healthy,
            Some((stalled, waiting)) => Answer::Stalled(format!(
                "nothing was evaluated for {:.0} s, and {waiting} requests wait",
                stalled.as_secs_f32()
            )),
        }
    }

    /// Reserves, reads, parses, hands in, and waits.
    async fn take(&self, encoding: Encoding, upload: &mut Upload) -> Answer {
        let most = self.max_body_bytes;
        let bound = match upload.bound(encoding, most) {
            Ok(bound) => bound,
            Err(answer) => return answer,
        };
        let started = Instant::now();
        let room = match self.ledger.reserve(bound).await {
            Ok(room) => room,
            Err(why) => return Answer::Again(why),
        };
        let patience = self.timeouts.evaluation.saturating_sub(started.elapsed());
        let body = match timeout(self.timeouts.body, upload.read(encoding, most)).await {
            Ok(Ok(body)) => body,
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::TooSlow,
        };
        self.metrics.bytes_received.add(body.len() as u64);
        let key = self.ledger.key(&body);
        let content = match std::panic::catch_unwind(AssertUnwindSafe(|| (self.parse)(body))) {
            Ok(Ok(content)) => content,
            Ok(Err(reason)) => return Answer::Bad(reason),
            Err(_) => return Answer::Defect,
        };
        match self.ledger.take_in(key, content, room) {
            Taken::Confirmed => Answer::Confirmed,
            Taken::Closed => Answer::Again(Unconfirmed::Closed),
            Taken::Held(claim) => match claim.evaluated(patience).await {
                Ok(()) => Answer::Confirmed,
                Err(why) => Answer::Again(why),
            },
        }
    }

    /// Counts an answer, and tells of those that somebody has to look after, once a minute each.
    fn tell(&self, answer: &Answer, peer: SocketAddr) {
        let (metrics, quiet) = (&self.metrics, &self.quiet);
        let (counter, quiet) = match answer {
            Answer::Healthy | Answer::Stalled(_) => return,
            Answer::Confirmed => return metrics.requests_confirmed.increment(),
            Answer::Again(why) => return self.ledger.tell_unconfirmed(*why),
            // Whoever looks around in a network asks for paths that are not there.
            Answer::NotFound | Answer::MethodNotAllowed(_) => return metrics.requests_elsewhere.increment(),
            Answer::Incomplete => return metrics.requests_incomplete.increment(),
            Answer::Bad(_) => (&metrics.requests_bad, &quiet.bad),
            Answer::Unauthorized => (&metrics.requests_unauthorized, &quiet.unauthorized),
            Answer::TooSlow => (&metrics.requests_too_slow, &quiet.too_slow),
            Answer::TooLarge(_) => (&metrics.requests_too_large, &quiet.too_large),
            Answer::OtherType(_) => (&metrics.requests_of_other_type, &quiet.other_type),
            Answer::OtherEncoding => (&metrics.requests_of_other_type, &quiet.other_encoding),
            Answer::Defect => (&metrics.requests_defective, &quiet.defect),
        };
        counter.increment();
        if quiet.is_due() {
            let (name, status, total) = (&self.name, answer.status().as_u16(), counter.get());
            // A reason may quote what was sent.
            let reason = answer.reason();
            let reason = reason.escape_debug();
            log::warn!(
                "`{name}`: a request of {peer} got {status}, {total} so far, and nothing of it is evaluated: {reason}"
            );
        }
    }
}

/// Whether the head names JSON as the body's type.
fn is_json(headers: &HeaderMap) -> Result<(), Answer> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(Answer::OtherType("the content type is missing, it has to be application/json"));
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    if essence.trim_ascii().eq_ignore_ascii_case(b"application/json") {
        Ok(())
    } else {
        Err(Answer::OtherType("the content type has to be application/json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_with_its_parameters() {
        let of = |content_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            is_json(&headers).is_ok()
        };
        assert!(of("application/json") && of("Application/JSON ; charset=utf-8"));
        assert!(!of("application/jsonl") && !of("text/json") && !of("") && !of(";application/json"));
        assert!(is_json(&HeaderMap::new()).is_err());
    }
}
