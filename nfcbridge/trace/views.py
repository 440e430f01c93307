"""The octets of a trace in the order in which somebody reads them, each with the places in the frames where it stands.

    frame      a frame that carries no APDU
    chain      what a command or a response carries, or the part of one that came, from all frames of it
    file       what was written into a file, or read from it, by whatever commands in whatever order

A secret that frames cut into pieces is whole in one of them.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from nfcbridge.errors import CommandError
from nfcbridge.trace.seen import ApduSeen
from nfcbridge.type4.apdu import HEADER_SIZE, CommandAPDU, Ins

MAX_PIECES: Final = 2000
"""Pieces of a file that are kept: several times what fills the largest one in chunks of 248 octets."""


class Piece(Struct, frozen=True, gc=False):
    """Octets that stand together in a view, and in a frame.

    Attributes:
        at: where they begin in the view.
        entry: the frame's number.
        offset: where they begin in the frame.
        length: how many they are.
    """

    at: int
    entry: int
    offset: int
    length: int


class View(Struct, frozen=True):
    """Octets that are read together.

    Attributes:
        octets: all of them.
        pieces: where they stand.
        rank: of two views that see the same octets, the higher one sees more.
        open: something may come before them and after them that is not here.
    """

    octets: bytes
    pieces: tuple[Piece, ...]
    rank: int
    open: bool = False

    def places(self, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Where octets of the view stand.

        Yields:
            The number of the frame, the offset in it, and begin and end within the octets asked for.
        """
        for piece in self.pieces:
            first, last = max(begin, piece.at), min(end, piece.at + piece.length)
            if first < last:
                yield piece.entry, piece.offset + first - piece.at, first - begin, last - begin


class FileImage:
    """What is known of the content of a file, with the places where it stands.

    It has at most 131,070 octets: the highest offset and the longest command.
    """

    def __init__(self) -> None:
        self._content = bytearray()
        self._have = bytearray()  # 1 where the content is known
        self._pieces: list[Piece] = []  # the oldest first

    @property
    def oldest(self) -> int | None:
        """The number of the first frame of which there is a piece; None without any."""
        return self._pieces[0].entry if self._pieces else None

    def lay(self, at: int, octets: bytes, pieces: list[Piece]) -> Iterator[View]:
        """Lay octets over the content.

        If they change it, a message begins anew: what comes after the change is forgotten, since it is of another one.

        Args:
            at: their offset in the file.
            octets: what was written or read.
            pieces: where they stand; `at` of each counts from the offset.

        Yields:
            What was there before, if they change it.
        """
        end = at + len(octets)
        known = self._have[at:end]
        if known and (len(self._pieces) >= MAX_PIECES or _differs(self._content[at:end], octets, known)):
            yield from self.views()
            self._cut(at)
        if len(self._content) < end:
            self._content.extend(bytes(end - len(self._content)))
            self._have.extend(bytes(end - len(self._have)))
        self._content[at:end] = octets
        self._have[at:end] = b"\1" * len(octets)
        self._pieces += [Piece(at + piece.at, piece.entry, piece.offset, piece.length) for piece in pieces]

    def _cut(self, at: int) -> None:
        """Forget what comes after an offset, and places before it that are older than what stood there."""
        newest = max((piece.entry for piece in self._pieces if piece.at + piece.length > at), default=0)
        self._pieces = [piece for piece in self._pieces if piece.entry > newest]
        del self._content[at:], self._have[at:]

    def views(self) -> Iterator[View]:
        """Each stretch of known content."""
        begin = self._have.find(1)
        while begin >= 0:
            end = self._have.find(0, begin)
            if end < 0:
                end = len(self._have)
            pieces = tuple(
                Piece(piece.at - begin, piece.entry, piece.offset, piece.length)
                for piece in self._pieces
                if piece.at < end and piece.at + piece.length > begin
            )
            if pieces:
                yield View(bytes(self._content[begin:end]), pieces, rank=1, open=True)
            begin = self._have.find(1, end)

    def forget(self) -> None:
        """Forget the places, and remember the content for what comes beside it."""
        self._pieces.clear()


def _differs(before: bytearray, octets: bytes, known: bytearray) -> bool:
    """Whether octets change what is known of a file; `known` may be shorter."""
    return any(here and old != new for here, old, new in zip(known, before, octets, strict=False))


def part(pieces: list[Piece], begin: int, length: int) -> list[Piece]:
    """The pieces of a part of a chain; `at` of each counts from the beginning of the part."""
    parts = []
    for piece in pieces:
        first, last = max(begin, piece.at), min(begin + length, piece.at + piece.length)
        if first < last:
            parts.append(Piece(first - begin, piece.entry, piece.offset + first - piece.at, last - first))
    return parts


def data_of(command: bytes) -> tuple[int, int, bytes] | None:
    """The data of an UPDATE, also of one of which the end is missing.

    Returns:
        Offset in the file, where they begin in the command, the data; None for another command.
    """
    if len(command) <= HEADER_SIZE or command[1] != Ins.UPDATE_BINARY:
        return None
    try:
        apdu = CommandAPDU.parse(command)
    except CommandError:
        begin = HEADER_SIZE + (1 if command[HEADER_SIZE] else 3)
        return int.from_bytes(command[2:4]), begin, command[begin:]
    begin = HEADER_SIZE + (3 if apdu.extended else 1)
    return apdu.p1p2, begin, apdu.data


def offset_read(apdu: ApduSeen) -> int | None:
    """The offset of a READ that was answered with octets; None for all else."""
    command = apdu.command
    if len(command) <= HEADER_SIZE or command[1] != Ins.READ_BINARY or not apdu.data:
        return None
    return int.from_bytes(command[2:4])
