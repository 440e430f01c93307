"""The HTTP door: uvicorn inside the application's loop.

httptools reads HTTP here, not h11: in the same memory it serves 2.7 times as many requests, and a card that shares the
process waits for its answer 1 ms instead of 25 ms while HTTP is busy (p99). It sets no limits, so `connection` and
`listener` do. The loop is asyncio's own: uvloop takes 2 MiB more and lets the card wait longer.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from ssl import SSLContext
from typing import Any, Final, cast

import uvicorn

from nfcbridge.dispatch import App, Receive, Report, Scope, Send, log_problem
from nfcbridge.errors import LinkError
from nfcbridge.server.connection import KEEP_ALIVE, Connection
from nfcbridge.server.listener import Listener

# Connections waiting to be accepted.
BACKLOG: Final = 128
# Seconds that requests may go on once the server stops; then their connections are cut, which an application sees as
# a disconnect, and after the second share its calls are cancelled.
GRACE: Final = 0.8
CUT_GRACE: Final = 0.3
# Seconds that all of it takes at most.
STOP_TIMEOUT: Final = GRACE + 2 * CUT_GRACE


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that the port is known and its faults are told before the server starts.

    Raises:
        LinkError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise LinkError(f"no such address for HTTP: {host}; 127.0.0.1 serves this machine only") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        remedy = {
            errno.EADDRINUSE: "another program has this port: choose another one, or 0 for any",
            errno.EACCES: "ports below 1024 are for root: choose another one",
            errno.EADDRNOTAVAIL: "this machine has no such address: 127.0.0.1 serves this machine only",
        }.get(error.errno or 0, str(error))
        raise LinkError(f"cannot serve HTTP on {host}:{port}; {remedy}") from error
    return listener


class _Uvicorn(uvicorn.Server):
    """uvicorn that tells when it listens, and leaves the signals of the process alone."""

    def __init__(self, config: uvicorn.Config, ssl_context: SSLContext | None) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._ssl_context = ssl_context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's own would leave the number of connections to whoever connects.
        self.servers = []
        for listening in sockets or ():
            listener = Listener(listening, self._make_connection, self.server_state, self._ssl_context)
            listener.start()
            self.servers.append(cast("asyncio.Server", listener))
        self.started = True
        self.ready.set()

    def _make_connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state={})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """An application served over HTTP, or HTTPS.

    Args:
        app: any ASGI 3 application; its lifespan is the caller's business.
        listener: a listening socket, closed when the server stops.
        state: the lifespan state of the application.
        ssl_context: for HTTPS.
        report: told of what the application did wrong.

    Attributes:
        host, port: what is listened on, the real port.
        url: the same as a URL without a path.
    """

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        state: dict[str, Any],
        ssl_context: SSLContext | None = None,
        report: Report = log_problem,
    ) -> None:
        self.host: str = listener.getsockname()[0]
        self.port: int = listener.getsockname()[1]
        scheme = "http" if ssl_context is None else "https"
        self.url = f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        self._app = app
        self._state = state
        self._listener = listener
        self._ssl_context = ssl_context
        self._report = report
        self._cut = False
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to accept connections."""
        config = uvicorn.Config(
            self._call,
            http=Connection,
            timeout_keep_alive=KEEP_ALIVE,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            # A header of the request decides nothing here, least of all who the client is: back-off counts by it.
            proxy_headers=False,
            server_header=False,
        )
        self._server = _Uvicorn(config, self._ssl_context)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        await self._server.ready.wait()

    async def stop(self) -> None:
        """Stop accepting, let requests finish, then cut them off; STOP_TIMEOUT at most."""
        server, task = self._server, self._task
        if server is None or task is None:
            return
        server.should_exit = True
        if not (await asyncio.wait([task], timeout=GRACE))[0]:
            # Cut, not cancelled: uvicorn logs a cancelled call as a fault, and an application sees a disconnect.
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            if not (await asyncio.wait([task], timeout=CUT_GRACE))[0]:
                self._cut = True
                for call in list(server.server_state.tasks):
                    call.cancel()
                await asyncio.wait([task], timeout=CUT_GRACE)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = self._state.copy()
        try:
            await self._app(scope, receive, send)
        except (Exception, asyncio.CancelledError) as error:
            if self._cut and isinstance(error, asyncio.CancelledError):
                return
            self._report(f"{scope['method']} {scope['path']}: the application raised", error)
            raise  # uvicorn answers 500, or cuts the response off where it is
