"""What must differ between two chargers that answer the same requests: tokens, session ids, other ids, times.

What the recorded charger made up stands for what ours makes up, learned from answers and always the same: one id of the
recording is one id here, and no two of them are the same one. Requests are sent with ours in their places.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from nfcbridge.charger import hash_password
from nfcbridge.framing import Request
from nfcbridge.replay import json_paths
from nfcbridge.replay.json_paths import Pair

MAX_KNOWN: Final = 100_000
"""Ids that are remembered, the last ones: ten times the users that a charger can have."""

MADE_UP: Final = frozenset({"token", "session_id", "sessionid", "userid", "user_id"})
"""Keys whose values a charger makes up, in lower case."""

LOGIN: Final = "/login"

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_PART: Final = re.compile(r"[^/?&=,]+")
_LAST_KEY: Final = re.compile(r'(?:\.(\w+)|\["(.*)"\])$')
_BEARER: Final = re.compile(r"bearer\s+", re.IGNORECASE)


class Mapped:
    """What is known of the ids of two chargers.

    Args:
        passwords: plain, by the names of roles: a login is sent with the hash of ours.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self._ours: dict[str, str] = {}  # by the recorded one
        self._recorded: dict[str, str] = {}  # by ours
        self._token: str | None = None  # our last one

    def request(self, recorded: Request, *, accepted: bool) -> Request:
        """A recorded request as it is to be sent to us.

        Args:
            recorded: the request.
            accepted: the recorded charger answered it with success, so the password of a login was right.
        """
        authorization = recorded.authorization
        if authorization is not None:
            bearer = _BEARER.match(authorization)
            scheme = bearer[0] if bearer else ""
            authorization = scheme + self._ours.get(authorization[len(scheme) :], authorization[len(scheme) :])
        content = recorded.content
        if content:
            document = json_paths.decode(content)
            if accepted and recorded.method == "POST" and recorded.path.rstrip("/").endswith(LOGIN):
                document = self._credentials(document)
            mapped = self._map(document)
            if mapped != json_paths.decode(content):  # else its octets stay as they are
                content = msgspec.json.encode(mapped)
        return Request(self._path(recorded.path), recorded.method, authorization, recorded.message_id, content)

    def _path(self, path: str) -> str:
        def part(found: re.Match[str]) -> str:
            known = self._ours.get(unquote(found[0]))
            return found[0] if known is None else quote(known)

        return _PART.sub(part, path)

    def _credentials(self, document: Any) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(document, dict) or self._token is None:
            return document
        user = document.get("username")
        plain = self._passwords.get(user) if isinstance(user, str) else None
        return document if plain is None else {**document, "password": hash_password(plain, self._token)}

    def _map(self, document: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(document, str):
            return self._ours.get(document, document)
        if isinstance(document, list):
            return [self._map(each) for each in document]
        if isinstance(document, dict):
            return {key: self._map(value) for key, value in document.items()}
        return document

    def differences(self, recorded: bytes, ours: bytes) -> Iterator[Pair]:
        """The places at which the contents of two answers differ, but for what must; ids are learned from them."""
        document = json_paths.decode(ours)
        if isinstance(document, dict) and isinstance(document.get("token"), str):
            self._token = document["token"]
        for pair in json_paths.pairs(json_paths.decode(recorded), document):
            if not self._must_differ(*pair):
                yield pair

    def _must_differ(self, path: str, recorded: Any, ours: Any) -> bool:  # noqa: ANN401 - JSON
        if not (isinstance(recorded, str) and isinstance(ours, str)):
            return False
        if _TIME.fullmatch(recorded) and _TIME.fullmatch(ours):
            return True
        found = _LAST_KEY.search(path)
        key = (found[1] or found[2] or "").lower() if found else ""
        made_up = key in MADE_UP or (_UUID.fullmatch(recorded) and _UUID.fullmatch(ours))
        return bool(made_up) and self._learn(recorded, ours)

    def _learn(self, recorded: str, ours: str) -> bool:
        """Whether the two can be the same thing."""
        if recorded in self._ours or ours in self._recorded:
            return self._ours.get(recorded) == ours
        if len(self._ours) >= MAX_KNOWN:
            oldest = next(iter(self._ours))
            del self._recorded[self._ours.pop(oldest)]
        self._ours[recorded] = ours
        self._recorded[ours] = recorded
        return True
