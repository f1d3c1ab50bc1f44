//! Who asks: shared keys, shared access signatures, and one Microsoft Entra ID token.
//!
//! Source: "Authorize with Shared Key", "Create an account SAS", "Create a service SAS" in the
//! service's REST reference.

use super::config::Config;
use crate::http::parameter;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use sha2::Sha256;
use std::collections::BTreeMap;

/// Whether a request may be answered.
pub(crate) fn accepted(config: &Config, head: &Parts, now_ms: i64) -> bool {
    let query = head.uri.query().unwrap_or_default();
    if parameter(query, "sig").is_some() {
        return sas(config, head.uri.path(), query, now_ms);
    }
    let authorization = header(&head.headers, "authorization");
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        return config.bearer.as_deref() == Some(token);
    }
    let Some((name, signature)) =
        authorization.strip_prefix("SharedKey ").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    // The account is in the path already; some clients do not put it before the path once more.
    let path = head.uri.path();
    let resources = [format!("/{}{path}", config.account), path.to_owned()];
    name == config.account
        && resources.iter().any(|resource| sign(&config.key, &to_sign(head, resource, query)) == signature)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn to_sign(head: &Parts, resource: &str, query: &str) -> String {
    let headers = &head.headers;
    let length = match header(headers, "content-length") {
        "0" => "",
        length => length,
    };
    let mut text = format!("{}\n", head.method);
    for name in ["content-encoding", "content-language"] {
        text += &format!("{}\n", header(headers, name));
    }
    text += &format!("{length}\n");
    for name in ["content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match"] {
        text += &format!("{}\n", header(headers, name));
    }
    for name in ["if-unmodified-since", "range"] {
        text += &format!("{}\n", header(headers, name));
    }
    let own: BTreeMap<&str, &str> = headers
        .keys()
        .map(hyper::header::HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .map(|name| (name, header(headers, name).trim()))
        .collect();
    for (name, value) in own {
        text += &format!("{name}:{value}\n");
    }
    text += resource;
    let mut parameters = BTreeMap::<String, Vec<String>>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.entry(decode(name).to_lowercase()).or_default().push(decode(value));
    }
    for (name, mut values) in parameters {
        values.sort();
        text += &format!("\n{name}:{}", values.join(","));
    }
    text
}

/// Decodes `%xx` and nothing else.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// From this version on, encryption scopes are signed too.
const WITH_SCOPE: &str = "2020-12-06";

fn sas(config: &Config, path: &str, query: &str, now_ms: i64) -> bool {
    let get = |name: &str| parameter(query, name).map(decode).unwrap_or_default();
    let scope = |line: &str| if get("sv").as_str() >= WITH_SCOPE { line.to_owned() } else { String::new() };
    let text = if get("srt").is_empty() {
        let container = path.trim_start_matches('/').split('/').nth(1).unwrap_or_default();
        let resource = match get("sr").as_str() {
            "c" => format!("/blob/{}/{container}", config.account),
            // The path begins with the account.
            _ => format!("/blob{}", decode(path)),
        };
        let first: Vec<String> = [get("sp"), get("st"), get("se"), resource].into();
        let rest = ["si", "sip", "spr", "sv", "sr", "snapshot"].map(get);
        let last = ["rscc", "rscd", "rsce", "rscl", "rsct"].map(get);
        let scope = scope(&format!("{}\n", get("ses")));
        format!("{}\n{}\n{scope}{}", first.join("\n"), rest.join("\n"), last.join("\n"))
    } else {
        let fields = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(get);
        format!("{}\n{}\n{}", config.account, fields.join("\n"), scope(&format!("{}\n", get("ses"))))
    };
    // In this form of a time, the order of texts is that of times.
    let now = crate::clock::rfc3339_micros(now_ms, 0);
    let current = get("se").get(..10).is_some_and(|day| day >= now.get(..10).unwrap_or_default());
    current && sign(&config.key, &text) == get("sig")
}

/// An account SAS for everything, that ends with a day.
pub(crate) fn issue(config: &Config, day: &str) -> String {
    let (permissions, services, types) = ("rwdlacu", "b", "sco");
    let (end, version) = (format!("{day}T23:59:59Z"), "2021-12-02");
    let text = format!("{}\n{permissions}\n{services}\n{types}\n\n{end}\n\n\n{version}\n\n", config.account);
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    format!(
        "sv={version}&ss={services}&srt={types}&sp={permissions}&se={}&sig={}",
        encode(&end),
        encode(&sign(&config.key, &text))
    )
}

fn sign(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).unwrap()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}
