"""A tag in the radio of an Android emulator: `casimir:HOST:PORT` or `casimir:/PATH`. The card end; whole APDUs.

casimir emulates the NFC controller of Cuttlefish and the Android emulator. Its hub (port 7001 where it runs alone, 7900
plus the instance in Cuttlefish, or a Unix socket) joins phones and tags; we are one of the tags:

    poll for NFC-A        NFCID1 and that we speak ISO-DEP; polls for other technologies are not for us
    select for ISO-DEP    our ATS without TL, and the phone is our peer until it deactivates us or leaves
    data                  a command APDU, whole; without octets: a presence check, answered likewise and never passed on
    deactivate            the field is off; of another phone it is nothing to us

The hub sends a length and its packet in two writes. With Nagle's algorithm there and delayed acknowledgements here each
command would wait 40 ms, so the socket is told to acknowledge at once, before each recv since the kernel forgets it.

There is no S(WTX) at this level and casimir itself waits for ever, but Android's stack does not: 618 ms for a command
of IsoDep and 1 s for one of Ndef. The hold time of 0.4 s is within both.
"""

import contextlib
import errno
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from threading import Event, RLock
from typing import Final

from nfcbridge.errors import LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links.address import parse_address
from nfcbridge.links.casimir_packets import (
    LENGTH_SIZE,
    MAX_PACKET,
    NEW_HEADER,
    OLD_HEADER,
    Kind,
    Packet,
    Protocol,
    Technology,
    data,
    header_size,
    poll_response,
    select_response,
)
from nfcbridge.links.link import CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7001

MAX_FRAME: Final = MAX_PACKET - NEW_HEADER
"""Octets of the longest APDU that fits a packet with either header."""

CONNECT_TIMEOUT: Final = 2.0
"""Seconds for the connection to be made."""

RECONNECT_INTERVAL: Final = 0.5
"""Seconds between two attempts to find the hub again."""

SEND_TIMEOUT: Final = 5.0
"""Seconds for a packet to leave: a hub that does not read for so long is gone."""

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_RECEIVE: Final = 0x10000
_FSD: Final = (16, 24, 32, 40, 48, 64, 96, 128, 256)  # by FSDI, the upper half of the parameter octet of RATS
_FIELD_OFF: Final = FieldOff()
_log: Final = logging.getLogger(__name__)


class CasimirCard:
    """The card end. It implements `CardEnd`.

    Args:
        sock: connected to the hub; this object closes it.
        connect: opens the next connection when this one breaks; raises OSError.
        identity: NFCID1, SENS_RES and ATS.
        name: for people.
    """

    level = Level.APDUS
    max_frame = MAX_FRAME
    link_sends_ats = True

    def __init__(
        self, sock: socket.socket, connect: Callable[[], socket.socket], identity: CardIdentity, name: str
    ) -> None:
        self.name = name
        self._identity = identity
        self._connect = connect
        self._sock: socket.socket | None = sock
        self._received = b""
        self._header = OLD_HEADER
        self._peer: Packet | None = None  # the last packet of the phone that has selected us
        self._asked = False  # a command is without answer
        self._in_use = RLock()  # held while the socket is used; reentrant for a signal handler that closes
        self._closing = Event()

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        looked = False
        with self._in_use:
            while not self._closing.is_set():
                octets = self._next_packet()
                if octets is not None:
                    incoming = self._take(octets)
                    if incoming is not None:
                        return incoming
                elif self._sock is None and self._peer is not None:
                    self._peer = None
                    return _FIELD_OFF
                else:
                    if give_up is not None and looked:
                        timeout = give_up - time.monotonic()
                        if timeout <= 0:
                            return None
                    looked = True
                    self._wait(timeout)
            raise LinkClosedError(f"the link {self.name} was closed")

    def _next_packet(self) -> bytes | None:
        received = self._received
        if len(received) < LENGTH_SIZE:
            return None
        end = LENGTH_SIZE + int.from_bytes(received[:LENGTH_SIZE], "little")
        if len(received) < end:
            return None
        self._received = received[end:]
        return received[LENGTH_SIZE:end]

    def _take(self, octets: bytes) -> Incoming | None:
        """What a packet is to the card; most are nothing."""
        packet = Packet.parse(octets)
        if packet is None:
            return None
        self._header = header_size(packet) or self._header
        ours = self._peer is not None and packet.sender == self._peer.sender
        if packet.kind == Kind.DEACTIVATE:
            return self._leave() if ours else None
        if packet.technology != Technology.NFC_A:
            return None
        if packet.kind == Kind.POLL_COMMAND:
            return self._polled(packet, ours=ours)
        if packet.protocol != Protocol.ISO_DEP:
            return None
        if packet.kind == Kind.SELECT_COMMAND and (ours or self._peer is None):
            return self._selected(packet)
        if packet.kind == Kind.DATA and ours:
            return self._command(packet)
        return None

    def _leave(self) -> Incoming:
        self._peer = None
        self._asked = False
        return _FIELD_OFF

    def _polled(self, packet: Packet, *, ours: bool) -> Incoming | None:
        if self._peer is None or ours:
            self._transmit(poll_response(packet, self._header, self._identity.uid, self._identity.sens_res))
        return self._leave() if ours else None  # a phone that looks for tags has none

    def _selected(self, packet: Packet) -> Incoming:
        parameter = packet.body(self._header)[:1]
        self._peer = packet
        self._asked = False
        self._transmit(select_response(packet, self._header, self._identity.ats))
        return CardSelected(_FSD[min(parameter[0] >> 4, len(_FSD) - 1)] if parameter else None)

    def _command(self, packet: Packet) -> Incoming | None:
        self._peer = packet
        command = packet.body(self._header)
        if not command:  # a presence check
            self._transmit(data(packet, self._header, b""))
            return None
        self._asked = True
        return Frame(command)

    def _wait(self, timeout: float | None) -> None:
        """Wait for octets or, without a connection, for the hub to come back. It may return earlier."""
        sock = self._sock
        if sock is None:
            self._reconnect(timeout)
            return
        try:
            if _QUICKACK is not None and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            sock.settimeout(timeout if timeout is None else max(timeout, 0))
            octets = sock.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError):
            return
        except OSError:  # reset: as good as an orderly end
            octets = b""
        if octets:
            self._received += octets
        elif not self._closing.is_set():
            _log.warning("the hub left %s: the tag goes back as soon as it is there again", self.name)
            self._disconnect()

    def _reconnect(self, timeout: float | None) -> None:
        try:
            self._sock = self._connect()
        except OSError:
            self._closing.wait(RECONNECT_INTERVAL if timeout is None else min(RECONNECT_INTERVAL, max(timeout, 0)))
        else:
            _log.warning("the hub is there again at %s", self.name)

    def _disconnect(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
            self._received = b""
            self._asked = False

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`. A second answer to one command is dropped."""
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")
        if len(octets) > MAX_FRAME:
            raise LocalProtocolError(f"an APDU of {len(octets)} octets: {MAX_FRAME} fit this link")
        if self._asked and self._peer is not None:
            self._asked = False
            self._transmit(data(self._peer, self._header, octets))

    def _transmit(self, octets: bytes) -> None:
        sock = self._sock
        if sock is not None:
            try:
                sock.settimeout(SEND_TIMEOUT)
                sock.sendall(octets)
            except OSError:  # gone, or stuck in the middle of a packet: `receive` reports the end of the field
                self._disconnect()

    def halt(self) -> None:
        """See `CardEnd.halt`. There is no S(DESELECT) on a link of APDUs."""

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`. The hub tells the phone that the tag has left, and `receive` joins it again."""
        self._peer = None
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


def open_card(address: str, identity: CardIdentity) -> CasimirCard:
    """Open the card end of `casimir:HOST:PORT` or `casimir:/PATH`; `address` is what follows the first colon.

    Raises:
        ConfigError: no such port.
        LinkError: nobody listens there.
    """
    connect: Callable[[], socket.socket]
    if address.startswith("/"):
        name, connect = address, partial(connect_to_path, address)
    else:
        host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT)
        name, connect = f"{host}:{port}", partial(connect_to_port, host, port)
    try:
        sock = connect()
    except OSError as error:
        raise LinkError(
            f"no casimir at {name} ({error.strerror or error}): start it, or Cuttlefish, "
            "whose instance N has it at port 7899 + N (README, An Android emulator as the phone)"
        ) from error
    return CasimirCard(sock, connect, identity, f"casimir:{name}")


def connect_to_port(host: str, port: int) -> socket.socket:
    """Return a connection without Nagle's algorithm.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.create_connection((host, port), CONNECT_TIMEOUT)
    try:
        if sock.getsockname() == sock.getpeername():  # a connection that met itself: nobody else is there
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def connect_to_path(path: str) -> socket.socket:
    """Return a connection to a Unix socket.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock
