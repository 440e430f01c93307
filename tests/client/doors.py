"""The client's doors: httpx2 and our transport in front of a charge controller, over every link and over HTTP.

The table of API tests runs through each of them as through the doors of `tests.api`; there the server is under test and
the client is the tests', here the client is ours.

    memory    NfcTransport - blocks in this process - emulator
    udp       NfcTransport - blocks in datagrams - emulator
    pcsc      NfcTransport - pyscard - pcscd - vpcd - emulator
    http      httpx2's own transport - uvicorn
"""

import asyncio
from contextlib import ExitStack
from typing import ClassVar, Final, Self

import httpx2

from nfcbridge.client.transport import NfcTransport
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.events import ApplicationFailed, EmulatorEvent
from nfcbridge.server.settings import HttpSettings
from tests.api.doors import BASE, FIRST_ERROR, PATIENCE, Reply, as_octets, below_base
from tests.api.world import World

CARD: Final = {"memory": "memory:client-table", "udp": "udp:127.0.0.1:0", "pcsc": "vpcd:127.0.0.1:35963", "http": ""}
"""Where the emulator sits, by the name of the door."""


class ClientDoor:
    """One emulator and one client for any number of worlds, one after the other. It implements `Door`.

    Args:
        name: of the door.

    Attributes:
        transport: of the client.
        refuses_what_is_not_json: before it is sent.
    """

    tells_errors: ClassVar = False

    def __init__(self, name: str) -> None:
        self._world = World()
        self._failures: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = ExitStack()
        http = name == "http"
        emulator = self._open.enter_context(
            Emulator(
                self._serve,
                [CARD[name]] if CARD[name] else [],
                base_path=BASE,
                http=HttpSettings("127.0.0.1:0", self._serve_web) if http else None,
                on_event=self._note_failure,
            )
        )
        self._http = http
        self.refuses_what_is_not_json = not http
        self.transport: httpx2.BaseTransport
        if http:
            self.transport = httpx2.HTTPTransport()
        else:
            self.transport = NfcTransport("pcsc:virtual" if name == "pcsc" else emulator.link_names[0])
        base = emulator.http_url if http else "http://charger"
        self._client = self._open.enter_context(
            httpx2.Client(transport=self.transport, base_url=base or "", timeout=PATIENCE)
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        await self._world.app(scope, receive, send)

    async def _serve_web(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._world.web(scope, receive, send)

    def _note_failure(self, event: EmulatorEvent) -> None:
        if isinstance(event, ApplicationFailed):
            self._failures.append(str(event))

    def enter(self, world: World) -> Self:
        """Put another controller behind the door."""
        self._world = world
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert not self._failures, self._failures

    def close(self) -> None:
        """Close the client, then what it speaks to."""
        self._open.close()

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        """See `Door`."""
        headers = {} if session is None else {"Authorization": session}
        octets = as_octets(body)
        if octets:
            headers["Content-Type"] = "application/json"
        url = below_base(path) if self._http else path
        response = self._client.request(method, url, content=octets or None, headers=headers)
        content = response.content
        if self._http and response.status_code >= FIRST_ERROR:
            content = b""  # what HTTP tells of errors beyond NFC is looked at elsewhere
        return Reply(response.status_code, content, {})

    def act(self, step: str) -> None:
        """See `Door`."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._act(step), self._loop).result(PATIENCE)

    async def _act(self, step: str) -> None:
        self._world.act(step)
