r"""A message as text: `{header}` or `{header},{content}`, which is a JSON array without its brackets.

    {"path":"/login","method":"POST","messageID":7},{"username":"operator","password":"..."}      request
    {"messageID":7,"statusCode":200},{"session":{...}}                                            answer

So one typed decode by msgspec between two brackets reads a good message. What fails it is read a second time, slowly,
for the `messageID` that the answer 400 echoes: with a well-formed header it is known however broken the rest is.

The `messageID` and the content stay raw JSON: 1.0 comes back as 1.0, and a number of 5,000 digits as itself.
Lone surrogates (`"\ud800"`) are refused, as JSON for exchange forbids them (RFC 7493), and so is a byte order mark
(RFC 8259).
"""

from json import JSONDecoder
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from nfcbridge.errors import LocalProtocolError, RequestError, ResponseError

BAD_REQUEST: Final = 400
NO_ID: Final = b"null"


class Request(Struct, frozen=True, gc=False):
    """A request message. Raises ValueError when built with a method or messageID that no message can have.

    Args:
        path: as the peer wrote it; nothing is checked here.
        method: capital letters `A` to `Z`.
        authorization: as the peer wrote it.
        message_id: raw JSON, a string or number, `null` where there is none.
        content: one raw JSON document, without octets where there is none.
    """

    path: str
    method: str
    authorization: str | None = None
    message_id: bytes = NO_ID
    content: bytes = b""

    def __post_init__(self) -> None:
        if not (self.method.isascii() and self.method.isalpha() and self.method.isupper()):
            raise ValueError("the method is not in capital letters")
        _check_id(self.message_id)


class Answer(Struct, frozen=True, gc=False):
    """An answer message. Raises ValueError when built with a status or messageID that no message can have.

    Args:
        status: as in HTTP, three digits.
        content: one raw JSON document, without octets where there is none.
        message_id: raw JSON, a string or number, `null` where there is none.
    """

    status: int
    content: bytes = b""
    message_id: bytes = NO_ID

    def __post_init__(self) -> None:
        if not 100 <= self.status <= 999:  # noqa: PLR2004, three digits (RFC 9110, 15)
            raise ValueError(f"a status code has three digits, {self.status} has not")
        _check_id(self.message_id)


def parse_request(text: str) -> Request:
    """Reads a request.

    Raises:
        RequestError: status 400, with the messageID of the header if that is a JSON object with one good messageID.
    """
    try:
        header, content = _split(text, _REQUEST)
        return Request(header.path, header.method, header.authorization, _id_of(header), content)
    except ValueError as error:
        raise RequestError(str(error), status=BAD_REQUEST, message_id=_find_id(text)) from error


def parse_answer(text: str) -> Answer:
    """Reads an answer.

    Raises:
        ResponseError: this is not an answer message.
    """
    try:
        header, content = _split(text, _ANSWER)
        return Answer(header.status, content, _id_of(header))
    except ValueError as error:
        raise ResponseError(f"a broken answer: {error}") from error


def format_request(request: Request) -> str:
    """Writes a request without an octet more than it needs.

    Raises:
        LocalProtocolError: the content is not JSON, or a string has a lone surrogate.
    """
    message_id = UNSET if request.message_id == NO_ID else Raw(request.message_id)
    try:
        header = _RequestHeader(request.path, request.method, request.authorization, message_id=message_id)
        return _join(msgspec.json.encode(header), request.content)
    except ValueError as error:
        raise LocalProtocolError(f"no request message: {error}") from error


def format_answer(answer: Answer) -> str:
    """Writes an answer without an octet more than it needs.

    Raises:
        LocalProtocolError: the content is not JSON.
    """
    try:
        return _join(b'{"messageID":%b,"statusCode":%d}' % (answer.message_id, answer.status), answer.content)
    except ValueError as error:
        raise LocalProtocolError(f"no answer message: {error}") from error


class _Header(Struct, gc=False, kw_only=True):
    message_id: Raw | UnsetType = field(name="messageID", default=UNSET)


class _RequestHeader(_Header, gc=False, omit_defaults=True):
    path: str
    method: str
    authorization: str | None = None


class _AnswerHeader(_Header, gc=False):
    status: int = field(name="statusCode")


H = TypeVar("H", bound=_Header)


# Unknown keys of the header are ignored; a third element of the array, a second content, is refused.
class _Message(Struct, Generic[H], array_like=True, forbid_unknown_fields=True, gc=False):
    header: H
    content: Raw = Raw(b"")


_REQUEST: Final = Decoder(_Message[_RequestHeader])
_ANSWER: Final = Decoder(_Message[_AnswerHeader])
_ANY_HEADER: Final = Decoder(_Header)
_RAW: Final = Decoder(Raw)

_QUOTED_NAMES: Final = (b'"path"', b'"method"', b'"authorization"', b'"messageID"', b'"statusCode"')
_ID_STARTS: Final = frozenset(b'"-0123456789')


def _split(text: str, decoder: Decoder[_Message[H]]) -> tuple[H, bytes]:
    """Reads header and content; ValueError says what is wrong."""
    octets = text.encode()
    try:
        message = decoder.decode(b"[%b]" % octets)
        content = bytes(message.content)
        # The whole header and little else. Doubled keys are seldom: first comes a look that is quick and sees too much.
        head = octets[: len(octets) - len(content)]
        if b"\\" in head or max(map(head.count, _QUOTED_NAMES)) > 1:
            names = _header_names(text)[0]
            doubled = [name for name in message.header.__struct_encode_fields__ if names.count(name) > 1]
            if doubled:
                raise ValueError(f"the header has {doubled[0]!r} twice")
    except (DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return message.header, content


def _join(header: bytes, content: bytes) -> str:
    """Puts header and content together, the content checked and without white space; ValueError if it is not JSON."""
    if content:
        try:
            header = b"%b,%b" % (header, msgspec.json.format(content, indent=-1))
        except (DecodeError, RecursionError) as error:
            raise ValueError(str(error)) from error
    return header.decode()


def _id_of(header: _Header) -> bytes:
    return NO_ID if header.message_id is UNSET else bytes(header.message_id)


def _check_id(message_id: bytes) -> None:
    """Raises ValueError unless this is one JSON string, number or `null`."""
    if message_id == NO_ID:  # most answers, until they are sent
        return
    try:
        raw = bytes(_RAW.decode(message_id))
    except (DecodeError, RecursionError) as error:
        raise ValueError(f"the messageID is not JSON: {error}") from error
    if raw != message_id or raw[0] not in _ID_STARTS:
        raise ValueError("the messageID is neither a string nor a number")


def _find_id(text: str) -> bytes:
    """Reads the messageID of a broken message: `null` unless its header is well-formed and has one good messageID."""
    try:
        names, header = _header_names(text)
        message_id = _id_of(_ANY_HEADER.decode(header))
        _check_id(message_id)
    except (ValueError, DecodeError, RecursionError):
        return NO_ID
    return NO_ID if names.count("messageID") > 1 else message_id


def _header_names(text: str) -> tuple[list[str], str]:
    """Reads the object at the start of the text, whatever follows it: its keys, doubled ones too, and its own text."""
    text = text.lstrip(" \t\n\r")
    members, end = _OBJECT_AT_START.raw_decode(text)
    if not isinstance(members, tuple):
        raise ValueError("the message does not begin with a header")  # noqa: TRY004, the peer's mistake
    return [name for name, _ in members], text[:end]


# Objects become tuples of their members. Integers stay text: int() takes 4,300 digits at most.
# It lets NaN and lone surrogates pass, which is no matter: msgspec has the last word on every header.
_OBJECT_AT_START: Final = JSONDecoder(object_pairs_hook=tuple, parse_int=str)
