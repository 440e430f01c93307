"""NDEF messages in the APDUs of a trace: what a reader wrote as a whole, and what it read as a whole.

Which file is selected is followed; where a trace begins in the middle, a file that is read or written is taken for the
NDEF file unless it reads as a CC. A message is written when `type4.ndef_file` says so, by the rule of our card. It is
read when NLEN is known and each octet of the message was read since, in any chunks:

    READ 0..1            NLEN, in one READ or two; the message begins anew
    READ 2..             parts of the message
    UPDATE with an Le    our own card answers with the NLEN of the answer that it put into the file

Android's `getNdefMessage` after a write reads from offset 2 as many octets as it wrote, and no NLEN. What it gets then
is told as a message too, with the problem.
"""

from typing import Final

from nfcbridge.errors import CommandError, RecordError, RequestError, ResponseError
from nfcbridge.framing import Answer, Request, parse_answer, parse_request
from nfcbridge.text import decode_text
from nfcbridge.trace.counts import Counts
from nfcbridge.trace.seen import MAY_BE_NDEF, UNSEEN, ApduSeen, MessageSeen, Selection
from nfcbridge.type4.apdu import HEADER_SIZE, SW, CommandAPDU, Ins
from nfcbridge.type4.cc import CC_SIZE, FILE_ID_SIZE, NDEF_AID, NDEF_AID_1, FileId
from nfcbridge.type4.ndef_file import EMPTY_MESSAGE, Committed, NdefFile, WriteBegun

NLEN_SIZE: Final = 2
MAX_FILE: Final = 0x1_0001
"""Octets of a file that NLEN FFFF fills."""

END_OF_FILE: Final = 0x6282
"""The status word of other cards that gave fewer octets than were asked for."""

_BY_NAME: Final = 0x04
_NO_MESSAGE: Final = "the empty message"
_BLIND: Final = "read without NLEN, with the length of the request"
_CC_TLV: Final = frozenset({bytes.fromhex("0406"), bytes.fromhex("0608")})


class Span:
    """The APDUs that carried a message, from the first to the last.

    Attributes:
        first, last: the APDUs.
        before: what there was before the first.
        previous: the APDU before the first.
    """

    __slots__ = ("before", "first", "last", "previous")

    def __init__(self, apdu: ApduSeen, before: Counts, previous: ApduSeen | None) -> None:
        self.first = self.last = apdu
        self.before = before
        self.previous = previous


Told = tuple[MessageSeen, Span]
"""A message, and the APDUs that carried it."""


class MessageSource:
    """Makes messages of APDUs.

    Attributes:
        selection: what is selected.
        previous: the last APDU.
    """

    def __init__(self) -> None:
        self.selection = Selection.UNKNOWN
        self._before = Counts()
        self.previous: ApduSeen | None = None
        self._other_application = False
        self._index = 0
        self._cc = bytearray()
        self._ndef_id: int | None = None  # as the CC says
        self._file = NdefFile(MAX_FILE)
        self._write: Span | None = None
        self._wrote = 0  # octets of the message that was written last in this activation
        self._forget_read()

    def _forget_read(self) -> None:
        self._nlen: int | None = None
        self._nlen_octets: list[int | None] = [None, None]
        self._told_by: Span | None = None  # of NLEN, as long as nothing of the message was read
        self._begin_read()

    def _begin_read(self) -> None:
        self._data = bytearray()
        self._missing = -1  # octets to come; -1 while nobody knows
        self._have = bytearray()  # 1 for each octet of the message that was read
        self._read: Span | None = None

    def leave(self) -> list[Told]:
        """Activation, deselection, field: nothing is selected and a half write is gone."""
        seen = self._end_blind_read()
        self.selection = Selection.UNKNOWN
        self._other_application = False
        self._file.rollback()
        self._write = None
        self._wrote = 0
        self._forget_read()
        return seen

    def receive(self, apdu: ApduSeen, before: Counts) -> list[Told]:
        """Take the next APDU; never raises.

        Args:
            apdu: the APDU.
            before: what there was before it.
        """
        self._before = before
        seen = self._receive(apdu)
        self.previous = apdu
        return seen

    def _receive(self, apdu: ApduSeen) -> list[Told]:
        octets = apdu.command
        if len(octets) < HEADER_SIZE or octets[0]:
            return []
        try:
            command = CommandAPDU.parse(octets)
        except CommandError:
            return []
        if command.ins == Ins.READ_BINARY:
            return self._take_read(apdu, command) if apdu.sw in {SW.OK, END_OF_FILE} else []
        seen = self._end_blind_read()
        if command.ins == Ins.UPDATE_BINARY:
            seen += self._take_update(apdu, command)
        elif command.ins == Ins.SELECT:
            self._select(apdu, command)
        return seen

    def close(self) -> list[Told]:
        """What was read without NLEN up to the end."""
        return self._end_blind_read()

    def _select(self, apdu: ApduSeen, command: CommandAPDU) -> None:
        if apdu.sw is None:
            self.selection = Selection.UNKNOWN
            return
        if apdu.sw != SW.OK and apdu.sw >> 8 != 0x61:  # noqa: PLR2004 - 61xx: done, and there is more to fetch
            return
        if command.p1 == _BY_NAME:
            ours = command.data in {NDEF_AID, NDEF_AID_1}
            self._other_application = not ours
            self.selection = Selection.APPLICATION if ours else Selection.OTHER
        else:
            self.selection = self._file_of(command.data)
        self._file.rollback()
        self._write = None

    def _file_of(self, name: bytes) -> Selection:
        if self._other_application or len(name) != FILE_ID_SIZE:
            return Selection.OTHER
        file_id = int.from_bytes(name)
        if file_id == FileId.CC:
            self._cc.clear()
            return Selection.CC
        if file_id == (self._ndef_id or FileId.NDEF):
            return Selection.NDEF
        # Its CC was not read, or the trace does not show it: the application has no other files to speak of.
        unread = self._ndef_id is None and self.selection not in {Selection.UNKNOWN, Selection.OTHER}
        return Selection.NDEF if unread else Selection.OTHER

    def _take_update(self, apdu: ApduSeen, command: CommandAPDU) -> list[Told]:
        # Without a response nobody knows whether the card has it; if it asked for more time it had.
        done = apdu.sw == SW.OK or (apdu.response is None and apdu.wtx)
        if not done or not command.data or self.selection not in MAY_BE_NDEF:
            return []
        try:
            report = self._file.update(command.p1p2, command.data)
        except CommandError:
            return []
        if self._write is None or isinstance(report, WriteBegun) or starts_over(command):
            self._write = self._span(apdu)
        self._write.last = apdu
        self._forget_read()
        if not isinstance(report, Committed):
            return []
        span, self._write = self._write, None
        self._wrote = len(report.message)
        if len(apdu.data) == NLEN_SIZE:  # our own card tells the length of what can be read now
            self._nlen = int.from_bytes(apdu.data)
            self._told_by = self._span(apdu)
        return [self._message(report.message, span, written=True)]

    def _take_read(self, apdu: ApduSeen, command: CommandAPDU) -> list[Told]:
        offset, octets = command.p1p2, apdu.data
        if not octets:
            return []
        if self.selection is Selection.CC or (self.selection in UNSEEN and looks_like_cc(offset, octets)):
            self._take_cc(offset, octets)
            return []
        if self.selection not in MAY_BE_NDEF or offset + len(octets) > MAX_FILE:
            return []
        seen = []
        if offset < NLEN_SIZE:
            seen += self._end_blind_read()
            self._take_nlen(offset, octets[: NLEN_SIZE - offset], apdu)
            octets = octets[NLEN_SIZE - offset :]
            offset = NLEN_SIZE
            if not octets and self._nlen is None:
                return seen
        at = offset - NLEN_SIZE
        if not octets:
            return seen
        if self._nlen is None:
            return seen + self._take_blindly(at, octets, apdu)
        return seen + self._take_part(at, octets, apdu)

    def _take_cc(self, offset: int, octets: bytes) -> None:
        if offset > len(self._cc):
            return
        self._cc[offset : offset + len(octets)] = octets
        if len(self._cc) >= CC_SIZE and bytes(self._cc[7:9]) in _CC_TLV:
            self._ndef_id = int.from_bytes(self._cc[9:11])

    def _take_nlen(self, offset: int, octets: bytes, apdu: ApduSeen) -> None:
        self._begin_read()
        if offset == 0 or self._told_by is None:
            self._told_by = self._span(apdu)
        if offset == 0:
            self._nlen = None
            self._nlen_octets = [None, None]
        for place, octet in enumerate(octets, offset):
            self._nlen_octets[place] = octet
        high, low = self._nlen_octets
        if high is not None and low is not None:
            self._nlen = high << 8 | low

    def _take_part(self, at: int, octets: bytes, apdu: ApduSeen) -> list[Told]:
        """A part of a message whose NLEN is known."""
        nlen = self._nlen or 0
        octets = octets[: max(nlen - at, 0)]
        if not octets:
            return []
        if self._missing <= 0:  # the first part since NLEN was read, or another reading of the same message
            self._data = bytearray(nlen)
            self._have = bytearray(nlen)
            self._missing = nlen
            self._read = self._told_by or self._span(apdu)
            self._told_by = None
        span = self._read or self._span(apdu)
        end = at + len(octets)
        self._missing -= self._have.count(0, at, end)
        self._data[at:end] = octets
        self._have[at:end] = b"\1" * len(octets)
        span.last = apdu
        return [] if self._missing else [self._message(bytes(self._data), span, written=False)]

    def _take_blindly(self, at: int, octets: bytes, apdu: ApduSeen) -> list[Told]:
        """A part of a message whose NLEN nobody has read."""
        seen = [] if at == len(self._data) else self._end_blind_read()
        if at != len(self._data):
            return seen
        self._read = self._read or self._span(apdu)
        self._read.last = apdu
        self._data += octets
        return seen if len(self._data) != self._wrote else seen + self._end_blind_read()

    def _end_blind_read(self) -> list[Told]:
        if self._nlen is not None or not self._data or self._read is None:
            return []
        message = self._message(bytes(self._data), self._read, written=False, blind=True)
        self._begin_read()
        return [message]

    def _span(self, apdu: ApduSeen) -> Span:
        return Span(apdu, self._before, self.previous)

    def _message(self, octets: bytes, span: Span, *, written: bool, blind: bool = False) -> Told:
        self._index += 1
        first, last = span.first, span.last
        text, problem, request, answer = understand(octets, written=written)
        if blind and problem:
            problem = f"{_BLIND}: {problem}"
        message = MessageSeen(
            self._index,
            written,
            first.first,
            last.last,
            first.index,
            last.index,
            first.t,
            last.t_end,
            octets,
            text,
            problem,
            request,
            answer,
        )
        return message, span


def starts_over(command: CommandAPDU) -> bool:
    """Whether an UPDATE begins a write anew even where one is half done: NLEN 0, or NLEN with a part of the message."""
    data = command.data
    return command.p1p2 == 0 and len(data) >= NLEN_SIZE and (len(data) > NLEN_SIZE or not any(data))


def looks_like_cc(offset: int, octets: bytes) -> bool:
    """Whether what was read, from a file that nobody saw selected, is the CC."""
    return offset == 0 and len(octets) >= CC_SIZE and octets[0] == 0 and octets[7:9] in _CC_TLV


def understand(octets: bytes, *, written: bool) -> tuple[str | None, str, Request | None, Answer | None]:
    """What an NDEF message says.

    Returns:
        Its text, why there is no text or no request or answer in it, the request, the answer.
    """
    if octets == EMPTY_MESSAGE:
        return None, _NO_MESSAGE, None, None
    text = None
    try:
        text = decode_text(octets)
        if written:
            return text, "", parse_request(text), None
        return text, "", None, parse_answer(text)
    except (RecordError, RequestError, ResponseError) as error:
        return text, str(error), None, None
