"""The same calls to the emulator and to moto's server, and the same answers.

Left out is what moto does not do as AWS documents it (measured with moto 5.2.5): prefixes of
stream names, streams by name that do not exist or that come with a prefix, the order of events
across streams, pages of 1 MB, empty pages, bad tokens, ARNs as identifiers, throttling,
quotation marks within filter patterns, `logGroupNamePattern`, `tooOldLogEventEndIndex` (exclusive in AWS's documents, inclusive in moto).
Those are in test_as_documented.py.
"""

import time

import botocore.exceptions
import pytest

NOW = int(time.time() * 1000) - 60_000
GROUP = "/aws/eks/fidelity/cluster"
STREAM = "kube-apiserver-audit-0123456789abcdef0123456789abcdef"
OTHER = "authenticator-0123456789abcdef0123456789abcdef"

# Present in one of them only, or different in every run; their presence is checked where it matters.
VOLATILE = {
    "ResponseMetadata", "searchedLogStreams", "eventId", "ingestionTime", "nextToken", "creationTime",
    "lastIngestionTime", "storedBytes", "uploadSequenceToken", "nextSequenceToken", "logGroupClass",
}


def steady(value):
    """The answer without what cannot be equal."""
    if isinstance(value, dict):
        return {key: steady(inner) for key, inner in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(inner) for inner in value]
    return value


def outcome(client, operation, parameters):
    """What a call gives: an answer, or the code and message of an error."""
    try:
        answer = getattr(client, operation)(**parameters)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"status": status, "error": error.response["Error"]}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ResponseMetadata"]["RequestId"]
    return steady(answer)


@pytest.fixture(scope="module", autouse=True)
def contents(ours, moto):
    """Both servers hold the same: a stream of 25 events, another of 5, and an empty one."""
    # The program makes this group at its start.
    moto.create_log_group(logGroupName="/aws/eks/demo/cluster")
    for client in (ours, moto):
        client.create_log_group(logGroupName=GROUP)
        client.create_log_group(logGroupName="/aws/eks/second/cluster")
        for stream in (STREAM, OTHER, "empty"):
            client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        first = [{"timestamp": NOW + 100 * n, "message": f'{{"n": {n}, "text": "é \\"{n}\\" \\t"}}'} for n in range(25)]
        client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=first)
        second = [{"timestamp": NOW + 1000 * n + 50, "message": f"ERROR plain {n}"} for n in range(5)]
        client.put_log_events(logGroupName=GROUP, logStreamName=OTHER, logEvents=second)


def same(ours, moto, operation, **parameters):
    assert outcome(ours, operation, parameters) == outcome(moto, operation, parameters)


FILTERS = [
    {},
    {"startTime": NOW + 500},
    {"startTime": NOW + 501},
    {"endTime": NOW + 500},
    {"endTime": NOW + 499},
    {"startTime": NOW + 500, "endTime": NOW + 500},
    {"startTime": NOW + 700, "endTime": NOW + 300},
    {"startTime": NOW + 10_000_000},
    {"limit": 1},
    {"limit": 7},
    {"limit": 25},
    {"limit": 10_000},
    {"filterPattern": '"é"'},
    {"filterPattern": "nothing"},
]


@pytest.mark.parametrize("parameters", FILTERS, ids=str)
def test_a_page_of_one_stream(ours, moto, parameters):
    same(ours, moto, "filter_log_events", logGroupName=GROUP, logStreamNames=[STREAM], **parameters)


@pytest.mark.parametrize("limit", [1, 3, 24, 25, 26])
def test_all_pages_of_one_stream(ours, moto, limit):
    read = []
    for client in (ours, moto):
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, logStreamNames=[STREAM], PaginationConfig={"PageSize": limit}
        )
        events = [event for page in pages for event in page["events"]]
        assert len({event["eventId"] for event in events}) == 25
        assert all(type(event["ingestionTime"]) is int for event in events)
        read.append(steady(events))
    assert read[0] == read[1]


def test_several_streams_hold_the_same_events(ours, moto):
    read = []
    for client in (ours, moto):
        events = steady(client.filter_log_events(logGroupName=GROUP)["events"])
        read.append(sorted(events, key=lambda event: (event["timestamp"], event["logStreamName"])))
    assert len(read[0]) == 30
    assert read[0] == read[1]


ERRORS = [
    ("filter_log_events", {"logGroupName": "/none"}),
    ("filter_log_events", {"logGroupName": GROUP, "limit": 10_001}),
    ("describe_log_groups", {"limit": 51}),
    ("describe_log_streams", {"logGroupName": "/none"}),
    ("describe_log_streams", {"logGroupName": GROUP, "limit": 51}),
    ("create_log_group", {"logGroupName": GROUP}),
    ("create_log_stream", {"logGroupName": "/none", "logStreamName": "s"}),
    ("put_log_events", {"logGroupName": "/none", "logStreamName": "s", "logEvents": [{"timestamp": NOW, "message": "x"}]}),
    ("put_log_events", {"logGroupName": GROUP, "logStreamName": "none", "logEvents": [{"timestamp": NOW, "message": "x"}]}),
    (
        "put_log_events",
        {
            "logGroupName": GROUP,
            "logStreamName": "empty",
            "logEvents": [{"timestamp": NOW, "message": "x"}, {"timestamp": NOW - 1, "message": "y"}],
        },
    ),
]


@pytest.mark.parametrize(("operation", "parameters"), ERRORS, ids=str)
def test_errors(ours, moto, operation, parameters):
    answer = outcome(ours, operation, parameters)
    assert answer["status"] == 400
    assert answer == outcome(moto, operation, parameters)


DESCRIPTIONS = [
    ("describe_log_groups", {}),
    ("describe_log_groups", {"logGroupNamePrefix": "/aws/eks/f"}),
    ("describe_log_groups", {"logGroupNamePrefix": "/none"}),
    ("describe_log_groups", {"limit": 1}),
    ("describe_log_streams", {"logGroupName": GROUP}),
    ("describe_log_streams", {"logGroupName": GROUP, "limit": 1}),
    ("describe_log_streams", {"logGroupName": GROUP, "logStreamNamePrefix": "kube-apiserver-audit"}),
    ("describe_log_streams", {"logGroupName": GROUP, "descending": True}),
]


@pytest.mark.parametrize(("operation", "parameters"), DESCRIPTIONS, ids=str)
def test_descriptions(ours, moto, operation, parameters):
    same(ours, moto, operation, **parameters)


@pytest.mark.parametrize(("operation", "result"), [("describe_log_groups", "logGroups"), ("describe_log_streams", "logStreams")])
def test_descriptions_over_pages(ours, moto, operation, result):
    parameters = {"logGroupName": GROUP} if operation == "describe_log_streams" else {}
    read = []
    for client in (ours, moto):
        pages = client.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": 1})
        read.append([steady(item) for page in pages for item in page[result]])
    assert len(read[0]) > 1
    assert read[0] == read[1]


def test_events_too_new_are_named(ours, moto):
    events = [{"timestamp": NOW, "message": "fits"}, {"timestamp": NOW + 4 * 3_600_000, "message": "too new"}]
    for client in (ours, moto):
        client.create_log_stream(logGroupName="/aws/eks/second/cluster", logStreamName="s")
    parameters = {"logGroupName": "/aws/eks/second/cluster", "logStreamName": "s", "logEvents": events}
    same(ours, moto, "put_log_events", **parameters)
    same(ours, moto, "filter_log_events", logGroupName="/aws/eks/second/cluster")
