"""A card whose phone is behind a socket that speaks in messages: what the links `vpcd` and `casimir` have in common.

A message is a length of 2 octets and so many octets. Whoever listens may leave and come back: the card then loses its
field, which is told once, and connects again as soon as it can.

Both peers write a length and its octets in two writes. With Nagle's algorithm there and delayed acknowledgements here
each command would wait 40 ms, so the socket is told to acknowledge at once, before each recv since the kernel forgets
it. Our own answers go out in one write, and at once.
"""

import contextlib
import errno
import logging
import socket
import time
from collections.abc import Callable
from threading import Event, RLock
from typing import Final, Literal, Protocol

from nfcbridge.errors import LinkClosedError, LocalProtocolError
from nfcbridge.links.link import FieldOff, Incoming, Level

LENGTH_SIZE: Final = 2
"""Octets of the length before a message."""

CONNECT_TIMEOUT: Final = 2.0
"""Seconds for the connection to be made."""

RECONNECT_INTERVAL: Final = 0.5
"""Seconds between two attempts to find the peer again. vpcd looks for cards every 0.4 s itself."""

SEND_TIMEOUT: Final = 5.0
"""Seconds for a message to leave: a peer that does not read for so long is gone."""

FIELD_OFF: Final = FieldOff()

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_RECEIVE: Final = 0x10000  # octets a recv: a whole command if it is there
_log: Final = logging.getLogger(__name__)


class Talk(Protocol):
    """What a peer says to a card and the card to it: octets in, octets out."""

    @property
    def peer(self) -> str:
        """Who listens there, for people: `vpcd`."""

    @property
    def guest(self) -> str:
        """What the card is to it, for people: `the card`."""

    @property
    def order(self) -> Literal["big", "little"]:
        """Of the octets of a length."""

    @property
    def max_frame(self) -> int:
        """Octets of the longest APDU."""

    @property
    def silence_allowed(self) -> float | None:
        """Seconds in which the peer must have said something after the connection; None: it may be silent."""

    @property
    def why_silent(self) -> str:
        """What to do about a silent peer."""

    def take(self, message: bytes) -> tuple[bytes, Incoming | None]:
        """Return what is sent back at once, length and all and possibly nothing, and what the message is to a card."""

    def answer(self, response: bytes) -> bytes:
        """Return what carries a response, length and all: nothing if no command waits for it."""

    def leave(self) -> bool:
        """Forget the phone and its command; return whether there was one."""


class SocketCard:
    """The card end. It implements `CardEnd`.

    Args:
        sock: connected to the peer; this object closes it.
        connect: opens the next connection when this one breaks; raises OSError.
        talk: how the peer is spoken to.
        name: for people.
    """

    level = Level.APDUS
    link_sends_ats = True

    def __init__(self, sock: socket.socket, connect: Callable[[], socket.socket], talk: Talk, name: str) -> None:
        self.name = name
        self.max_frame = talk.max_frame
        self._connect = connect
        self._talk = talk
        self._sock: socket.socket | None = None
        self._received = b""
        self._complain_at: float | None = None
        self._in_use = RLock()  # held while the socket is used; reentrant for a signal handler that closes
        self._closing = Event()
        self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        self._sock = sock
        allowed = self._talk.silence_allowed
        self._complain_at = None if allowed is None else time.monotonic() + allowed

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        looked = False
        with self._in_use:
            while not self._closing.is_set():
                message = self._next_message()
                if message is not None:
                    reply, incoming = self._talk.take(message)
                    if reply:
                        self._transmit(reply)
                    if incoming is not None:
                        return incoming
                elif self._sock is None and self._talk.leave():
                    return FIELD_OFF
                else:
                    if give_up is not None and looked:
                        timeout = give_up - time.monotonic()
                        if timeout <= 0:
                            return None
                    looked = True
                    self._wait(timeout)
            raise LinkClosedError(f"the link {self.name} was closed")

    def _next_message(self) -> bytes | None:
        received = self._received
        if len(received) < LENGTH_SIZE:
            return None
        end = LENGTH_SIZE + int.from_bytes(received[:LENGTH_SIZE], self._talk.order)
        if len(received) < end:
            return None
        self._received = received[end:]
        return received[LENGTH_SIZE:end]

    def _wait(self, timeout: float | None) -> None:
        """Wait for octets or, without a connection, for the peer to come back. It may return earlier."""
        sock = self._sock
        if sock is None:
            self._reconnect(timeout)
            return
        if self._complain_at is not None:
            silence = self._complain_at - time.monotonic()
            timeout = silence if timeout is None else min(timeout, silence)
        try:
            if _QUICKACK is not None and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            sock.settimeout(timeout if timeout is None else max(timeout, 0))
            octets = sock.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError):
            if self._complain_at is not None and time.monotonic() >= self._complain_at:
                self._complain_at = None
                _log.warning("%s at %s is silent: %s", self._talk.peer, self.name, self._talk.why_silent)
            return
        except OSError:  # reset: as good as an orderly end
            octets = b""
        if octets:
            self._received += octets
            self._complain_at = None
        elif not self._closing.is_set():
            talk = self._talk
            _log.warning("%s left %s: %s goes back as soon as it is there again", talk.peer, self.name, talk.guest)
            self._disconnect()

    def _reconnect(self, timeout: float | None) -> None:
        try:
            self._begin(self._connect())
        except OSError:
            self._closing.wait(RECONNECT_INTERVAL if timeout is None else min(RECONNECT_INTERVAL, max(timeout, 0)))
        else:
            _log.warning("%s is there again at %s", self._talk.peer, self.name)

    def _disconnect(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
            self._received = b""

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`. A second answer to one command would put the peer out of step, so it is dropped."""
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")
        if len(octets) > self.max_frame:
            raise LocalProtocolError(f"an APDU of {len(octets)} octets: {self.max_frame} fit this link")
        message = self._talk.answer(octets)
        if message:
            self._transmit(message)

    def _transmit(self, message: bytes) -> None:
        sock = self._sock
        if sock is not None:
            try:
                sock.settimeout(SEND_TIMEOUT)
                sock.sendall(message)
            except OSError:  # gone, or stuck in the middle of a message: `receive` reports the end of the field
                self._disconnect()

    def halt(self) -> None:
        """See `CardEnd.halt`. There is no S(DESELECT) on a link of APDUs."""

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`. The peer sees the card go, and come back when `receive` connects again."""
        self._talk.leave()
        self._disconnect()

    def close(self) -> None:
        """See `CardEnd.close`."""
        if not self._closing.is_set():
            self._closing.set()
            sock = self._sock
            if sock is not None:
                with contextlib.suppress(OSError):  # not connected any more
                    sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
            with self._in_use:
                self._disconnect()


def connect_to_port(host: str, port: int) -> socket.socket:
    """Return a connection without Nagle's algorithm.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.create_connection((host, port), CONNECT_TIMEOUT)
    try:
        # 35963 of vpcd is one of the ports that Linux gives to clients. While nobody listens, a connection can thus
        # meet itself, and would keep vpcd from the port for as long as it lasts.
        if sock.getsockname() == sock.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock
