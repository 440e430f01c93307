"""A recorded charger as one that answers: to each request what the recorded one answered to it.

    what is looked for, in this order                              what is told as a departure
    the next recorded request, method, path and content the same
    another one of these                                           the order
    one with the same method and path                              the content
    one with the same method and path but for its query            the query
    none                                                           404, there is no such request

Tokens and session ids are those of the recording, so a phone that knows the password sends the hash that was recorded.
Another hash is let in all the same: who has another phone's recording need not know the password. A session id that the
recording has not is refused with 401, as a charger does.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct

from nfcbridge.framing import Answer, Request
from nfcbridge.replay import json_paths
from nfcbridge.trace.seen import ExchangeSeen

MAX_EXCHANGES: Final = 100_000
"""Exchanges of a recording that are answered from, the first ones: some 100 MB with answers of 1 kB."""

MAX_DEPARTURES: Final = 1_000
"""Departures that are kept; all are told."""

NOT_FOUND: Final = Answer(404)
UNAUTHORIZED: Final = Answer(401)
NO_ANSWER: Final = Answer(504)
FIRST_ERROR: Final = 400

DEPARTS: Final = "other than in the recording: %s"

_log: Final = logging.getLogger(__name__)


class Recorded(Struct, frozen=True):
    """A recorded request and its answer.

    Attributes:
        request: what was written.
        answer: what was read; None if nobody read it.
        text: that of its message.
        delay: seconds from the end of the request to the answer, at most.
    """

    request: Request
    answer: Answer | None
    text: str
    delay: float


def to_recorded(exchange: ExchangeSeen) -> Recorded | None:
    """An exchange of a trace; None if what was written is no request."""
    request = exchange.request.request
    if request is None:
        return None
    read = exchange.answer
    delay = 0.0 if read is None else max(read.t - exchange.request.t_end, 0.0)
    return Recorded(request, None if read is None else read.answer, "" if read is None else read.text or "", delay)


class CapturedCharger:
    """Answers as a recording has it.

    Args:
        exchanges: of the recording.
        report: told of each departure of the phone from the recording, in a sentence; by default a warning in the log.

    Attributes:
        departures: what was told.
        last: what the last answer is from; None if the recording has nothing like it.
        too_many: exchanges that were left out.
    """

    def __init__(
        self, exchanges: Iterable[Recorded], report: Callable[[str], object] = lambda text: _log.warning(DEPARTS, text)
    ) -> None:
        self.departures: list[str] = []
        self.last: Recorded | None = None
        self.too_many = 0
        self._report = report
        self._exchanges: list[Recorded] = []
        self._by_path: dict[tuple[str, str], list[int]] = {}
        self._by_route: dict[tuple[str, str], list[int]] = {}
        self._sessions: set[str] = set()
        self._used: set[int] = set()
        self._same_ids = True
        self._next = 0
        for each in exchanges:
            self._add(each)

    def __len__(self) -> int:
        return len(self._exchanges)

    def _add(self, each: Recorded) -> None:
        if len(self._exchanges) >= MAX_EXCHANGES:
            self.too_many += 1
            return
        index = len(self._exchanges)
        request = each.request
        self._exchanges.append(each)
        self._by_path.setdefault((request.method, request.path), []).append(index)
        self._by_route.setdefault((request.method, _route(request.path)), []).append(index)
        if request.authorization is not None and each.answer is not None and each.answer.status < FIRST_ERROR:
            self._sessions.add(request.authorization)

    def depart(self, text: str) -> None:
        """Tell that the phone does something else than the recorded one."""
        if len(self.departures) < MAX_DEPARTURES:
            self.departures.append(text)
        self._report(text)

    def answer(self, request: Request, *, numbered: bool = True) -> Answer:
        """Answer a request.

        Args:
            request: the request; its messageID makes no difference.
            numbered: it has the messageID with which it came.
        """
        name = f"{request.method} {request.path}"
        index, departure = self._find(request)
        self.last = None
        if index is None:
            self.depart(f"{name} is not in the recording: 404")
            return NOT_FOUND
        recorded = self._exchanges[index]
        if self._is_stranger(request, recorded):
            self.depart(f"{name} has a session id that is not in the recording: 401")
            return UNAUTHORIZED
        if departure:
            self.depart(f"{name}: {departure}")
        if numbered and self._same_ids and request.message_id != recorded.request.message_id:
            self._same_ids = False
            ours, theirs = request.message_id.decode(), recorded.request.message_id.decode()
            self.depart(f"{name}: has the messageID {ours}, {theirs} in the recording; this is told once")
        self._used.add(index)
        self._next = index + 1
        if recorded.answer is None:
            self.depart(f"{name}: nobody read the answer in the recording: 504")
            return NO_ANSWER
        self.last = recorded
        return recorded.answer

    def _is_stranger(self, request: Request, recorded: Recorded) -> bool:
        needed = recorded.request.authorization
        return needed in self._sessions and request.authorization not in self._sessions

    def _find(self, request: Request) -> tuple[int | None, str]:
        """Which exchange answers it, and what is different about it."""
        same_path = self._by_path.get((request.method, request.path), [])
        content = json_paths.decode(request.content)
        same = [index for index in same_path if self._has_content(index, content)]
        if same:
            index = self._next_of(same)
            expected = self._expected()
            if index == expected or expected is None or index in self._used:
                return index, ""
            wanted = self._exchanges[expected].request
            return index, f"comes out of turn: in the recording {wanted.method} {wanted.path} is next"
        if same_path:
            index = self._next_of(same_path)
            pair = next(json_paths.pairs(json_paths.decode(self._exchanges[index].request.content), content))
            return index, f"has another content than in the recording, {json_paths.describe(_hide(pair))}"
        same_route = self._by_route.get((request.method, _route(request.path)), [])
        if same_route:
            index = self._next_of(same_route)
            return index, f"has another query than in the recording, {self._exchanges[index].request.path}"
        return None, ""

    def _expected(self) -> int | None:
        """The exchange that comes next in the recording."""
        return self._next if self._next < len(self._exchanges) else None

    def _next_of(self, indexes: list[int]) -> int:
        """The first that comes after the last answer, or else the last that there is."""
        return next((index for index in indexes if index >= self._next), indexes[-1])

    def _has_content(self, index: int, content: Any) -> bool:  # noqa: ANN401 - JSON
        return next(json_paths.pairs(json_paths.decode(self._exchanges[index].request.content), content), None) is None


def _route(path: str) -> str:
    return path.partition("?")[0]


def _hide(pair: json_paths.Pair) -> json_paths.Pair:
    """A difference that can be shown: hashes of passwords are kept out of logs."""
    path = pair[0]
    return (path, "...", "... (the hash of another password)") if path.endswith(".password") else pair


async def read_request(scope: dict[str, Any], receive: Callable[[], Any]) -> Request:
    """The request of an ASGI call, as a message would have it. It is a request of ours, or one of HTTP."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), None)
    return Request(f"{path}?{query}" if query else path, scope["method"], given, content=body)
