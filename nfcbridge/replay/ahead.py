"""The answers of a recording, found before the card comes to them.

This listens to the reader's end of a card of ours, whose file is E104, and to nothing that a replay of the card alone
has no use for: `nfcbridge.trace.decoder` sees more and takes ten times as long.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.type4.apdu import HEADER_SIZE, SW, SW_SIZE, Ins
from nfcbridge.type4.cc import FILE_ID_SIZE, FileId

MAX_AHEAD: Final = 20_000
"""Entries that are read ahead for the answer to one request: a message of 32 kB in READs of 15 octets, each a pair of
frames, takes 4,400, and the rest is for polling and for blocks of 16 octets."""

NLEN_SIZE: Final = 2

# An I-block: 0 0 0 M C 0 1 N, with M: more follow, C: a CID is there, N: its number (ISO/IEC 14443-4).
_I_MASK: Final = 0b1110_0010
_I_BLOCK: Final = 0b0000_0010
_MORE: Final = 0b0001_0000
_CID: Final = 0b0000_1000
_NUMBER: Final = 0b0000_0001
_USUAL: Final = frozenset({_I_BLOCK, _I_BLOCK | _NUMBER})
# R(ACK): 1 0 1 0 C 0 1 N.
_ACK_MASK: Final = 0b1111_0110
_ACK: Final = 0b1010_0010
_RATS: Final = 0xE0
_READER: Final = Dir.READER  # before Python 3.12 it takes longer to get a member from its class than to compare
_FIELD: Final = Dir.FIELD
_RATS_SIZE: Final = 2

_OK: Final = SW.OK.to_bytes(SW_SIZE, "big")
_NDEF: Final = FileId.NDEF.to_bytes(FILE_ID_SIZE, "big")
_DATA: Final = HEADER_SIZE + 1


class _Chain:
    """The blocks of one end.

    Attributes:
        number: of its last I-block; -1 before the first.
        octets: what came of an APDU so far.
    """

    __slots__ = ("number", "octets")

    def __init__(self) -> None:
        self.number = -1
        self.octets = b""

    def take(self, frame: bytes) -> bytes | None:
        """The APDU that this frame ends, if it ends one; b"" for a presence check."""
        first = frame[0]
        if first in _USUAL and first != self.number | _I_BLOCK and not self.octets:  # nearly all blocks
            self.number = first & _NUMBER
            return frame[1:]
        if first & _ACK_MASK == _ACK:  # has a number in turn, as I-blocks have
            self.number = first & _NUMBER
        if first & _I_MASK != _I_BLOCK or first & _NUMBER == self.number:  # another block, or the same again
            return None
        self.number = first & _NUMBER
        inf = frame[2 if first & _CID else 1 :]
        if first & _MORE:
            self.octets += inf
            return None
        if self.octets:
            inf, self.octets = self.octets + inf, b""
        return inf


class AnswersAhead:
    """Entries of a trace, and the answers in it before the card comes to them.

    Args:
        entries: of the trace.
        header: its first line.
    """

    def __init__(self, entries: Iterable[Entry], header: Header) -> None:
        self._entries = iter(entries)
        self._blocks = header.level == "blocks"
        self._ahead: deque[Entry] = deque()
        self._found: deque[tuple[int, bytes, bool]] = deque()  # messages that were read; True: partly, until an UPDATE
        known = [bytes.fromhex(header.card.get(name, "d00000")) for name in ("idle", "not_ready")]
        self._no_answers = {b"", *known}
        self._no_lengths = {-1, *map(len, self._no_answers)}
        self._unread = known[-1]  # stands for an answer of which nothing was read: no reader sees a difference
        self._seen = bytearray()  # of the message, in reads that may have ended early, and its length if that was read
        self._length = 0
        self._reset()

    def __iter__(self) -> Iterator[Entry]:
        """The entries; `next_answer` may read ahead meanwhile."""
        ahead = self._ahead
        while True:
            if not ahead and not self._read():
                return
            yield ahead.popleft()

    def next_answer(self, last: int) -> bytes:
        """The message that answers the one which the entry of this number completed.

        What nobody read of it is 00, and as many octets as are known of one whose length nobody read.
        """
        found = self._found
        while True:
            while found:
                number, message, ended = found[0]
                if number > last and ended:
                    return message
                found.popleft()
                if number > last and message not in self._no_answers:
                    return message
            if len(self._ahead) >= MAX_AHEAD or not self._read():
                return self._partly_read()

    def _partly_read(self) -> bytes:
        length = self._length
        if not length and not self._seen:
            return self._unread
        return bytes(self._seen[: length or None]).ljust(length, b"\0")

    def _read(self) -> bool:
        entry = next(self._entries, None)
        if entry is None:
            return False
        self._ahead.append(entry)
        octets = entry.octets
        if entry.dir is _READER:
            apdu = self._reader.take(octets) if self._blocks else octets
            if apdu:
                self._command = apdu
                self._at = entry.number
            elif apdu is None and octets[0] == _RATS and len(octets) == _RATS_SIZE:
                self._reset()
        elif entry.dir is _FIELD:
            self._reset()
        else:
            apdu = self._card.take(octets) if self._blocks else octets
            if apdu and apdu[-SW_SIZE:] == _OK:
                self._respond(apdu[:-SW_SIZE], entry.number)
        return True

    def _reset(self) -> None:
        self._reader = _Chain()
        self._card = _Chain()
        self._command = b""
        self._at = 0  # the entry that completed the command
        self._selected = False
        self._forget()

    def _forget(self) -> None:
        self._nlen = -1
        self._message = b""

    def _respond(self, data: bytes, number: int) -> None:
        command = self._command
        ins = command[1] if len(command) > 1 else -1
        if ins == Ins.READ_BINARY:
            if self._selected:
                self._take_read(command[2] << 8 | command[3], data, number)
        elif ins == Ins.UPDATE_BINARY:
            if self._selected:
                self._found.append((self._at, self._partly_read(), True))
                self._seen.clear()
                self._length = 0
                self._forget()
                if len(data) == NLEN_SIZE:  # our card tells our reader the length of the answer
                    self._nlen = self._length = int.from_bytes(data, "big")
        elif ins == Ins.SELECT:
            self._selected = command[2] == 0 and command[_DATA : _DATA + FILE_ID_SIZE] == _NDEF
            self._forget()

    def _take_read(self, offset: int, data: bytes, number: int) -> None:
        if offset == 0 and len(data) >= NLEN_SIZE:
            self._nlen = int.from_bytes(data[:NLEN_SIZE], "big")
            self._message = data[NLEN_SIZE:]
        elif offset == 0:
            self._nlen, self._message = data[0] << 8, b""
        elif offset == 1:
            self._nlen = max(self._nlen, 0) & 0xFF00 | data[0]
            self._message = data[1:]
        elif self._nlen < 0:
            self._see(offset - NLEN_SIZE, data)
            return
        elif offset - NLEN_SIZE <= len(self._message):
            self._message = self._message[: offset - NLEN_SIZE] + data
        if len(self._message) >= self._nlen > 0:
            self._found.append((number, self._message[: self._nlen], False))
        elif self._nlen == self._length or (not self._length and self._nlen not in self._no_lengths):
            self._length = self._nlen
            self._see(0, self._message)

    def _see(self, at: int, octets: bytes) -> None:
        """Keep a part of a message of which the rest may never be read."""
        seen = self._seen
        if at > len(seen):
            seen += bytes(at - len(seen))
        seen[at : at + len(octets)] = octets
