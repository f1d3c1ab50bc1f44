"""Two official clients share the partitions of a hub over a store of blobs."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient, generate_container_sas
from event_hubs_program import EventHubs, Reading, wait_until

CONTAINER = "checkpoints"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def hubs():
    emulator = EventHubs("--blob", CONTAINER)
    yield emulator
    emulator.stop()


def storage(hubs):
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={hubs.blob};"


def container(hubs, name=CONTAINER):
    return ContainerClient.from_connection_string(storage(hubs), name)


def test_conditions_lists_and_metadata(hubs):
    with container(hubs) as client:
        with pytest.raises(ResourceExistsError):
            client.create_container()
        for name in ["a/1", "a/2", "b&c/1"]:
            client.upload_blob(name, b"body", metadata={"key": "value", "empty": ""})
        with pytest.raises(ResourceExistsError):
            client.upload_blob("a/1", b"other")
        blob = client.get_blob_client("a/1")
        before = blob.get_blob_properties()
        assert before.metadata == {"key": "value", "empty": ""}
        blob.set_blob_metadata({"key": "new"}, etag=before.etag, match_condition=before_is_unchanged())
        with pytest.raises(ResourceModifiedError):
            blob.set_blob_metadata({"key": "late"}, etag=before.etag, match_condition=before_is_unchanged())
        listed = list(client.list_blobs(name_starts_with="a/", include=["metadata"], results_per_page=1))
        assert [(it.name, it.metadata["key"]) for it in listed] == [("a/1", "new"), ("a/2", "value")]
        assert f'"{listed[0].etag}"' == blob.get_blob_properties().etag
        assert blob.download_blob().readall() == b"body"
        assert [it.name for it in client.walk_blobs()] == ["a/", "b&c/"]
        blob.delete_blob()
        assert not blob.exists()


def before_is_unchanged():
    from azure.core import MatchConditions

    return MatchConditions.IfNotModified


def test_signatures(hubs):
    wrong = storage(hubs).replace(KEY, KEY[:-6] + "AAAA==")
    with ContainerClient.from_connection_string(wrong, CONTAINER, retry_total=0) as client:
        with pytest.raises(HttpResponseError) as raised:
            list(client.list_blobs())
        assert raised.value.status_code == 403
    token = generate_container_sas(ACCOUNT, CONTAINER, KEY, permission="rwdlac", expiry="2999-01-01T00:00:00Z")
    with ContainerClient.from_container_url(f"{hubs.blob}/{CONTAINER}?{token}") as client:
        client.upload_blob("by/sas", b"1")
        assert [it.name for it in client.list_blobs()] == ["by/sas"]
    with ContainerClient.from_container_url(f"{hubs.blob}/{CONTAINER}?{token[:-6]}AAA%3D", retry_total=0) as client:
        with pytest.raises(HttpResponseError):
            list(client.list_blobs())


def test_two_consumers_share_and_take_over(hubs):
    for partition in range(4):
        hubs.put("first", partition=partition)

    def join():
        store = BlobCheckpointStore.from_connection_string(storage(hubs), CONTAINER)
        client = hubs.consumer(
            checkpoint_store=store, load_balancing_interval=0.5, partition_ownership_expiration_interval=4
        )
        return Reading(
            client, on_event=lambda context, event: context.update_checkpoint(event), starting_position="-1"
        )

    with join() as one:
        wait_until(lambda: len(one.owned) == 4 and len(one.events) == 4)
        with join() as two:
            wait_until(lambda: len(one.owned) == 2 and len(two.owned) == 2)
            assert not one.owned & two.owned
            for partition in range(4):
                hubs.put("second", partition=partition)
            second = lambda reading: [it for it in reading.events if it[1].body_as_str() == "second"]
            wait_until(lambda: len({partition for it in (one, two) for partition, _ in second(it)}) == 4)
        wait_until(lambda: len(one.owned) == 4)
    with container(hubs) as client:
        names = {it.name: it.metadata for it in client.list_blobs(include=["metadata"])}
    checkpoints = [metadata for name, metadata in names.items() if "/$default/checkpoint/" in name]
    assert [metadata["sequencenumber"] for metadata in checkpoints] == ["1"] * 4
    assert len([name for name in names if "/$default/ownership/" in name]) == 4
