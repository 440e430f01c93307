"""An application with a path for everything that can happen, and an emulator that serves it to a phone of the test."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from nfcbridge.client.phone import Phone
from nfcbridge.links import open_reader
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator

SOON: Final = 20.0
"""Seconds after which a test has failed; what it waits for takes milliseconds."""

E = TypeVar("E", bound=told.EmulatorEvent)


class Gate:
    """Where the application waits for the test.

    Attributes:
        reached: set when a call waits.
        left: set when that call was cancelled.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.left = threading.Event()
        self._open = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self) -> None:
        """Of the application."""
        self._loop = asyncio.get_running_loop()
        self.reached.set()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise

    def open(self) -> None:
        """Of the test."""
        assert self.reached.wait(SOON)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._open.set)


class Hall:
    """A Starlette application, and what it saw.

    Attributes:
        calls: method and path of every call.
        lives: what happened in the application's life.
        gate: where /wait waits.
        blocked: where /block waits, with the event loop.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lives: list[str] = []
        self.gate = Gate()
        self.blocking = threading.Event()
        self.blocked = threading.Event()
        routes = {
            "/echo": self._echo,
            "/wait": self._wait,
            "/block": self._block,
            "/raise": self._raise,
            "/text": self._text,
            "/large": self._large,
            "/redirect": self._redirect,
            "/forbidden": self._forbidden,
            "/nothing": self._nothing,
            "/stream": self._stream,
        }
        self.app = Starlette(
            routes=[Route(path, self._counted(answer), methods=["GET", "POST"]) for path, answer in routes.items()],
            lifespan=self._live,
        )

    @contextlib.asynccontextmanager
    async def _live(self, _app: Starlette) -> AsyncIterator[None]:
        self.lives.append("began")
        yield
        self.lives.append("ended")

    def _counted(self, answer: Any) -> Any:
        async def counted(request: Request) -> Response:
            self.calls.append(f"{request.method} {request.url.path}")
            response: Response = await answer(request)
            return response

        return counted

    async def _echo(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {
                "method": request.method,
                "path": request.url.path,
                "query": request.url.query,
                "authorization": request.headers.get("authorization"),
                "type": request.headers.get("content-type"),
                "client": request.client.host if request.client else None,
                "content": msgspec.json.decode(body) if body else None,
            }
        )

    async def _wait(self, _request: Request) -> Response:
        await self.gate.wait()
        return JSONResponse("waited")

    async def _block(self, _request: Request) -> Response:
        self.blocking.set()
        self.blocked.wait(SOON)
        return JSONResponse("blocked")

    async def _raise(self, _request: Request) -> Response:
        raise ValueError("a secret of the application")

    async def _text(self, _request: Request) -> Response:
        return PlainTextResponse("hello")

    async def _large(self, request: Request) -> Response:
        return JSONResponse("x" * int(request.url.query))

    async def _redirect(self, _request: Request) -> Response:
        return RedirectResponse("/echo")

    async def _forbidden(self, _request: Request) -> Response:
        return JSONResponse({"why": "because"}, 403)

    async def _nothing(self, _request: Request) -> Response:
        return Response(status_code=204)

    async def _stream(self, _request: Request) -> Response:
        async def ticks() -> AsyncIterator[str]:
            yield "data: 1\n\n"
            await self.gate.wait()

        return StreamingResponse(ticks(), media_type="text/event-stream")


class Desk:
    """The emulator with this application, what it tells, and the phone in front of it.

    Args:
        link: where the emulator sits.
        settings: of the emulator.

    Attributes:
        name: of the link, with its real port.
    """

    def __init__(self, link: str = "memory:desk", **settings: Any) -> None:
        self.hall = Hall()
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
        self.emulator = Emulator(self.hall.app, [link], on_event=self.events.put, **settings)

    @property
    def name(self) -> str:
        return self.emulator.link_names[0]

    def __enter__(self) -> Self:
        self.emulator.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.hall.gate.reached.is_set():
            self.hall.gate.open()  # else the stop gives it its grace
        self.emulator.stop()

    @contextlib.contextmanager
    def phone(self, **settings: Any) -> Iterator[Phone]:
        """A phone on the tag, its NDEF file selected."""
        phone = Phone(open_reader(self.name), **settings)
        try:
            phone.connect(SOON)
            yield phone
        finally:
            phone.close()

    def wait_for(self, kind: type[E]) -> E:
        """Wait for the next event of this kind, whatever comes before it."""
        while True:
            event = self.events.get(timeout=SOON)
            if isinstance(event, kind):
                return event
