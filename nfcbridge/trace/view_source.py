"""Makes views of the entries of a trace, while they come."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen, Selection
from nfcbridge.trace.views import FileImage, Piece, View, data_of, offset_read, part
from nfcbridge.type4 import EMPTY_MESSAGE, Ins

MAX_AGE: Final = 4000
"""Entries for which the place of an octet is kept: a secret may be cut into pieces that lie so far apart."""

SHORT_FRAME: Final = 9
"""Octets of the longest frame of selection, SELECT with UID and CRC: what is no longer says nothing of anybody."""

_INSTRUCTIONS: Final = frozenset(bytes([ins]) for ins in Ins)
_I_BLOCKS: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE})
_OUTSIDE: Final = frozenset({BlockKind.INVALID, BlockKind.ATS})
"""Frames that carry octets to nobody above."""

_LEAVING: Final = frozenset({BlockKind.RATS, BlockKind.DESELECT})


class ViewSource:
    """Makes views.

    Args:
        level: what the frames are, `blocks` or `apdus`.
        header: of the trace.

    Attributes:
        carries: the last frame is an I-block.
        repeated: it is the last one of the same end, sent again.
        unknown: entries since the last look of which nobody knows what they say.
        texts: of messages, since the last look, that are not written in UTF-8.
    """

    def __init__(self, level: str, header: Header | None = None) -> None:
        self._decoder = Decoder(level, header=header)
        self._blocks = level != "apdus"
        self._written = FileImage()
        self._read = FileImage()
        self._loose: dict[int, BlockSeen] = {}  # I-blocks that are part of no APDU yet
        self._frames: dict[int, bytes] = {}  # of APDUs, by their entries
        self.carries = False
        self.repeated = False
        self.unknown: list[int] = []
        self.texts: list[str] = []

    @property
    def settled(self) -> int | None:
        """No view will show an entry before this one again; None: none that came is shown again."""
        oldest = [
            self._written.oldest,
            self._read.oldest,
            next(iter(self._loose), None),
            next(iter(self._frames), None),
        ]
        return min((number for number in oldest if number is not None), default=None)

    def receive(self, entry: Entry) -> Iterator[View]:
        """Take the next entry."""
        self.carries = self.repeated = False
        for image in (self._written, self._read):
            if image.oldest is not None and image.oldest < entry.number - MAX_AGE:
                yield from image.views()
                image.forget()
        if self._loose and next(iter(self._loose)) < entry.number - MAX_AGE:
            yield from self._flush(entry.number)
        if not self._blocks and entry.octets:
            self._frames[entry.number] = entry.octets
        for seen in self._decoder.receive(entry):
            yield from self._look(seen)
        if entry.dir is Dir.CARD and self._frames.pop(entry.number, None) is not None:
            self.unknown.append(entry.number)  # a response without command
            yield _frame(entry.number, entry.octets)

    def close(self) -> Iterator[View]:
        """What is left at the end."""
        for seen in self._decoder.close():
            yield from self._look(seen)
        yield from self._flush(None)
        for image in (self._written, self._read):
            yield from image.views()
            image.forget()

    def _look(self, seen: Seen) -> Iterator[View]:
        if isinstance(seen, BlockSeen):
            yield from self._block(seen)
        elif isinstance(seen, FieldSeen | ActivationSeen):
            yield from self._flush(None)
        elif isinstance(seen, ApduSeen):
            yield from self._apdu(seen)
        elif isinstance(seen, MessageSeen):
            if seen.problem and seen.octets != EMPTY_MESSAGE:
                self.unknown.append(seen.first)
            if seen.text is not None and seen.text.encode("utf-8", "replace") not in seen.octets:
                self.texts.append(seen.text)

    def _block(self, block: BlockSeen) -> Iterator[View]:
        if block.kind in _I_BLOCKS:
            self.carries, self.repeated = True, block.repeated
            if not block.repeated:
                self._loose[block.entry] = block
        elif block.kind in _LEAVING and block.from_reader:
            yield from self._flush(None)
        elif block.kind in _OUTSIDE:
            yield _frame(block.entry, block.octets)
            if block.kind is BlockKind.INVALID and len(block.octets) > SHORT_FRAME:
                self.unknown.append(block.entry)

    def _apdu(self, apdu: ApduSeen) -> Iterator[View]:
        yield from self._flush(apdu.first)
        strange = apdu.command[1:2] not in _INSTRUCTIONS and len(apdu.command) + len(apdu.data) > SHORT_FRAME
        if apdu.selected is Selection.OTHER or strange:
            self.unknown.append(apdu.first)
        command = self._pieces(apdu.command_entries)
        response = self._pieces(apdu.response_entries)
        yield from self._command(apdu.command, command)
        data = part(response, 0, len(apdu.data))
        if data:
            yield View(apdu.data, tuple(data), rank=0, open=True)
        if (offset := offset_read(apdu)) is not None:
            yield from self._read.lay(offset, apdu.data, data)

    def _command(self, command: bytes, pieces: list[Piece]) -> Iterator[View]:
        """What a command carries. Its header is no part of it: octets of lengths and offsets look like digits."""
        update = data_of(command)
        if update is None:
            yield View(command, tuple(pieces), rank=0, open=True)
            return
        offset, begin, data = update
        parts = part(pieces, begin, len(data))
        yield View(data, tuple(parts), rank=0, open=True)
        yield from self._written.lay(offset, data, parts)

    def _pieces(self, entries: tuple[int, ...]) -> list[Piece]:
        pieces = []
        at = 0
        for entry in entries:
            block = self._loose.pop(entry, None)
            octets = self._frames.pop(entry, b"") if block is None else block.inf
            offset = 0 if block is None else len(block.octets) - len(octets)
            pieces.append(Piece(at, entry, offset, len(octets)))
            at += len(octets)
        return pieces

    def _flush(self, before: int | None) -> Iterator[View]:
        """What is part of no APDU and will be of none: half a command, a response of which nobody saw the command."""
        for from_reader in (True, False):
            entries = tuple(
                entry
                for entry, block in self._loose.items()
                if block.from_reader is from_reader and (before is None or entry < before)
            )
            if not entries:
                continue
            self.unknown.append(entries[0])
            octets = b"".join(self._loose[entry].inf for entry in entries)
            pieces = self._pieces(entries)
            if from_reader:
                yield from self._command(octets, pieces)
            else:
                yield View(octets, tuple(pieces), rank=0, open=True)


def _frame(number: int, octets: bytes) -> View:
    return View(octets, (Piece(0, number, 0, len(octets)),), rank=0)
