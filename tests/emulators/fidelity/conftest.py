"""Starts the servers that the fidelity tests talk to.

`cargo xtask test python node fidelity` installs what they need and runs them. By hand, after installing
requirements.txt and the packages of node/:

    export EMULATOR=target/debug/cloudwatch-emulator EVENT_HUBS_EMULATOR=target/debug/event-hubs-emulator
    export NODE=node NODE_PATH=node/node_modules AZURITE=node/node_modules/azurite/dist/src/blob/main.js
    python3 -m pytest -q -rs tests/emulators/fidelity

Each variable is needed by the tests of what it names; without those of Node.js, the tests that need it are skipped.

Nothing but loopback is asked for anything: credentials are dummies, and the instance metadata
address is switched off.
moto alone, for other programs: `MOTO_ACCOUNT_ID=111122223333 python3 -m moto.server -H 127.0.0.1 -p PORT`.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import boto3
import botocore.config
import pytest

sys.dont_write_bytecode = True

ACCOUNT = "111122223333"
REGION = "us-east-1"
DEADLINE_S = 60

ENVIRONMENT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "dummy",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MOTO_ACCOUNT_ID": ACCOUNT,
    "NO_PROXY": "127.0.0.1",
}
os.environ.update(ENVIRONMENT)
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"):
    os.environ.pop(name, None)


def logs_client(endpoint, attempts=1):
    """A CloudWatch Logs client that gives up after so many attempts."""
    config = botocore.config.Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, connect_timeout=5, read_timeout=20
    )
    return boto3.client("logs", endpoint_url=endpoint, config=config)


class Emulator:
    """The program under test, and its control endpoints."""

    def __init__(self, *arguments):
        binary = os.environ.get("EMULATOR")
        if not binary:
            pytest.exit("set EMULATOR to the built cloudwatch-emulator: cargo build -p emulators", 2)
        command = [os.path.abspath(binary), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        assert line.startswith("listening on "), line
        self.endpoint = line.removeprefix("listening on ")
        self.logs = logs_client(self.endpoint)

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_emulator/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def fault(self, **fault):
        return self.control("POST", "faults", fault)["id"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start_emulator():
    """Starts the emulator with arguments of one's own, as often as needed."""
    started = []

    def start(*arguments):
        started.append(Emulator(*arguments))
        return started[-1]

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def emulator(start_emulator):
    """The emulator as it is without arguments."""
    return start_emulator()


@pytest.fixture(scope="session")
def ours():
    """A client of an emulator that lives for the whole session, as moto's does."""
    emulator = Emulator()
    yield emulator.logs
    emulator.stop()


@pytest.fixture(scope="session")
def moto():
    """A client of moto's server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, "moto's server ended"
            assert time.monotonic() < deadline, "moto's server did not come up"
            time.sleep(0.05)
    yield logs_client(endpoint)
    process.terminate()
    process.wait()
