r"""The text of a message read with patience: what is in its header, even where `framing` refuses all of it.

{"path":"/login","messageID":7},{"username":"operator"}
^ header                       ^ comma, then the content
"""

from json import JSONDecoder
from typing import Final

import msgspec
from msgspec import Struct

REQUEST_KEYS: Final = ("path", "method", "authorization", "messageID")
REQUIRED_KEYS: Final = ("path", "method", "messageID")
ANSWER_KEYS: Final = ("messageID", "statusCode")

MAX_KEYS: Final = 32
"""Keys of a header that are looked at: four have a meaning, and what has more is wrong for the first 32 already."""

MAX_NAMED: Final = 40
"""Characters of a key that are told: it comes from a phone, and may be as long as a message."""

_BLANKS: Final = " \t\n\r"


class HeaderText(Struct, frozen=True):
    """What the text of a message is made of.

    Attributes:
        keys: of the header in their order, doubled ones twice; empty without a header.
        found: the text begins with an object.
        comma: a comma follows it.
        rest: characters behind header and comma that are no white space.
        surplus: octets of white space that a compact message would not have; 0 where it is not JSON.
        json: header and content are JSON.
    """

    keys: tuple[str, ...]
    found: bool
    comma: bool
    rest: bool
    surplus: int
    json: bool

    def missing(self, keys: tuple[str, ...]) -> list[str]:
        """Which of the keys are not there."""
        return [key for key in keys if key not in self.keys]

    def unknown(self, keys: tuple[str, ...]) -> list[str]:
        """Which keys are none of these, each once."""
        return [key for key in dict.fromkeys(self.keys) if key not in keys]

    def doubled(self) -> list[str]:
        """Which keys are there twice or more, each once."""
        return [key for key in dict.fromkeys(self.keys) if self.keys.count(key) > 1]


def read_header_text(text: str) -> HeaderText:
    """Read a text; never raises."""
    start = text.lstrip(_BLANKS)
    keys: tuple[str, ...] = ()
    found = comma = rest = False
    try:
        members, end = _OBJECT_AT_START.raw_decode(start)
    except (ValueError, RecursionError):
        pass
    else:
        # An object is a tuple of its members here, and so is nothing else.
        if isinstance(members, tuple):
            found = True
            keys = tuple(key for key, _ in members[:MAX_KEYS])
            behind = start[end:].lstrip(_BLANKS)
            comma = behind.startswith(",")
            rest = bool(behind.removeprefix(",").strip(_BLANKS))
    surplus = count_surplus(text)
    return HeaderText(keys, found, comma, rest, surplus or 0, surplus is not None)


def count_surplus(text: str) -> int | None:
    """Octets of white space between the parts of the message; None if it is not JSON."""
    try:
        octets = f"[{text}]".encode()
        return len(octets) - len(msgspec.json.format(octets, indent=-1))
    except (ValueError, RecursionError):
        return None


def name_key(key: str) -> str:
    """A key as people are told of it: quoted, without what a terminal would obey, and not too long."""
    return repr(key if len(key) <= MAX_NAMED else f"{key[:MAX_NAMED]}...")


_OBJECT_AT_START: Final = JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str)
