"""What the tags of an emulator look like and how HTTP is served, held against what messages and links carry."""

import contextlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing import Answer, ExchangeConfig, format_answer
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats
from nfcbridge.isodep.ats import FRAME_SIZES
from nfcbridge.links import CardEnd, Level
from nfcbridge.stack.card import CardStack
from nfcbridge.text import encode_text
from nfcbridge.type4 import CardConfig

if TYPE_CHECKING:
    from ssl import SSLContext

SOME_FAULT: Final = 400  # a status of three digits, as all are
STATUS_WORD: Final = 2  # octets after the data of a response


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What every tag of the emulator looks like.

    Args:
        uid: 4, 7 or 10 octets; empty: 08 and three random ones, other ones for each link.
        ats: the answer to select.
        limits: what the CC says.
        language: language code of the Text records.
        make: makes the layers of a tag from the APDU up, where they are others than ours.

    Raises:
        ConfigError: no such language code.
    """

    uid: bytes = b""
    ats: Ats = DEFAULT_ATS
    limits: CardConfig = field(default_factory=CardConfig)
    language: str = "en"
    make: Callable[[], CardStack] | None = None

    def __post_init__(self) -> None:
        """Refuse what would come up with the first answer only."""
        try:
            encode_text("", self.language)
        except LocalProtocolError as error:
            raise ConfigError(str(error)) from error


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the application is served over HTTP.

    Args:
        endpoint: `HOST:PORT` such as `127.0.0.1:8080` or `[::1]:0`; port 0 takes a free one.
        app: what is served in the place of the application: the same with what only HTTP has around it.
        ssl_context: for HTTPS.

    Attributes:
        address: host and port of the endpoint.

    Raises:
        ConfigError: no such endpoint.
    """

    endpoint: str
    app: App | None = None
    ssl_context: "SSLContext | None" = None
    address: tuple[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what would come up with the start only."""
        object.__setattr__(self, "address", parse_endpoint(self.endpoint))


def check_messages(exchange: ExchangeConfig, limits: CardConfig, language: str) -> None:
    """Raise ConfigError if the file cannot hold what stands in for an answer, or the shortest answer to any fault."""
    for name, message in (("idle", exchange.idle), ("not-ready", exchange.not_ready)):
        if len(message) > limits.capacity:
            raise ConfigError(
                f"the {name} message has {len(message)} octets, the file takes {limits.capacity}: "
                "choose a shorter one or a larger file"
            )
    shortest = len(encode_text(format_answer(Answer(SOME_FAULT)), language))
    if shortest > limits.capacity:
        raise ConfigError(
            f"the shortest answer has {shortest} octets, the file takes {limits.capacity}: choose a larger file"
        )


def fit_frames(end: CardEnd, card: CardSettings) -> CardSettings:
    """Return the card with frames that the link carries, if its ATS is the one that nobody chose.

    An ATS that was chosen is not touched: `check_sizes` refuses it.
    """
    if card.ats is not DEFAULT_ATS or end.level is not Level.BLOCKS or end.max_frame >= card.ats.fsc:
        return card
    fsci = bisect_right(FRAME_SIZES, end.max_frame) - 1
    return replace(card, ats=msgspec.structs.replace(card.ats, fsci=fsci))


def check_sizes(end: CardEnd, card: CardSettings) -> None:
    """Raise ConfigError if the link cannot carry what ATS or CC announce."""
    if end.level is Level.BLOCKS and end.max_frame < card.ats.fsc:
        raise ConfigError(
            f"frames of {card.ats.fsc} octets do not fit {end.name}, which carries {end.max_frame}: "
            "choose a smaller FSCI in the ATS"
        )
    if end.level is Level.APDUS and end.max_frame < card.limits.mle + STATUS_WORD:
        raise ConfigError(
            f"responses of {card.limits.mle} octets do not fit {end.name}, which carries {end.max_frame}: "
            "choose a smaller MLe"
        )


def parse_endpoint(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, an IPv6 address in brackets.

    Raises:
        ConfigError: it is something else.
    """
    with contextlib.suppress(ValueError):  # a port past 65535, or half a pair of brackets
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        if host and port is not None and parts.username is None and parts.netloc == text:
            return host, port
    raise ConfigError(f"{text!r} is no HOST:PORT for HTTP, such as 127.0.0.1:8080 or [::1]:8080")
