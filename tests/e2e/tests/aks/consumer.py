"""The official Python client as one of the readers of a hub.

    consumer.py CONNECTION_STRING HUB GROUP STORAGE_CONNECTION_STRING CONTAINER COUNT PARTITIONS

Owns all partitions, goes on where the store says, takes COUNT events of the first PARTITIONS of them, writes a
checkpoint after each, gives everything up, and ends. What it says, a line each:

    event PARTITION SEQUENCE_NUMBER         as it comes
    checkpoint PARTITION SEQUENCE_NUMBER    what the store says in the end, as this client reads it
    owner PARTITION ID                      the same; the id is empty where nobody is
    blob NAME                               everything in the container
"""

import re
import sys
import threading

import azure.eventhub._pyamqp._transport as transport
from azure.eventhub import EventHubConsumerClient, TransportType
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient

# On loopback the client's own value of this option is refused when it writes it back.
transport.KNOWN_TCP_OPTS = {option for option in transport.KNOWN_TCP_OPTS if "MAXSEG" not in option}

DEADLINE_S = 120


def main(connection, hub, group, storage, container, count, partitions):
    store = BlobCheckpointStore.from_connection_string(storage, container)
    # The client takes the port for a part of the namespace's name, which no other does, and no real one has.
    namespace, port = re.search("Endpoint=sb://([^:;]+):([0-9]+)", connection).groups()
    if count:
        client = EventHubConsumerClient.from_connection_string(
            connection.replace(f"{namespace}:{port}", namespace),
            group,
            eventhub_name=hub,
            custom_endpoint_address=f"sb://{namespace}:{port}",
            transport_type=TransportType.Amqp,
            checkpoint_store=store,
            load_balancing_interval=0.5,
            # Longer than anybody waits here: what was not given up is not taken.
            partition_ownership_expiration_interval=600,
        )
        read(client, count, partitions)
    for found in store.list_checkpoints(namespace, hub, group):
        print("checkpoint", found["partition_id"], found["sequence_number"])
    for found in store.list_ownership(namespace, hub, group):
        print("owner", found["partition_id"], found["owner_id"] or "")
    with ContainerClient.from_connection_string(storage, container) as client:
        for found in client.list_blobs():
            print("blob", found.name)


def read(client, left, partitions):
    turn = threading.Lock()
    done = threading.Event()

    def take(context, events):
        nonlocal left
        if int(context.partition_id) >= partitions:
            return
        with turn:
            # What comes beyond is neither told nor confirmed.
            for event in events[:left]:
                print("event", context.partition_id, event.sequence_number, flush=True)
                context.update_checkpoint(event)
                left -= 1
            if not left:
                done.set()

    def receive():
        client.receive_batch(
            take,
            max_batch_size=20,
            on_error=lambda _, error: print("error", error, flush=True),
            starting_position="-1",
        )

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    in_time = done.wait(DEADLINE_S)
    client.close()
    thread.join(DEADLINE_S)
    if not in_time or thread.is_alive():
        sys.exit(f"{left} events are missing" if not in_time else "the client does not close")


*texts, count, partitions = sys.argv[1:]
main(*texts, int(count), int(partitions))
