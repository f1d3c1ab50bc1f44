"""What AWS documents, and moto does not do: the official client against the emulator alone.

Source of the expectations: the API reference of CloudWatch Logs (FilterLogEvents, PutLogEvents,
CommonErrors) and the messages that AWS is known to give.
"""

import time

import botocore.exceptions
import pytest

from conftest import logs_client

GROUP = "/aws/eks/demo/cluster"
ARN = f"arn:aws:logs:us-east-1:111122223333:log-group:{GROUP}"
NOW = int(time.time() * 1000) - 60_000


def put(emulator, stream, *events):
    """Events as (timestamp, message) or (timestamp, message, visible_at)."""
    members = ("timestamp_ms", "message", "visible_at_ms")
    body = {"group": GROUP, "stream": stream, "events": [dict(zip(members, event)) for event in events]}
    emulator.control("POST", "events", body)


def read(client, **parameters):
    parameters.setdefault("logGroupName", GROUP)
    size = parameters.pop("limit", None)
    pages = client.get_paginator("filter_log_events").paginate(**parameters, PaginationConfig={"PageSize": size})
    return [event for page in pages for event in page["events"]]


def messages(client, **parameters):
    return [event["message"] for event in read(client, **parameters)]


def refused(client, operation="filter_log_events", **parameters):
    """The code and message of the error that a call gives."""
    if operation == "filter_log_events" and "logGroupIdentifier" not in parameters:
        parameters.setdefault("logGroupName", GROUP)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, operation)(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_stream_prefixes_and_names(emulator):
    for n, stream in enumerate(["kube-apiserver-audit-1", "kube-apiserver-1", "kube-apiserver-audit-2"]):
        put(emulator, stream, (NOW + n, stream))
    logs = emulator.logs
    assert messages(logs, logStreamNamePrefix="kube-apiserver-audit") == ["kube-apiserver-audit-1", "kube-apiserver-audit-2"]
    assert messages(logs, logStreamNames=["kube-apiserver-1"]) == ["kube-apiserver-1"]
    code, _ = refused(logs, logStreamNames=["kube-apiserver-1"], logStreamNamePrefix="kube")
    assert code == "InvalidParameterException"
    assert refused(logs, logStreamNames=["none"])[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_order_over_streams_is_timestamp_then_ingestion(emulator, limit):
    put(emulator, "b", (NOW, "2", NOW + 20), (NOW + 1, "3", NOW + 10))
    put(emulator, "a", (NOW, "1", NOW + 10), (NOW + 1, "4", NOW + 20))
    assert messages(emulator.logs, limit=limit) == ["1", "2", "3", "4"]


def test_a_page_is_at_most_one_megabyte(start_emulator):
    emulator = start_emulator("--generate", 2000, "--message-bytes", 2048)
    page = emulator.logs.filter_log_events(logGroupName=GROUP)
    sizes = [len(event["message"].encode()) + 26 for event in page["events"]]
    assert sum(sizes) <= 1 << 20 < sum(sizes) + sizes[0]
    assert "nextToken" in page
    assert len({event["eventId"] for event in read(emulator.logs)}) == 2000


def test_pages_may_be_empty_or_partial_and_still_have_a_token(start_emulator):
    emulator = start_emulator("--generate", 1000, "--page-events", 50, "--empty-pages", 0.3, "--partial-pages", 0.5)
    pages = list(emulator.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP))
    sizes = [len(page["events"]) for page in pages]
    assert all("nextToken" in page for page in pages[:-1]) and "nextToken" not in pages[-1]
    assert 0 in sizes[:-1] and sum(sizes) == 1000
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 1000
    ledger = emulator.control("GET", "ledger")
    assert (ledger["known"], ledger["shown"], ledger["repeated"]) == (1000, 1000, 0)


def test_tokens(start_emulator):
    emulator = start_emulator("--generate", 10, "--token-lifetime", 0.5)
    logs = emulator.logs
    assert refused(logs, nextToken="not a token") == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )
    token = logs.filter_log_events(logGroupName=GROUP, limit=3)["nextToken"]
    assert refused(logs, nextToken=token, startTime=5)[0] == "InvalidParameterException"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            logs.filter_log_events(logGroupName=GROUP, nextToken=token)
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidParameterException"
            return
    pytest.fail("the token did not expire")


def test_groups_by_identifier(emulator):
    put(emulator, "s", (NOW, "x"))
    by = lambda identifier: [event["message"] for event in emulator.logs.filter_log_events(logGroupIdentifier=identifier)["events"]]
    assert by(ARN) == ["x"] and by(GROUP) == ["x"]
    elsewhere = ARN.replace("111122223333", "444455556666")
    assert refused(emulator.logs, logGroupIdentifier=elsewhere)[0] == "ResourceNotFoundException"
    both = {"logGroupName": GROUP, "logGroupIdentifier": ARN}
    assert refused(emulator.logs, **both)[0] == "InvalidParameterException"


def test_filter_patterns(emulator):
    put(emulator, "s", (NOW, "an ERROR here"), (NOW + 1, "a WARN here"), (NOW + 2, "fine"), (NOW + 3, '{"n": 3}'))
    logs = emulator.logs
    assert messages(logs, filterPattern="ERROR here") == ["an ERROR here"]
    assert messages(logs, filterPattern='"a WARN"') == ["a WARN here"]
    assert messages(logs, filterPattern="?ERROR ?fine") == ["an ERROR here", "fine"]
    assert messages(logs, filterPattern="here -ERROR") == ["a WARN here"]
    assert messages(logs, filterPattern='"\\"n\\": 3"') == ['{"n": 3}']
    # Refused here, applied at AWS: no test may believe that it was.
    assert refused(logs, filterPattern='{ $.verb = "create" }')[0] == "InvalidParameterException"


def test_an_event_becomes_visible_later(emulator):
    later = emulator.control("GET", "clock")["now_ms"] + 60_000
    put(emulator, "s", (NOW, "there"), (NOW + 1, "late", later))
    assert messages(emulator.logs) == ["there"]
    # Less than the five minutes by which a signature may be off.
    emulator.control("POST", "clock", {"offset_ms": 61_000})
    assert messages(emulator.logs) == ["there", "late"]
    assert read(emulator.logs)[1]["ingestionTime"] == later


FAULTS = [
    ("throttling", "ThrottlingException", "Rate exceeded"),
    ("service_unavailable", "ServiceUnavailableException", ""),
    ("internal_failure", "InternalFailure", ""),
    ("expired_token", "ExpiredTokenException", "The security token included in the request is expired"),
    ("unrecognized_client", "UnrecognizedClientException", "The security token included in the request is invalid."),
    ("resource_not_found", "ResourceNotFoundException", "The specified log group does not exist."),
    (
        "access_denied",
        "AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/x is not authorized to perform: logs:FilterLogEvents on resource: "
        f"{ARN}:log-stream: because no identity-based policy allows the logs:FilterLogEvents action",
    ),
]


@pytest.mark.parametrize(("kind", "code", "message"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_errors_on_request(emulator, kind, code, message):
    emulator.fault(kind=kind, next=1, operation="FilterLogEvents")
    emulator.logs.describe_log_groups()
    found = refused(emulator.logs)
    assert found[0] == code and message in found[1]
    assert emulator.logs.filter_log_events(logGroupName=GROUP)["events"] == []


@pytest.mark.parametrize("kind", ["throttling", "service_unavailable", "internal_failure", "reset", "reset_in_body"])
def test_the_official_client_retries_what_is_transient(emulator, kind):
    put(emulator, "s", (NOW, "x"))
    emulator.fault(kind=kind, next=1)
    assert messages(logs_client(emulator.endpoint, attempts=3)) == ["x"]
    assert emulator.control("GET", "ledger")["showings"] == 0  # no auditID in it
    assert sum(emulator.control("GET", "stats")["outcomes"]["FilterLogEvents"].values()) == 2


@pytest.mark.parametrize("kind", ["reset", "reset_in_body"])
def test_resets(emulator, kind):
    put(emulator, "s", (NOW, "x" * 100_000))
    emulator.fault(kind=kind, next=1)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        emulator.logs.filter_log_events(logGroupName=GROUP)


@pytest.mark.parametrize("kind", ["invalid_json", "cut_body"])
def test_bodies_that_do_not_parse(emulator, kind):
    put(emulator, "s", (NOW, "x"))
    emulator.fault(kind=kind, next=1)
    # This client takes a body that does not parse for an empty answer: no events, and no error.
    assert "events" not in emulator.logs.filter_log_events(logGroupName=GROUP)
    assert messages(emulator.logs) == ["x"]


def test_the_quota(start_emulator):
    emulator = start_emulator("--calls-per-second", 5)
    outcomes = []
    begun = time.monotonic()
    for _ in range(30):
        try:
            emulator.logs.filter_log_events(logGroupName=GROUP)
            outcomes.append("ok")
        except botocore.exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    most = 5 + int(5 * (time.monotonic() - begun)) + 1
    assert set(outcomes) == {"ok", "ThrottlingException"}
    assert 5 <= outcomes.count("ok") <= most


@pytest.mark.parametrize(("offset_ms", "message"), [(600_000, "Signature expired: "), (-600_000, "Signature not yet current: ")])
def test_a_signature_of_another_time(emulator, offset_ms, message):
    emulator.control("POST", "clock", {"offset_ms": offset_ms})
    code, found = refused(emulator.logs)
    assert code == "InvalidSignatureException" and found.startswith(message) and found.endswith(" 5 min.)")


def test_the_date_header_follows_the_server(emulator):
    date = lambda: emulator.logs.describe_log_groups()["ResponseMetadata"]["HTTPHeaders"]["date"]
    emulator.control("POST", "clock", {"date_offset_ms": -1000 * 366 * 86_400 * 30})
    assert time.strptime(date(), "%a, %d %b %Y %H:%M:%S GMT").tm_year < time.gmtime().tm_year - 28


def test_groups_by_pattern(emulator):
    for name in ("/aws/eks/second/cluster", "/aws/lambda/third"):
        emulator.logs.create_log_group(logGroupName=name)
    groups = emulator.logs.describe_log_groups(logGroupNamePattern="Second")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/eks/second/cluster"]


def test_events_too_old_are_named(emulator):
    emulator.logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    old = {"timestamp": NOW - 15 * 86_400_000, "message": "old"}
    answer = emulator.logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[old])
    # "The index of the last log event that is too old. This field is exclusive."
    assert answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
    assert read(emulator.logs) == []
