//! Every event of the parity sets, every request: what the reference answers, byte for byte, but for the
//! deviations that this project wants. Those are computed a second time here, over `serde_json`, with
//! nothing in common with the crate's own extraction.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/ask.rs"]
mod ask;

use ask::{Answer, Request, ask_index, shared_dir};
use audit_core::Index;
use serde_json::Value;

#[test]
fn parity_with_the_reference() {
    let Some(shared) = shared_dir("parity") else { return };
    let folder = shared.join("parity");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let requests: Vec<Request> = read("fields.txt").lines().map(Request::parse).collect();
    assert_eq!(requests.len(), 209);

    let (mut equal, mut deviating) = (0, 0);
    for set in ["apiserver-log", "falco-traces", "synthetic"] {
        let (events, expected) =
            (read(&format!("{set}.events.jsonl")), read(&format!("{set}.expected.jsonl")));
        assert_eq!(events.lines().count(), expected.lines().count());
        for (line, (event, expected)) in events.lines().zip(expected.lines()).enumerate() {
            let parsed: Value = serde_json::from_str(event).unwrap();
            let expected: Value = serde_json::from_str(expected).unwrap();
            // One index for all requests, as Falco has it; none may depend on those before.
            let index = Index::parse(event.as_bytes()).unwrap();
            for request in &requests {
                let reference = Answer::from_json(expected.get(&request.text));
                let wanted = deviation(request, &parsed, &expected).unwrap_or_else(|| reference.clone());
                deviating += usize::from(wanted != reference);
                let ours = Answer::of(ask_index(&index, event.as_bytes(), request));
                assert_eq!(ours, wanted, "{set}, line {}, {}", line + 1, request.text);
            }
            equal += 1;
        }
    }
    println!("parity: {equal} equal, 0 skipped ({deviating} answers deviate as `deviations.tsv` wants)");
    assert_eq!(equal, 567);
    assert!(deviating > 0, "the deviations were never met");
}

/// What this project wants where it differs from the reference; `None` where it does not.
fn deviation(request: &Request, event: &Value, reference: &Value) -> Option<Answer> {
    // The reference gives no value at all for what has no audit id, and neither do we.
    event.get("auditID")?;
    let name = request.name.as_str();
    let spec = &event["requestObject"]["spec"];
    let list = ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .find_map(|list| Some((list, name.strip_prefix(&format!("ka.req.pod.{list}."))?)));
    if let Some((list, part)) = list {
        let containers = select(spec[list].as_array().map(Vec::as_slice), request.index());
        return each_container(part, containers, spec);
    }
    match name {
        "ka.sourceips" => {
            let addresses = select(event["sourceIPs"].as_array().map(Vec::as_slice), request.index());
            Some(Answer::list(addresses.iter().map(text)))
        }
        "ka.req.service.ports" => {
            let index = request.index()?;
            let all = reference.get(name).map(|all| elements(all[0].as_str().unwrap())).unwrap_or_default();
            Some(Answer::list(all.get(index).copied()))
        }
        "ka.req.container.image.repository" => {
            Some(Answer::one(repository(spec["containers"].get(0)?["image"].as_str()?)))
        }
        "ka.target.pod.name" => {
            let target = &event["objectRef"];
            let answered = event["responseObject"]["metadata"].is_object();
            (target["resource"] == "pods" && target.get("subresource").is_none() && !answered)
                .then(|| Answer::from_json(target.get("name")))
        }
        "ka.uri.param" => {
            let query = event["requestURI"].as_str()?.split_once('?')?.1;
            query.contains(';').then(|| panic!("a query with a semicolon: compute what is wanted of {query}"))
        }
        _ => None,
    }
}

fn each_container(part: &str, containers: &[Value], spec: &Value) -> Option<Answer> {
    let effective = |name: &str| {
        let of_pod = &spec["securityContext"][name];
        Answer::list(containers.iter().map(|container| {
            let own = &container["securityContext"][name];
            let id = if own.is_null() { of_pod } else { own };
            if id.is_null() { "0".to_owned() } else { text(id) }
        }))
    };
    match part {
        "eff_run_as_user" => Some(effective("runAsUser")),
        "eff_run_as_group" => Some(effective("runAsGroup")),
        "name" | "image" => {
            Some(Answer::list(containers.iter().filter_map(|container| container.get(part)).map(text)))
        }
        "image.repository" => {
            let images = containers.iter().filter_map(|container| container["image"].as_str());
            Some(Answer::list(images.map(repository)))
        }
        "add_capabilities" => {
            let added = |container: &Value| {
                container["securityContext"]["capabilities"]["add"].as_array().cloned().unwrap_or_default()
            };
            Some(Answer::list(containers.iter().flat_map(added).map(|capability| text(&capability))))
        }
        _ => None,
    }
}

fn select(list: Option<&[Value]>, index: Option<usize>) -> &[Value] {
    let list = list.unwrap_or_default();
    match index {
        Some(index) => list.get(index..index + 1).unwrap_or_default(),
        None => list,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// By taking the name apart at its slashes.
fn repository(image: &str) -> String {
    let without_digest = image.split('@').next().unwrap();
    let mut parts: Vec<&str> = without_digest.split('/').collect();
    let last = parts.pop().unwrap();
    parts.push(last.split(':').next().unwrap());
    parts.join("/")
}

/// The texts of an array's elements, as they are written.
fn elements(array: &str) -> Vec<&str> {
    let mut rest = array.strip_prefix('[').unwrap();
    let mut elements = Vec::new();
    while rest != "]" {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        values.next().unwrap().unwrap();
        let (element, behind) = rest.split_at(values.byte_offset());
        elements.push(element);
        rest = behind.strip_prefix(',').unwrap_or(behind);
    }
    elements
}
