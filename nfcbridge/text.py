"""The NDEF message that carries our texts: exactly one NFC Forum Text record.

What nearly all of them look like, a record of the type T without an ID, is read here: ndeflib takes 20 us for it, which
is a third of what the card does for a small exchange. Whatever looks otherwise is left to ndeflib.

First octet of the record (NDEF 1.0):

    b8    b7    b6    b5    b4    b3..b1
    MB=1  ME=1  CF=0  SR    IL    TNF=1     SR: one octet of payload length instead of four; IL: an ID is there

First octet of the payload (RTD Text 1.0):

    b8      b7   b6..b1
    UTF-16  RFU  length of the language code, 1..63
"""

from io import BytesIO
from typing import Final

from nfcbridge.errors import LocalProtocolError, RecordError

MAX_MESSAGE: Final = 0xFFFE
"""Octets of the longest message that an NLEN of two octets can announce; ndeflib never sees a longer one."""
MAX_PAYLOAD: Final = MAX_MESSAGE - 7
"""Octets of the longest payload: a long record has a header of 7 octets."""

_MB_ME_CF_TNF: Final = 0b1110_0111
_ONLY_RECORD_WELL_KNOWN: Final = 0b1100_0001
_SR: Final = 0b0001_0000

_UTF16: Final = 0b1000_0000
_LANGUAGE_LENGTH: Final = 0b0011_1111

_IL: Final = 0b0000_1000
_TYPE: Final = ord("T")
_SHORT: Final = 4
_LONG: Final = 7
"""Octets of the header of a record with a type of one octet and no ID, by the form of its payload's length."""
_MAX_SHORT_PAYLOAD: Final = 0xFF

_NO_TYPES: Final[dict[str, type]] = {}
"""ndeflib then leaves the payload alone: its own Text reader takes UTF-16 without a mark in the machine's order."""


def decode_text(message: bytes) -> str:
    """Takes the text out of an NDEF message.

    Args:
        message: the whole NDEF message, at most `MAX_MESSAGE` octets.

    Raises:
        RecordError: the message is anything else than one Text record, or octets follow it.
    """
    if len(message) > MAX_MESSAGE:
        raise RecordError(f"an NDEF message of {len(message)} octets, {MAX_MESSAGE} is the most")
    # The TNF is ours to check: ndeflib gives the absolute URI (TNF 3) `urn:nfc:wkt:T` the name of a Text record.
    if not message or message[0] & _MB_ME_CF_TNF != _ONLY_RECORD_WELL_KNOWN:
        raise RecordError("the NDEF message is not one record of a well-known type")
    payload = _usual_payload(message)
    return _decode_payload(_unusual_payload(message) if payload is None else payload)


def _usual_payload(message: bytes) -> bytes | None:
    """The payload of a Text record without an ID that is as long as the message; None of anything else."""
    header = _SHORT if message[0] & _SR else _LONG
    if message[0] & _IL or len(message) < header or message[1] != 1 or message[header - 1] != _TYPE:
        return None
    if int.from_bytes(message[2 : header - 1], "big") != len(message) - header:
        return None
    return message[header:]


def _unusual_payload(message: bytes) -> bytes:
    """The payload of any Text record.

    Raises:
        RecordError: there is none, or octets follow it.
    """
    import ndef

    stream = BytesIO(message)
    try:
        (record,) = ndef.message_decoder(stream, known_types=_NO_TYPES)
    except Exception as error:  # UnicodeDecodeError and ValueError escape from it beside its DecodeError
        raise RecordError(f"no NDEF record: {error}") from error
    if record.type != "urn:nfc:wkt:T":
        raise RecordError("the NDEF record is not a Text record")
    # ndeflib stops after the last record, and checks lengths with `assert`, which `python -O` takes out.
    declared = message[2] if message[0] & _SR else int.from_bytes(message[2:6])
    if stream.tell() != len(message) or len(record.data) != declared:
        raise RecordError("the NDEF message and its only record differ in length")
    return bytes(record.data)


def encode_text(text: str, language: str = "en") -> bytes:
    """Makes the NDEF message of one Text record in UTF-8, short or long as its length demands.

    Args:
        text: with the language `en`, 7 octets are added to at most 252 octets of text and 10 to more.
        language: IANA language code, 1..63 ASCII characters.

    Raises:
        LocalProtocolError: the payload would be longer than `MAX_PAYLOAD`, or the text or the language has characters
            that cannot be encoded.
    """
    if not (language.isascii() and 1 <= len(language) <= _LANGUAGE_LENGTH):
        raise LocalProtocolError(f"a language code has 1 to {_LANGUAGE_LENGTH} ASCII characters, {language!r} has not")
    try:
        payload = b"%c%b%b" % (len(language), language.encode(), text.encode())
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"a lone surrogate has no UTF-8: {error}") from error
    if len(payload) > MAX_PAYLOAD:
        raise LocalProtocolError(f"a Text record of {len(payload)} octets, {MAX_PAYLOAD} is the most")
    if len(payload) <= _MAX_SHORT_PAYLOAD:
        return b"%c\1%cT%b" % (_ONLY_RECORD_WELL_KNOWN | _SR, len(payload), payload)
    return b"%c\1%bT%b" % (_ONLY_RECORD_WELL_KNOWN, len(payload).to_bytes(4, "big"), payload)


def _decode_payload(payload: bytes) -> str:
    """Takes the text out of a payload; without a byte order mark UTF-16 is big-endian (RTD Text)."""
    length = payload[0] & _LANGUAGE_LENGTH if payload else 0
    language, text = payload[1 : 1 + length], payload[1 + length :]
    if not length or len(language) < length or not language.isascii():
        raise RecordError("the Text record has no language code of ASCII characters")
    encoding = "utf-8"
    if payload[0] & _UTF16:
        encoding = "utf-16" if text[:2] in {b"\xfe\xff", b"\xff\xfe"} else "utf-16-be"
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        raise RecordError(f"the text is not {encoding.upper()}") from error
