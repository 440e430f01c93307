"""A charger on the test bench, called as an ASGI application in one event loop, on a clock that is driven."""

import asyncio
import json
from typing import Any

from starlette.types import Message

from nfcbridge.charger import Controller, FixedPasswords, create_app
from nfcbridge.charger.bench import Access, Bench
from nfcbridge.charger.point import ChargerClock
from nfcbridge.charger.point.scenario import Scenario
from tests.charger.core import Reply

PATIENCE = 10.0
JSON = (b"content-type", b"application/json")
HOST = (b"host", b"127.0.0.1:8080")


class Stream:
    """A response that goes on.

    Attributes:
        task: the call.
    """

    def __init__(self, stand: "Stand") -> None:
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._events: list[dict[str, Any]] = []
        scope = make_scope("GET", "/_sim/events", [HOST], "127.0.0.1")
        self.task = asyncio.create_task(self._run(stand, scope))

    async def _run(self, stand: "Stand", scope: dict[str, Any]) -> None:
        await stand.app(scope, self._receive, self._said.put)

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def message(self) -> Message:
        return await asyncio.wait_for(self._said.get(), PATIENCE)

    async def next(self, *names: str) -> dict[str, Any]:
        """The next event of one of these names, whatever comes before it."""
        while True:
            while self._events:
                event = self._events.pop(0)
                if event["event"] in names:
                    return event
            for text in (await self.message())["body"].decode().split("\n\n")[:-1]:
                kind, data = text.split("\n")
                event = json.loads(data.removeprefix("data: "))
                assert kind == f"event: {event['event']}"
                self._events.append(event)

    def leave(self) -> None:
        self._gone.set()


class Stand:
    """A bench with an idle charge point.

    Attributes:
        controller: the controller.
        bench: around it.
        app: what HTTP serves.
    """

    def __init__(self, token: str | None = None, scenario: Scenario | None = None) -> None:
        clock = ChargerClock(driven=True, wall=lambda: 1_574_537_743.511)
        self.controller = Controller(passwords=FixedPasswords({}), charger_clock=clock, scenario=scenario)
        self.bench = Bench(self.controller, create_app(self.controller))
        self.app = self.bench.around(self.bench.app, Access(token))

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        client: str | None = "127.0.0.1",
    ) -> Reply:
        """Call the application; a body that is not bytes is sent as JSON."""
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        inbox: list[Message] = [{"type": "http.request", "body": octets}, {"type": "http.disconnect"}]
        messages: list[Message] = []

        async def receive() -> Message:
            return inbox.pop(0)

        async def send(message: Message) -> None:
            messages.append(message)

        given = [HOST, JSON] if headers is None else headers
        await self.app(make_scope(method, path, given, client), receive, send)
        start, *rest = messages
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], names, b"".join(message.get("body", b"") for message in rest))

    def ask(self, *args: Any, **settings: Any) -> Reply:
        """The same, in a loop of its own."""
        return asyncio.run(self.call(*args, **settings))


def make_scope(method: str, path: str, headers: list[tuple[bytes, bytes]], client: str | None) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": None if client is None else (client, 50_000),
    }
