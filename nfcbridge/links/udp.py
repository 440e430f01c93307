"""The UDP air of nfcpy: `udp:HOST:PORT`. Both ends; frames of up to 256 octets; RATS is the caller's.

A datagram is the bit rate and modulation, a blank and the frame in hexadecimal, or says that the field is off:

    106A 26        106A e080        RFOFF

The card is bound to the port and answers the address that asked; the reader takes a port of its own. Only 106A exists
here: what nfcpy sends for other technologies while it looks around is ignored.

Two readers on one air: the card belongs to the address that selected it. Frames of another address are ignored, but a
request or wake-up from there means that the first reader is gone without RFOFF (it crashed, or another one was put in
its place): the field of the first ends and the new one gets its answer.
"""

import contextlib
import errno
import socket
import time
from binascii import Error as HexError
from binascii import hexlify, unhexlify
from threading import Event, RLock
from typing import Final, NoReturn

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links.address import parse_address
from nfcbridge.links.anticollision import REQA, WUPA, CardSelection, Outcome, State, select_card
from nfcbridge.links.link import CardFound, CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 54321  # nfcpy's

MAX_FRAME: Final = 256
"""FSD and FSC with CRC. nfcpy receives 1024 octets, so 509 of a frame: of the sizes of ISO 14443-4, 256 fits."""

MAX_DATAGRAM: Final = 1024
"""Octets that are read of a datagram, as nfcpy does. A longer one is cut after an odd number of digits: no frame."""

SELECT_WAIT: Final = 0.25
"""Seconds that the reader waits for an answer of ISO 14443-3: a process answers, no chip (nfcpy waits 0.5 to 1)."""

KNOCK_INTERVAL: Final = 0.05
"""Seconds between two requests to a port at which nobody listens yet."""

CLOSE_LATENCY: Final = 0.1
"""Seconds after which a waiting reader looks whether it was closed: nothing can wake it, since its socket is connected
and hears the card alone."""

MAX_LATE: Final = 64
"""Datagrams that are thrown away before a frame: more than one for each of the frames that a reader repeats."""

_CRC: Final = 2
_MAX_OCTETS: Final = MAX_FRAME - _CRC
_PREFIX: Final = b"106A "
_FIELD_OFF_DATAGRAM: Final = b"RFOFF"
_SELECTED: Final = CardSelected()
_FIELD_OFF: Final = FieldOff()

Address = tuple[str, int]


def parse_datagram(datagram: bytes) -> bytes | None:
    """Return the frame in a datagram, or None if there is none for type A at 106 kbit/s."""
    if not datagram.startswith(_PREFIX):
        return None
    try:
        return unhexlify(datagram[len(_PREFIX) :]) or None
    except HexError:
        return None


class UdpCard:
    """The card end. It implements `CardEnd`.

    Args:
        sock: bound; this object closes it.
        identity: what is answered before the first block.
    """

    level = Level.BLOCKS
    max_frame = MAX_FRAME
    link_sends_ats = False

    def __init__(self, sock: socket.socket, identity: CardIdentity) -> None:
        self.name = _name(sock.getsockname())
        self._sock = sock
        self._sock_timeout = sock.gettimeout()
        self._selection = CardSelection(identity)
        self._reader: Address | None = None
        self._reported = False  # CardSelected, and no FieldOff since
        self._in_use = RLock()  # held while the socket is used; reentrant for a signal handler that closes
        self._closed = False

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        with self._in_use:
            while not self._closed:
                try:
                    if timeout != self._sock_timeout:  # saves a system call a frame for those who wait for ever
                        self._sock_timeout = timeout = timeout if timeout is None or timeout > 0 else 0
                        self._sock.settimeout(timeout)
                    datagram, address = self._sock.recvfrom(MAX_DATAGRAM)
                except (TimeoutError, BlockingIOError):
                    return None
                except OSError as error:
                    self._fail(error)
                incoming = self._take(datagram, address)
                if incoming is not None:
                    return incoming
                if give_up is not None:
                    timeout = give_up - time.monotonic()
                    if timeout <= 0:
                        return None
            raise LinkClosedError(f"the link {self.name} was closed")

    def _take(self, datagram: bytes, address: Address) -> Incoming | None:
        if datagram.startswith(_FIELD_OFF_DATAGRAM):
            return self._end_field() if address == self._reader else None
        frame = parse_datagram(datagram)
        if frame is None:
            return None
        gone = None
        if address != self._reader:
            if frame not in (REQA, WUPA):
                return None
            gone = self._end_field()
            self._reader = address
        answer, outcome = self._selection.receive_frame(frame)
        if answer is not None:
            self._send(answer, address)
        if outcome is Outcome.PASSED:
            return Frame(frame)
        if outcome is Outcome.SELECTED:
            self._reported = True
            return _SELECTED
        return gone

    def _end_field(self) -> FieldOff | None:
        self._selection.field_off()
        reported, self._reported = self._reported, False
        return _FIELD_OFF if reported else None

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`."""
        if self._closed:
            raise LinkClosedError(f"the link {self.name} was closed")
        _check(octets)
        if self._reader is not None and self._selection.state is State.PROTOCOL:
            self._send(octets, self._reader)

    def _send(self, octets: bytes, address: Address) -> None:
        try:
            self._sock.sendto(_PREFIX + hexlify(octets), address)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        if self._closed:
            raise LinkClosedError(f"the link {self.name} was closed") from error
        raise LinkError(f"the network failed below {self.name}: {error.strerror}") from error

    def halt(self) -> None:
        """See `CardEnd.halt`."""
        self._selection.halt()

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        self._selection.field_off()
        self._reported = False

    def close(self) -> None:
        """See `CardEnd.close`."""
        if not self._closed:
            self._closed = True
            # Closing a socket does not wake the thread that waits for it, a datagram does.
            self._sock.sendto(b"", self._sock.getsockname())
            with self._in_use:
                self._sock.close()


class UdpReader:
    """The reader end. It implements `ReaderEnd`.

    Args:
        sock: connected to the card's address; this object closes it.
    """

    level = Level.BLOCKS
    max_frame = MAX_FRAME

    def __init__(self, sock: socket.socket) -> None:
        self.name = _name(sock.getpeername())
        self._sock = sock
        self._sock_timeout = sock.gettimeout()
        self._field_on = False
        self._selected = False
        self._late = False  # an answer may come after its time
        self._in_use = RLock()
        self._closing = Event()

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        give_up = time.monotonic() + timeout
        with self._in_use:
            nobody = False
            while True:
                try:
                    # The card of before is asleep if it was deselected, and hears only WUPA. All others hear REQA, and
                    # nfcpy as a card knows only REQA.
                    uid = self._select(WUPA if self._selected else REQA, give_up)
                    if uid is not None:
                        self._selected = True
                        return CardFound(uid=uid)
                    if self._selected:  # it was not deselected: only without power does it forget
                        self._switch_off()
                    nobody = False
                except ConnectionRefusedError:
                    nobody = True
                    self._selected = False
                    self._closing.wait(min(KNOCK_INTERVAL, max(give_up - time.monotonic(), 0)))
                self._check_open()
                if time.monotonic() >= give_up:
                    break
            self._switch_off()
        what = "nobody listens at" if nobody else "no card answered at"
        raise LinkTimeoutError(
            f"{what} {self.name}: start the emulator there (nfcbridge serve --link {self.name}); "
            "one that runs is no tag while RfidMode_rfid is RFID only"
        )

    def _select(self, request: bytes, give_up: float) -> bytes | None:
        """Go through ISO 14443-3 once and return the UID, None if that failed."""
        selection = select_card(request)
        frame = next(selection)
        self._late = True  # whatever comes of an earlier field is late
        while True:
            answer = self._exchange(frame, min(SELECT_WAIT, give_up - time.monotonic()))
            self._late = False
            try:
                frame = selection.send(answer)
            except StopIteration as result:
                uid: bytes | None = result.value
                return uid

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        _check(octets)
        with self._in_use:
            self._check_open()
            if not self._selected:
                raise FieldLostError(f"no card is active at {self.name}")
            try:
                return self._exchange(octets, timeout)
            except ConnectionRefusedError as error:
                self._selected = self._field_on = False
                raise FieldLostError(f"the card at {self.name} is gone") from error

    def _exchange(self, octets: bytes, timeout: float) -> bytes | None:
        give_up = time.monotonic() + timeout
        try:
            if self._late:
                self._drain()
            self._sock.send(_PREFIX + hexlify(octets))
            self._field_on = True
            while True:
                frame = self._receive(min(timeout, CLOSE_LATENCY))
                if frame is not None:
                    return frame
                self._check_open()
                timeout = give_up - time.monotonic()
                if timeout <= 0:
                    self._late = True
                    return None
        except ConnectionRefusedError:
            raise
        except OSError as error:
            self._check_open()
            raise LinkError(f"the network failed below {self.name}: {error.strerror}") from error

    def _receive(self, timeout: float) -> bytes | None:
        """Return the next frame, None if none comes or what comes is none."""
        if timeout != self._sock_timeout:
            self._sock_timeout = timeout = max(timeout, 0)
            self._sock.settimeout(timeout)
        try:
            datagram = self._sock.recv(MAX_DATAGRAM)
        except (TimeoutError, BlockingIOError):
            return None
        return parse_datagram(datagram)

    def _drain(self) -> None:
        """Throw away what came after its time: on the air nobody would have listened.

        From a first late answer on this is done before every frame: a card that answers a frame and its repetition is
        one answer ahead, and the reader has to lose that answer to be in step again.
        """
        self._sock_timeout = 0
        self._sock.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(MAX_LATE):
                self._sock.recv(1)

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")

    def _switch_off(self) -> None:
        self._selected = False
        if self._field_on:
            self._field_on = False
            with contextlib.suppress(OSError):  # whatever it is, this end is silent from now on
                self._sock.send(_FIELD_OFF_DATAGRAM)

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        with self._in_use:
            if not self._closing.is_set():
                self._switch_off()

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        if not self._closing.is_set():
            self._switch_off()
            self._closing.set()
            with self._in_use:
                self._sock.close()


def open_card(address: str, identity: CardIdentity) -> UdpCard:
    """Open the card end of `udp:HOST:PORT`; `address` is what follows the first colon. Port 0: the system chooses.

    A host other than loopback gives the tag to everybody who can reach it.

    Raises:
        ConfigError: no such port.
        LinkError: it cannot be bound.
    """
    host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT, lowest=0)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((host, port))
        return UdpCard(sock, identity)
    except OSError as error:
        sock.close()
        raise LinkError(f"cannot listen at udp:{host}:{port} ({error.strerror}): {_what_to_do(host, error)}") from error


def open_reader(address: str) -> UdpReader:
    """Open the reader end of `udp:HOST:PORT`; `address` is what follows the first colon. The card may come later.

    Raises:
        ConfigError: no such port.
        LinkError: no such host.
    """
    host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.connect((host, port))  # others cannot answer, and a missing card is noticed at once
        return UdpReader(sock)
    except OSError as error:
        sock.close()
        raise LinkError(
            f"cannot reach udp:{host}:{port} ({error.strerror}): name a host that can be found from here"
        ) from error


def _what_to_do(host: str, error: OSError) -> str:
    """What lets a card listen that could not."""
    if isinstance(error, socket.gaierror):
        return f"the host {host} cannot be found; name an address of this machine, such as {DEFAULT_HOST}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"name an address of this machine, such as {DEFAULT_HOST}"
    if error.errno == errno.EADDRINUSE:
        return "stop what uses it, or take another port (0: any)"
    return "take another port (0: any)"


def _name(address: Address) -> str:
    return f"udp:{address[0]}:{address[1]}"


def _check(octets: bytes) -> None:
    if len(octets) > _MAX_OCTETS:
        raise LocalProtocolError(f"a frame of {len(octets)} octets: {_MAX_OCTETS} and the CRC fit this link")
