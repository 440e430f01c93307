"""What a reader does with the tag: what it selects, what the CC tells, how it writes and reads the NDEF file."""

from collections.abc import Iterator
from typing import Final

from nfcbridge.errors import CommandError
from nfcbridge.isodep.ats import OUR_HISTORICAL
from nfcbridge.lint.container import MAX_CC, NDEF_TAG, Container, parse_container
from nfcbridge.lint.facts import (
    BlindRead,
    Command,
    ContainerRead,
    File,
    Kind,
    LengthFirst,
    LengthRead,
    ReadAgain,
    ShortRead,
    TooLarge,
    Uncleared,
    WriteGivenUp,
    WrittenAgain,
)
from nfcbridge.lint.write import MAX_FILE, NLEN_SIZE, Write
from nfcbridge.trace.apdus import ats_of
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen
from nfcbridge.type4.apdu import MAX_SHORT_NE, SW, CommandAPDU, Ins
from nfcbridge.type4.cc import FILE_ID_SIZE, MAX_ANDROID_FILE, NDEF_AID, NDEF_AID_1, FileId

BY_NAME: Final = 0x04
MAX_SHORT_READ: Final = MAX_SHORT_NE - 1
"""Octets that readers ask for at most with a short APDU; AOSP and nfcpy do not use Le 00 for 256."""

_SELECTS: Final = frozenset({Kind.SELECT_NAME, Kind.SELECT_FILE})


class Outstanding:
    """A request that was written, until its answer is read.

    Args:
        apdu: the UPDATE that ended the write.

    Attributes:
        apdu: the same.
        looked: octets of the file were read since.
        length_read: NLEN was.
        counted: how often that was.
        told: another finding has told already why its answer is not read.
        same_activation: nothing came between since.
        again: it was told that a write came over it.
    """

    def __init__(self, apdu: ApduSeen) -> None:
        self.apdu = apdu
        self.looked = False
        self.length_read = False
        self.counted = 0
        self.told = False
        self.same_activation = True
        self.again = False


class Tag:
    """Follows the reader.

    Args:
        header: of the trace: its card may tell limits and ATS where the trace does not show them.

    Attributes:
        container: the CC that was read last, None before.
    """

    def __init__(self, header: Header) -> None:
        self.container: Container | None = None
        self._ours = knows_ours(header)
        self._file = File.NOTHING
        self._known = False  # what is selected; not where a trace begins in the middle
        self._cc = bytearray()
        self._nlen: int | None = None  # of the file, as far as the reader knows
        self._write: Write | None = None
        self._outstanding: Outstanding | None = None
        self._before: Outstanding | None = None  # the one before
        self._refused = False  # a write, and no one was taken since
        self._large = False  # it was told of this write that it is too large
        self._begin_activation()

    @property
    def nlen_size(self) -> int:
        """Octets of NLEN."""
        return self.container.nlen_size if self.container is not None else NLEN_SIZE

    def is_told(self, request: MessageSeen) -> bool:
        """Whether a finding has told already why the answer to a request was not read."""
        return any(each is not None and each.apdu.last == request.last and each.told for each in self._remembered)

    @property
    def _remembered(self) -> tuple[Outstanding | None, Outstanding | None]:
        return self._outstanding, self._before

    def _begin_activation(self) -> None:
        self._first_length = True
        self._nlen_octets: list[int | None] = [None, None]
        self._last_read: Command | None = None
        self._short_told = False
        self._answered = False  # the answer was read as a whole, in this activation
        self._read_again = False

    def receive(self, seen: Seen) -> Iterator[Seen]:
        """Take what the trace shows next."""
        if isinstance(seen, ApduSeen):
            yield from self._receive(seen)
        elif isinstance(seen, ActivationSeen):
            self._ours = seen.ats is not None and seen.ats.historical == OUR_HISTORICAL
            yield from self._leave("a new activation")
        elif isinstance(seen, FieldSeen):
            yield from self._leave("a new activation" if seen.on else "the end of the field")
        elif isinstance(seen, BlockSeen) and seen.kind is BlockKind.DESELECT:
            yield from self._leave("S(DESELECT)")
        elif isinstance(seen, MessageSeen) and seen.answer is not None and not seen.written:
            self._before, self._outstanding = self._outstanding, None
            self._answered = True

    def close(self) -> Iterator[Seen]:
        """What is half done at the end."""
        yield from self._leave("the end of the trace")

    def _leave(self, reason: str) -> Iterator[Seen]:
        yield from self._give_up(reason)
        self._file = File.NOTHING
        self._known = True
        self._begin_activation()
        if self._outstanding is not None:
            self._outstanding.same_activation = False

    def _give_up(self, reason: str) -> Iterator[Seen]:
        write, self._write = self._write, None
        self._large = False
        if write is not None:
            self._nlen = None  # some cards keep what they had before, others do not
            yield WriteGivenUp(write.start, write.last, write.nlen, write.written, write.missing, write.early, reason)

    def _receive(self, apdu: ApduSeen) -> Iterator[Seen]:
        command = self._read_command(apdu)
        yield command
        if command.kind in _SELECTS:
            yield from self._select(command)
        elif command.sw == SW.OK and command.kind is Kind.READ:
            yield from self._take_read(command)
        elif command.kind is Kind.UPDATE and command.file is File.NDEF:
            yield from self._take_update(command)
        if command.kind is not Kind.READ:
            self._last_read = None

    def _read_command(self, apdu: ApduSeen) -> Command:
        file, sw, answer = self._file, apdu.sw, apdu.data
        try:
            command = CommandAPDU.parse(apdu.command)
        except CommandError:
            return Command(apdu, Kind.BROKEN, file, file, sw=sw, answer=answer)
        kind, chosen = _KINDS.get(command.ins, Kind.OTHER) if not command.cla else Kind.OTHER, file
        if kind is Kind.SELECT_NAME:
            if command.p1 == BY_NAME:
                chosen = File.APPLICATION if command.data in {NDEF_AID, NDEF_AID_1} else File.OTHER
            else:
                kind, chosen = Kind.SELECT_FILE, self._file_of(command.data)
        elif not self._known and file is File.NOTHING and sw == SW.OK and kind in {Kind.READ, Kind.UPDATE}:
            file = chosen = self._file = File.NDEF  # the trace begins in the middle: nearly all is about this file
        return Command(apdu, kind, file, chosen, command.p1p2, command.data, command.ne, sw, answer)

    def _file_of(self, name: bytes) -> File:
        if len(name) != FILE_ID_SIZE or self._file is File.OTHER:
            return File.OTHER
        file_id = int.from_bytes(name)
        if file_id == FileId.CC:
            return File.CC
        expected = self.container.file_id if self.container is not None else FileId.NDEF
        return File.NDEF if file_id in {expected, FileId.NDEF} else File.OTHER

    def _select(self, command: Command) -> Iterator[Seen]:
        if command.sw != SW.OK:
            return
        yield from self._give_up("a SELECT")
        self._file, self._known = command.chosen, True
        if command.chosen is File.CC:
            self._cc.clear()

    def _take_read(self, command: Command) -> Iterator[Seen]:
        if command.file is File.CC:
            yield from self._take_cc(command)
        elif command.file is File.NDEF and self.nlen_size == NLEN_SIZE:
            yield from self._judge_size(command)
            yield from self._take_ndef(command)
            self._last_read = command

    def _take_cc(self, command: Command) -> Iterator[Seen]:
        octets = command.answer[: MAX_CC - command.offset] if command.offset <= len(self._cc) else b""
        self._cc[command.offset : command.offset + len(octets)] = octets
        container = parse_container(bytes(self._cc))
        if container is not None and container != self.container:
            self.container = container
            yield ContainerRead(command.apdu, container)

    def _judge_size(self, command: Command) -> Iterator[Seen]:
        """A READ that goes on where the last one ended: that one could have asked for more."""
        last, cc = self._last_read, self.container
        if last is None or last.ne is None or command.offset != last.offset + len(last.answer):
            self._short_told = False
            return
        most = min(cc.mle, MAX_SHORT_READ) if cc is not None else 0
        short = last.ne < most and last.offset + last.ne > NLEN_SIZE and len(last.answer) == last.ne
        if short and not self._short_told:
            self._short_told = True
            yield ShortRead(last.apdu, last.ne, most)

    def _take_ndef(self, command: Command) -> Iterator[Seen]:
        offset, octets = command.offset, command.answer
        outstanding = self._outstanding
        if outstanding is not None:
            outstanding.looked = True
        if offset < NLEN_SIZE:
            yield from self._take_length(command)
        elif outstanding is not None and not outstanding.length_read:
            outstanding.length_read = outstanding.told = True
            yield BlindRead(command.apdu, outstanding.apdu)
        if self._answered and not self._read_again and offset + len(octets) > NLEN_SIZE:
            self._read_again = True
            yield ReadAgain(command.apdu)

    def _take_length(self, command: Command) -> Iterator[Seen]:
        for place, octet in enumerate(command.answer[: NLEN_SIZE - command.offset], command.offset):
            self._nlen_octets[place] = octet
        high, low = self._nlen_octets
        if high is None or low is None:
            return
        self._nlen_octets = [None, None]
        nlen = self._nlen = high << 8 | low
        first, self._first_length = self._first_length, False
        count = 0
        if self._outstanding is not None:
            self._outstanding.length_read = True
            self._outstanding.counted += 1
            count = self._outstanding.counted
        yield LengthRead(command.apdu, nlen, first, count)
        cc = self.container
        if cc is not None and nlen > cc.capacity:
            yield TooLarge(command.apdu, nlen, cc.capacity, written=False)

    def _take_update(self, command: Command) -> Iterator[Seen]:
        yield from self._judge_room(command)
        if self._write is None:
            yield from self._judge_turn(command)
        if command.sw != SW.OK or not command.data or self.nlen_size != NLEN_SIZE:
            return
        if command.offset + len(command.data) > MAX_FILE:
            return
        write = self._write
        if write is not None and write.starts_over(command.offset, command.data):
            yield from self._give_up("a write that starts over")
            write = None
        if write is None:
            write = self._write = Write(command.apdu)
        self._answered = self._read_again = self._refused = False
        write.last = command.apdu
        yield from self._write_octets(write, command)
        if write.whole:
            self._commit(write, command)

    def _judge_room(self, command: Command) -> Iterator[Seen]:
        """What the file cannot hold: by its size, or by the card's word."""
        cc = self.container
        size = command.offset + len(command.data) - NLEN_SIZE
        if command.offset == 0 and len(command.data) >= NLEN_SIZE:
            size = max(size, int.from_bytes(command.data[:NLEN_SIZE]))
        limit = MAX_ANDROID_FILE - NLEN_SIZE
        if cc is not None:
            limit = cc.capacity if cc.tag != NDEF_TAG else min(limit, cc.capacity)
        if not self._large and (size > limit or command.sw == SW.NO_SPACE):
            self._large = True
            yield TooLarge(command.apdu, size, limit, written=True)

    def _judge_turn(self, command: Command) -> Iterator[Seen]:
        """A write while the answer to the request before has not been read."""
        outstanding = self._outstanding
        if command.sw == SW.NOT_NOW:
            if outstanding is None:
                if not self._refused:
                    yield WrittenAgain(command.apdu, None, refused=True, looked=False)
            elif not outstanding.again:
                outstanding.again = outstanding.told = True
                yield WrittenAgain(command.apdu, outstanding.apdu, refused=True, looked=outstanding.looked)
            self._refused = True
        elif command.sw == SW.OK and outstanding is not None and outstanding.same_activation and not outstanding.again:
            outstanding.again = outstanding.told = True
            yield WrittenAgain(command.apdu, outstanding.apdu, refused=False, looked=outstanding.looked)

    def _write_octets(self, write: Write, command: Command) -> Iterator[Seen]:
        offset, data = command.offset, command.data
        if offset < NLEN_SIZE:
            octets = data[: NLEN_SIZE - offset]
            write.set_length(offset, octets, command.apdu)
            data = data[len(octets) :]
            offset = NLEN_SIZE
            write.alone = not data
        elif not write.cleared and not write.nlen and not write.uncleared and self._nlen != 0 and self._known:
            write.uncleared = True
            yield Uncleared(command.apdu, self._nlen)
        if data:
            write.add(offset, len(data))
            # Our own card counts octets, so its readers may write NLEN with the first chunk; alone it saves nothing.
            if write.length is not None and write.length is not command.apdu and not write.early:
                write.early = True
                if write.alone or not self._ours:
                    yield LengthFirst(command.apdu, write.length, write.nlen)

    def _commit(self, write: Write, command: Command) -> None:
        self._write = None
        self._large = False
        self._nlen = write.nlen
        self._before, self._outstanding = self._outstanding, Outstanding(command.apdu)
        if len(command.answer) == NLEN_SIZE:  # our own card tells the length of the answer
            self._nlen = int.from_bytes(command.answer)
            self._outstanding.length_read = True


_KINDS: Final[dict[int, Kind]] = {
    Ins.SELECT: Kind.SELECT_NAME,
    Ins.READ_BINARY: Kind.READ,
    Ins.UPDATE_BINARY: Kind.UPDATE,
}


def knows_ours(header: Header) -> bool:
    """Whether the first line tells that the card is one of ours."""
    ats = ats_of(header)
    return ats is not None and ats.historical == OUR_HISTORICAL
