"""The same calls to our Blob storage and to Azurite by the official client, and the same answers.

Left out is what they do differently (measured with Azurite 3.35.0). Azurite: another error code for a wrong
signature than the service documents; `If-None-Match: *` without effect but on uploads, and refused with 400 on reads;
`If-Match: *` without effect on uploads; a MD5 hash of each body; no `<Metadata />` in lists for what has none. Ours:
404 where `If-Match` names a blob that is not there, but on uploads; names of metadata always in lower case;
permissions of shared access signatures not looked at.
"""

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobProperties,
    ContainerClient,
    ResourceTypes,
    generate_account_sas,
    generate_container_sas,
)
from blob_storage import ACCOUNT, KEY, Azurite, connection_string, node
from event_hubs_program import EventHubs

# One skip for all.
node()

CONTAINER = "container"
OTHER = '"0x8D0000000000000"'
ALWAYS = "2999-01-01T00:00:00Z"

# Different in every run, or in one of them only.
VOLATILE = {"client_request_id", "content_md5", "date", "last_modified", "request_id", "version"}


@pytest.fixture(scope="module")
def urls():
    """Ours, and Azurite's."""
    azurite = Azurite()
    hubs = EventHubs("--blob", "unused")
    yield hubs.blob, azurite.url
    hubs.stop()
    azurite.stop()


def steady(value):
    """The answer without what cannot be equal: times, ids, and what an ETag says besides its form."""
    if isinstance(value, BlobProperties):
        kept = {name: value[name] for name in ("name", "size", "blob_type", "etag")}
        return steady(kept) | {"metadata": value.metadata or {}, "type": value.content_settings.content_type}
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key not in VOLATILE}
        return {key: form(inner) if key == "etag" else steady(inner) for key, inner in kept.items()}
    if isinstance(value, list):
        return [steady(inner) for inner in value]
    return value


def form(etag):
    bare = etag.strip('"')
    assert bare.startswith("0x") and int(bare, 16)
    return etag.replace(bare, "ETAG")


def outcome(container, call):
    """What a call gives: an answer, or how it fails."""
    try:
        return steady(call(container))
    except HttpResponseError as error:
        code = str(getattr(error, "error_code", ""))
        return {"error": type(error).__name__, "status": error.status_code, "code": code}


def compare(urls, call):
    """Asks both in a container that is new; gives the answer that is equal."""
    answers = []
    for url in urls:
        with ContainerClient.from_connection_string(connection_string(url), CONTAINER, retry_total=0) as container:
            container.create_container()
            answers.append(outcome(container, call))
            if container.exists():
                container.delete_container()
    assert answers[0] == answers[1]
    return answers[0]


def blob(container, name="ns/hub/$default/ownership/0", metadata=None):
    """A blob as checkpoint stores have it, and its ETag."""
    blob = container.get_blob_client(name)
    return blob, blob.upload_blob(b"", metadata=metadata or {"ownerid": "me"})["etag"]


def on_blob(change, missing=False):
    """Changes a blob, of which the ETag is known, and gives the answer and what is there then."""

    def call(container):
        there, etag = blob(container)
        answer = change(container.get_blob_client("none") if missing else there, etag)
        return [answer, list(container.list_blobs(include=["metadata"]))]

    return call


METADATA = {"ownerid": "you"}
PUT = {"data": b"1", "overwrite": True, "metadata": METADATA}

CHANGES = {
    "put": lambda blob, _: blob.upload_blob(**PUT),
    "put without metadata": lambda blob, _: blob.upload_blob(b"", overwrite=True),
    "put what is there": lambda blob, etag: blob.upload_blob(**PUT, if_match=etag),
    "put over another": lambda blob, _: blob.upload_blob(**PUT, if_match=OTHER),
    "put unless it is there": lambda blob, _: blob.upload_blob(**PUT, if_none_match="*"),
    "put unless it is that": lambda blob, etag: blob.upload_blob(**PUT, if_none_match=etag),
    "put unless it is another": lambda blob, _: blob.upload_blob(**PUT, if_none_match=OTHER),
    "put by a bare ETag": lambda blob, etag: blob.upload_blob(**PUT, if_match=etag.strip('"')),
    "set": lambda blob, _: blob.set_blob_metadata(METADATA),
    "set to nothing": lambda blob, _: blob.set_blob_metadata({}),
    "set to an empty value": lambda blob, _: blob.set_blob_metadata({"ownerid": ""}),
    "set to special characters": lambda blob, _: blob.set_blob_metadata({"ownerid": "a<b>&\"c' d+e%20"}),
    "set what is there": lambda blob, etag: blob.set_blob_metadata(METADATA, if_match=etag),
    "set another": lambda blob, _: blob.set_blob_metadata(METADATA, if_match=OTHER),
    "set by a bare ETag": lambda blob, etag: blob.set_blob_metadata(METADATA, if_match=etag.strip('"')),
    "set by an old ETag": lambda blob, etag: [
        blob.set_blob_metadata(METADATA, if_match=etag),
        blob.set_blob_metadata(METADATA, if_match=etag),
    ],
    "delete": lambda blob, _: blob.delete_blob(),
    "delete what is there": lambda blob, etag: blob.delete_blob(if_match=etag),
    "delete another": lambda blob, _: blob.delete_blob(if_match=OTHER),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes(urls, change):
    compare(urls, on_blob(change))


ON_NOTHING = ["put", "put over another", "put unless it is there", "put unless it is another", "set", "delete"]


@pytest.mark.parametrize("change", ON_NOTHING)
def test_changes_of_what_is_not_there(urls, change):
    compare(urls, on_blob(CHANGES[change], missing=True))


READS = {
    "head": lambda blob, _: blob.get_blob_properties(),
    "head what is there": lambda blob, etag: blob.get_blob_properties(if_match=etag),
    "head another": lambda blob, _: blob.get_blob_properties(if_match=OTHER),
    "get": lambda blob, _: blob.download_blob().readall(),
    "get its properties": lambda blob, _: blob.download_blob().properties,
    "get if it changed": lambda blob, etag: blob.download_blob(if_none_match=etag).readall(),
    "get a range": lambda blob, _: blob.download_blob(offset=1, length=2).readall(),
    "get behind the end": lambda blob, _: blob.download_blob(offset=10, length=2).readall(),
    "exists": lambda blob, _: blob.exists(),
}


@pytest.mark.parametrize("read", READS)
def test_reads(urls, read):
    def call(container):
        there = container.get_blob_client("a/b")
        etag = there.upload_blob(b"body", metadata={"key": "value", "empty": ""})["etag"]
        return READS[read](there, etag)

    compare(urls, call)


@pytest.mark.parametrize("read", ["head", "get", "exists"])
def test_reads_of_what_is_not_there(urls, read):
    compare(urls, lambda container: READS[read](container.get_blob_client("none"), None))


def test_an_etag_is_the_same_everywhere_and_bare_in_lists(urls):
    def call(container):
        there, first = blob(container)
        second = there.set_blob_metadata(METADATA)["etag"]
        (listed,) = container.list_blobs()
        got = there.download_blob().properties.etag
        return [first != second, second == there.get_blob_properties().etag == got == f'"{listed.etag}"']

    assert compare(urls, call) == [True, True]


SPECIAL = "$Default/a b+c&<d>%é/"
NAMES = ["p", "p/0", "p/1", "p/2", "p/3", "P/0", f"{SPECIAL}1", "q"]


def names(pages):
    return [[it.name for it in page] for page in pages.by_page()]


LISTS = {
    "all": lambda container: names(container.list_blobs()),
    "with metadata": lambda container: list(container.list_blobs(include=["metadata"])),
    "without metadata": lambda container: list(container.list_blobs()),
    "a prefix": lambda container: names(container.list_blobs(name_starts_with="p/")),
    "a special prefix": lambda container: names(container.list_blobs(name_starts_with=SPECIAL)),
    "a prefix of nothing": lambda container: names(container.list_blobs(name_starts_with="z")),
    "pages": lambda container: names(container.list_blobs(results_per_page=3)),
    "pages of a prefix": lambda container: names(container.list_blobs(name_starts_with="p/", results_per_page=3)),
    "folders": lambda container: [it.name for it in container.walk_blobs()],
}


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS)
def test_lists(urls, ask):
    def call(container):
        for name in NAMES:
            container.upload_blob(name, b"", metadata={"name": "value", "empty": ""})
        return ask(container)

    compare(urls, call)


WITHOUT_CONTAINER = {
    "list": lambda container: list(container.list_blobs()),
    "put": lambda container: container.upload_blob("a", b""),
    "put over another": lambda container: container.get_blob_client("a").upload_blob(**PUT, if_match=OTHER),
    "set": lambda container: container.get_blob_client("a").set_blob_metadata({}),
    "get": lambda container: container.get_blob_client("a").download_blob(),
    "head": lambda container: container.get_blob_client("a").get_blob_properties(),
    "delete": lambda container: container.get_blob_client("a").delete_blob(),
    "delete it": lambda container: container.delete_container(),
    "its properties": lambda container: container.get_container_properties().name,
}


@pytest.mark.parametrize("ask", WITHOUT_CONTAINER.values(), ids=WITHOUT_CONTAINER)
def test_without_a_container(urls, ask):
    def call(container):
        container.delete_container()
        return ask(container)

    answer = compare(urls, call)
    assert (answer["status"], answer["code"].lower()) == (404, "containernotfound")


def test_a_container_is_made_once(urls):
    assert compare(urls, lambda container: container.create_container())["status"] == 409


def use(container):
    """Writes and lists, as somebody else."""
    with container:
        container.upload_blob("a", b"")
        return [it.name for it in container.list_blobs()]


def by_signature(container, cut=None, **signature):
    signature = {"permission": "rwdlac", "expiry": ALWAYS, **signature}
    token = generate_container_sas(ACCOUNT, CONTAINER, KEY, **signature)
    token = token[: -len(cut)] + cut if cut else token
    return use(ContainerClient.from_container_url(f"{container.url}?{token}", retry_total=0))


def by_account_signature(container):
    types = ResourceTypes(container=True, object=True)
    permission = AccountSasPermissions(read=True, write=True, list=True, create=True)
    token = generate_account_sas(ACCOUNT, KEY, types, permission, ALWAYS)
    return use(ContainerClient.from_container_url(f"{container.url}?{token}", retry_total=0))


def by_key(container, key):
    text = connection_string(container.url.removesuffix(f"/{CONTAINER}"), key)
    return use(ContainerClient.from_connection_string(text, CONTAINER, retry_total=0))


ACCESSES = {
    "key": (lambda container: by_key(container, KEY), True),
    "wrong key": (lambda container: by_key(container, KEY[:-6] + "AAAA=="), False),
    "no key": (lambda container: use(ContainerClient.from_container_url(container.url, retry_total=0)), False),
    "signature": (by_signature, True),
    "expired signature": (lambda container: by_signature(container, expiry="2020-01-01T00:00:00Z"), False),
    "wrong signature": (lambda container: by_signature(container, cut="AAA%3D"), False),
    "account signature": (by_account_signature, True),
}


@pytest.mark.parametrize(("access", "granted"), ACCESSES.values(), ids=ACCESSES)
def test_access(urls, access, granted):
    def call(container):
        answer = outcome(container, access)
        return answer if granted else answer["status"]

    assert compare(urls, call) == (["a"] if granted else 403)
