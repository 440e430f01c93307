"""The NDEF file E104 of the card: what is read, and when a write has become a message.

    0        nlen_size          nlen_size + NLEN            size
    | NLEN   | NDEF message     | 00 00 00 ...              |

A reader writes in any of three orders: NLEN and message in one UPDATE; NLEN 0, the message, NLEN; NLEN 0 with the first
chunk, the other chunks, NLEN. So the file does not follow orders, it counts octets: a message is committed as soon as
NLEN is not zero and every octet of the message was written, both since the write began. What an earlier write or the
published message left in the file never counts.

A half write is an image above the published content. Dropping the image is the roll back.
"""

from typing import Final

import msgspec

from nfcbridge.errors import CommandError, LocalProtocolError
from nfcbridge.type4.apdu import SW

EMPTY_MESSAGE: Final = bytes.fromhex("D00000")  # one empty record; NLEN 0 instead makes Android leave the tag alone


class WriteBegun(msgspec.Struct, frozen=True, gc=False):
    """The first UPDATE of a write; the message is not complete."""


class WriteContinued(msgspec.Struct, frozen=True, gc=False):
    """A later UPDATE of a write, or one that starts it over; the message is not complete."""


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The UPDATE that completed a message, alone (order A) or as the last of a write.

    Attributes:
        message: the NDEF message, 1..file size - NLEN size octets. It is not published: reads still give what was.
    """

    message: bytes


_BEGUN: Final = WriteBegun()
_CONTINUED: Final = WriteContinued()


class NdefFile:
    """The content of the NDEF file.

    Args:
        size: octets of the file, NLEN included. No buffer of the file is larger.
        message: the message published first; b"" is NLEN 0.
        nlen_size: octets of NLEN.

    Raises:
        LocalProtocolError: the message is larger than the file.
    """

    def __init__(self, size: int, message: bytes = EMPTY_MESSAGE, *, nlen_size: int = 2) -> None:
        self.size = size
        self.nlen_size = nlen_size
        self.message = b""
        self._published = b""  # NLEN and message
        # The half write: None, or the file as it would be. Like `_written` it grows with the highest octet written.
        self._image: bytearray | None = None
        self._written = bytearray()  # 1 for each octet of the message that was written since the write began
        self._nlen = 0  # NLEN as written by this write, 0 before
        self._nlen_octets = bytearray(nlen_size)  # an NLEN that is not whole yet,
        self._nlen_missing = set(range(nlen_size))  # and the places of its octets that are still to come
        self.publish(message)

    @property
    def writing(self) -> bool:
        """Whether there is a half write."""
        return self._image is not None

    @property
    def message_end(self) -> int:
        """The offset after the last octet of the published message."""
        return len(self._published)

    def publish(self, message: bytes) -> None:
        """Make a message the content of the file; a half write is dropped.

        Raises:
            LocalProtocolError: the message is larger than the file; nothing changes.
        """
        if len(message) > self.size - self.nlen_size:
            raise LocalProtocolError(f"a message of {len(message)} octets is larger than the file, {self.size} octets")
        self.message = message
        self._published = len(message).to_bytes(self.nlen_size, "big") + message
        self._image = None

    def rollback(self) -> bool:
        """Drop the half write. Returns whether there was one."""
        writing = self._image is not None
        self._image = None
        return writing

    def read(self, offset: int, count: int) -> bytes:
        """Octets of the file: of the half write if there is one, of the published message else, 00 past the message.

        Args:
            offset: 0..size - 1.
            count: octets, all of them before the end of the file.
        """
        content = self._published if self._image is None else self._image
        return bytes(content[offset : offset + count]).ljust(count, b"\0")

    def update(self, offset: int, data: bytes) -> WriteBegun | WriteContinued | Committed:
        """Write octets; the first begins a write, the last that was missing commits it.

        Args:
            offset: 0..0xFFFF.
            data: 1 octet or more.

        Raises:
            CommandError: past the end of the file (6A84); nothing changes, and no write begins.
        """
        if offset + len(data) > self.size:
            raise CommandError(f"offset {offset} and {len(data)} octets are past the end of the file", sw=SW.NO_SPACE)
        image = self._image
        report: WriteBegun | WriteContinued = _CONTINUED
        if image is None:  # any UPDATE begins a write: a reader that does not clear NLEN first gets through as well
            image = self._image = bytearray(self._published)
            self._written.clear()
            self._nlen = 0
            self._nlen_missing = set(range(self.nlen_size))
            report = _BEGUN
        if offset < self.nlen_size:
            octets = data[: self.nlen_size - offset]
            data = data[len(octets) :]
            self._update_nlen(offset, octets, image, with_message=bool(data))
            offset = self.nlen_size
        if data:
            _overlay(image, offset, data)
            _overlay(self._written, offset, b"\1" * len(data))
        end = self.nlen_size + self._nlen
        # An NLEN past the end of the file never commits: nobody can write that far.
        if not self._nlen or len(self._written) < end or self._written.find(0, self.nlen_size, end) >= 0:
            return report
        self._image = None
        return Committed(bytes(image[self.nlen_size : end]))

    def _update_nlen(self, offset: int, octets: bytes, image: bytearray, *, with_message: bool) -> None:
        """Take octets of NLEN; only a whole NLEN changes the file, clears or commits.

        Args:
            offset: 0..nlen_size - 1.
            octets: the octets of the UPDATE that belong to NLEN.
            image: the half write.
            with_message: the UPDATE has octets of the message as well.
        """
        end = offset + len(octets)
        self._nlen_octets[offset:end] = octets
        self._nlen_missing.difference_update(range(offset, end))
        whole = not self._nlen_missing
        nlen = int.from_bytes(self._nlen_octets, "big")
        # A write starts (over) with NLEN and the first chunk, with NLEN 0, or with a second NLEN that is not zero:
        # nothing written before counts for it.
        if with_message or (whole and (self._nlen or not nlen)):
            self._written.clear()
            self._nlen = 0
        if whole:
            image[: self.nlen_size] = self._nlen_octets
            self._nlen = nlen
            self._nlen_missing = set(range(self.nlen_size))


def _overlay(buffer: bytearray, offset: int, octets: bytes) -> None:
    """Put octets over those of a buffer, which grows with 00 up to the offset."""
    if offset > len(buffer):
        buffer.extend(bytes(offset - len(buffer)))
    buffer[offset : offset + len(octets)] = octets
