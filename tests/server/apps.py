"""Small ASGI applications to serve."""

import asyncio
import threading
from typing import Any

from nfcbridge.dispatch import Message, Receive, Scope, Send

OK: list[Message] = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]},
    {"type": "http.response.body", "body": b'{"ok":true}'},
]


class Lively:
    """An application with a lifespan, and a path for everything that can happen.

    Attributes:
        log: what happened, in order.
        begun: set when a call of /wait or /stream has begun.
        gone: set when the client of a call went away, or the call was cancelled.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.begun = threading.Event()
        self.gone = threading.Event()
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        self.scopes.append(dict(scope))
        match scope["path"]:
            case "/wait":
                await self._wait()
            case "/stream":
                await self._stream(receive, send)
            case "/cancel":
                raise asyncio.CancelledError
            case "/exit":
                raise SystemExit(1)
            case "/raise":
                raise ValueError("broken")
            case _:
                for message in OK:
                    await send(message)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.log.append((await receive())["type"])
        scope["state"]["name"] = "lively"
        await send({"type": "lifespan.startup.complete"})
        self.log.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    async def _wait(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            self.gone.set()
            raise

    async def _stream(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        self.begun.set()
        assert (await receive())["type"] == "http.disconnect"
        self.gone.set()
