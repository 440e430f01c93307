"""nfcpy: the order of `tag.ndef` (tt4.py of nfcpy 1.0.4), which never activates the tag again. Sans I/O."""

from nfcbridge.phones.script import (
    READ_CC_LENGTH,
    READ_NLEN,
    READ_REST_OF_CC,
    SELECT_APPLICATION,
    SELECT_CC,
    SELECT_NDEF_FILE,
    Conversation,
    Limits,
    Script,
    converse,
    parse_limits,
    read_message,
    transceive,
    write_octets,
)
from nfcbridge.text import decode_text, encode_text


def nfcpy(conversation: Conversation) -> Script[None]:
    """`tag.ndef.octets` written and read back, as nfcpy 1.0.4 does: all in the one activation of its discovery."""
    yield from transceive(SELECT_APPLICATION)
    yield from transceive(SELECT_CC)
    cc = yield from transceive(READ_CC_LENGTH)
    cc += yield from transceive(READ_REST_OF_CC)
    limits = parse_limits(cc)
    yield from read_file(limits)
    yield from converse(conversation, lambda text: exchange(limits, text))


def read_file(limits: Limits) -> Script[bytes]:
    """Select the file, read NLEN, read the message."""
    yield from transceive(SELECT_NDEF_FILE)
    nlen = int.from_bytes((yield from transceive(READ_NLEN)))
    return (yield from read_message(limits, nlen))


def exchange(limits: Limits, text: str) -> Script[str | None]:
    """NLEN and message in one UPDATE where they fit, else zeros for NLEN with the first chunk and NLEN last."""
    message = encode_text(text)
    nlen = len(message).to_bytes(2)
    if len(nlen) + len(message) <= limits.mlc:
        yield from write_octets(limits, 0, nlen + message)
    else:
        yield from write_octets(limits, 0, bytes(2) + message)
        yield from write_octets(limits, 0, nlen)
    return decode_text((yield from read_file(limits)))
