"""The three doors of a charge controller. What is sent through each is written here and not by the code under test.

    core    the ASGI application, called in this process                             /v1/settings
    nfc     phone - memory link - emulator - application, message by message         /settings
    http    uvicorn on loopback, called by the standard library's client             /v1/settings

Each has two clients: two addresses, or two links with a phone each.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self
from urllib.parse import unquote

from nfcbridge.client.phone import Phone
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.links import open_reader
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.events import ApplicationFailed, EmulatorEvent
from nfcbridge.server.settings import HttpSettings
from nfcbridge.text import decode_text, encode_text
from nfcbridge.type4 import EMPTY_MESSAGE, read, run_procedure, write
from tests.api.world import World

BASE: Final = "/v1"
# Seconds after which a test has failed; an answer takes milliseconds.
PATIENCE: Final = 20.0
FIRST_ERROR: Final = 400


class Reply(NamedTuple):
    """What came back.

    Attributes:
        headers: in lower case; none over NFC.
    """

    status: int
    octets: bytes
    headers: dict[str, str]

    @property
    def content(self) -> Any:
        """The JSON document; None without one."""
        return json.loads(self.octets) if self.octets else None


class Door(Protocol):
    """A way into a world, open inside of `with`.

    Attributes:
        tells_errors: whether an answer of status 400 or more has a content.
    """

    tells_errors: ClassVar[bool]

    def __init__(self, world: World) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        """Send a request.

        Args:
            method: as it is sent.
            path: with its query, percent-encoded; without the base path, unless it begins with it.
            session: what is sent as the authorization; None: nothing is.
            body: as it is sent.
            client: 0 or 1.
        """
        ...

    def act(self, step: str) -> None:
        """Let something happen that is no request, see `World.act`."""
        ...


def below_base(path: str) -> str:
    """The path as HTTP wants it."""
    return path if path.startswith(f"{BASE}/") or path == BASE else BASE + path


def as_octets(body: str | bytes) -> bytes:
    """The octets of a body."""
    return body.encode() if isinstance(body, str) else body


class CoreDoor:
    """The application itself, its lifespan run as a server does it."""

    tells_errors: ClassVar = True
    _hosts = ("192.0.2.1", "192.0.2.2")

    def __init__(self, world: World) -> None:
        self._world = world
        self._app = world.app
        self._runner = asyncio.Runner()
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._runner.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._stop())
        finally:
            self._runner.close()

    async def _start(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self._await(self._app(scope, self._inbox.get, self._said.put)))
        await self._tell("startup")

    async def _stop(self) -> None:
        await self._tell("shutdown")
        if self._lifespan is not None:
            await self._lifespan

    async def _tell(self, moment: str) -> None:
        self._inbox.put_nowait({"type": f"lifespan.{moment}"})
        said = await asyncio.wait_for(self._said.get(), PATIENCE)
        assert said["type"] == f"lifespan.{moment}.complete", said

    @staticmethod
    async def _await(call: Awaitable[None]) -> None:
        await call

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        """See `Door`."""
        raw_path, _, query = below_base(path).partition("?")
        headers = [] if session is None else [(b"authorization", session.encode())]
        octets = as_octets(body)
        if octets:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(octets))]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": headers,
            "client": (self._hosts[client], 50_000),
            "server": ("192.0.2.9", 80),
            "state": {},
        }
        return self._runner.run(self._exchange(scope, octets))

    def act(self, step: str) -> None:
        """See `Door`."""
        self._runner.run(self._act(step))

    async def _act(self, step: str) -> None:
        self._world.act(step)

    async def _exchange(self, scope: dict[str, Any], octets: bytes) -> Reply:
        sent: list[Any] = []
        inbox: asyncio.Queue[Any] = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": octets, "more_body": False})

        async def send(message: Any) -> None:
            sent.append(message)

        await asyncio.wait_for(self._await(self._app(scope, inbox.get, send)), PATIENCE)
        start, *rest = sent
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        # What a server keeps back from HEAD the application may have sent (ASGI leaves it to the server).
        body = b"" if scope["method"] == "HEAD" else b"".join(message.get("body", b"") for message in rest)
        return Reply(start["status"], body, headers)


class _Served:
    """A world behind an emulator with two links, HTTP or both."""

    links: ClassVar[tuple[str, ...]] = ()
    http: ClassVar[str | None] = None

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failures: list[str] = []
        self.emulator = Emulator(
            self._serve,
            self.links,
            base_path=BASE,
            http=self.http and HttpSettings(self.http, world.web),
            on_event=self._note_failure,
        )
        self.open = ExitStack()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        await self._world.app(scope, receive, send)

    def act(self, step: str) -> None:
        """See `Door`."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._act(step), self._loop).result(PATIENCE)

    async def _act(self, step: str) -> None:
        self._world.act(step)

    def _note_failure(self, event: EmulatorEvent) -> None:
        if isinstance(event, ApplicationFailed):
            self.failures.append(str(event))

    def __enter__(self) -> Self:
        self.open.enter_context(self.emulator)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.close()
        assert not self.failures, self.failures


class NfcDoor(_Served):
    """Messages in Text records, carried by our phone in blocks."""

    tells_errors: ClassVar = False
    links = ("memory:api-a", "memory:api-b")

    def __enter__(self) -> Self:
        super().__enter__()
        self.phones = [Phone(open_reader(link)) for link in self.links]
        for phone in self.phones:
            self.open.callback(phone.close)
        self._number = 0
        return self

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        """See `Door`."""
        self._number += 1
        header: dict[str, Any] = {"path": path, "method": method, "messageID": self._number}
        if session is not None:
            header["authorization"] = session
        text = json.dumps(header) + ("," if body else "") + as_octets(body).decode()
        answer = self.exchange(text, client)
        answered, *contents = json.loads(f"[{answer}]")
        # What a broken body did to the message may have hidden its number, but no other number comes back.
        assert answered == {"messageID": self._number, "statusCode": answered["statusCode"]}
        octets = answer.partition("},")[2].encode() if contents else b""
        return Reply(answered["statusCode"], octets, {})

    def exchange(self, text: str, client: int = 0) -> str:
        """Write the text of a request message and read that of its answer."""
        phone = self.phones[client]
        tag = phone.connect()
        message = encode_text(text)
        run_procedure(write(tag, message, ours=phone.ours), phone.transmit)
        give_up = time.monotonic() + PATIENCE
        while (octets := run_procedure(read(tag), phone.transmit)) in {b"", EMPTY_MESSAGE, message}:
            assert time.monotonic() < give_up, "no answer"
            time.sleep(0.01)  # a poll: the card holds a READ for 0.4 s and then says that nothing is there yet
        return decode_text(octets)


class HttpClients:
    """Two clients of the standard library, each with an address and a connection of its own that is kept alive.

    Args:
        url: of the server, which is on loopback.
    """

    _hosts = ("127.0.0.1", "127.0.0.2")

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._address = (host, int(port))
        self._connections = [self.connect(client) for client in (0, 1)]

    def connect(self, client: int = 0) -> HTTPConnection:
        """A connection of a client."""
        return HTTPConnection(*self._address, timeout=PATIENCE, source_address=(self._hosts[client], 0))

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        session: str | None = None,
        body: str | bytes = "",
        client: int = 0,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """See `Door`.

        Args:
            headers: more headers.
        """
        connection = self._connections[client]
        sent = dict(headers or {})
        if session is not None:
            sent["Authorization"] = session
        octets = as_octets(body)
        if octets:
            sent["Content-Type"] = "application/json"
        connection.request(method, below_base(path), octets or None, sent)
        return read_reply(connection)


def read_reply(connection: HTTPConnection) -> Reply:
    """The response to what was sent."""
    response = connection.getresponse()
    return Reply(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})


class HttpDoor(_Served):
    """HTTP/1.1 on loopback."""

    tells_errors: ClassVar = True
    http = "127.0.0.1:0"

    def __enter__(self) -> Self:
        super().__enter__()
        self.clients = HttpClients(self.emulator.http_url or "")
        self.open.callback(self.clients.close)
        return self

    def call(
        self, method: str, path: str, *, session: str | None = None, body: str | bytes = "", client: int = 0
    ) -> Reply:
        """See `Door`."""
        return self.clients.call(method, path, session=session, body=body, client=client)


class BothDoors(NfcDoor):
    """One emulator with NFC, which `call` uses, and HTTP beside it."""

    http = "127.0.0.1:0"

    def __enter__(self) -> Self:
        super().__enter__()
        self.clients = HttpClients(self.emulator.http_url or "")
        self.open.callback(self.clients.close)
        return self


DOORS: Final[dict[str, Callable[[World], Door]]] = {"core": CoreDoor, "nfc": NfcDoor, "http": HttpDoor}
