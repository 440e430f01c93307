"""schemathesis, which knows nothing but the OpenAPI document that is served, against the interface over HTTP.

It sends what the document allows and what it does not, follows one answer with the next request, and runs all its
checks. `schemathesis.toml` says which of them are replaced and why; one does not apply, since it needs two users who
may not see each other's data.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.doors import Door, HttpDoor
from tests.api.running import log_in
from tests.api.world import PASSWORDS, World
from tests.conftest import Peers

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
# Seconds after which it hangs; it takes some 20.
PATIENCE = 110.0


# What happens before, so that answers have something in them: a tag was paired, a car was charged and another one is.
BEFORE = [
    "swipe c0ffee12",
    "advance 30",
    *("plug", "swipe c0ffee12", "charge", "advance 3600", "unplug", "advance 60"),
    *("plug", "swipe c0ffee12", "charge", "advance 60", "error backend-disconnected"),
]


def begin(door: Door) -> None:
    session = log_in(door, "operator")
    user = door.call("POST", "/users", session=session, body='{"userName": "Jenny"}').content["userId"]
    tag = {"id": "c0ffee12", "number": 7, "name": "card", "userid": user, "priority": "HIGH"}
    body = json.dumps({"type": "local", "command": "add", "tags": [tag]})
    door.call("POST", "/whitelist", session=session, body=body)
    door.call("POST", "/key_value_store", session=session, body='{"key_1": "value_1"}')
    door.call("POST", "/whitelist/pairing", session=session)
    for step in BEFORE:
        door.act(step)
    session = log_in(door, "operator")
    assert door.call("GET", "/transactions/active", session=session).content == {"success": True}
    assert len(door.call("GET", "/transactions", session=session).content) == 1
    assert door.call("GET", "/whitelist/pairing", session=session).content["userid"] == user


@pytest.mark.foreign
def test_schemathesis_finds_nothing(peers: Peers, world: World) -> None:
    peers.module("schemathesis", extra="test")
    with HttpDoor(world) as door:
        begin(door)
        url = door.emulator.http_url or ""
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{url}/v1/openapi.json"],
            env=os.environ
            | {
                "API_ADDRESS": url.removeprefix("http://"),
                "API_USER": "manufacturer",
                "API_PASSWORD": PASSWORDS["manufacturer"],
            },
            cwd=ROOT,  # where `hooks` of the configuration is found
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert run.returncode == 0, run.stdout
    assert "No issues found" in run.stdout
