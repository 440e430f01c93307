"""One operation of the interface: a row of the route table, and what runs it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.json import Decoder
from starlette.types import Receive, Scope, Send

from nfcbridge.charger import policy
from nfcbridge.charger.catalogue import Evidence
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.policy import RefusedError
from nfcbridge.charger.query import QueryReader
from nfcbridge.charger.roles import EVERYONE, Role
from nfcbridge.charger.sessions import Session
from nfcbridge.errors import LocalProtocolError

# Octets of a request body, unless the operation takes more; an NFC message has at most half of that.
MAX_BODY: Final = 65_536
# Characters of a path, decoded: the longest key has 256.
MAX_PATH: Final = 1_024
# Octets of a query: 4,000 characters, each of at most 12 octets when percent-encoded.
MAX_QUERY: Final = 49_152

# Answers carry tokens, session ids and names: nobody keeps them, and nobody takes them for anything but JSON.
_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_BEARER: Final = "bearer "

Body = TypeVar("Body")
Query = TypeVar("Query")


class Section(StrEnum):
    """The parts of the API reference."""

    LOGIN = "App User Authentication"
    SETTINGS = "Settings Parameters"
    TRANSACTIONS = "Charging Transactions"
    USERS = "Chargepoint Users Identity"
    WHITELIST = "Whitelisting"
    KEY_VALUE = "Generic Key-Value Store"
    STATE = "System State"
    LOGGING = "Logging"
    APP_SETTINGS = "App Settings Parameters"
    APP_DASHBOARD = "App Dashboard Parameters"


class Call(msgspec.Struct, Generic[Body, Query], frozen=True, gc=False):
    """One call of an operation.

    Attributes:
        client: who calls: the address of an HTTP peer, or the name of an NFC link.
        session: the session; None only where none is needed.
        body: what was sent, as the operation's request type; None where none was, if it may be left out.
        query: the query, as the operation's query type.
        now: seconds, by the controller's clock.
        path_parameters: such as userId.
        query_string: the query as it was sent.
    """

    client: str
    session: Session | None
    body: Body
    query: Query
    now: float
    path_parameters: dict[str, str]
    query_string: bytes

    @property
    def user(self) -> Session:
        """The session, of an operation that has roles."""
        if self.session is None:
            raise LocalProtocolError("an operation without roles has no user")
        return self.session


Result = msgspec.Struct | dict[str, str] | list[Any]
Handler = Callable[[Controller, Call[Any, Any]], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A row of the route table.

    Attributes:
        name: unique; the operationId of the OpenAPI document.
        section: the part of the API reference that it stands in.
        method: capital letters.
        path: below the base path, parameters in braces.
        summary: one line for people.
        evidence: of method and path.
        handler: does it.
        response: what it answers with status 200, beside `Failed`.
        request: the type of the JSON body; None: a body is not looked at.
        body_deprecated: the body may be left out, and should be: a query says the same.
        query: the type of the query; None: a query is not looked at.
        roles: who may; None: anybody, without a session.
        refusal: the form in which a failure of it is told.
        refusals: statuses that its handler refuses with, beside those that follow from the other fields.
        max_body: octets.
    """

    name: str
    section: Section
    method: str
    path: str
    summary: str
    evidence: Evidence
    handler: Handler
    response: Any
    request: Any = None
    body_deprecated: bool = False
    query: type[msgspec.Struct] | None = None
    roles: frozenset[Role] | None = EVERYONE
    refusal: Callable[[str], msgspec.Struct] = policy.failed
    refusals: tuple[int, ...] = ()
    max_body: int = MAX_BODY


class Endpoint:
    """An ASGI application: all operations of one path.

    Args:
        controller: what they work on.
        operations: those of this path; none: every call with a session is a 404.
    """

    def __init__(self, controller: Controller, operations: list[Operation]) -> None:
        self._controller = controller
        self._operations = {operation.method: operation for operation in operations}
        self._decoders: dict[str, Decoder[Any]] = {o.method: Decoder(o.request) for o in operations if o.request}
        self._queries: dict[str, QueryReader[Any]] = {o.method: QueryReader(o.query) for o in operations if o.query}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._allow = policy.allow([*self._operations, "OPTIONS"])
        # Only a path of which every operation is open tells a stranger which methods it has.
        self._open = bool(operations) and all(operation.roles is None for operation in operations)
        self._refusal = operations[0].refusal if operations else policy.failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        status, headers = 200, policy.Headers()
        try:
            answer = await self._run(scope, receive)
        except RefusedError as refusal:
            status, headers = refusal.status, refusal.headers
            answer = self._refusal(str(refusal))
        except Exception:
            # Raised again, so that whoever runs the application can report it.
            await respond(send, HTTPStatus.INTERNAL_SERVER_ERROR, policy.failed("internal error"), headers)
            raise
        if answer is not None:
            await respond(send, status, answer, headers)
        elif scope["method"] == "HEAD":
            await respond_empty(send, status, _HEADERS)
        else:
            await respond_empty(send, HTTPStatus.NO_CONTENT, [self._allow])

    async def _run(self, scope: Scope, receive: Receive) -> Result | None:
        """The answer; None to HEAD and OPTIONS, which have no content."""
        controller, method = self._controller, scope["method"]
        now = controller.clock()
        session = controller.sessions.use(session_id(scope), now)
        if session is None and not self._open:
            raise policy.unauthorized("Not logged in")
        if len(scope["path"]) > MAX_PATH or len(scope["query_string"]) > MAX_QUERY:
            raise RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, "path or query too long")
        operation = self._find(method)
        if operation is None:
            return None
        if operation.roles is not None and (session is None or session.role not in operation.roles):
            raise RefusedError(HTTPStatus.FORBIDDEN, "not allowed for this user")
        query = self._read_query(operation, scope["query_string"])
        if isinstance(query, policy.Failed):
            return query
        if method == "HEAD":
            # Not run: it might void a token, or count as having read something. What only the content tells is left
            # out (RFC 9110, section 9.3.2), and an application failure has the head of a success anyway.
            return None
        body = await self._read_body(operation, receive)
        if isinstance(body, policy.Failed):
            return body
        client = scope.get("client")
        call = Call(client[0] if client else "", session, body, query, now, scope["path_params"], scope["query_string"])
        return await operation.handler(controller, call)

    def _find(self, method: str) -> Operation | None:
        """The operation; None for OPTIONS."""
        if not self._operations:
            raise RefusedError(HTTPStatus.NOT_FOUND, "invalid path")
        operation = self._operations.get(method)
        if operation is None and method != "OPTIONS":
            raise policy.wrong_method(self._allow)
        return operation

    def _read_query(self, operation: Operation, query: bytes) -> Any:  # noqa: ANN401, whatever the operation declares
        reader = self._queries.get(operation.method)
        return None if reader is None else reader.read(query)

    async def _read_body(self, operation: Operation, receive: Receive) -> Any:  # noqa: ANN401, the same
        decoder = self._decoders.get(operation.method)
        if decoder is None:
            return None
        octets = await read_body(receive, operation.max_body)
        return policy.decode_body(octets, decoder) if octets or not operation.body_deprecated else None


def session_id(scope: Scope) -> str:
    """The session id of the first Authorization header: raw as documented, or as a bearer token; else empty."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            given: str = value.decode("latin-1")
            return given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else given
    return ""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The body of a request.

    Raises:
        RefusedError: 413, it has more than `limit` octets; 400, the client went away in the middle of it.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the request ended early")
        body += message.get("body", b"")
        if len(body) > limit:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {limit} octets")
        if not message.get("more_body", False):
            return bytes(body)


async def respond(send: Send, status: int, answer: Result, headers: policy.Headers) -> None:
    """Send an answer as compact JSON."""
    body = msgspec.json.encode(answer)
    every = [*_HEADERS, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


async def respond_empty(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send a head alone."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body"})
