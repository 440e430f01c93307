"""What a call is answered with when it cannot be done: the one place that decides it.

    application failure     200   {"success": false, "cause": "missing parameter 'tags'"}
    not JSON                400
    no session              401   also for an unknown path or a wrong method
    not for this role       403
    unknown path            404
    wrong method            405   with Allow
    body or answer too big  413
    path or query too long  414
    failed logins           429   with Retry-After
    our fault               500

From 400 on the content is for people who use HTTP. NFC has no content there (API reference, "Request/Response
messaging"), which is why an application failure, whose cause an app has to see, is a success by its status.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, TypeVar, get_origin

import msgspec
from msgspec.json import Decoder

from nfcbridge.errors import RequestError

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """An application failure, and what people are told of any other."""

    success: bool = False
    cause: str


class NotLoggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The same for login and logout."""

    logged_in: bool = False
    message: str


def failed(text: str) -> Failed:
    """The usual form of a failure."""
    return Failed(cause=text)


def not_logged_in(text: str) -> NotLoggedIn:
    """The form that login and logout have."""
    return NotLoggedIn(message=text)


class RefusedError(RequestError):
    """A call that is refused with a status of 400 or more.

    Args:
        status: the status.
        message: what is wrong, for people.
        headers: more headers of the response.
    """

    def __init__(self, status: int, message: str, *, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message, status=int(status))
        self.headers: Headers = list(headers)


def unauthorized(message: str) -> RefusedError:
    """401; the scheme named is the one that is tolerated, since HTTP wants one named (RFC 9110, section 15.5.2)."""
    return RefusedError(HTTPStatus.UNAUTHORIZED, message, headers=[(b"www-authenticate", b"Bearer")])


def wrong_method(allowed: tuple[bytes, bytes]) -> RefusedError:
    """405, with the Allow header that it must have."""
    return RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", headers=[allowed])


def allow(methods: Iterable[str]) -> tuple[bytes, bytes]:
    """The Allow header."""
    return (b"allow", ", ".join(methods).encode("ascii"))


# Characters of a key that is named in a cause: the longest that can be stored.
MAX_NAMED: Final = 256

# msgspec says: Object missing required field `name` - at `$.params[0]`; Expected `str`, got `int` - at `$.username`.
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]*)`")
_WHERE: Final = re.compile(r" - at `(?:.*\.)?(?P<name>\w+)(?:\[[^\]]*\])*`$")


def decode_body(body: bytes, decoder: Decoder[T]) -> T | Failed:
    """The body as the decoder's type; what is wrong with it when it is JSON that lacks or mistypes something.

    Raises:
        RefusedError: 400, not JSON.
    """
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into what it skips
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        fault = error
    except (ValueError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "not JSON") from error
    try:
        msgspec.json.decode(body, type=msgspec.Raw)  # the decoder stops at the first wrong type
    except (ValueError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "not JSON") from error
    return name_fault(str(fault), decoder.type, body)


def name_fault(fault: str, expected: Any, body: bytes = b"") -> Failed:  # noqa: ANN401, whatever msgspec decodes
    """The failure that names the parameter which is missing or wrong.

    Args:
        fault: what msgspec says of it.
        expected: the type that was expected.
        body: the JSON document; needed where that type is a dict, of which msgspec does not tell the key.
    """
    missing = _MISSING.search(fault)
    if missing:
        return failed(f"missing parameter '{missing['name']}'")
    if get_origin(expected) is dict:
        return failed(f"invalid parameter '{_wrong_key(body, expected)}'")
    where = _WHERE.search(fault)
    if where:
        return failed(f"invalid parameter '{where['name']}'")
    # Not an object at all: it has not even the first of what is needed.
    required = [field.encode_name for field in msgspec.structs.fields(expected) if field.required]
    return failed(f"missing parameter '{required[0]}'" if required else "invalid parameter 'body'")


def _wrong_key(body: bytes, expected: Any) -> str:  # noqa: ANN401, a dict of any types
    document = msgspec.json.decode(body)
    if not isinstance(document, dict):
        return "body"
    return next(str(key) for key, value in document.items() if not _fits({key: value}, expected))[:MAX_NAMED]


def _fits(value: Any, expected: Any) -> bool:  # noqa: ANN401, as above
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError:
        return False
    return True
