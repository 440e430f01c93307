"""The radio hub of casimir as far as a tag sees it, and a phone at the other side of it.

Written from rf_packets.pdl, rf.rs and main.rs of casimir: what it does with the sender, whom it tells of a tag that
leaves, and the two versions of the header. It builds packets by itself, not by the code under test.
"""

import socket
import struct
import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from nfcbridge.errors import FieldLostError, LinkTimeoutError
from nfcbridge.links import CardFound, Level
from tests.links.running import PATIENCE

EVERYBODY: Final = 0xFFFF
TAG: Final = 0x0102
"""The number that the hub gives to the tag's connection."""


class Hub:
    """A hub with one connection, the tag's.

    Args:
        port: where it listens; 0: anywhere.
        path: of a Unix socket, instead.
    """

    def __init__(self, port: int = 0, path: str = "") -> None:
        self._stack = ExitStack()
        if path:
            self._server = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            self._server.bind(path)
            self._server.listen()
            self.name = f"casimir:{path}"
        else:
            self._server = self._stack.enter_context(socket.create_server(("127.0.0.1", port)))
            self.port: int = self._server.getsockname()[1]
            self.name = f"casimir:127.0.0.1:{self.port}"
        self._server.settimeout(PATIENCE)
        self._sock: socket.socket | None = None

    def accept(self) -> Self:
        """Take the tag that has connected."""
        self._sock = self._stack.enter_context(self._server.accept()[0])
        self._sock.settimeout(PATIENCE)
        return self

    @property
    def sock(self) -> socket.socket:
        assert self._sock is not None
        return self._sock

    def send(self, *packets: str | bytes) -> None:
        """Send packets, each behind its length in a write of its own, as the hub does."""
        for packet in packets:
            octets = bytes.fromhex(packet) if isinstance(packet, str) else packet
            self.sock.sendall(struct.pack("<H", len(octets)))
            self.sock.sendall(octets)

    def read(self) -> bytes:
        """The next packet of the tag, with the sender that the hub puts there."""
        (size,) = struct.unpack("<H", self._read(2))
        return struct.pack("<H", TAG) + self._read(size)[2:]

    def left(self) -> bool:
        """Whether the tag has closed its connection."""
        return self.sock.recv(1) == b""

    def _read(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size:
            more = self.sock.recv(size - len(octets))
            assert more, "the tag left"
            octets += more
        return octets

    def hang_up(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class HubPhone:
    """The phone behind the hub, as casimir's controller: polls, selects, sends data. It implements `ReaderEnd`.

    Args:
        hub: with a tag.
        number: the phone's own.
        header: 7 or 9 octets.
    """

    level = Level.APDUS
    max_frame = 0xFFFF - 9

    def __init__(self, hub: Hub, number: int = 7, header: int = 7) -> None:
        self.name = hub.name
        self._hub = hub
        self._number = number
        self._end = b"" if header == 7 else b"\x00\xff"
        self._selected = False
        self._lock = threading.Lock()

    def _packet(self, protocol: int, kind: int, body: bytes = b"", receiver: int = TAG) -> bytes:
        return struct.pack("<HHBBB", self._number, receiver, 0, protocol, kind) + self._end + body

    def _expect(self, protocol: int, kind: int) -> bytes:
        packet = self._hub.read()
        head = struct.pack("<HHBBB", TAG, self._number, 0, protocol, kind) + self._end
        assert packet[: len(head)] == head, packet.hex()
        return packet[len(head) :]

    def activate(self, timeout: float) -> CardFound:
        wupa = b"\x00\x52" if self._end else b""
        self._hub.send(self._packet(0, 1, wupa, EVERYBODY))
        polled = self._expect(0, 2)
        uid = polled[1 : 1 + polled[0]]
        if polled[1 + polled[0]] != 1:
            raise LinkTimeoutError("no ISO-DEP")
        self._hub.send(self._packet(4, 3, b"\x80"))
        selected = self._expect(4, 4)
        assert selected[0] == len(selected) - 1
        self._selected = True
        return CardFound(uid=uid, ats=bytes([len(selected)]) + selected[1:])

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        if not self._selected:
            raise FieldLostError("not selected")
        self._hub.send(self._packet(4, 0, octets))
        return self._expect(4, 0)

    def field_off(self) -> None:
        if self._selected:
            self._selected = False
            self._hub.send(self._packet(4, 5, b"\x00\x00"))

    def close(self) -> None:
        self.field_off()
