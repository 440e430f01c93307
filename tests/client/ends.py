"""Reader ends for tests of the phone: one with a foreign tag behind it, and one that listens in."""

from collections.abc import Callable, Iterable

from nfcbridge.errors import LinkClosedError
from nfcbridge.links import CardFound, Level, ReaderEnd
from tests.stack.octets import OK

CC = bytes.fromhex("000F20 00FB 00F8 0406 E104 7FFF 00 00")
READ_ONLY_CC = CC[:-1] + b"\xff"
NOT_FOUND = bytes.fromhex("6A82")


class ForeignTag:
    """A Type 4 Tag of somebody else behind a link of APDUs, which takes every write. It implements `ReaderEnd`.

    Args:
        files: the message in the file, one for each READ of its start; the last one stays.
        cc: its capability container.

    Attributes:
        log: what was done to it: activate, field off, close, and every command.
        responses: given instead of its own, one a command.
        timeouts: seconds that the phone gave each command.
    """

    name = "foreign:tag"
    level = Level.APDUS
    max_frame = 0xFFFF

    def __init__(self, files: Iterable[bytes] = (), *, cc: bytes = CC, atr: bytes = b"\x3b\x80\x80\x01\x01") -> None:
        self.log: list[str | bytes] = []
        self.responses: list[bytes | None] = []
        self.timeouts: list[float] = []
        self._files = [len(message).to_bytes(2, "big") + message for message in files] or [b"\0\0"]
        self._cc = cc
        self._atr = atr
        self._selected = b""

    @property
    def commands(self) -> list[bytes]:
        """The commands alone."""
        return [each for each in self.log if isinstance(each, bytes)]

    def activate(self, timeout: float) -> CardFound:
        if "close" in self.log:
            raise LinkClosedError("closed")
        self.log.append("activate")
        return CardFound(uid=b"", atr=self._atr)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.log.append(octets)
        self.timeouts.append(timeout)
        if self.responses:
            return self.responses.pop(0)
        if octets[1] == 0xA4:
            self._selected = octets[5 : 5 + octets[4]]
        if octets[1] != 0xB0:
            return OK
        if self._selected == bytes.fromhex("E103"):
            return self._cc + OK
        start = int.from_bytes(octets[2:4], "big")
        file = self._files[0] + bytes(256)
        if start == 0 and len(self._files) > 1:
            self._files.pop(0)
        return file[start : start + octets[4]] + OK

    def field_off(self) -> None:
        self.log.append("field off")

    def close(self) -> None:
        self.log.append("close")


Air = Callable[[bytes, float], bytes | None]


class Overheard:
    """A reader end that others listen to. It implements `ReaderEnd`.

    Args:
        end: the end inside.
        max_frame: what it says that it carries; by default what the end inside says.

    Attributes:
        frames: of the reader, in order.
        offs: how often the field was switched off.
        air: carries a frame in place of the end inside.
    """

    def __init__(self, end: ReaderEnd, *, max_frame: int | None = None) -> None:
        self.name = end.name
        self.level = end.level
        self.max_frame = max_frame or end.max_frame
        self.inside = end
        self.frames: list[bytes] = []
        self.offs = 0
        self.air: Air = end.transceive

    def activate(self, timeout: float) -> CardFound:
        return self.inside.activate(timeout)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.frames.append(octets)
        return self.air(octets, timeout)

    def field_off(self) -> None:
        self.offs += 1
        self.inside.field_off()

    def close(self) -> None:
        self.inside.close()
