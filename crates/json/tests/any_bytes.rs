//! Documents and damage by chance, compared with another reader of JSON; the seed is fixed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/host.rs"]
mod host;

use fastrand::Rng;
use host::Host;
use serde_json::{Map, Value};

const KEYS: [&str; 12] =
    ["stage", "user", "groups", "a/b", "c~d", "", "0", "01", "é\"\\", "~1", "x y", "annotations"];

fn document(rng: &mut Rng, depth: u32) -> Value {
    let count = rng.usize(..5);
    match rng.u32(..if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i32(..).into(),
        3 => f64::from(rng.i16(..)).into(),
        4 => text(rng).into(),
        5 | 6 => (0..count).map(|_| document(rng, depth - 1)).collect(),
        _ => {
            let member =
                |rng: &mut Rng| ((*rng.choice(KEYS.iter()).unwrap()).to_owned(), document(rng, depth - 1));
            Value::Object((0..count).map(|_| member(rng)).collect::<Map<_, _>>())
        }
    }
}

fn text(rng: &mut Rng) -> String {
    let alphabet = ["a", "\"", "\\", "/", "\n", "\u{1f}", "é", "🚀", "{", "]", ",", " ", "\u{7f}", "\\u0041"];
    (0..rng.usize(..12)).map(|_| *rng.choice(alphabet.iter()).unwrap()).collect()
}

/// Each pointer of a document, with what it leads to.
fn pointers<'v>(prefix: &str, value: &'v Value, all: &mut Vec<(String, &'v Value)>) {
    all.push((prefix.to_owned(), value));
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                pointers(&format!("{prefix}/{index}"), element, all);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(&format!("{prefix}/{key}"), member, all);
            }
        }
        _ => {}
    }
}

#[test]
fn every_pointer_leads_where_it_does_elsewhere() {
    let (host, mut rng) = (Host::new(), Rng::with_seed(0x006a_736f_6e01));
    let mut asked = 0;
    for _ in 0..1500 {
        let document = document(&mut rng, 4);
        if !document.is_object() && !document.is_array() {
            continue;
        }
        let indented = serde_json::to_string_pretty(&document).unwrap();
        let payload = if rng.bool() { document.to_string() } else { indented.clone() };
        assert_eq!(host.ask(payload.as_bytes(), 7, "json.obj").unwrap(), indented);
        let mut all = Vec::new();
        pointers("", &document, &mut all);
        // Falco's syntax has no closing bracket in an argument, and none of these keys has one.
        let requests: Vec<_> = all.iter().map(|(pointer, _)| format!("json.value[{pointer}]")).collect();
        let answers = host.ask_all(payload.as_bytes(), 7, requests.iter().map(String::as_str));
        for ((pointer, value), answer) in all.iter().zip(answers) {
            assert_eq!(document.pointer(pointer), Some(*value));
            let expect = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(answer.as_deref(), Some(&*expect), "{pointer} of {payload}");
            asked += 1;
        }
    }
    assert!(asked > 5000, "{asked}");
}

#[test]
fn damage_has_no_value_and_does_no_harm() {
    let (host, mut rng) = (Host::new(), Rng::with_seed(0x006a_736f_6e02));
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut payload = document(&mut rng, 3).to_string().into_bytes();
        for _ in 0..rng.usize(..3) {
            damage(&mut rng, &mut payload);
        }
        let is_json = matches!(payload.trim_ascii_start().first(), Some(b'{' | b'['))
            && serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_ok();
        let answers = host.ask_all(
            &payload,
            7,
            ["json.value[/user/groups/0]", "json.value[]", "json.value[/stage]", "json.obj", "json.rawtime"],
        );
        let answered = answers.iter().filter(|answer| answer.is_some()).count();
        let shown = String::from_utf8_lossy(&payload);
        if is_json {
            assert!(answers[1].is_some() && answers[3].is_some() && answers[4].is_some(), "{shown}");
            good += 1;
        } else {
            assert_eq!(answered, 0, "{shown}");
            bad += 1;
        }
    }
    assert!(good > 2000 && bad > 2000, "{good} {bad}");
}

fn damage(rng: &mut Rng, payload: &mut Vec<u8>) {
    if payload.is_empty() {
        return;
    }
    let at = rng.usize(..payload.len());
    match rng.u32(..5) {
        0 => payload.truncate(at),
        1 => drop(payload.remove(at)),
        2 => payload[at] = rng.u8(..),
        3 => payload.insert(at, *rng.choice(b"{}[],:\"\\ 0e-.".iter()).unwrap()),
        _ => payload.extend_from_within(at..),
    }
}
