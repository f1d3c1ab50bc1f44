"""Azurite, which others wrote, and what tests ask of it and of our own Blob storage alike."""

import os
import subprocess

import pytest

ACCOUNT = "devstoreaccount1"
# Public: the one that every emulator of this service has.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def connection_string(url, key=KEY):
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={url};"


def node(*arguments):
    """A command of Node.js; the test, or the module that asks at its top, is skipped where it is not there."""
    for name in ("NODE", "AZURITE", "NODE_PATH"):
        if not os.environ.get(name):
            pytest.skip(f"`{name}` is not set: no Node.js packages", allow_module_level=True)
    return [os.environ["NODE"], *map(str, arguments)]


class Azurite:
    """Its Blob storage, in memory, on a port that is free."""

    def __init__(self):
        command = node(os.environ.get("AZURITE"), "--blobHost", "127.0.0.1", "--blobPort", 0)
        # The official clients ask for newer versions of the interface than it knows.
        command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        address = next((line for line in self.process.stdout if "successfully listens on" in line), None)
        assert address, "Azurite ended"
        self.url = f"{address.split()[-1]}/{ACCOUNT}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
