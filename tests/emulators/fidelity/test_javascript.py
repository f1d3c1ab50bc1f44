"""The official JavaScript client against the emulator of Event Hubs."""

import json
import os
import pathlib
import subprocess

import pytest
from blob_storage import node
from event_hubs_program import HUB, EventHubs

PROGRAM = pathlib.Path(__file__).parent / "node" / "read.mjs"
DEADLINE_S = 60


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_all_events_of_all_partitions_come_in_order(tmp_path, tls):
    command = node(PROGRAM)
    authority = tmp_path / "authority.pem"
    hubs = EventHubs("--generate", 2_000, "--records-per-message", "1..20", *(["--tls", authority] if tls else []))
    try:
        connection = hubs.connection_string
        environment = dict(os.environ)
        if tls:
            connection = connection.replace(";UseDevelopmentEmulator=true", "").replace("127.0.0.1", "localhost")
            environment["NODE_EXTRA_CA_CERTS"] = str(authority)
        messages = hubs.get("ledger")["messages"]
        count = sum(partition["known"] for partition in messages.values())
        command += [connection, HUB, str(count)]
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=True)
        offsets = [partition["last_offset"] for partition in hubs.get("partitions")]
        stats = hubs.get("stats")
        lines = hubs.get("ledger/records").splitlines()
    finally:
        hubs.stop()
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    for partition, last_offset in enumerate(offsets):
        read = [(sequence, offset) for id, sequence, offset, _ in events if id == str(partition)]
        assert [sequence for sequence, _ in read] == list(range(messages[str(partition)]["known"]))
        assert read[-1][1] == last_offset
    # The client has made JSON of them.
    records = [json.loads(record["properties"]["log"]) for *_, body in events for record in body["records"]]
    assert sorted(record["auditID"] for record in records) == sorted(line.split("\t")[2] for line in lines)
    assert (stats["tls"] > 0) == tls
