"""A request message becomes one ASGI call, and what the application answers becomes an answer message.

It serves any ASGI 3 application. What crosses is what a message can say:

    message                              ASGI
    path "/settings?params=A"       ->   path, raw_path and query_string, behind the base path
    method                          ->   method
    authorization                   ->   the header of that name
    content                         ->   the body, content-type application/json
    statusCode                      <-   status
    content                         <-   the body if it is JSON; none from status 400 on

What an application may do but no message can say is answered for it, and reported:

    it raises, or ends without a complete answer         500
    it redirects, or answers other than JSON             502
    its answer is larger than a message can be           413

The path of a message is not trusted: it has to be the origin form of a request target (RFC 9112, section 3.2.1)
without fragment and dot segments, so that nothing outside the base path can be reached.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from nfcbridge.errors import RequestError
from nfcbridge.framing.message import Answer, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Report = Callable[[str, BaseException | None], None]

# Octets of the largest content document: an NDEF message of 32,765 octets (mapping 2.0 as Android accepts it) less
# nothing, since whether header and record still fit is for the caller, who knows its file.
MAX_CONTENT: Final = 32_765
# Octets of a body before it is made compact: indented JSON of the largest content, and an end to endless streams.
MAX_BODY: Final = 4 * MAX_CONTENT

# Status codes (RFC 9110, section 15).
FINAL_STATUSES: Final = range(200, 600)
REDIRECTIONS: Final = range(300, 400)
ERRORS: Final = 400  # and above

# Controls, space and backslash are in no request target, and some applications read a backslash as a slash.
_FORBIDDEN_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f\\#]")
_FORBIDDEN_IN_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DOT_SEGMENTS: Final = frozenset({".", ".."})
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_JSON_MEDIA_TYPE: Final = re.compile(rb"\s*(application|text)/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)

_logger = logging.getLogger(__name__)


class Target(NamedTuple):
    """Where a request goes, as ASGI wants it: path decoded, raw_path and query_string as they were sent."""

    path: str
    raw_path: bytes
    query_string: bytes


def parse_target(target: str, base_path: str = "") -> Target:
    """Split and check the path of a message.

    Args:
        target: the path with its query, such as `/settings?params=A`. Characters beyond ASCII are percent-encoded
            as UTF-8, as a browser does.
        base_path: such as `/v1`; put before a path that is not below it already.

    Raises:
        RequestError: status 400.
    """
    if not target.startswith("/") or target.startswith("//"):
        raise RequestError("the path starts with one slash; URLs are not taken", status=400)
    if _FORBIDDEN_IN_TARGET.search(target):
        raise RequestError("the path has a space, control character, backslash or fragment in it", status=400)
    if not target.isascii():
        try:
            target = quote(target, safe=_ASCII)
        except UnicodeEncodeError as error:
            raise RequestError("the path has half a surrogate pair in it", status=400) from error
    raw_path, _, query = target.partition("?")
    path = unquote(raw_path)
    # Decoded first: %2e is a dot, and %2f a slash, to whoever decodes after us.
    if ("/." in path or "\\." in path) and not _DOT_SEGMENTS.isdisjoint(path.replace("\\", "/").split("/")):
        raise RequestError("the path has a dot segment in it", status=400)
    if base_path and raw_path != base_path and not raw_path.startswith(f"{base_path}/"):
        path = base_path + path
        raw_path = base_path + raw_path
    return Target(path, raw_path.encode("ascii"), query.encode("ascii"))


def make_scope(request: Request, *, base_path: str = "", client: str = "nfc") -> Scope:
    """The ASGI scope of a request.

    Args:
        request: the request.
        base_path: see `parse_target`.
        client: who asks, for whatever the application counts by client. No IP address looks like a link's name.

    Raises:
        RequestError: status 400, the path or the authorization cannot be sent to an application.
    """
    target = parse_target(request.path, base_path)
    headers = [(b"host", b"nfc")]
    if request.authorization is not None:
        # What no HTTP server would pass on must not come in by this door: a line feed makes a second header.
        if _FORBIDDEN_IN_HEADER.search(request.authorization):
            raise RequestError("the authorization has a control character in it", status=400)
        headers.append((b"authorization", request.authorization.strip().encode("utf-8", "replace")))
    if request.content:
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", b"%d" % len(request.content)))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": target.path,
        "raw_path": target.raw_path,
        "query_string": target.query_string,
        "root_path": "",
        "headers": headers,
        "client": (client, 0),
        "server": ("nfc", None),
    }


class ClientDisconnectedError(OSError):
    """Raised into an application that sends on after its answer is settled (ASGI HTTP 2.4)."""


class _Call:
    """One ASGI call: its receive and send, and the answer once it is settled."""

    __slots__ = (
        "_chunks",
        "_drop_error_content",
        "_json",
        "_max_content",
        "_on_answer",
        "_report",
        "_request",
        "_settled",
        "_size",
        "_status",
        "_taken",
        "answer",
    )

    def __init__(
        self,
        request: Request,
        *,
        drop_error_content: bool,
        max_content: int,
        report: Report,
        on_answer: Callable[[Answer], None] | None,
    ) -> None:
        self.answer: Answer | None = None
        self._request = request
        self._drop_error_content = drop_error_content
        self._max_content = max_content
        self._report = report
        self._on_answer = on_answer
        self._settled: asyncio.Event | None = None
        self._taken = False
        self._status = 0
        self._json = True
        self._chunks: list[bytes] = []
        self._size = 0

    async def receive(self) -> Message:
        """The body, then nothing until the answer is settled: to an application a disconnect means nobody waits."""
        if not self._taken:
            self._taken = True
            return {"type": "http.request", "body": self._request.content, "more_body": False}
        if self.answer is None:
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Collect the answer.

        Raises:
            ClientDisconnectedError: the answer is settled, this comes too late.
            RuntimeError: not what ASGI allows at this point.
        """
        if self.answer is not None:
            raise ClientDisconnectedError("the answer is settled already")
        kind = message["type"]
        if kind == "http.response.body" and self._status:
            body = message.get("body", b"")
            if body:
                self._size += len(body)
                if self._size > MAX_BODY:
                    self.settle(413, problem=f"the application answered more than {MAX_BODY} octets")
                    return
                self._chunks.append(body)
            if not message.get("more_body", False):
                self._complete(b"".join(self._chunks))
        elif kind == "http.response.start" and not self._status and message["status"] in FINAL_STATUSES:
            self._status = int(message["status"])
            for name, value in message.get("headers", ()):
                if name == b"content-type":
                    self._json = _JSON_MEDIA_TYPE.match(value) is not None
        else:
            raise RuntimeError(f"unexpected ASGI message {kind} with status {message.get('status')}")

    def _complete(self, body: bytes) -> None:
        status = self._status
        if status in REDIRECTIONS:
            self.settle(502, problem=f"the application redirected ({status}): no message can say where to")
        elif not body or self._request.method == "HEAD" or (status >= ERRORS and self._drop_error_content):
            self.settle(status)
        else:
            content = compact_json(body) if self._json else None
            if content is None and status >= ERRORS:
                self.settle(status)  # the status says more than a 502 would
            elif content is None:
                self.settle(502, problem="the application answered other than JSON")
            elif len(content) > self._max_content:
                self.settle(413, problem=f"the answer has {len(content)} octets, a message {self._max_content}")
            else:
                self.settle(status, content)

    def settle(
        self, status: int, content: bytes = b"", *, problem: str = "", error: BaseException | None = None
    ) -> Answer:
        """Make this the answer, and tell of it; a problem is reported."""
        self.answer = answer = Answer(status=status, content=content, message_id=self._request.message_id)
        self._chunks.clear()
        if self._settled is not None:
            self._settled.set()
        if problem:
            self._tell(problem, error)
        if self._on_answer is not None:
            self._on_answer(answer)
        return answer

    def end(self, error: BaseException | None) -> Answer:
        """The application returned, or raised `error`. Gives the answer."""
        if self.answer is None:
            problem = "the application raised" if error else "the application ended without a complete answer"
            return self.settle(500, problem=problem, error=error)
        # An answer that was settled stays. What our own refusal to take more raised is no news.
        if error is not None and not self._is_ours(error):
            self._tell("the application raised", error)
        return self.answer

    def _tell(self, problem: str, error: BaseException | None) -> None:
        path = self._request.path.partition("?")[0]  # a query may have tag ids in it, and those are in no log
        self._report(f"{self._request.method} {path}: {problem}", error)

    @staticmethod
    def _is_ours(error: BaseException) -> bool:
        return isinstance(error, ClientDisconnectedError) or isinstance(error.__context__, ClientDisconnectedError)


def compact_json(body: bytes) -> bytes | None:
    """The document without white space between its parts, every value as it was written; None if it is not JSON."""
    try:
        if not body.isascii():
            body.decode()  # format() takes strings on trust
        return msgspec.json.format(body, indent=-1)
    except (ValueError, RecursionError):
        return None


def log_problem(problem: str, error: BaseException | None) -> None:
    """The report of whoever gives none: the standard library's log, with the traceback if there is one."""
    _logger.error(problem, exc_info=error)


async def call_app(
    app: App,
    request: Request,
    *,
    base_path: str = "",
    client: str = "nfc",
    drop_error_content: bool = True,
    max_content: int = MAX_CONTENT,
    state: dict[str, Any] | None = None,
    report: Report = log_problem,
    on_answer: Callable[[Answer], None] | None = None,
) -> Answer:
    """Let the application answer a request.

    Args:
        app: any ASGI 3 application.
        request: the request.
        base_path: put before a path that is not below it; empty for an application that is not ours.
        client: the name of the link, in the scope as the host of the client.
        drop_error_content: answers of status 400 and more go without content.
        max_content: octets of content that an answer may have, 413 beyond.
        state: the lifespan state of the application.
        report: told of what the application did wrong.
        on_answer: called once, as soon as the answer is settled; the application may go on after that, with
            background tasks for instance.

    Returns:
        The answer, when the application has returned. Nothing but a cancellation is raised.
    """
    call = _Call(
        request, drop_error_content=drop_error_content, max_content=max_content, report=report, on_answer=on_answer
    )
    try:
        scope = make_scope(request, base_path=base_path, client=client)
    except RequestError as error:
        return call.settle(error.status)
    if state is not None:
        scope["state"] = state.copy()
    try:
        await app(scope, call.receive, call.send)
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 a stranger's code: its sys.exit() must not end the loop either
        return call.end(error)
    return call.end(None)
