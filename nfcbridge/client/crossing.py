"""What of an HTTP request crosses NFC.

method                    crosses, capital letters only
path with query           crosses; the host does not
Authorization             crosses
content                   crosses if it is JSON, without white space between its parts
what libraries add of     stays behind: Host, User-Agent, Accept-Encoding, Connection, Content-Length,
    themselves            Transfer-Encoding, an Accept that takes JSON
anything else             is refused, since whoever asked for it would not get it
"""

import re
from typing import Final, NamedTuple, NoReturn

import httpx2
import msgspec

from nfcbridge.client.errors import NfcRefusedError

METHOD: Final = re.compile(r"[A-Z]+")
STAYS_BEHIND: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"}
)
# Headers that stay behind if they say what goes without saying, and what to do if not.
MUST_BE_JSON: Final = {
    "accept": (re.compile(r"\*/\*|application/(\*|([\w.+-]+\+)?json\b)", re.IGNORECASE), "accept JSON"),
    "content-type": (re.compile(r"^\s*application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE), "send JSON"),
}


class Crossing(NamedTuple):
    """What of a request crosses NFC."""

    method: str
    path: str
    authorization: str | None
    content: bytes = b""


def check_head(request: httpx2.Request) -> Crossing:
    """Return what crosses of a request, its content not yet looked at.

    Raises:
        NfcRefusedError: something that was asked for would be lost on the way.
    """
    if not METHOD.fullmatch(request.method):
        _refuse(request, f"the method {request.method!r} has other signs than letters")
    authorization: list[str] = []
    for name, value in request.headers.multi_items():
        if name == "authorization":
            authorization.append(value)
        elif name in MUST_BE_JSON:
            pattern, remedy = MUST_BE_JSON[name]
            if not pattern.search(value):
                _refuse(request, f"{name} {value} does not cross NFC: {remedy}")
        elif name == "cookie":
            _refuse(request, "cookies do not cross NFC: use the Authorization header")
        elif name not in STAYS_BEHIND:
            _refuse(request, f"the header {name} does not cross NFC, only Authorization does: leave it out")
    if len(authorization) > 1:
        _refuse(request, "two Authorization headers do not cross NFC: send one")
    path = request.url.raw_path.decode("ascii")
    return Crossing(request.method, path, authorization[0] if authorization else None)


def with_content(request: httpx2.Request, crossing: Crossing, content: bytes) -> Crossing:
    """Return the same with the content of the request, compact.

    Raises:
        NfcRefusedError: it is not JSON.
    """
    if not content:
        return crossing
    try:
        content.decode()  # format() takes strings on trust
        return crossing._replace(content=msgspec.json.format(content, indent=-1))
    except (ValueError, RecursionError) as error:
        raise NfcRefusedError("content that is not JSON does not cross NFC: send JSON", request=request) from error


def _refuse(request: httpx2.Request, reason: str) -> NoReturn:
    raise NfcRefusedError(reason, request=request)
