"""scriptor and opensc-tool send what a script of theirs holds, to the card, which records it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import Peers
from tests.foreign.room import READER, VPCD, Room, open_room
from tests.foreign.served import COMMAND, PROJECT, serving

pytestmark = pytest.mark.foreign

FIXTURE: Final = PROJECT / "fixtures/recorded/pyscard-reset.jsonl"
"""Has two activations: the second one is made by a reset."""


@pytest.fixture
def room(peers: Peers) -> Iterator[Room]:
    peers.module("smartcard", extra="pcsc")
    with open_room(peers) as opened:
        yield opened


def heard(trace: Path) -> list[str]:
    """What a card heard since pyscard's last look, as commands and `on` for each activation."""
    entries: list[dict[str, Any]] = [json.loads(line) for line in trace.read_text().splitlines()[1:]]
    return [each.get("hex", "on") for each in entries if each["dir"] == "reader" or each.get("on")]


def run(room: Room, tmp_path: Path, ending: str, *command: str) -> tuple[list[str], str]:
    """Exports the fixture and runs a program with the script; returns what the card heard of it, and the output."""
    script, trace = tmp_path / f"script{ending}", tmp_path / "trace.jsonl"
    subprocess.run([COMMAND, "trace", "export", str(FIXTURE), str(script)], check=True, timeout=60)
    link = ("--dev", "--link", f"vpcd:{VPCD}", "--http", "none", "--pipelining", "replace")
    with serving(*link, "--trace", str(trace), inside=room.enter):
        room.run_python("tests.foreign.pcsc_reader", "look")  # pcscd sees the card from now on
        printed = room.run(*(word.replace("SCRIPT", str(script)) for word in command))
    return heard(trace), printed


def commands(lines: list[str]) -> list[str]:
    return [line for line in lines if line != "on"]


def since_reset(lines: list[str]) -> list[str]:
    """The commands of the last activation that has some: programs reset the card once more when they go."""
    while lines[-1] == "on":
        lines = lines[:-1]
    return lines[-lines[::-1].index("on") :]


def test_scriptor_sends_the_commands_and_resets(room: Room, peers: Peers, tmp_path: Path) -> None:
    scriptor = peers.program("scriptor", package="pcsc-tools")
    lines, printed = run(room, tmp_path, ".apdu", scriptor, "-r", READER, "SCRIPT")
    asked = commands(heard(FIXTURE))
    assert commands(lines)[-len(asked) :] == asked
    assert printed.count("> RESET\n") == 1
    assert printed.count("\n> 00 ") == len(asked)
    assert since_reset(lines) == since_reset(heard(FIXTURE))


def test_opensc_tool_sends_the_commands_and_resets(room: Room, peers: Peers, tmp_path: Path) -> None:
    peers.program("opensc-tool", package="opensc")
    lines, printed = run(room, tmp_path, ".sh", "sh", "SCRIPT", "--reader", READER)
    asked = commands(heard(FIXTURE))
    assert commands(lines)[-len(asked) :] == asked
    assert printed.count("Received (SW1=0x90, SW2=0x00)") == len(asked)
    assert since_reset(lines) == since_reset(heard(FIXTURE))
