//! The operations of the service, and which function answers each.

mod describe;
mod ingest;

use super::page;
use super::state::State;
use super::wire::{Answered, ApiError};
use serde::{Deserialize, Serialize};

/// An operation of CloudWatch Logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the names are those of the AWS API reference")]
pub enum Operation {
    FilterLogEvents,
    DescribeLogGroups,
    DescribeLogStreams,
    PutLogEvents,
    CreateLogGroup,
    CreateLogStream,
}

impl Operation {
    const ALL: [(&'static str, Self); 6] = [
        ("FilterLogEvents", Self::FilterLogEvents),
        ("DescribeLogGroups", Self::DescribeLogGroups),
        ("DescribeLogStreams", Self::DescribeLogStreams),
        ("PutLogEvents", Self::PutLogEvents),
        ("CreateLogGroup", Self::CreateLogGroup),
        ("CreateLogStream", Self::CreateLogStream),
    ];

    /// From the header `x-amz-target`: `Logs_20140328.FilterLogEvents`.
    pub(crate) fn from_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("Logs_20140328.")?;
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, operation)| *operation)
    }

    /// The name as in the API reference, and in the IAM action behind `logs:`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, operation)| *operation == self).unwrap().0
    }

    pub(crate) fn answer(self, state: &State, body: &[u8]) -> Result<Answered, ApiError> {
        match self {
            Self::FilterLogEvents => page::filter_log_events(state, body),
            Self::DescribeLogGroups => describe::log_groups(state, body),
            Self::DescribeLogStreams => describe::log_streams(state, body),
            Self::PutLogEvents => ingest::put_log_events(state, body),
            Self::CreateLogGroup => ingest::create_log_group(state, body),
            Self::CreateLogStream => ingest::create_log_stream(state, body),
        }
    }
}
