"""nfcpy, unmodified, reads and writes the card over its `udp` driver."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import nfc
import pytest

from tests.foreign.messages import IDLE, App, decode_answer, encode_request
from tests.foreign.served import Served, serving

pytestmark = pytest.mark.foreign

TAG_TIMEOUT: Final = 30.0
"""Seconds until nfcpy has activated the tag. It allows 30 ms for the ATS, which a busy machine misses at times."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Returns a function that starts the server with more arguments on a free port."""
    with contextlib.ExitStack() as running:

        def start(*arguments: str) -> Served:
            return running.enter_context(serving("--link", "udp:127.0.0.1:0", "--http", "127.0.0.1:0", *arguments))

        yield start


@pytest.fixture
def connect() -> Iterator[Callable[[Served], Any]]:
    """Returns a function that gives nfcpy's tag for a server."""
    frontends = []

    def find(served: Served) -> Any:
        frontend = nfc.ContactlessFrontend(served.nfc)
        frontends.append(frontend)
        end = time.monotonic() + TAG_TIMEOUT
        tag = frontend.connect(
            rdwr={"targets": ["106A"], "on-connect": lambda _: False}, terminate=lambda: time.monotonic() > end
        )
        assert tag, f"nfcpy activated no tag within {TAG_TIMEOUT} s"
        return tag

    yield find
    for frontend in frontends:
        frontend.close()


def read_afresh(tag: Any) -> bytes:
    """Returns the NDEF message as it is now: asking whether it changed makes nfcpy read it."""
    _ = tag.ndef.has_changed
    return bytes(tag.ndef.octets)


def app_on(tag: Any) -> App:
    def write(message: bytes) -> None:
        tag.ndef.octets = message

    return App(write, lambda: read_afresh(tag))


def test_the_peer_is_the_release_that_the_facts_were_taken_from() -> None:
    assert version("nfcpy") == "1.0.4"


@pytest.mark.parametrize("uid", ["08A1B2C3", "04A1B2C3D4E5F6"])
def test_nfcpy_activates_the_tag(serve: Callable[..., Served], connect: Callable[[Served], Any], uid: str) -> None:
    tag = connect(serve("--dev", "--uid", uid))
    assert tag.type == "Type4Tag"
    assert tag.identifier == bytes.fromhex(uid)


def test_nfcpy_detects_a_writeable_file_of_the_announced_size_that_is_idle(
    serve: Callable[..., Served], connect: Callable[[Served], Any]
) -> None:
    ndef = connect(serve("--dev")).ndef
    assert (ndef.is_readable, ndef.is_writeable, ndef.capacity) == (True, True, 0x7FFF - 2)
    assert ndef.octets == IDLE


def test_nfcpy_writes_3_kb_and_reads_them_back(serve: Callable[..., Served], connect: Callable[[Served], Any]) -> None:
    tag = connect(serve("--app", "tests.foreign.echo_app:app"))
    content = {"sent": [f"{number:04}" for number in range(450)]}
    assert len(encode_request({}, content)) > 3_000
    answer = app_on(tag).ask("POST", "/anything", content)
    assert (answer.status, answer.content) == (200, content)


def test_nfcpy_is_held_by_waiting_time_extensions_and_then_polls(
    serve: Callable[..., Served], connect: Callable[[Served], Any], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    served = serve("--app", "tests.foreign.echo_app:app", "--trace", str(trace))
    tag = connect(served)
    seen_before = []

    def write(message: bytes) -> None:
        tag.ndef.octets = message

    def read() -> bytes:
        message = read_afresh(tag)
        if message == IDLE:
            seen_before.append(message)
            release(served.http)
        return message

    assert App(write, read).ask("POST", "/held", {"a": 1}).content == {"a": 1}
    assert seen_before  # the empty message, and not the request, while there was no answer
    assert served.stop() == 0
    frames = [
        (each["dir"], each["hex"]) for each in map(json.loads, trace.read_text().splitlines()[1:]) if "hex" in each
    ]
    asked_for = [before for before, (sender, octets) in pairwise(frames) if sender == "card" and octets[:2] == "f2"]
    # A card that misses its time is asked with R(NAK), b2 or b3, and extends then: so it has to extend by itself. Once
    # is enough, since a busy machine may wake it late for one of the held commands.
    assert [before for before in asked_for if before[1][:2] not in {"b2", "b3"}]
    # nfcpy accepted each: it answered with the same block.
    sent = [octets for sender, octets in frames if sender == "card" and octets[:2] == "f2"]
    assert [octets for sender, octets in frames if sender == "reader" and octets[:2] == "f2"] == sent


def release(url: str) -> None:
    """Lets the application answer what it holds."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=TAG_TIMEOUT)
    connection.request("POST", "/release", b"{}")
    assert connection.getresponse().status == 200
    connection.close()


def test_nfcpy_logs_in_reads_the_state_and_logs_out(
    serve: Callable[..., Served], connect: Callable[[Served], Any]
) -> None:
    app = app_on(connect(serve("--dev")))
    assert app.ask("GET", "/system_state")[::2] == (401, None)
    assert app.login().content["logged_in"] is True
    assert app.ask("GET", "/system_state").content["systemState"] == "idle"
    assert app.ask("POST", "/logout").content["logged_in"] is False
    assert app.ask("GET", "/system_state").status == 401


def test_nfcpy_checks_the_presence_between_request_and_answer(
    serve: Callable[..., Served], connect: Callable[[Served], Any]
) -> None:
    tag = connect(serve("--dev"))
    assert tag.ndef is not None
    assert tag.is_present
    tag.ndef.octets = encode_request({"path": "/login", "method": "GET", "messageID": "a"})
    assert [tag.is_present for _ in range(5)] == [True] * 5
    assert decode_answer(read_afresh(tag))[:2] == (200, "a")
    assert tag.is_present


def test_nfcpy_sees_that_the_tag_is_gone(serve: Callable[..., Served], connect: Callable[[Served], Any]) -> None:
    served = serve("--dev")
    tag = connect(served)
    assert tag.is_present
    assert served.stop() == 0
    assert not tag.is_present
