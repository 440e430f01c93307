"""Records the traces of `fixtures/recorded` again: `python -m tests.foreign.record [FOLDER]`, as root.

Other people's readers talk to the real command; what is kept is what its own tap wrote. Each trace is a function here,
named as its file. Tokens and ids differ from run to run, and so do times.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import nfc

from tests.conftest import Peers
from tests.foreign.messages import IDLE, App, decode_answer, encode_request
from tests.foreign.room import READER, VPCD, open_room
from tests.foreign.served import PROJECT, serving

FOLDER: Final = PROJECT / "fixtures" / "recorded"

TAG_TIMEOUT: Final = 30.0
"""Seconds until nfcpy has activated the tag."""

UDP: Final = ("--link", "udp:127.0.0.1:0", "--http", "127.0.0.1:0")

COMMANDS: Final = (
    "00A4040007D276000085010100",
    "00A4000C02E103",
    "00B000000F",
    "00D600000100",
    "00A4000C02E104",
    "00B0000002",
    "00B0000203",
    "00B07FFF01",
    "00A4000C02E105",
    "00CA000000",
)
"""What opensc-tool sends: a detection, and what a card refuses."""


@contextlib.contextmanager
def nfcpy_tag(link: str) -> Iterator[Any]:
    """Gives nfcpy's tag; then the field goes off."""
    with contextlib.closing(nfc.ContactlessFrontend(link)) as frontend:
        end = time.monotonic() + TAG_TIMEOUT
        tag = frontend.connect(
            rdwr={"targets": ["106A"], "on-connect": lambda _: False}, terminate=lambda: time.monotonic() > end
        )
        assert tag, f"nfcpy activated no tag within {TAG_TIMEOUT} s"
        yield tag


def app_on(tag: Any, waiting: Callable[[], None] = lambda: None) -> App:
    """An app that writes and reads by nfcpy; `waiting` is called while there is no answer."""

    def write(message: bytes) -> None:
        tag.ndef.octets = message

    def read() -> bytes:
        _ = tag.ndef.has_changed  # nfcpy reads the file to know
        message = bytes(tag.ndef.octets)
        if message == IDLE:
            waiting()
        return message

    return App(write, read)


def nfcpy_detect(trace: Path) -> None:
    """Detection of an idle tag, and presence checks."""
    with serving(*UDP, "--dev", "--trace", str(trace)) as served, nfcpy_tag(served.nfc) as tag:
        assert tag.ndef.octets == IDLE
        assert [tag.is_present for _ in range(3)] == [True] * 3


def nfcpy_session(trace: Path) -> None:
    """Login, state, a setting, presence checks between request and answer, logout."""
    with serving(*UDP, "--dev", "--trace", str(trace)) as served, nfcpy_tag(served.nfc) as tag:
        app = app_on(tag)
        assert app.ask("GET", "/system_state").status == 401
        app.login()
        assert app.ask("GET", "/system_state").status == 200
        setting = {"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 16}]}
        assert app.ask("POST", "/settings", setting).status == 200
        assert tag.is_present
        assert app.ask("GET", "/settings?params=OperatorCurrentLimit_vehicleif").status == 200
        assert app.ask("POST", "/logout").status == 200
        assert tag.is_present


def nfcpy_reactivated(trace: Path) -> None:
    """The answer is read in another activation than the request was written in."""
    with serving(*UDP, "--dev", "--trace", str(trace)) as served:
        with nfcpy_tag(served.nfc) as tag:
            tag.ndef.octets = encode_request({"path": "/login", "method": "GET", "messageID": 1})
        with nfcpy_tag(served.nfc) as tag:
            assert decode_answer(bytes(tag.ndef.octets)).status == 200


def nfcpy_held(trace: Path) -> None:
    """Waiting time extensions, and then polling, while an application takes its time."""
    with (
        serving(*UDP, "--app", "tests.foreign.echo_app:app", "--trace", str(trace)) as served,
        nfcpy_tag(served.nfc) as tag,
    ):
        app = app_on(tag, lambda: release(served.http))
        assert app.ask("POST", "/held", {"a": 1}).content == {"a": 1}


def nfcpy_chained(trace: Path) -> None:
    """Commands and responses of more than one block: MLe and MLc are 255, and the card takes frames of 64 octets."""
    sizes = ("--mle", "255", "--mlc", "255", "--ats", "0B7580800280546E666362")
    with (
        serving(*UDP, *sizes, "--app", "tests.foreign.echo_app:app", "--trace", str(trace)) as served,
        nfcpy_tag(served.nfc) as tag,
    ):
        content = {"sent": [f"{number:04}" for number in range(60)]}
        assert app_on(tag).ask("POST", "/echo", content).content == content


def release(url: str) -> None:
    """Lets the application answer what it holds."""
    with contextlib.closing(HTTPConnection(urlsplit(url).netloc, timeout=TAG_TIMEOUT)) as connection:
        connection.request("POST", "/release", b"{}")
        assert connection.getresponse().status == 200


def pyscard_session(trace: Path) -> None:
    """What is refused without login, login, state, logout."""
    pcsc(trace, "read_state")


def pyscard_reset(trace: Path) -> None:
    """A request, a reset of the card, the answer."""
    pcsc(trace, "read_after_reset")


def pyscard_power_off(trace: Path) -> None:
    """A request, power off and on, the answer."""
    pcsc(trace, "read_after_power_off")


def pcsc(trace: Path, errand: str) -> None:
    """Runs an errand of `pcsc_reader` in a room of its own."""
    with (
        open_room(Peers()) as room,
        serving("--dev", "--link", f"vpcd:{VPCD}", "--http", "none", "--trace", str(trace), inside=room.enter),
    ):
        room.run_python("tests.foreign.pcsc_reader", errand)


def opensc_tool(trace: Path) -> None:
    """opensc-tool sends a detection, and commands that are refused; pyscard has waited for the card before."""
    with (
        open_room(Peers()) as room,
        serving("--dev", "--link", f"vpcd:{VPCD}", "--http", "none", "--trace", str(trace), inside=room.enter),
    ):
        room.run_python("tests.foreign.pcsc_reader", "look")
        sent = [word for command in COMMANDS for word in ("--send-apdu", command)]
        room.run("opensc-tool", "--reader", READER, "--card-driver", "default", *sent)


TRACES: Final[tuple[Callable[[Path], None], ...]] = (
    nfcpy_detect,
    nfcpy_session,
    nfcpy_reactivated,
    nfcpy_held,
    nfcpy_chained,
    pyscard_session,
    pyscard_reset,
    pyscard_power_off,
    opensc_tool,
)


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for record in TRACES:
        trace = folder / f"{record.__name__.replace('_', '-')}.jsonl"
        record(trace)
        trace.chmod(0o644)
        entries = len(trace.read_text().splitlines()) - 1
        print(f"{trace.name:<26} {entries:>5} entries: {record.__doc__}")  # noqa: T201 - who runs it wants to know
    used = {name: version(name) for name in ("nfcbridge", "nfcpy", "pyscard")}
    print(json.dumps(used))  # noqa: T201


if __name__ == "__main__":
    main()
