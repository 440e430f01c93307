"""schemathesis, which knows nothing but the OpenAPI document that is served, against the interface over HTTP.

It sends what the document allows and what it does not, follows one answer with the next request, and runs all its
checks. `schemathesis.toml` says which of them are replaced and why; one does not apply, since it needs two users who
may not see each other's data.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.doors import HttpDoor
from tests.api.world import PASSWORDS, World
from tests.conftest import Peers

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
# Seconds after which it hangs; it takes some 20.
PATIENCE = 110.0


@pytest.mark.foreign
def test_schemathesis_finds_nothing(peers: Peers, world: World) -> None:
    peers.module("schemathesis", extra="test")
    with HttpDoor(world) as door:
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
