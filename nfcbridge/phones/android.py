"""Android: the order of AOSP's NFC stack and of its API, for three styles of app. Sans I/O."""

from enum import Enum

from nfcbridge.errors import RecordError
from nfcbridge.phones.script import (
    READ_CC,
    READ_NLEN,
    SELECT_APPLICATION,
    SELECT_CC,
    SELECT_NDEF_FILE,
    Conversation,
    Limits,
    PresenceCheck,
    Reactivate,
    Script,
    converse,
    parse_limits,
    read_message,
    transceive,
    write_octets,
)
from nfcbridge.text import decode_text, encode_text


class AndroidStyle(Enum):
    """How an Android app reads the answer that belongs to the request it wrote."""

    CLOSE_AND_CONNECT = "close() and connect() before reading"
    """Works: the tag is activated and detected again, so NLEN is read again."""

    READ_AT_ONCE = "getNdefMessage() at once"
    """Never works: Android reads as many octets as it wrote, and what is not a message of that length is null."""

    ISO_DEP = "IsoDep with its own APDUs"
    """Works, and is the fastest: the app is a Type 4 Tag reader of its own."""


def android(conversation: Conversation, style: AndroidStyle) -> Script[None]:
    """A phone with an app in one of three styles, from the tag's arrival to the conversation's end.

    An app that was given null stops, as it must: it has no answer to go on with.
    """
    nlen = yield from discover()
    if style is AndroidStyle.ISO_DEP:
        yield Reactivate()
        limits = yield from detect()
        yield from converse(conversation, lambda text: iso_dep_exchange(limits, text))
    elif nlen == 0:
        yield from converse(conversation, read_nothing)
    elif style is AndroidStyle.CLOSE_AND_CONNECT:
        yield from converse(conversation, close_and_connect)
    else:
        yield from converse(conversation, read_at_once)


def discover() -> Script[int]:
    """The system's part, before any app hears of the tag: detect, read what is there, activate again.

    Returns:
        NLEN as Android saw it. With 0 no app ever gets another octet from this tag.
    """
    limits = yield from detect()
    nlen = int.from_bytes((yield from transceive(READ_NLEN)))
    yield from read_message(limits, nlen)
    yield Reactivate()
    yield PresenceCheck()
    return nlen


def detect() -> Script[Limits]:
    """What Android does after each activation: application, CC, CC in one READ, NDEF file."""
    yield from transceive(SELECT_APPLICATION)
    yield from transceive(SELECT_CC)
    limits = parse_limits((yield from transceive(READ_CC)))
    yield from transceive(SELECT_NDEF_FILE)
    return limits


def write(text: str) -> Script[tuple[Limits, int]]:
    """`Ndef.writeNdefMessage`: activate and detect again, then NLEN 0, data, NLEN. Nothing is read back.

    Returns:
        The limits, and the length of the message written: Android keeps it, and believes it when it reads.
    """
    yield Reactivate()
    limits = yield from detect()
    return limits, (yield from write_by_length_first(limits, text))


def write_by_length_first(limits: Limits, text: str) -> Script[int]:
    """Write NLEN 0, the message, NLEN; return the length of the message."""
    message = encode_text(text)
    yield from write_octets(limits, 0, b"\0\0")
    yield from write_octets(limits, 2, message)
    yield from write_octets(limits, 0, len(message).to_bytes(2))
    return len(message)


def read(limits: Limits, size: int) -> Script[str | None]:
    """`Ndef.getNdefMessage`: as many octets as Android believes in; null when they are not one whole message."""
    message = yield from read_message(limits, size)
    try:
        return decode_text(message)
    except RecordError:
        return None


def close_and_connect(text: str) -> Script[str | None]:
    """Write; close() and connect(), which activates and detects again and so reads NLEN again; read."""
    yield from write(text)
    yield PresenceCheck()
    yield Reactivate()
    limits = yield from detect()
    nlen = int.from_bytes((yield from transceive(READ_NLEN)))
    return (yield from read(limits, nlen))


def read_at_once(text: str) -> Script[str | None]:
    """Write and read in one activation: Android reads no NLEN and believes the request's length."""
    limits, size = yield from write(text)
    yield PresenceCheck()
    return (yield from read(limits, size))


def read_nothing(text: str) -> Script[str | None]:
    """Write, and read nothing: where discovery saw NLEN 0, Android believes in an empty tag for as long as it stays."""
    yield from write(text)
    return None


def iso_dep_exchange(limits: Limits, text: str) -> Script[str | None]:
    """What an app with IsoDep does: the write order that commits, then NLEN and message, all in one activation."""
    yield from write_by_length_first(limits, text)
    nlen = int.from_bytes((yield from transceive(READ_NLEN)))
    return (yield from read(limits, nlen))
