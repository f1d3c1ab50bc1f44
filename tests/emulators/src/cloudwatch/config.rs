//! What is fixed when an emulator starts; everything else can be changed while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of an [`Emulator`](super::Emulator); the default is AWS without its rate limit.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account in ARNs.
    pub account: String,
    /// The region in ARNs.
    pub region: String,
    /// Most events in a page: 10,000 at AWS. A request's `limit` may ask for fewer.
    pub page_events: usize,
    /// Most bytes in a page: 1 MiB at AWS, a message counting its bytes and 26 more.
    pub page_bytes: usize,
    /// Probability that a page stops early, with a token.
    pub partial_pages: f64,
    /// Probability that a page is empty, with a token; below 1.
    pub empty_pages: f64,
    /// How long a token is good for: 24 h at AWS.
    pub token_lifetime: Duration,
    /// Calls per second and operation that the account may make; no limit when `None`. 5 at AWS.
    pub calls_per_second: Option<f64>,
    /// How far `x-amz-date` may be from the server's clock; unchecked when `None`. 5 min at AWS.
    pub signature_skew: Option<Duration>,
    /// What all choices are drawn from; the same seed and the same calls give the same answers.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            account: "111122223333".into(),
            region: "us-east-1".into(),
            page_events: 10_000,
            page_bytes: 1 << 20,
            partial_pages: 0.0,
            empty_pages: 0.0,
            token_lifetime: Duration::from_secs(24 * 3_600),
            calls_per_second: None,
            signature_skew: Some(Duration::from_secs(5 * 60)),
            seed: 1,
        }
    }
}

impl Config {
    /// The ARN of a log group, without the `:*` that DescribeLogGroups puts behind it.
    pub(crate) fn group_arn(&self, group: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{group}", self.region, self.account)
    }
}
