"""Links, opened by name: `udp:127.0.0.1:54321`, `memory:tag`, `vpcd:127.0.0.1:35963`, `faulty:udp:?loss=0.01`."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from nfcbridge.errors import ConfigError
from nfcbridge.links.link import (
    CardEnd,
    CardFound,
    CardIdentity,
    CardSelected,
    FieldOff,
    Frame,
    Incoming,
    Level,
    ReaderEnd,
)

__all__ = [
    "LINKS",
    "CardEnd",
    "CardFound",
    "CardIdentity",
    "CardSelected",
    "FieldOff",
    "Frame",
    "Incoming",
    "Level",
    "LinkKind",
    "ReaderEnd",
    "open_card",
    "open_reader",
]


def opener(module: str, function: str) -> Callable[..., Any]:
    """Return what imports a link's module when the link is opened: devices need libraries that others do not have.

    Args:
        module: below `nfcbridge`; also a module of a layer above this one, for links that play something.
        function: of it, `open_card` or `open_reader`.
    """

    def open_link(*arguments: Any) -> Any:  # noqa: ANN401 - those of the function
        return getattr(import_module(f"nfcbridge.{module}"), function)(*arguments)

    return open_link


def _open_faulty_card(rest: str, identity: CardIdentity) -> CardEnd:
    from nfcbridge.links import faulty

    inner, faults = faulty.parse_faults(rest)
    return faulty.open_card(open_card(inner, identity), faults)


def _open_faulty_reader(rest: str) -> ReaderEnd:
    from nfcbridge.links import faulty

    inner, faults = faulty.parse_faults(rest)
    return faulty.open_reader(open_reader(inner), faults)


def _nothing() -> str:
    return ""


PCSCD: Final = ("pcscd", "/usr/sbin/pcscd", "/usr/local/sbin/pcscd")
"""Where pcscd may be: the path of a plain user does not lead to all of them."""

VPCD_CONFIGURATION: Final = Path("/etc/reader.conf.d/vpcd")
"""What tells pcscd of vpcd."""


SOCKETS: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Where Linux lists TCP sockets. To connect would put a card into the virtual reader and take it out again."""

_LISTENS: Final = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A ", re.MULTILINE)
"""A line of theirs: local port, state LISTEN."""

VPCD_PORTS: Final = frozenset({35963})
CASIMIR_PORTS: Final = frozenset({7001, *range(7900, 7910)})
"""Where casimir listens alone, and in the first ten instances of Cuttlefish."""


def _may_listen(ports: frozenset[int]) -> bool:
    """Whether somebody listens at one of the ports of this machine, or the system does not tell."""
    tables = [table.read_text("ascii") for table in SOCKETS if table.exists()]
    return not tables or any(int(port, 16) in ports for table in tables for port in _LISTENS.findall(table))


def _vpcd_missing() -> str:
    if any(map(shutil.which, PCSCD)) and VPCD_CONFIGURATION.exists():
        if _may_listen(VPCD_PORTS):
            return ""
        return "a running pcscd (nothing listens at port 35963): start pcscd"
    return "pcscd with its vpcd driver: apt-get install --no-install-recommends pcscd vsmartcard-vpcd"


PCSC_SOCKETS: Final = (Path("/run/pcscd/pcscd.comm"), Path("/var/run/pcscd/pcscd.comm"))
"""Where pcscd listens, or systemd in its place."""


def _pcsc_missing() -> str:
    if importlib.util.find_spec("smartcard") is None:
        return "pyscard: pip install 'nfcbridge[pcsc]' (on Debian after apt-get install gcc swig libpcsclite-dev)"
    # Of the systems with PC/SC only Linux and its like have a service that may be missing.
    told = os.environ.get("PCSCLITE_CSOCK_NAME")  # pcsc-lite's own, for another place
    sockets = [Path(told)] if told else PCSC_SOCKETS
    if sys.platform == "linux" and not any(socket.exists() for socket in sockets):
        return "a running pcscd: apt-get install pcscd, systemctl start pcscd.socket"
    return ""


def _casimir_missing() -> str:
    if _may_listen(CASIMIR_PORTS):
        return ""
    return "a running casimir (nothing listens at port 7001 or 7900 to 7909): start it, or Cuttlefish"


def _nfc_missing() -> str:
    from nfcbridge.links.nfc.present import what_is_missing

    return what_is_missing()


@dataclass(frozen=True, slots=True)
class LinkKind:
    """A kind of link, for the table of `nfcbridge links` and for `open_card` and `open_reader`.

    Attributes:
        description: one line, for people.
        example: a name that opens it.
        level: what the frames are; None: those of the link inside.
        uid: the rule for the UID, for people.
        card: opens the card end, given what follows the colon; None if there is no card end.
        reader: the same for the reader end.
        missing: what this machine lacks to open it and how to get that; empty if nothing.
    """

    description: str
    example: str
    level: Level | None
    uid: str
    card: Callable[[str, CardIdentity], CardEnd] | None
    reader: Callable[[str], ReaderEnd] | None
    missing: Callable[[], str] = _nothing


LINKS: Final[dict[str, LinkKind]] = {
    "udp": LinkKind(
        description="the UDP air of nfcpy, loopback unless another host is given",
        example="udp:127.0.0.1:54321",
        level=Level.BLOCKS,
        uid="4, 7 or 10 octets",
        card=opener("links.udp", "open_card"),
        reader=opener("links.udp", "open_reader"),
    ),
    "memory": LinkKind(
        description="inside one process, both ends by the same name",
        example="memory:tag",
        level=Level.BLOCKS,
        uid="4, 7 or 10 octets",
        card=opener("links.memory", "open_card"),
        reader=opener("links.memory", "open_reader"),
    ),
    "vpcd": LinkKind(
        description="a card in the virtual PC/SC reader of vsmartcard",
        example="vpcd:127.0.0.1:35963",
        level=Level.APDUS,
        uid="not sent",
        card=opener("links.vpcd", "open_card"),
        reader=None,
        missing=_vpcd_missing,
    ),
    "pcsc": LinkKind(
        description="a card on a PC/SC reader, by a part of the reader's name",
        example="pcsc:ACR122U",
        level=Level.APDUS,
        uid="not sent",
        card=None,
        reader=opener("links.pcsc", "open_reader"),
        missing=_pcsc_missing,
    ),
    "nfc": LinkKind(
        description="a reader on USB or a serial port: PN532, PN533, PN531, Arygon, RC-S380",
        example="nfc:tty:USB0:pn532",
        level=Level.BLOCKS,
        uid="4 octets, the first is 08",
        card=opener("links.nfc", "open_card"),
        reader=opener("links.nfc", "open_reader"),
        missing=_nfc_missing,
    ),
    "replay": LinkKind(
        description="a recorded card, which answers as it did; speed=1 with its pace",
        example="replay:trace.jsonl",
        level=None,
        uid="the recorded one",
        card=None,
        reader=opener("replay.link", "open_reader"),
    ),
    "casimir": LinkKind(
        description="a tag in the radio of Cuttlefish or the Android emulator",
        example="casimir:127.0.0.1:7001",
        level=Level.APDUS,
        uid="4, 7 or 10 octets",
        card=opener("links.casimir", "open_card"),
        reader=None,
        missing=_casimir_missing,
    ),
    "faulty": LinkKind(
        description="any other link, with seeded faults: seed, loss, corrupt, delay (seconds), field",
        example="faulty:udp:127.0.0.1:54321?seed=1&loss=0.01",
        level=None,
        uid="of the link inside",
        card=_open_faulty_card,
        reader=_open_faulty_reader,
    ),
}
"""Every kind of link by the word before the first colon of its name."""


NAMELESS: Final = "a link without a name"


def open_card(name: str, identity: CardIdentity) -> CardEnd:
    """Open the card end of a link.

    Args:
        name: such as `udp:127.0.0.1:54321`; what is left out takes the default of that kind of link.
        identity: what the card answers before the first block.

    Raises:
        ConfigError: no such link, or it has no card end; the message lists those that have one.
        LinkError: it cannot be opened; the message says what to do.
    """
    prefix, _, rest = name.partition(":")
    kind = LINKS.get(prefix)
    if kind is None or kind.card is None:
        raise ConfigError(f"no card can be put at {name or NAMELESS}; what exists: {_examples(lambda kind: kind.card)}")
    return kind.card(rest, identity)


def open_reader(name: str) -> ReaderEnd:
    """Open the reader end of a link.

    Args:
        name: such as `udp:127.0.0.1:54321`; what is left out takes the default of that kind of link.

    Raises:
        ConfigError: no such link, or it has no reader end; the message lists those that have one.
        LinkError: it cannot be opened; the message says what to do.
    """
    prefix, _, rest = name.partition(":")
    kind = LINKS.get(prefix)
    if kind is None or kind.reader is None:
        raise ConfigError(
            f"nothing can be read through {name or NAMELESS}; what exists: {_examples(lambda kind: kind.reader)}"
        )
    return kind.reader(rest)


def _examples(end: Callable[[LinkKind], object]) -> str:
    return ", ".join(kind.example for kind in LINKS.values() if end(kind) is not None)
