"""A message as text: `{header}` or `{header},{content}`, which is a JSON array without its brackets.

    {"path":"/login","method":"POST","messageID":7},{"username":"operator","password":"..."}      request
    {"messageID":7,"statusCode":200},{"session":{...}}                                            answer

So one typed decode by msgspec between two brackets reads a good message. What fails it is read a second time, slowly,
for the `messageID` that the answer 400 echoes: with a well-formed header it is known however broken the rest is.

The `messageID` and the content stay raw JSON: 1.0 comes back as 1.0, and a number of 5,000 digits as itself.
Lone surrogates (`"\\ud800"`) are refused, as JSON for exchange forbids them (RFC 7493); so is a byte order mark (RFC 8259).
"""

from json import JSONDecoder
from typing import Final, Generic, NoReturn, TypeVar

import msgspec
from msgspec import Raw, Struct, field
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
        header, content = _split(text, _REQUEST, _REQUEST_NAMES)
        return Request(header.path, header.method, header.authorization, bytes(header.message_id), content)
    except ValueError as error:
        raise RequestError(str(error), status=BAD_REQUEST, message_id=_find_id(text)) from error


def parse_answer(text: str) -> Answer:
    """Reads an answer.

    Raises:
        ResponseError: this is not an answer message.
    """
    try:
        header, content = _split(text, _ANSWER, _ANSWER_NAMES)
        return Answer(header.status, content, bytes(header.message_id))
    except ValueError as error:
        raise ResponseError(f"a broken answer: {error}") from error


def format_request(request: Request) -> str:
    """Writes a request without an octet more than it needs.

    Raises:
        LocalProtocolError: the content is not JSON, or a string has a lone surrogate.
    """
    header = _RequestHeader(request.path, request.method, request.authorization, Raw(request.message_id))
    try:
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


class _RequestHeader(Struct, gc=False, omit_defaults=True):
    path: str
    method: str
    authorization: str | None = None
    message_id: Raw = field(name="messageID", default=Raw(NO_ID))


class _AnswerHeader(Struct, gc=False):
    status: int = field(name="statusCode")
    message_id: Raw = field(name="messageID", default=Raw(NO_ID))


_Header = TypeVar("_Header", _RequestHeader, _AnswerHeader)


# Unknown keys of the header are ignored; a third element of the array, a second content, is not.
class _Message(Struct, Generic[_Header], array_like=True, forbid_unknown_fields=True, gc=False):
    header: _Header
    content: Raw = Raw(b"")


class _Identified(Struct, gc=False):
    message_id: Raw = field(name="messageID")


_REQUEST: Final = Decoder(_Message[_RequestHeader])
_ANSWER: Final = Decoder(_Message[_AnswerHeader])
_IDENTIFIED: Final = Decoder(_Identified)
_RAW: Final = Decoder(Raw)


def _split(text: str, decoder: Decoder[_Message[_Header]], names: tuple[str, ...]) -> tuple[_Header, bytes]:
    """Reads header and content; ValueError says what is wrong."""
    raise NotImplementedError


def _join(header: bytes, content: bytes) -> str:
    raise NotImplementedError


def _check_id(message_id: bytes) -> None:
    raise NotImplementedError


def _find_id(text: str) -> bytes:
    raise NotImplementedError
