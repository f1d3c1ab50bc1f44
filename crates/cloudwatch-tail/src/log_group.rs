//! [`LogGroup`]: the calls on one log group, each answered by a value or by an error that names the group.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use event_source::{Backoff, ErrorKind, SourceError};

use crate::error::{Asked, CallError};
use crate::metrics::TailBoard;
use crate::session::Connection;
use crate::window::Scan;

/// Where a log group lives, as its ARN says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroupHome {
    /// The region's name, such as `eu-central-1`.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
}

impl LogGroupHome {
    /// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, in any of AWS's partitions.
    fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':').skip(2);
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = service == "logs" && !region.is_empty() && !account.is_empty();
        is_whole.then(|| Self { region: region.to_owned(), account: account.to_owned() })
    }
}

/// What to read of which group.
#[derive(Debug)]
pub(crate) struct LogGroup {
    pub(crate) connection: Connection,
    /// A name, or the ARN of a group that another account shares.
    pub(crate) name: String,
    pub(crate) stream_prefix: Option<String>,
    pub(crate) filter_pattern: Option<String>,
    pub(crate) board: Arc<TailBoard>,
}

impl LogGroup {
    pub(crate) fn asked(&self, action: &'static str) -> Asked<'_> {
        Asked { action, log_group: &self.name, region: &self.connection.region }
    }

    fn name_or_arn(&self) -> (Option<String>, Option<String>) {
        let name = Some(self.name.clone());
        if self.name.starts_with("arn:") { (None, name) } else { (name, None) }
    }

    /// The next page of `scan`; `None` asks for one event only, to see whether the call works at all.
    pub(crate) async fn filter(&self, scan: Option<&Scan>) -> Result<FilterLogEventsOutput, CallError> {
        let (name, arn) = self.name_or_arn();
        let mut call = self.connection.client.filter_log_events();
        call = call.set_log_group_name(name).set_log_group_identifier(arn);
        call = call.set_log_stream_name_prefix(self.stream_prefix.clone());
        call = call.set_filter_pattern(self.filter_pattern.clone());
        call = match scan {
            // CloudWatch counts the end in; it counts in whole milliseconds.
            Some(scan) => call
                .start_time(scan.window.start)
                .set_end_time(scan.window.end.map(|end| end - 1))
                .set_next_token(scan.token.clone()),
            None => call.start_time(local_ms()).limit(1),
        };
        self.connection.budget.acquire().await;
        self.board.metrics().calls.increment();
        let answer = call.send().await.map_err(CallError::new);
        if answer.is_ok() && !self.connection.clock.has_heard() {
            // Whatever stands between us and AWS has taken the date off.
            let local = SystemTime::now();
            self.connection.clock.observe(local, Instant::now(), local);
        }
        answer
    }

    /// Where the group lives; `None` when that cannot be known, for lack of a permission for instance.
    pub(crate) async fn home(&self) -> Option<LogGroupHome> {
        if self.name.starts_with("arn:") {
            return LogGroupHome::of_arn(&self.name);
        }
        let groups = self.groups(&self.name).await;
        groups
            .into_iter()
            .find(|(name, _)| *name == self.name)
            .and_then(|(_, arn)| LogGroupHome::of_arn(&arn))
    }

    /// What there is below `prefix`; asks again while that is refused for a reason that may pass.
    async fn groups(&self, prefix: &str) -> Vec<(String, String)> {
        let mut backoff = Backoff::new();
        loop {
            self.board.metrics().calls_describe.increment();
            let call = self.connection.client.describe_log_groups().log_group_name_prefix(prefix);
            match call.send().await.map_err(CallError::new) {
                Ok(found) => {
                    let names = |group: aws_sdk_cloudwatchlogs::types::LogGroup| {
                        Some((group.log_group_name?, group.arn.unwrap_or_default()))
                    };
                    return found.log_groups.unwrap_or_default().into_iter().filter_map(names).collect();
                }
                Err(error) if error.kind.is_transient() => tokio::time::sleep(backoff.pause()).await,
                Err(error) => {
                    log::debug!("DescribeLogGroups: {}", error.text);
                    return Vec::new();
                }
            }
        }
    }

    /// A group without a stream of that prefix will give nothing, and say nothing.
    pub(crate) async fn warn_if_without_streams(&self) {
        let (name, arn) = self.name_or_arn();
        self.board.metrics().calls_describe.increment();
        let call = self.connection.client.describe_log_streams();
        let call = call.set_log_group_name(name).set_log_group_identifier(arn);
        let call = call.set_log_stream_name_prefix(self.stream_prefix.clone()).limit(1);
        match call.send().await {
            Ok(found) if found.log_streams().is_empty() => log::warn!(
                "log group `{}` has no log stream that starts with `{}`: enable that log type, events will be read as soon as there are some",
                self.name,
                self.stream_prefix.as_deref().unwrap_or_default()
            ),
            Ok(_) => {}
            Err(error) => log::debug!("DescribeLogStreams: {}", CallError::new(error).text),
        }
    }

    /// The error of the first call; what else the region holds may show a misspelt name or a wrong region.
    pub(crate) async fn failed_to_open(&self, mut error: CallError) -> SourceError {
        if error.kind == ErrorKind::NotFound {
            let parent: String = self.name.split_inclusive('/').take(3).collect();
            let groups = self.groups(&parent).await;
            let names: Vec<_> = groups.iter().take(5).map(|(name, _)| format!("`{name}`")).collect();
            if !names.is_empty() {
                error.text = format!("{}; below `{parent}` there are {}", error.text, names.join(", "));
            }
        }
        self.asked("logs:FilterLogEvents").failed(error)
    }
}

fn local_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arn: &str, expect: Option<(&str, &str)>) {
        let home = LogGroupHome::of_arn(arn);
        assert_eq!(home.as_ref().map(|home| (home.region.as_str(), home.account.as_str())), expect);
    }

    #[test]
    fn an_arn_names_region_and_account() {
        check(
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/eks/x/cluster:*",
            Some(("eu-west-1", "111122223333")),
        );
        check("arn:aws-cn:logs:cn-north-1:111122223333:log-group:g", Some(("cn-north-1", "111122223333")));
        check("arn:aws:s3:::bucket", None);
        check("arn:aws:logs", None);
        check("", None);
    }
}
