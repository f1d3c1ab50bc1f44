//! One record of the envelope, written fast: fifty thousand a second are asked for.
//!
//! Owns: the texts, and how a record looks that is cut or broken. Does not own: which
//! records are (`generate`).

use super::generate::Brokenness;
use crate::clock::rfc3339_micros;
use serde::Serialize;
use std::fmt::Write;

/// What sort of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A good audit event under `kube-audit`.
    Audit,
    /// The audit event before it once more, under `kube-audit-admin`.
    Copy,
    /// Another category, with plain text.
    Foreign,
    /// An audit event that is cut off somewhere behind its auditID.
    Cut,
    /// An audit event that is cut off before its auditID is complete.
    CutEarly,
    /// A record that is no JSON.
    Broken,
}

impl Kind {
    /// Its name in the ledger's texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Copy => "copy",
            Self::Foreign => "foreign",
            Self::Cut => "cut",
            Self::CutEarly => "cut_early",
            Self::Broken => "broken",
        }
    }
}

/// What a record is made of.
pub(crate) struct Body<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) draw: u64,
    pub(crate) time_ms: i64,
    pub(crate) cluster: &'a str,
    pub(crate) cut_at: usize,
    pub(crate) brokenness: Brokenness,
}

/// The pieces of an audit event between its fields: `'` stands for a quote, `^` for one inside a string.
const PIECES: [&str; 18] = [
    "{'kind':'Event','apiVersion':'audit.k8s.io/v1','level':'Request','auditID':'",
    "','stage':'ResponseComplete','requestURI':'/api/v1/namespaces/",
    "/",
    "/",
    "?timeout=10s','verb':'",
    "','user':{'username':'",
    "','groups':['system:authenticated']},'sourceIPs':['",
    "'],'userAgent':'kubectl/v1.31.2 (linux/amd64) kubernetes/5864a46','objectRef':{'resource':'",
    "','namespace':'",
    "','name':'",
    "','apiVersion':'v1'},'responseStatus':{'metadata':{},'code':",
    "},'requestObject':{'metadata':{'name':'",
    "','namespace':'",
    "'},'spec':{'containers':[{'name':'main','image':'registry.example/",
    ":1','env':[",
    "'}]}]}},'requestReceivedTimestamp':'",
    "','stageTimestamp':'",
    "','annotations':{'authorization.k8s.io/decision':'allow',\
     'authorization.k8s.io/reason':'RBAC: allowed by ClusterRoleBinding ^edit^'}}",
];
const SETTING: &str = "{'name':'FEATURE_GATES','value':'0123456789abcdef'},";
const LAST: &str = "{'name':'NOTE','value':'";

const USERS: [&str; 4] = [
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:monitoring:prometheus",
    "alice@example.com",
    "masterclient",
];

/// The pieces with their quotes, as plain text or as inside a JSON string.
#[derive(Debug)]
struct Text {
    pieces: Vec<String>,
    settings: String,
    setting_bytes: usize,
    last: String,
}

impl Text {
    fn new(quote: &str, inner: &str, settings: usize) -> Self {
        let text = |piece: &str| piece.replace('\'', quote).replace('^', inner);
        let setting = text(SETTING);
        Self {
            pieces: PIECES.iter().map(|piece| text(piece)).collect(),
            settings: setting.repeat(settings),
            setting_bytes: setting.len(),
            last: text(LAST),
        }
    }
}

/// Writes records of one size.
#[derive(Debug)]
pub(crate) struct Writer {
    record_bytes: usize,
    plain: Text,
    escaped: Text,
    padding: String,
}

impl Writer {
    pub(crate) fn new(record_bytes: usize) -> Self {
        let settings = record_bytes / SETTING.len() + 1;
        Self {
            record_bytes,
            plain: Text::new("\"", "\\\"", settings),
            escaped: Text::new("\\\"", "\\\\\\\"", settings),
            padding: "x".repeat(SETTING.len() * 2),
        }
    }

    /// The size of an event, where that is reachable.
    pub(crate) fn event_bytes(&self) -> usize {
        self.record_bytes.max(1)
    }

    /// Whether the auditID is whole when the text is cut there, its closing quote included.
    pub(crate) fn keeps_id(&self, cut_at: usize) -> bool {
        cut_at > self.plain.pieces[0].len() + 36
    }

    /// An audit event as plain text.
    pub(crate) fn event(&self, id: &str, draw: u64, time_ms: i64) -> String {
        let mut out = String::with_capacity(self.record_bytes + 1_024);
        self.push_event(&self.plain, id, draw, time_ms, &mut out);
        out
    }

    pub(crate) fn write(&self, body: &Body<'_>, out: &mut String) {
        let broken = (body.kind == Kind::Broken).then_some(body.brokenness);
        let head_at = out.len();
        let category = match body.kind {
            Kind::Foreign => FOREIGN[(body.draw >> 8) as usize % FOREIGN.len()],
            Kind::Copy => "kube-audit-admin",
            _ => "kube-audit",
        };
        let time = rfc3339_micros(body.time_ms, (body.draw % 1_000) as u32);
        write!(
            out,
            "{{\"operationName\":\"Microsoft.ContainerService/managedClusters/diagnosticLogs/Read\",\
             \"category\":\"{category}\",\"ccpNamespace\":\"66f0a2b4c1d2e3f405162738\",\
             \"resourceId\":\"{}\",\"properties\":{{\"log\":\"",
            body.cluster
        )
        .unwrap();
        if broken == Some(Brokenness::SingleQuotes) {
            let head = out.split_off(head_at).replace('"', "'");
            out.push_str(&head);
        }
        match body.kind {
            Kind::Foreign => push_escaped(&foreign(body, &time), out),
            Kind::Cut | Kind::CutEarly => {
                let event = self.event(&body.id, body.draw, body.time_ms);
                push_escaped(event.get(..body.cut_at).unwrap_or(&event), out);
            }
            Kind::Audit | Kind::Copy | Kind::Broken => {
                self.push_event(&self.escaped, &body.id, body.draw, body.time_ms, out);
                out.push_str("\\n");
            }
        }
        match broken {
            Some(Brokenness::RawNewline) => out.push('\n'),
            Some(Brokenness::Unterminated) => return,
            Some(Brokenness::SingleQuotes) | None => {}
        }
        let tail_at = out.len();
        write!(
            out,
            "\",\"stream\":\"stdout\",\"pod\":\"kube-apiserver-{:x}-{:05x}\",\"containerID\":\
             \"6f2a4d\"}},\"time\":\"{}{:03}Z\",\"Cloud\":\"AzureCloud\",\"Environment\":\"prod\",\
             \"UnderlayClass\":\"hcp-underlay\",\"UnderlayName\":\"hcp-underlay-westeurope-cx-812\"}}",
            body.draw >> 56,
            body.draw >> 44 & 0xf_ffff,
            time.trim_end_matches('Z'),
            body.draw >> 10 & 0x1ff,
        )
        .unwrap();
        if broken == Some(Brokenness::SingleQuotes) {
            let tail = out.split_off(tail_at).replace('"', "'");
            out.push_str(&tail);
        }
    }

    fn push_event(&self, text: &Text, id: &str, draw: u64, time_ms: i64, out: &mut String) {
        let resource = ["pods", "configmaps", "secrets", "services"][(draw & 3) as usize];
        let namespace = ["default", "kube-system", "payments", "monitoring"][(draw >> 2 & 3) as usize];
        let (verb, code) =
            [("get", "200"), ("list", "200"), ("create", "201"), ("patch", "200")][(draw >> 4 & 3) as usize];
        let user = USERS[(draw >> 6 & 3) as usize];
        let mut name = String::with_capacity(32);
        write!(name, "{resource}-{:06x}", draw >> 40).unwrap();
        let mut address = String::with_capacity(16);
        write!(address, "10.0.{}.{}", draw >> 16 & 0xff, draw >> 24 & 0xff).unwrap();
        let received = rfc3339_micros(time_ms, (draw & 0xff) as u32);
        let staged = rfc3339_micros(time_ms, (draw & 0xff) as u32 + 700);
        let before: [&str; 15] = [
            id, namespace, resource, &name, verb, user, &address, resource, namespace, &name, code, &name,
            namespace, &name, "",
        ];
        let after = [received.as_str(), staged.as_str()];
        // By the plain text's sizes, whichever text is written.
        let pieces: usize = self.plain.pieces.iter().map(String::len).sum();
        let fields: usize = before.iter().chain(&after).map(|field| field.len()).sum();
        let room = self.record_bytes.saturating_sub(pieces + fields + self.plain.last.len());
        let settings = room / self.plain.setting_bytes;
        let padding = room % self.plain.setting_bytes;
        for (piece, field) in text.pieces.iter().zip(before) {
            out.push_str(piece);
            out.push_str(field);
        }
        out.push_str(&text.settings[..settings * text.setting_bytes]);
        out.push_str(&text.last);
        out.push_str(&self.padding[..padding]);
        for (piece, field) in text.pieces[15..].iter().zip(after) {
            out.push_str(piece);
            out.push_str(field);
        }
        out.push_str(&text.pieces[17]);
    }
}

const FOREIGN: [&str; 5] =
    ["guard", "kube-apiserver", "kube-controller-manager", "cluster-autoscaler", "cloud-controller-manager"];

fn foreign(body: &Body<'_>, time: &str) -> String {
    let line = format!(
        "httplog.go:132] \"HTTP\" verb=\"GET\" URI=\"/healthz\" latency=\"1.2ms\" trace=\"{}\"",
        body.id
    );
    format!("I0102 {time}       1 {line}\n")
}

fn push_escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
