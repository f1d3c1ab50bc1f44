//! DescribeLogGroups and DescribeLogStreams.

use crate::cloudwatch::state::State;
use crate::cloudwatch::wire::{Answered, ApiError, GroupParameter, bounded, read};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupsRequest {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

pub(super) fn log_groups(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let request: GroupsRequest = read(body)?;
    let limit = bounded(request.limit, "limit", 50, 50)?;
    if request.log_group_name_prefix.is_some() && request.log_group_name_pattern.is_some() {
        return Err(ApiError::invalid_parameter(
            "LogGroupNamePrefix and LogGroupNamePattern cannot be used together in the same request.",
        ));
    }
    let prefix = request.log_group_name_prefix.unwrap_or_default();
    let pattern = request.log_group_name_pattern.unwrap_or_default();
    let store = state.store();
    let groups = store.groups().filter(|(name, _)| {
        // A pattern is a part of the name, regardless of case.
        name.starts_with(&prefix) && name.to_lowercase().contains(&pattern.to_lowercase())
    });
    let described = groups.map(|(name, group)| {
        let arn = state.config.group_arn(name);
        let value = json!({
            "logGroupName": name,
            "creationTime": group.created_ms,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": group.stored_bytes,
            "logGroupClass": "STANDARD",
        });
        (name.to_owned(), value)
    });
    list("logGroups", described, limit, request.next_token.as_deref())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StreamsRequest {
    #[serde(flatten)]
    group: GroupParameter,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

pub(super) fn log_streams(state: &State, body: &[u8]) -> Result<Answered, ApiError> {
    let request: StreamsRequest = read(body)?;
    let limit = bounded(request.limit, "limit", 50, 50)?;
    let group_name = request.group.resolve(&state.config)?;
    let by_time = match request.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") => true,
        Some(other) => {
            let constraint = "satisfy enum value set: [LastEventTime, LogStreamName]";
            return Err(ApiError::constraint(other, "orderBy", constraint));
        }
    };
    if by_time && request.log_stream_name_prefix.is_some() {
        return Err(ApiError::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let prefix = request.log_stream_name_prefix.unwrap_or_default();
    let store = state.store();
    let group = store.group(group_name).ok_or_else(ApiError::no_group)?;
    let mut streams: Vec<_> = group.streams.iter().filter(|(name, _)| name.starts_with(&prefix)).collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.last_event_ms);
    }
    if request.descending {
        streams.reverse();
    }
    let arn = state.config.group_arn(group_name);
    let described = streams.into_iter().map(|(name, stream)| {
        let mut value = json!({
            "logStreamName": name,
            "creationTime": stream.created_ms,
            "arn": format!("{arn}:log-stream:{name}"),
            "storedBytes": 0,
        });
        let times = [
            ("firstEventTimestamp", stream.first_event_ms),
            ("lastEventTimestamp", stream.last_event_ms),
            ("lastIngestionTime", stream.last_ingestion_ms),
        ];
        for (member, time) in times {
            if let Some(time) = time {
                value[member] = json!(time);
            }
        }
        (name.clone(), value)
    });
    list("logStreams", described, limit, request.next_token.as_deref())
}

/// One page of a list; its token is the name at which the next one begins.
fn list(
    member: &str,
    described: impl Iterator<Item = (String, Value)>,
    limit: usize,
    token: Option<&str>,
) -> Result<Answered, ApiError> {
    let mut rest = described.skip_while(|(name, _)| token.is_some_and(|token| name != token)).peekable();
    if token.is_some() && rest.peek().is_none() {
        return Err(ApiError::invalid_parameter("The specified nextToken is invalid."));
    }
    let page: Vec<Value> = rest.by_ref().take(limit).map(|(_, value)| value).collect();
    let mut answer = json!({ member: page });
    if let Some((next, _)) = rest.next() {
        answer["nextToken"] = json!(next);
    }
    Ok(Answered::json(&answer))
}
