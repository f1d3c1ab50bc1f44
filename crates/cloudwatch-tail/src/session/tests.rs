//! Sessions that no environment has a part in.

use aws_credential_types::Credentials;
use aws_sdk_cloudwatchlogs::config::SharedHttpClient;

use super::*;

fn with(region: Option<&str>, http: Option<SharedHttpClient>, options: SessionOptions) -> Session {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled());
    config.set_region(region.map(|region| Region::new(region.to_owned()))).set_http_client(http);
    Session { options, config: config.build(), clocks: Arc::default() }
}

/// In the region `test-1`, with calls that `http` answers.
pub(crate) fn session(http: SharedHttpClient) -> Session {
    let options = SessionOptions { max_calls_per_second: 1000.0, ..Default::default() };
    with(Some("test-1"), Some(http), options)
}

fn without_http(region: Option<&str>, options: SessionOptions) -> Session {
    with(region, None, SessionOptions { max_calls_per_second: 4.0, ..options })
}

#[test]
fn a_region_is_needed_and_the_tails_own_comes_first() {
    let region = |session: Option<&str>, own| {
        let connection = without_http(session, SessionOptions::default()).connect(own);
        connection.map(|connection| connection.region).map_err(|error| error.kind())
    };
    assert_eq!(region(Some("r-1"), None), Ok("r-1".into()));
    assert_eq!(region(Some("r-1"), Some("r-2")), Ok("r-2".into()));
    assert_eq!(region(None, Some("r-2")), Ok("r-2".into()));
    assert_eq!(region(None, None), Err(ErrorKind::Config));
}

#[test]
fn tails_of_one_account_region_and_endpoint_share_their_calls() {
    let role = |role: &str| SessionOptions { role_arn: Some(role.into()), ..Default::default() };
    let elsewhere = SessionOptions { endpoint_url: Some("http://127.0.0.1:1".into()), ..role("shared") };
    let connect = |options, region| without_http(Some("r-1"), options).connect(region).expect("connection");
    let one = connect(role("shared"), None);
    for (connection, is_shared) in [
        (connect(role("shared"), None), true),
        (connect(role("shared"), Some("r-2")), false),
        (connect(role("other"), None), false),
        (connect(elsewhere, None), false),
    ] {
        assert_eq!(Arc::ptr_eq(&one.budget, &connection.budget), is_shared);
    }
}

#[test]
fn tails_of_one_session_and_region_share_a_clock() {
    let session = without_http(Some("r-1"), SessionOptions::default());
    let clock = |region| session.connect(region).expect("connection").clock;
    assert!(Arc::ptr_eq(&clock(None), &clock(Some("r-1"))));
    assert!(!Arc::ptr_eq(&clock(None), &clock(Some("r-2"))));
}

#[test]
fn a_checkpoint_url_names_a_folder_or_a_bucket() {
    let partition = event_source::PartitionId::new("p");
    let name = |region, url: &str| {
        let store = without_http(region, SessionOptions::default()).checkpoint_store(url);
        store.map(|store| store.name(&partition)).map_err(|error| (error.kind(), error.to_string()))
    };
    let bucket = name(Some("r-1"), "s3://bucket/below/").expect("store");
    assert!(bucket.starts_with("s3://bucket/below/p-"), "{bucket}");
    for (region, url, why) in [
        (None, "s3://bucket", "no region"),
        (Some("r-1"), "s3://", "names no bucket"),
        (Some("r-1"), "s3://key:secret@bucket", "name or a password"),
        (Some("r-1"), "gs://bucket", "`gs` is not supported"),
        (Some("r-1"), "folder", "no URL"),
        (Some("r-1"), "file://host/folder", "three slashes"),
    ] {
        let (kind, line) = name(region, url).expect_err(url);
        assert!(kind == ErrorKind::Config && line.contains(why), "{line}");
    }
}
