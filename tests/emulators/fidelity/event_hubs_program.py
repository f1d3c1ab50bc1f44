"""The program event-hubs-emulator, and how the official client is made to talk to it."""

import json
import os
import subprocess
import threading
import time
import urllib.request

import azure.eventhub._pyamqp._transport as transport
import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

# On loopback the client's own value of this option is refused when it writes it back.
transport.KNOWN_TCP_OPTS = {option for option in transport.KNOWN_TCP_OPTS if "MAXSEG" not in option}

HUB = "insights-logs-kube-audit"
DEADLINE_S = 30


class EventHubs:
    """A namespace with one hub of four partitions, and what tests do with it."""

    def __init__(self, *arguments):
        binary = os.environ.get("EVENT_HUBS_EMULATOR")
        if not binary:
            pytest.exit("set EVENT_HUBS_EMULATOR to the built event-hubs-emulator: cargo build -p emulators", 2)
        command = [os.path.abspath(binary), *map(str, arguments)]
        # It ends by itself, should the test be killed.
        command += ["--run-for", "600"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.amqp = self._line("listening on ")
        self.http = self._line("control on ")
        self.blob = self._line("blob on ") if "--blob" in arguments else None
        self.connection_string = self.get("connection")

    def _line(self, prefix):
        line = self.process.stdout.readline().strip()
        assert line.startswith(prefix), line
        return line.removeprefix(prefix)

    def get(self, path):
        with urllib.request.urlopen(f"{self.http}/_emulator/{path}", timeout=20) as answer:
            text = answer.read().decode()
            return json.loads(text) if answer.headers["content-type"] == "application/json" else text

    def post(self, path, body):
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.http}/_emulator/{path}", data=data, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def fault(self, kind, **fault):
        self.post("faults", {"kind": kind, **fault})

    def put(self, *bodies, partition=0, **event):
        """Puts events without the client; gives their sequence numbers."""
        events = [{"body": body, "partition": partition, **event} for body in bodies]
        return [sequence for _, sequence in self.post("events", events)]

    def producer(self, **options):
        return EventHubProducerClient.from_connection_string(
            options.pop("connection_string", self.connection_string), eventhub_name=options.pop("hub", HUB), **options
        )

    def consumer(self, group="$Default", **options):
        return EventHubConsumerClient.from_connection_string(
            options.pop("connection_string", self.connection_string),
            group,
            eventhub_name=options.pop("hub", HUB),
            **options,
        )

    def send(self, *bodies, **batch):
        with self.producer() as producer:
            events = producer.create_batch(**batch)
            for body in bodies:
                events.add(EventData(body))
            producer.send_batch(events)

    def read(self, count, **options):
        """The first events that come, sorted by partition and sequence number."""
        with Reading(self.consumer(options.pop("group", "$Default")), **options) as reading:
            wait_until(lambda: len(reading.events) >= count)
            events = sorted(reading.events, key=lambda it: (it[0], it[1].sequence_number))
        return events

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Reading:
    """A consumer on a thread of its own: `events` are pairs of partition and event."""

    def __init__(self, client, on_event=None, **options):
        self.client = client
        self.events = []
        self.errors = []
        self.owned = set()
        self.on_event = on_event
        self.options = options
        self.thread = threading.Thread(target=self._receive, daemon=True)

    def _receive(self):
        def take(context, events):
            for event in events:
                self.events.append((context.partition_id, event))
                if self.on_event:
                    self.on_event(context, event)

        def fail(_, error):
            self.errors.append(error)

        # One by one, idle partitions would hold up the others for half a second each time.
        self.client.receive_batch(
            take,
            max_batch_size=300,
            on_error=fail,
            on_partition_initialize=lambda context: self.owned.add(context.partition_id),
            on_partition_close=lambda context, _: self.owned.discard(context.partition_id),
            **self.options,
        )

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.client.close()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the client does not close"


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.02)
