"""Accepts connections, as many as there may be.

A connection too many takes the place of the one whose peer has been waited for the longest: the peer of a slow request,
of an idle connection, or of a TLS handshake. So whoever opens connections without end only cuts off others of its kind.
When every connection is being answered, it is refused with 503.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, cast

from nfcbridge.server.connection import HEAD_TIMEOUT, Connection, refusal

if TYPE_CHECKING:
    from uvicorn.server import ServerState

# Connections at a time, those in their handshake too. An answer takes a millisecond, so that this is for the idle ones.
MAX_CONNECTIONS: Final = 256
# Seconds that a peer has to say that it saw the end of a TLS connection.
TLS_CLOSE_TIMEOUT: Final = 0.5
# Seconds until the next try when the system has no file descriptor left.
RETRY_ACCEPT: Final = 0.5

BUSY: Final = refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")

# What a peer may cause by going away before it was accepted (accept(2)); everything else is about this machine.
_PEER_ERRORS: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EINTR})


class Listener:
    """Accepts connections on one socket; to uvicorn it looks like one of asyncio's servers.

    Args:
        listener: a listening socket; whoever made it closes it.
        make: makes what serves one connection.
        state: where uvicorn keeps its connections.
        ssl_context: for HTTPS.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], Connection],
        state: "ServerState",
        ssl_context: SSLContext | None,
    ) -> None:
        self._listener = listener
        self._make = make
        self._state = state
        self._tls: dict[str, Any] = {}
        if ssl_context is not None:
            self._tls = {
                "ssl": ssl_context,
                "ssl_handshake_timeout": HEAD_TIMEOUT,
                "ssl_shutdown_timeout": TLS_CLOSE_TIMEOUT,
            }
        # By the time of their begin, the oldest first.
        self._handshakes: dict[asyncio.Task[None], float] = {}
        self._made: dict[asyncio.Task[None], Connection] = {}
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to accept."""
        self._listener.setblocking(False)
        self._task = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept no more; handshakes end here too."""
        for task in (self._task, *self._handshakes):
            if task is not None:
                task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing is accepted any more."""
        tasks = [task for task in (self._task, *self._handshakes) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno not in _PEER_ERRORS:
                    await asyncio.sleep(RETRY_ACCEPT)
                continue
            if self._make_room():
                task = self._loop.create_task(self._open(connection))
                self._handshakes[task] = self._loop.time()
                task.add_done_callback(partial(self._opened, connection))
            else:
                with connection, contextlib.suppress(OSError):
                    if not self._tls:
                        connection.send(BUSY)

    async def _open(self, connection: socket.socket) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())

        def make() -> Connection:
            made = self._made[task] = self._make()
            return made

        # OSError: the peer went away, or speaks no TLS, or none that we do, or took too long.
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(make, connection, **self._tls)

    def _opened(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)
        self._made.pop(task, None)
        if task.cancelled():  # maybe before it began, and nobody else has the socket
            connection.close()

    def _make_room(self) -> bool:
        """Whether there is room for one more, now."""
        connections = cast("set[Connection]", self._state.connections)
        # A connection is open before its task has ended: counted twice it would take the place of another.
        handshakes = [task for task in self._handshakes if self._made.get(task) not in connections]
        if len(connections) + len(handshakes) < MAX_CONNECTIONS:
            return True
        slowest = min((one for one in connections if one.waiting), key=lambda one: one.since, default=None)
        handshake = next(iter(handshakes), None)
        if handshake is not None and (slowest is None or self._handshakes[handshake] < slowest.since):
            handshake.cancel()
            del self._handshakes[handshake]
        elif slowest is not None:
            slowest.drop()
        return slowest is not None or handshake is not None
