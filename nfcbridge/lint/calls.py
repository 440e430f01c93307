"""Calls of the charge controller's interface: logins, sessions, paths and queries. The API reference is the source."""

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from nfcbridge.framing import Request
from nfcbridge.lint.facts import Call, LoginTried, RequestWritten, SessionUsed
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import ExchangeSeen, MessageSeen, Seen

PREFIX: Final = "/v1"
OURS: Final = "charge controller"
"""The kind of application in the first line of a trace."""

SECTIONS: Final = frozenset(
    {
        "login", "logout", "settings", "transactions", "users", "whitelist", "key_value_store", "system_state",
        "logging", "app_settings", "app_dashboard",
    }
)  # fmt: skip
"""How paths of the interface begin: where nobody knows what was served, others may be any application's."""

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"

SESSIONS: Final = 32
"""Sessions that are remembered; a phone has one."""

LOGINS: Final = 32
"""Logins whose hash is remembered."""

UNAUTHORIZED: Final = 401
FIRST_ERROR: Final = 400

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_BEARER: Final = re.compile(r"^bearer\s+", re.IGNORECASE)


class _Credentials(Struct):
    password: str = ""


class _Session(Struct):
    session_id: str = ""


class _LoggedIn(Struct):
    session: _Session = msgspec.field(default_factory=_Session)


class Calls:
    """Follows logins and sessions. Of an application that is no charge controller, or may be none, nothing is told.

    Args:
        header: of the trace, which may tell what was served.
    """

    def __init__(self, header: Header) -> None:
        self._kind = header.app.get("kind")
        self._fresh: bool | None = None  # whether the token asked for last was used; None where nobody knows
        self._login: MessageSeen | None = None
        self._hashes: deque[tuple[str, MessageSeen]] = deque(maxlen=LOGINS)
        self._sessions: OrderedDict[str, tuple[ExchangeSeen, bool]] = OrderedDict()

    def receive(self, seen: Seen) -> Iterator[Seen]:
        """Take a fact of the conversation, or what the trace shows."""
        if isinstance(seen, ExchangeSeen):
            request = seen.request.request
            if request is not None and self._is_ours(request):
                yield from self._end(seen, request)
        elif isinstance(seen, RequestWritten) and seen.request is not None and self._is_ours(seen.request):
            call = read_call(seen.message, seen.request)
            yield call
            if call.path == LOGIN and not seen.retry:
                yield from self._log_in(call)

    def _is_ours(self, request: Request) -> bool:
        if self._kind is None:
            return path_of(request).partition("/")[2].partition("/")[0] in SECTIONS
        return bool(self._kind == OURS)

    def _log_in(self, call: Call) -> Iterator[Seen]:
        if call.request.method == "GET":
            self._fresh = True
            return
        if call.request.method != "POST":
            return
        password = password_of(call.request)
        reused = next((message for known, message in self._hashes if known == password), None)
        if reused is None and self._fresh is False:
            reused = self._login
        self._fresh, self._login = False, call.message
        hashed = password is None or _HASH.fullmatch(password) is not None
        if password is not None and hashed:
            self._hashes.append((password, call.message))
        yield LoginTried(call.message, reused, hashed)

    def _end(self, exchange: ExchangeSeen, request: Request) -> Iterator[Seen]:
        answer = exchange.answer.answer if exchange.answer is not None else None
        path = path_of(request)
        if path == LOGIN:
            if answer is not None and (session := session_of(answer.content)):
                self._remember(session, exchange)
            return
        session = _BEARER.sub("", (request.authorization or "").strip())
        if not session:
            return
        known = self._sessions.get(session)
        if known is not None:
            before, ended = known
            yield SessionUsed(exchange, before, exchange.request.t_end - before.request.t_end, ended)
        if answer is not None and answer.status == UNAUTHORIZED:
            self._sessions.pop(session, None)
        else:
            self._remember(session, exchange, ended=path == LOGOUT and request.method == "POST")

    def _remember(self, session: str, exchange: ExchangeSeen, *, ended: bool = False) -> None:
        self._sessions[session] = (exchange, ended)
        self._sessions.move_to_end(session)
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)


def read_call(message: MessageSeen, request: Request) -> Call:
    """What a request asks for."""
    query = dict(parse_qsl(request.path.partition("?")[2], keep_blank_values=True, errors="replace"))
    return Call(message, request, path_of(request), query)


def path_of(request: Request) -> str:
    """The path as the routes have it: without the prefix, the query and a slash at its end."""
    path = request.path.partition("?")[0]
    if path.startswith(f"{PREFIX}/"):
        path = path.removeprefix(PREFIX)
    return path.rstrip("/") or "/"


def password_of(request: Request) -> str | None:
    """What a login has for a password; None if that is not to be found."""
    try:
        return msgspec.json.decode(request.content, type=_Credentials).password or None
    except (ValueError, RecursionError):
        return None


def session_of(content: bytes) -> str:
    """The session id in the answer to a login, empty if there is none."""
    try:
        return msgspec.json.decode(content, type=_LoggedIn).session.session_id
    except (ValueError, RecursionError):
        return ""
