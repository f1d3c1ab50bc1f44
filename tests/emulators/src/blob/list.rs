//! Lists of blobs, in XML.

use super::store::Blob;
use crate::clock::http_date;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a list is asked for.
pub(crate) struct Query {
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    pub(crate) marker: String,
    pub(crate) most: usize,
    pub(crate) metadata: bool,
}

/// The blobs of a container, in the order of their names, from the marker on.
pub(crate) fn xml(account: &str, container: &str, blobs: &BTreeMap<String, Blob>, query: &Query) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}\" ContainerName=\"{}\">\
         <Prefix>{}</Prefix><Marker>{}</Marker><MaxResults>{}</MaxResults><Blobs>",
        escape(account),
        escape(container),
        escape(&query.prefix),
        escape(&query.marker),
        query.most
    );
    let mut count = 0;
    let mut folder = String::new();
    let mut next = "";
    let fitting = blobs.range(query.marker.clone()..).filter(|(name, _)| name.starts_with(&query.prefix));
    for (name, blob) in fitting {
        let rest = &name[query.prefix.len()..];
        let end = if query.delimiter.is_empty() { None } else { rest.find(&query.delimiter) };
        if let Some(end) = end
            && folder == name[..query.prefix.len() + end + query.delimiter.len()]
        {
            continue;
        }
        if count == query.most {
            next = name;
            break;
        }
        count += 1;
        match end {
            Some(end) => {
                name[..query.prefix.len() + end + query.delimiter.len()].clone_into(&mut folder);
                write!(out, "<BlobPrefix><Name>{}</Name></BlobPrefix>", escape(&folder)).unwrap();
            }
            None => push(&mut out, name, blob, query.metadata),
        }
    }
    write!(out, "</Blobs><NextMarker>{}</NextMarker></EnumerationResults>", escape(next)).unwrap();
    out
}

fn push(out: &mut String, name: &str, blob: &Blob, metadata: bool) {
    write!(
        out,
        "<Blob><Name>{}</Name><Properties><Creation-Time>{}</Creation-Time><Last-Modified>{}</Last-Modified>\
         <Etag>{}</Etag><Content-Length>{}</Content-Length><Content-Type>{}</Content-Type>\
         <BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>\
         <LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
         <ServerEncrypted>true</ServerEncrypted></Properties>",
        escape(name),
        http_date(blob.created_ms),
        http_date(blob.modified_ms),
        blob.etag,
        blob.body.len(),
        escape(&blob.content_type),
    )
    .unwrap();
    if metadata {
        out.push_str("<Metadata>");
        for (key, value) in &blob.metadata {
            write!(out, "<{key}>{}</{key}>", escape(value)).unwrap();
        }
        out.push_str("</Metadata>");
    }
    out.push_str("</Blob>");
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
