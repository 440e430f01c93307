"""A card in the virtual PC/SC reader of vsmartcard: `vpcd:HOST:PORT`. The card end; whole APDUs.

vpcd is a driver inside pcscd that listens (35963 for its first slot, 35964 for the second) and takes one card a slot;
we connect. Every message, either way, is a length of 2 octets, high octet first, and so many octets:

    0001 00  power off     0001 01  power on     0001 02  reset     0001 04  say the ATR
    000D 00A4040007...     a command; the answer is a message too

vpcd sends a length and its octets in two writes. With Nagle's algorithm there and delayed acknowledgements here each
command would wait 40 ms, so the socket is told to acknowledge at once, before each recv since the kernel forgets it.
Our own answers go out in one write, and at once.
"""

import contextlib
import errno
import logging
import socket
import time
from collections.abc import Callable
from enum import IntEnum
from functools import reduce
from operator import xor
from threading import Event, RLock
from typing import Final

from nfcbridge.errors import ConfigError, LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links.address import parse_address
from nfcbridge.links.link import CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 35963

MAX_FRAME: Final = 0xFFFF
"""Octets of the longest APDU: the length has 2 octets."""

MAX_HISTORICAL: Final = 15
"""Historical octets that an ATR holds: T0 counts them in 4 bits."""

CONNECT_TIMEOUT: Final = 2.0
"""Seconds for the connection to be made."""

RECONNECT_INTERVAL: Final = 0.5
"""Seconds between two attempts to find vpcd again. It looks for cards every 0.4 s itself."""

SILENCE_ALLOWED: Final = 3.0
"""Seconds in which vpcd must have asked for the ATR. It does so every 0.4 s unless another card has the slot."""

SEND_TIMEOUT: Final = 5.0
"""Seconds for an answer to leave: a driver that does not read for so long is gone."""

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_RECEIVE: Final = 0x10000  # octets a recv: a whole command if it is there
_HEADER: Final = 2
_SELECTED: Final = CardSelected()
_FIELD_OFF: Final = FieldOff()
_log: Final = logging.getLogger(__name__)


class Control(IntEnum):
    """The messages of one octet. As APDUs they would be too short, so nothing is lost."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    ATR = 4


def make_atr(historical: bytes) -> bytes:
    """Return the ATR that PC/SC (part 3) gives to a card of ISO 14443-4.

        TS 3B | T0 8n | TD(1) 80 | TD(2) 01 | historical octets | TCK, the exclusive or of all but TS

    Raises:
        ConfigError: more than 15 historical octets.
    """
    if len(historical) > MAX_HISTORICAL:
        raise ConfigError(f"an ATR holds {MAX_HISTORICAL} historical octets, the ATS has {len(historical)}")
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    return b"\x3b" + body + bytes([reduce(xor, body)])


CONTROLS: Final = {bytes([control]): control for control in Control}


class VpcdCard:
    """The card end. It implements `CardEnd`.

    Args:
        sock: connected to vpcd; this object closes it.
        connect: opens the next connection when this one breaks; raises OSError.
        identity: its historical octets make the ATR.
        name: for people.
    """

    level = Level.APDUS
    max_frame = MAX_FRAME
    link_sends_ats = True

    def __init__(
        self, sock: socket.socket, connect: Callable[[], socket.socket], identity: CardIdentity, name: str
    ) -> None:
        self.name = name
        self._atr = make_atr(identity.historical)
        self._connect = connect
        self._sock: socket.socket | None = None
        self._sock_timeout: float | None = None
        self._received = b""
        self._complain_at: float | None = None
        self._powered = False
        self._asked = False  # a command is without answer
        self._in_use = RLock()  # held while the socket is used; reentrant for a signal handler that closes
        self._closing = Event()
        self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock_timeout = sock.gettimeout()
        self._asked = False
        self._complain_at = time.monotonic() + SILENCE_ALLOWED

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        looked = False
        with self._in_use:
            while not self._closing.is_set():
                message = self._next_message()
                if message is not None:
                    incoming = self._take(message)
                    if incoming is not None:
                        return incoming
                elif self._sock is None and self._powered:
                    self._powered = False
                    return _FIELD_OFF
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
        if len(received) < _HEADER:
            return None
        end = _HEADER + int.from_bytes(received[:_HEADER], "big")
        if len(received) < end:
            return None
        self._received = received[end:]
        return received[_HEADER:end]

    def _take(self, message: bytes) -> Incoming | None:
        control = CONTROLS.get(message)
        if control is None:
            if not message:
                return None
            self._asked = True
            return Frame(message)
        if control is Control.ATR:
            self._transmit(self._atr)
            return None
        powered, self._powered = self._powered, control is not Control.POWER_OFF
        if self._powered:
            return _SELECTED
        return _FIELD_OFF if powered else None

    def _wait(self, timeout: float | None) -> None:
        """Wait for octets or, without a connection, for vpcd to come back. It may return earlier."""
        sock = self._sock
        if sock is None:
            self._reconnect(timeout)
            return
        if self._complain_at is not None:
            silence = self._complain_at - time.monotonic()
            timeout = silence if timeout is None else min(timeout, silence)
        try:
            if _QUICKACK is not None:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if timeout != self._sock_timeout:
                self._sock_timeout = timeout = timeout if timeout is None or timeout > 0 else 0
                sock.settimeout(timeout)
            octets = sock.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError):
            if self._complain_at is not None and time.monotonic() >= self._complain_at:
                self._complain_at = None
                _log.warning("vpcd at %s is silent: another card has this slot; close it or take the next", self.name)
            return
        except OSError:  # reset by vpcd: as good as an orderly end
            octets = b""
        if octets:
            self._received += octets
            self._complain_at = None
        elif not self._closing.is_set():
            _log.warning("vpcd left %s: the card goes back as soon as it is there again", self.name)
            self._disconnect()

    def _reconnect(self, timeout: float | None) -> None:
        try:
            self._begin(self._connect())
        except OSError:
            self._closing.wait(RECONNECT_INTERVAL if timeout is None else min(RECONNECT_INTERVAL, max(timeout, 0)))
        else:
            _log.warning("vpcd is there again at %s", self.name)

    def _disconnect(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
            self._received = b""

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`. A second answer to one command would put vpcd out of step, so it is dropped."""
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")
        if len(octets) > MAX_FRAME:
            raise LocalProtocolError(f"an APDU of {len(octets)} octets: {MAX_FRAME} fit this link")
        if self._asked:
            self._asked = False
            self._transmit(octets)

    def _transmit(self, octets: bytes) -> None:
        sock = self._sock
        if sock is not None:
            if self._sock_timeout is not None and self._sock_timeout < SEND_TIMEOUT:
                self._sock_timeout = SEND_TIMEOUT
                sock.settimeout(SEND_TIMEOUT)
            try:
                sock.sendall(len(octets).to_bytes(_HEADER, "big") + octets)
            except OSError:  # gone, or stuck in the middle of a message: `receive` reports the end of the field
                self._disconnect()

    def halt(self) -> None:
        """See `CardEnd.halt`. There is no S(DESELECT) on a link of APDUs."""

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`. vpcd sees the card go, and come back when `receive` connects again."""
        self._powered = False
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


def open_card(address: str, identity: CardIdentity) -> VpcdCard:
    """Open the card end of `vpcd:HOST:PORT`; `address` is what follows the first colon.

    Raises:
        ConfigError: no such port, or historical octets that fit no ATR.
        LinkError: nobody listens there.
    """
    host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT)
    make_atr(identity.historical)  # refused before there is a socket

    def connect() -> socket.socket:
        return connect_to_vpcd(host, port)

    try:
        sock = connect()
    except OSError as error:
        raise LinkError(
            f"no vpcd at {host}:{port} ({error.strerror or error}): "
            "start pcscd with its driver (apt-get install pcscd vsmartcard-vpcd)"
        ) from error
    return VpcdCard(sock, connect, identity, f"vpcd:{host}:{port}")


def connect_to_vpcd(host: str, port: int) -> socket.socket:
    """Return a blocking connection without Nagle's algorithm.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.create_connection((host, port), CONNECT_TIMEOUT)
    try:
        # 35963 is one of the ports that Linux gives to clients. While nobody listens, a connection can thus meet
        # itself, and would keep vpcd from the port for as long as it lasts.
        if sock.getsockname() == sock.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
    except OSError:
        sock.close()
        raise
    return sock
