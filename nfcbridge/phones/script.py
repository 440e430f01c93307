"""What a script is: the steps of a phone, and what the orders of different readers have in common. Sans I/O.

A script is a generator. What it yields is a step for whoever has the tag, and what it is sent is the outcome:

    bytes                   a command APDU         -> the response APDU
    Reactivate()            S(DESELECT), wake-up, RATS (an app that closes and connects)    -> b""
    PresenceCheck()         R(NAK): is the tag still there?                                 -> b""
    RequestBegun(text)      news for who watches: the app begins to write this request      -> b""
    AnswerRead(text)        and has this answer; None: what Android makes null of           -> b""

An app's requests are a generator too (`Conversation`): it yields the text of a request message and is sent the
text of the answer, so that every phone can carry every conversation.

The octets are written down here as the readers send them and do not come from `nfcbridge.type4`: a card that
satisfies them was not only tested against its own other end.
"""

from collections.abc import Callable, Generator
from struct import unpack
from typing import Final, TypeVar

from msgspec import Struct

from nfcbridge.errors import CommandError, RemoteProtocolError

Result = TypeVar("Result")


class Reactivate(Struct, frozen=True):
    """Deselect the tag, wake it up and activate it again."""


class PresenceCheck(Struct, frozen=True):
    """Ask whether the tag is there, as Android does every 125 ms while it has nothing else to say."""


class RequestBegun(Struct, frozen=True):
    """News: the app has a request; what it takes to carry it comes next.

    Attributes:
        text: the request message.
    """

    text: str


class AnswerRead(Struct, frozen=True):
    """News: the app has the answer.

    Attributes:
        text: the answer message; None when the phone's API gave null.
    """

    text: str | None


Step = bytes | Reactivate | PresenceCheck | RequestBegun | AnswerRead
Script = Generator[Step, bytes, Result]
Conversation = Generator[str, str | None, None]

SELECT_APPLICATION: Final = bytes.fromhex("00A4040007D276000085010100")
SELECT_CC: Final = bytes.fromhex("00A4000C02E103")
SELECT_NDEF_FILE: Final = bytes.fromhex("00A4000C02E104")
READ_CC: Final = bytes.fromhex("00B000000F")
READ_CC_LENGTH: Final = bytes.fromhex("00B0000002")
READ_REST_OF_CC: Final = bytes.fromhex("00B000020D")
READ_NLEN: Final = bytes.fromhex("00B0000002")

SW_OK: Final = b"\x90\x00"
SHORT_MAX: Final = 255
"""Most octets that these readers move with one short APDU; Android reads an MLe of 256 as 255 too."""

ANDROID_MAX_FILE: Final = 0x7FFF
"""Android gives a CC of mapping 2.0 with a larger file up as broken."""

ANDROID_MIN_MLE: Final = 15

CC_SIZE: Final = 15


class Limits(Struct, frozen=True):
    """What a reader took from the CC.

    Attributes:
        mle: most octets of one READ, in octets.
        mlc: most octets of one UPDATE, in octets.
        file_size: NLEN and message, in octets.
    """

    mle: int
    mlc: int
    file_size: int


def transceive(command: bytes) -> Script[bytes]:
    """Send one command; return the data of the response.

    Raises:
        CommandError: the card answered another status word than 9000.
        RemoteProtocolError: the response is shorter than a status word.
    """
    response = yield command
    if len(response) < len(SW_OK):
        raise RemoteProtocolError(f"a response of {len(response)} octets has no status word")
    if not response.endswith(SW_OK):
        sw = int.from_bytes(response[-2:])
        raise CommandError(f"the card answered {sw:04X} to {command[:5].hex().upper()}", sw=sw)
    return response[:-2]


def parse_limits(cc: bytes) -> Limits:
    """Read a CC of mapping 2.0 as Android does, with Android's refusals.

    Raises:
        RemoteProtocolError: Android would take this tag for broken.
    """
    if len(cc) < CC_SIZE:
        raise RemoteProtocolError(f"a CC of {len(cc)} octets is too short: it has {CC_SIZE}")
    _length, version, mle, mlc, tag, length, _file_id, file_size, _read, _write = unpack(">HBHHBBHHBB", cc[:CC_SIZE])
    if version >> 4 != 2 or (tag, length) != (4, 6):  # noqa: PLR2004 - mapping 2, TLV 04 06
        raise RemoteProtocolError(f"the CC {cc.hex()} is not one of mapping 2.0")
    if file_size > ANDROID_MAX_FILE or mle < ANDROID_MIN_MLE:
        raise RemoteProtocolError(f"Android refuses a CC with file size {file_size} and MLe {mle}")
    return Limits(mle=mle, mlc=mlc, file_size=file_size)


def read_message(limits: Limits, size: int) -> Script[bytes]:
    """Read `size` octets from offset 2, in as many READs as MLe asks for."""
    message = b""
    while len(message) < size:
        part = min(size - len(message), limits.mle, SHORT_MAX)
        octets = yield from transceive(read_command(2 + len(message), part))
        if not octets:
            raise RemoteProtocolError("the card answered 9000 to a READ and gave no octet")
        message += octets
    return message


def write_octets(limits: Limits, offset: int, octets: bytes) -> Script[None]:
    """Write octets into the file, in as many UPDATEs as MLc asks for."""
    size = min(limits.mlc, SHORT_MAX)
    for start in range(0, len(octets), size):
        yield from transceive(update_command(offset + start, octets[start : start + size]))


def read_command(offset: int, size: int) -> bytes:
    """Return READ BINARY for 1..256 octets."""
    return b"\x00\xb0" + offset.to_bytes(2) + (size & 0xFF).to_bytes()


def update_command(offset: int, octets: bytes) -> bytes:
    """Return UPDATE BINARY with 1..255 octets."""
    return b"\x00\xd6" + offset.to_bytes(2) + len(octets).to_bytes() + octets


def converse(conversation: Conversation, exchange: Callable[[str], Script[str | None]]) -> Script[None]:
    """Carry a conversation: write each request and read its answer with `exchange`."""
    answer: str | None = None
    while True:
        try:
            request = next(conversation) if answer is None else conversation.send(answer)
        except StopIteration:
            return
        yield RequestBegun(request)
        answer = yield from exchange(request)
        yield AnswerRead(answer)
        if answer is None:
            conversation.close()
            return
