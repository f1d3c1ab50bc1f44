//! The HTTP server: connections, and a call's way from its headers to its answer.
//!
//! Owns: the order in which a call meets faults, the check of its signature's time,
//! and the quota. Does not own: what operations do (`operations`), the control
//! endpoints (`control`).

use super::answer::{BrokenOff, Connection, Link, Reply};
use super::books::Receipt;
use super::control;
use super::faults::FaultKind;
use super::operations::Operation;
use super::state::State;
use super::wire::{Answered, ApiError, CONTENT_TYPE, GroupParameter, read};
use crate::clock::{amz_date, http_date, parse_amz_date};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Serves until `stopped` is dropped or sent to.
pub(crate) async fn run(
    listener: std::net::TcpListener,
    state: Arc<State>,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                // An error here concerns one connection that is gone already.
                if let Ok((stream, _)) = accepted {
                    state.books().stats.connections += 1;
                    tokio::spawn(serve(stream, Arc::clone(&state)));
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    // Without it, only latency suffers.
    let _ = stream.set_nodelay(true);
    let link = Arc::new(Link::default());
    let io = TokioIo::new(Connection::new(stream, Arc::clone(&link)));
    let service = service_fn(move |request| route(request, Arc::clone(&state), Arc::clone(&link)));
    // Ends with an error whenever a client goes away or a fault breaks the connection.
    let _ = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(io, service)
        .await;
}

async fn route(
    request: Request<Incoming>,
    state: Arc<State>,
    link: Arc<Link>,
) -> Result<Response<Reply>, BrokenOff> {
    let (head, body) = request.into_parts();
    let body = collect(body).await?;
    if head.uri.path().starts_with(control::PREFIX) {
        return Ok(control::answer(&head, &body, &state, link));
    }
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = match Operation::from_target(target) {
        Some(operation) if head.method == Method::POST && head.uri.path() == "/" => operation,
        _ => {
            let error =
                ApiError::client("UnknownOperationException", format!("unknown operation `{target}`"));
            return Ok(failed(&error, &state, 0, link));
        }
    };
    call(operation, &head.headers, &body, state, link).await
}

/// The whole body of a request; a client that breaks off gets no answer.
async fn collect(body: Incoming) -> Result<Vec<u8>, BrokenOff> {
    let mut body = pin!(body);
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(|_| BrokenOff)?.into_data() {
            all.extend_from_slice(&data);
        }
    }
    Ok(all)
}

async fn call(
    operation: Operation,
    headers: &HeaderMap,
    body: &[u8],
    state: Arc<State>,
    link: Arc<Link>,
) -> Result<Response<Reply>, BrokenOff> {
    let verdict = state.faults.judge(operation);
    if verdict.counted {
        state.books().stats.note_call(operation, state.started.elapsed());
    }
    if !verdict.delay.is_zero() {
        tokio::time::sleep(verdict.delay).await;
    }
    let note = |outcome: &str| state.books().stats.note_outcome(operation, outcome);
    let within_quota = !verdict.counted || state.limiter().allow(operation, Instant::now());
    let date_off = verdict.date_offset_ms;
    let result = match verdict.failure {
        Some(FaultKind::Reset) => {
            note("reset");
            link.reset();
            return Err(BrokenOff);
        }
        Some(FaultKind::NeverAnswer) => {
            note("never_answer");
            return pending().await;
        }
        failure => match failure.and_then(|kind| refusal(kind, operation, body, &state)) {
            Some(error) => Err(error),
            None => check_signature(headers, &state)
                .and_then(|()| if within_quota { Ok(()) } else { Err(ApiError::throttled()) })
                .and_then(|()| operation.answer(&state, body)),
        },
    };
    let Answered { body, shown, message_bytes } = match result {
        Ok(answered) => answered,
        Err(error) => {
            note(error.code);
            return Ok(failed(&error, &state, date_off, link));
        }
    };
    let reply = match verdict.failure {
        Some(FaultKind::ResetInBody) => {
            note("reset_in_body");
            Reply::reset_half_way(body, link)
        }
        Some(FaultKind::CutBody) => {
            note("cut_body");
            Reply::whole(body[..body.len() / 2].to_vec(), None, link)
        }
        Some(FaultKind::InvalidJson) => {
            note("invalid_json");
            Reply::whole(b"<html><body>not what was asked for</body></html>".to_vec(), None, link)
        }
        _ => {
            let size = body.len() as u64;
            let receipt = Receipt::new(Arc::clone(&state), operation, shown, message_bytes, size);
            Reply::whole(body, Some(receipt), link)
        }
    };
    Ok(response(200, &state, date_off).body(reply).unwrap())
}

/// The error that a fault asks for; `None` for faults of another sort.
fn refusal(kind: FaultKind, operation: Operation, body: &[u8], state: &State) -> Option<ApiError> {
    let error = match kind {
        FaultKind::Throttling => ApiError::throttled(),
        FaultKind::ServiceUnavailable => ApiError {
            status: 503,
            code: "ServiceUnavailableException",
            message: "The service cannot complete the request.".into(),
        },
        FaultKind::InternalFailure => ApiError {
            status: 500,
            code: "InternalFailure",
            message: "The request processing has failed because of an unknown error.".into(),
        },
        FaultKind::ExpiredToken => {
            ApiError::client("ExpiredTokenException", "The security token included in the request is expired")
        }
        FaultKind::UnrecognizedClient => ApiError::client(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        FaultKind::ResourceNotFound => ApiError::no_group(),
        FaultKind::AccessDenied => {
            let group = read::<GroupParameter>(body).unwrap_or_default();
            let (account, name) = (&state.config.account, operation.name());
            ApiError::client(
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::{account}:user/x is not authorized to perform: logs:{name} on resource: \
                     {}:log-stream: because no identity-based policy allows the logs:{name} action",
                    state.config.group_arn(group.claimed())
                ),
            )
        }
        FaultKind::Reset
        | FaultKind::ResetInBody
        | FaultKind::Slow(_)
        | FaultKind::NeverAnswer
        | FaultKind::InvalidJson
        | FaultKind::CutBody
        | FaultKind::DateOff(_) => return None,
    };
    Some(error)
}

/// That there is a signature, and that its time is near the server's.
fn check_signature(headers: &HeaderMap, state: &State) -> Result<(), ApiError> {
    if !headers.contains_key(AUTHORIZATION) {
        return Err(ApiError::client("MissingAuthenticationTokenException", "Missing Authentication Token"));
    }
    let Some(skew) = state.config.signature_skew else { return Ok(()) };
    let date = headers.get("x-amz-date").and_then(|date| date.to_str().ok());
    let Some(signed_ms) = date.and_then(parse_amz_date) else {
        return Err(ApiError::client(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ));
    };
    let skew_ms = skew.as_millis() as i64;
    let (signed, now_ms) = (amz_date(signed_ms), state.clock.now_ms());
    let (now, minutes) = (amz_date(now_ms), skew.as_secs() / 60);
    let message = if signed_ms < now_ms - skew_ms {
        format!(
            "Signature expired: {signed} is now earlier than {} ({now} - {minutes} min.)",
            amz_date(now_ms - skew_ms)
        )
    } else if signed_ms > now_ms + skew_ms {
        format!(
            "Signature not yet current: {signed} is still later than {} ({now} + {minutes} min.)",
            amz_date(now_ms + skew_ms)
        )
    } else {
        return Ok(());
    };
    Err(ApiError::client("InvalidSignatureException", message))
}

fn failed(error: &ApiError, state: &State, date_off_ms: i64, link: Arc<Link>) -> Response<Reply> {
    response(error.status, state, date_off_ms)
        .header("x-amzn-errortype", error.code)
        .body(Reply::whole(error.body(), None, link))
        .unwrap()
}

fn response(status: u16, state: &State, date_off_ms: i64) -> hyper::http::response::Builder {
    let (high, low) = {
        let mut random = state.request_ids();
        (random.next(), random.next())
    };
    let request_id = format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    );
    let date = http_date(state.clock.now_ms() + state.clock.date_offset_ms() + date_off_ms);
    Response::builder()
        .status(status)
        .header("content-type", CONTENT_TYPE)
        .header("date", date)
        .header("x-amzn-requestid", request_id)
}
