"""The official client of Azure Event Hubs against the emulator."""

import datetime
import json

import pytest
from azure.eventhub import EventData, TransportType
from azure.eventhub.exceptions import AuthenticationError, ConnectionLostError, EventHubError
from event_hubs_program import HUB, EventHubs, Reading, wait_until


@pytest.fixture
def start():
    started = []

    def start(*arguments):
        started.append(EventHubs(*arguments))
        return started[-1]

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def hubs(start):
    return start()


def bodies(events):
    return [event.body_as_str() for _, event in events]


def test_properties(hubs):
    hubs.put("a", "b", partition=1)
    with hubs.producer() as client:
        hub = client.get_eventhub_properties()
        assert (hub["eventhub_name"], hub["partition_ids"]) == (HUB, ["0", "1", "2", "3"])
        assert client.get_partition_ids() == ["0", "1", "2", "3"]
        empty, two = client.get_partition_properties("0"), client.get_partition_properties("1")
    assert (empty["is_empty"], empty["last_enqueued_sequence_number"]) == (True, -1)
    assert (two["is_empty"], two["beginning_sequence_number"], two["last_enqueued_sequence_number"]) == (False, 0, 1)
    assert two["last_enqueued_offset"] == hubs.get("partitions")[1]["last_offset"]


def test_batches_keys_and_large_bodies(hubs):
    hubs.send(*[f"event {n}" for n in range(100)], partition_id="2")
    hubs.send("x" * 100_000, partition_id="2")
    events = hubs.read(101, partition_id="2", starting_position="-1")
    assert bodies(events) == [f"event {n}" for n in range(100)] + ["x" * 100_000]
    assert [event.sequence_number for _, event in events] == list(range(101))
    hubs.send("a", "b", partition_key="one")
    hubs.send("c", partition_key="one")
    with hubs.producer() as producer:
        event = EventData(b"\x00\xff")
        event.properties = {"name": "value", "number": 7}
        producer.send_event(event, partition_id="3")
    known = {(partition, event.sequence_number) for partition, event in events}
    events = [it for it in hubs.read(105, starting_position="-1") if (it[0], it[1].sequence_number) not in known]
    keyed = [(partition, event) for partition, event in events if event.partition_key]
    assert {event.partition_key for _, event in keyed} == {b"one"}
    assert len({partition for partition, _ in keyed}) == 1 and bodies(keyed) == ["a", "b", "c"]
    (other,) = [event for _, event in events if not event.partition_key]
    assert b"".join(other.body) == b"\x00\xff"
    assert other.properties == {b"name": b"value", b"number": 7}


@pytest.mark.parametrize("arguments", [[], ["--geo-offsets"]], ids=["numbers", "geo"])
def test_starting_positions(start, arguments):
    hubs = start(*arguments)
    base = hubs.get("clock")["now_ms"] - 60_000
    for n in range(10):
        hubs.put(str(n), enqueued_ms=base + n * 1_000)
    every = hubs.read(10, partition_id="0", starting_position="-1")
    offset = every[4][1].offset
    assert offset.isdecimal() == (not arguments)

    def first(position, inclusive=False):
        with Reading(
            hubs.consumer(), partition_id="0", starting_position=position, starting_position_inclusive=inclusive
        ) as reading:
            wait_until(lambda: reading.events)
            return reading.events[0][1].body_as_str()

    assert first("-1") == "0"
    assert first(offset) == "5"
    assert first(offset, inclusive=True) == "4"
    assert first(4) == "5"
    assert first(4, inclusive=True) == "4"
    moment = datetime.datetime.fromtimestamp((base + 4_000) / 1_000, datetime.timezone.utc)
    assert first(moment) == "5"
    assert first(moment, inclusive=True) == "4"
    with Reading(hubs.consumer(), partition_id="0", starting_position="@latest") as reading:
        wait_until(lambda: hubs.get("stats")["readers"])
        hubs.put("new")
        wait_until(lambda: reading.events)
        assert bodies(reading.events) == ["new"]


def test_what_is_enqueued_last_comes_with_each_event(hubs):
    hubs.put("a", "b")
    seen = []
    with Reading(
        hubs.consumer(),
        on_event=lambda context, _: seen.append(context.last_enqueued_event_properties),
        partition_id="0",
        starting_position="-1",
        track_last_enqueued_event_properties=True,
    ):
        wait_until(lambda: len(seen) == 2)
    assert [it["sequence_number"] for it in seen] == [1, 1]
    assert seen[0]["offset"] == hubs.get("partitions")[0]["last_offset"]


def test_a_higher_owner_level_displaces(hubs):
    hubs.put("a")
    with Reading(hubs.consumer(), partition_id="0", starting_position="-1", owner_level=1) as low:
        wait_until(lambda: low.events)
        with Reading(hubs.consumer(), partition_id="0", starting_position="-1", owner_level=2) as high:
            wait_until(lambda: high.events and low.errors)
            assert isinstance(low.errors[0], ConnectionLostError)
            assert "higher epoch of '2'" in str(low.errors[0])
            hubs.put("b")
            wait_until(lambda: len(high.events) == 2)
    assert bodies(low.events) == ["a"]


def test_without_a_key_nothing_is_read(hubs):
    wrong = hubs.connection_string.replace("SAS_KEY_VALUE", "other")
    with hubs.producer(connection_string=wrong, retry_total=0) as producer:
        with pytest.raises(AuthenticationError):
            producer.get_eventhub_properties()
    with Reading(
        hubs.consumer(connection_string=wrong, retry_total=0), partition_id="0", starting_position="-1"
    ) as reading:
        wait_until(lambda: reading.errors)
    assert isinstance(reading.errors[0], AuthenticationError)
    hubs.fault("bad_token", next=1)
    with hubs.producer(retry_total=0) as producer:
        with pytest.raises(AuthenticationError):
            producer.get_eventhub_properties()
        assert producer.get_eventhub_properties()["eventhub_name"] == HUB


def test_what_does_not_exist(hubs):
    with hubs.producer(hub="other", retry_total=0) as producer:
        with pytest.raises(EventHubError) as raised:
            producer.get_eventhub_properties()
        assert "NotFound" in str(raised.value)
    with Reading(hubs.consumer("none", retry_total=0), partition_id="0", starting_position="-1") as reading:
        wait_until(lambda: reading.errors)
    assert "could not be found" in str(reading.errors[0])


@pytest.mark.parametrize("transport", [TransportType.Amqp, TransportType.AmqpOverWebsocket])
def test_tls(start, tmp_path, transport):
    hubs = start("--tls", tmp_path / "authority.pem")
    port = hubs.amqp.rsplit(":")[-1]
    options = {
        "connection_string": hubs.connection_string.replace(";UseDevelopmentEmulator=true", ""),
        "custom_endpoint_address": f"sb://localhost:{port}",
        "connection_verify": str(tmp_path / "authority.pem"),
        "transport_type": transport,
    }
    hubs.put("a", "b")
    with hubs.producer(**options) as producer:
        producer.send_event(EventData("c"), partition_id="0")
    with Reading(hubs.consumer(**options), partition_id="0", starting_position="-1") as reading:
        wait_until(lambda: len(reading.events) == 3)
    assert bodies(reading.events) == ["a", "b", "c"]
    stats = hubs.get("stats")
    assert stats["tls"] > 0
    assert (stats["websockets"] > 0) == (transport == TransportType.AmqpOverWebsocket)


def test_generated_records_and_the_ledger(start):
    hubs = start("--generate", 2_000, "--foreign", 0.1, "--cut", 0.1, "--records-per-message", "1..50")
    ledger = hubs.get("ledger")
    messages = sum(partition["known"] for partition in ledger["messages"].values())
    events = hubs.read(messages, starting_position="-1")
    records = [record for _, event in events for record in json.loads(event.body_as_str())["records"]]
    assert len(records) == 2_000
    lines = [line.split("\t") for line in hubs.get("ledger/records").splitlines()]
    assert {times for *_, times in lines} == {"1"}
    whole = {audit_id for _, _, audit_id, kind, _ in lines if kind == "audit"}
    logs = [record["properties"]["log"] for record in records if record["category"] == "kube-audit"]
    read = {json.loads(log)["auditID"] for log in logs if log.endswith("}\n")}
    assert whole == read
    counts = hubs.get("ledger")["records"]
    assert counts["audit"]["sent"] == len(whole)
    assert counts["foreign"]["known"] == sum(record["category"] != "kube-audit" for record in records)


def test_all_partitions_survive_resets(start):
    hubs = start("--generate", 4_000, "--records-per-message", "1..4", "--rate", 2_000, "--live")
    with Reading(hubs.consumer(retry_backoff_factor=0.05), starting_position="-1") as reading:
        for _ in range(3):
            before = len(reading.events)
            wait_until(lambda: len(reading.events) > before + 50)
            hubs.fault("reset")
        seen = lambda: {(partition, event.sequence_number) for partition, event in reading.events}
        known = lambda: sum(it["known"] for it in hubs.get("ledger")["messages"].values())
        records = lambda: hubs.get("ledger")["records"]["audit"]["known"]
        wait_until(lambda: records() == 4_000 and len(seen()) == known())


def test_a_busy_server_and_a_detach(hubs):
    hubs.put("a")
    with hubs.producer(retry_total=0) as producer:
        producer.send_event(EventData("b"), partition_id="0")
        hubs.fault("server_busy", ms=60_000)
        with pytest.raises(EventHubError) as raised:
            producer.send_event(EventData("x"), partition_id="0")
        assert "Error code : 50002" in str(raised.value)
    hubs.fault("server_busy", ms=0)
    with Reading(hubs.consumer(retry_backoff_factor=0.05), partition_id="0", starting_position="-1") as reading:
        wait_until(lambda: reading.events)
        hubs.fault("detach", partition="0", condition="com.microsoft:timeout", description="on request")
        hubs.put("c")
        wait_until(lambda: "c" in bodies(reading.events))
    assert hubs.get("stats")["detaches"]["com.microsoft:timeout"] == 1
