"""Recordings for these tests: made by the emulator as `serve --trace` makes them, or written by hand."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nfcbridge import NfcTransport, Session
from nfcbridge.charger.bench import Bench
from nfcbridge.cli.charger import REAL_TIME, SimSettings, open_charger
from nfcbridge.framing import ExchangeConfig
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.events import AnswerSent, AnswerUnread, EmulatorEvent
from nfcbridge.server.settings import CardSettings
from nfcbridge.trace import Dir, Entry, Header, TraceFile, write_trace

PASSWORD = "operator"
_numbers = itertools.count()


def any_link() -> str:
    """A link in memory that no other test uses."""
    return f"memory:replay-{next(_numbers)}"


def inside(link: str) -> str:
    """The name that opens the reader's end without the faults of the card's."""
    return link.removeprefix("faulty:").partition("?")[0]


def watcher(bench: Bench) -> Callable[[EmulatorEvent], None]:
    """What `serve` does with events, less the printing."""

    def watch(event: EmulatorEvent) -> None:
        if isinstance(event, AnswerSent | AnswerUnread):
            bench.answer_is_over()

    return watch


@contextmanager
def recording(
    path: Path,
    link: str | None = None,
    *,
    password: str = PASSWORD,
    sim: SimSettings = REAL_TIME,
    card: CardSettings | None = None,
    exchange: ExchangeConfig | None = None,
    data: Path | None = None,
) -> Iterator[str]:
    """Serve and record a charge controller; gives the name that opens the reader's end."""
    dev = password == PASSWORD
    with (
        open_charger(data, {"operator": password, "user": "us"}, sim=sim, recorded=True, dev=dev) as charger,
        Emulator(
            charger.app,
            [link or any_link()],
            base_path=charger.base_path,
            trace=path,
            origin=charger.origin,
            card=card,
            exchange=exchange,
            oversight=charger.bench.tag,
            on_event=watcher(charger.bench),
        ) as emulator,
    ):
        charger.bench.serves(emulator.link_names)
        yield inside(emulator.link_names[0])


def visit(
    link: str | NfcTransport, *requests: tuple[str, str] | tuple[str, str, object], password: str = PASSWORD
) -> list[int]:
    """Log in over a link, send requests, log out. Returns the statuses."""
    statuses = []
    transport = NfcTransport(link) if isinstance(link, str) else link
    with Session(transport, "operator", password) as session:
        for method, path, *content in requests:
            body = json.dumps(content[0]).encode() if content else None
            statuses.append(session.request(method, path, body).status_code)
    return statuses


CHORES = (
    ("GET", "/system_state"),
    ("GET", "/app_dashboard"),
    ("POST", "/users", {"userName": "Jenny"}),
    ("GET", "/users"),
    ("PUT", "/settings", {"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 10}]}),
    ("GET", "/settings?params=OperatorCurrentLimit_vehicleif,SysTime_mon"),
    ("GET", "/nowhere"),
)
"""What an app does: state, page, a user with an id of the server, a setting, the time, a mistake."""


def record_chores(path: Path, link: str | None = None, **settings: Any) -> Path:
    """Record CHORES."""
    with recording(path, link, **settings) as name:
        assert visit(name, *CHORES) == [200] * 6 + [404]
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines, the first one too."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """The other way round."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    return path


def changed(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    """Change the lines of a trace."""
    lines = lines_of(path)
    change(lines)
    return write_lines(path, lines)


def replace_octets(path: Path, before: str, after: str) -> Path:
    """Change what was said, everywhere, to something of the same length."""
    assert len(before) == len(after)
    text = path.read_text("ascii")
    assert before.encode().hex() in text
    path.write_text(text.replace(before.encode().hex(), after.encode().hex()), "ascii")
    return path


def entries_of(path: Path) -> tuple[Header, list[Entry]]:
    """A whole trace."""
    with TraceFile(path) as trace:
        return trace.header, list(trace)


def by_hand(path: Path, header: Header, *frames: str) -> Path:
    """A trace of frames: `> e080` of the reader, `< ...` of the card, `on` and `off`, 10 ms between them."""
    entries = []
    for number, frame in enumerate(frames):
        sign, _, octets = frame.partition(" ")
        t = number / 100
        if sign in {"on", "off"}:
            entries.append(Entry(t, Dir.FIELD, on=sign == "on"))
        else:
            entries.append(Entry(t, Dir.READER if sign == ">" else Dir.CARD, bytes.fromhex(octets)))
    write_trace(path, header, entries)
    return path


async def slow_app(scope: Any, _receive: Any, send: Any) -> None:
    """An ASGI application that thinks for as many milliseconds as the path says, then tells them."""
    if scope["type"] != "http":
        raise NotImplementedError
    wait = int(scope["path"].strip("/"))
    await asyncio.sleep(wait / 1000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"waited":%d}' % wait})
