"""Two official clients share the partitions of a hub over a store of blobs: ours, and Azurite's."""

import pytest
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient
from blob_storage import Azurite, connection_string
from event_hubs_program import EventHubs, Reading, wait_until

CONTAINER = "checkpoints"


@pytest.fixture
def hubs():
    emulator = EventHubs("--blob", CONTAINER)
    yield emulator
    emulator.stop()


@pytest.fixture(params=["ours", "azurite"])
def storage(request, hubs):
    """A connection string to an account with the container."""
    if request.param == "ours":
        yield connection_string(hubs.blob)
        return
    azurite = Azurite()
    with ContainerClient.from_connection_string(connection_string(azurite.url), CONTAINER) as container:
        container.create_container()
    yield connection_string(azurite.url)
    azurite.stop()


def join(hubs, storage):
    """A client that takes its share, and writes a checkpoint after each event."""
    store = BlobCheckpointStore.from_connection_string(storage, CONTAINER)
    client = hubs.consumer(
        checkpoint_store=store, load_balancing_interval=0.5, partition_ownership_expiration_interval=4
    )
    return Reading(client, on_event=lambda context, event: context.update_checkpoint(event), starting_position="-1")


def test_two_consumers_share_and_take_over(hubs, storage):
    for partition in range(4):
        hubs.put("first", partition=partition)
    with join(hubs, storage) as one:
        wait_until(lambda: len(one.owned) == 4 and len(one.events) == 4)
        with join(hubs, storage) as two:
            wait_until(lambda: len(one.owned) == 2 and len(two.owned) == 2)
            assert not one.owned & two.owned
            for partition in range(4):
                hubs.put("second", partition=partition)
            second = lambda reading: [it for it in reading.events if it[1].body_as_str() == "second"]
            wait_until(lambda: len({partition for it in (one, two) for partition, _ in second(it)}) == 4)
        wait_until(lambda: len(one.owned) == 4)
    with ContainerClient.from_connection_string(storage, CONTAINER) as container:
        names = {it.name: it.metadata for it in container.list_blobs(include=["metadata"])}
    checkpoints = [metadata for name, metadata in names.items() if "/$default/checkpoint/" in name]
    assert [metadata["sequencenumber"] for metadata in checkpoints] == ["1"] * 4
    assert len([name for name in names if "/$default/ownership/" in name]) == 4
