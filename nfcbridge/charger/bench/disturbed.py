"""The interface with the faults that were asked for: a status in the place of an answer, an answer that comes late."""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from nfcbridge.charger.bench.feed import Feed
from nfcbridge.charger.live import LiveCharger
from nfcbridge.charger.operation import respond_empty


class Requested(msgspec.Struct, frozen=True, tag_field="event", tag="request"):
    """A request was answered.

    Attributes:
        t: seconds of the charge point's clock, at the end.
        client: the address of an HTTP peer, or the name of an NFC link.
        path: without its query, in which tags may be.
        status: 0 if there was no answer.
    """

    t: float
    client: str
    method: str
    path: str
    status: int


class Disturbed:
    """An ASGI application: another one, as disturbed as was asked for.

    Args:
        app: the interface.
        charger: has the faults.
        feed: is told of requests.
        start: called when the application starts, in its loop.
        hear: called before each request: lets the charge point know of the phone that sends it.
    """

    def __init__(
        self,
        app: ASGIApp,
        charger: LiveCharger,
        feed: Feed,
        start: Callable[[], None],
        hear: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._charger = charger
        self._feed = feed
        self._start = start
        self._hear = hear

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live."""
        if scope["type"] != "http":
            self._start()
            await self._app(scope, receive, send)
            return
        self._hear()  # not a moment later, so that a replay, in which nothing takes time, tells the same state
        status, delay = self._charger.faults.take_status(), self._charger.faults.take_delay()
        if not self._feed.listeners and status is None and not delay:
            await self._app(scope, receive, send)
            return
        answered = 0

        async def watched_send(message: MutableMapping[str, Any]) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                if delay:  # the request is carried out in time; its answer is what comes late
                    await asyncio.sleep(delay)
                answered = message["status"]
            await send(message)

        try:
            if status is None:
                await self._app(scope, receive, watched_send)
            else:  # and nothing is carried out
                await respond_empty(watched_send, status, [(b"content-length", b"0")])
        finally:
            client = scope.get("client")
            now = self._charger.clock.simulated()
            self._feed.publish(
                Requested(now, client[0] if client else "", scope["method"], scope["path"], int(answered))
            )
