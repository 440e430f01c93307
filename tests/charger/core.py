"""The REST core, called directly as an ASGI application, on a clock that stands still."""

import asyncio
import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

from nfcbridge.charger import Controller, FixedPasswords, Role, create_app
from nfcbridge.charger.operation import Operation
from nfcbridge.charger.routes import ROUTES

PASSWORDS = {Role.OPERATOR: "op-secret", Role.USER: "user-secret"}


class Reply(NamedTuple):
    """What was answered."""

    status: int
    headers: dict[str, str]
    octets: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.octets)


class Core:
    """A controller with an operator and a user, and the application in front of it.

    Attributes:
        now: the controller's clock, in seconds.
    """

    def __init__(self, controller: Controller | None = None, operations: Iterable[Operation] = ROUTES) -> None:
        self.now = 1000.0
        self.controller = controller or Controller(passwords=FixedPasswords(PASSWORDS), clock=lambda: self.now)
        self.app = create_app(self.controller, operations)

    def call(
        self,
        method: str,
        target: str,
        *,
        session: str | None = None,
        body: object = None,
        client: str | None = "192.0.2.1",
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> Reply:
        """Call the application; a body that is not bytes is sent as JSON."""
        pieces = [body] if isinstance(body, bytes) else [b"" if body is None else json.dumps(body).encode()]
        return self.send(method, target, pieces, session=session, client=client, headers=headers)

    def send(
        self,
        method: str,
        target: str,
        pieces: list[bytes],
        *,
        session: str | None = None,
        client: str | None = "192.0.2.1",
        headers: list[tuple[bytes, bytes]] | None = None,
        complete: bool = True,
    ) -> Reply:
        """Call the application with a body in pieces; without `complete` the client goes away after the last."""
        path, _, query = target.partition("?")
        sent = list(headers or [])
        if session is not None:
            sent.append((b"authorization", session.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": sent,
            "client": None if client is None else (client, 50_000),
        }
        messages: list[dict[str, Any]] = []
        inbox = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if complete:
            inbox[-1]["more_body"] = False
        inbox.append({"type": "http.disconnect"})

        async def receive() -> Any:
            return inbox.pop(0)

        async def send(message: Any) -> None:
            messages.append(message)

        asyncio.run(self.app(scope, receive, send))
        start, *rest = messages
        octets = b"".join(message.get("body", b"") for message in rest)
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(names.get("content-length", "0")) == len(octets) or (method == "HEAD" and not octets)
        return Reply(start["status"], names, octets)

    def token(self, client: str = "192.0.2.1") -> str:
        """A login token."""
        token: str = self.call("GET", "/v1/login", client=client).content["token"]
        return token

    def try_login(
        self, user: str = "operator", plain: str = PASSWORDS[Role.OPERATOR], client: str = "192.0.2.1"
    ) -> Reply:
        """Ask for a token, and log in with it."""
        hashed = sha256((plain + self.token(client)).encode()).hexdigest()
        return self.call("POST", "/v1/login", body={"username": user, "password": hashed}, client=client)

    def login(self, user: str = "operator", plain: str = PASSWORDS[Role.OPERATOR], client: str = "192.0.2.1") -> str:
        """Log in and return the session id."""
        session: str = self.try_login(user, plain, client).content["session"]["session_id"]
        return session
