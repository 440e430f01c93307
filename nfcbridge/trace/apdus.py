"""Blocks of a trace put together to APDUs, by one who only listens to both ends.

What was recorded is never refused, so there is no state in which a frame is an error: a frame that fits nothing is
shown as what it is and changes nothing. Three things ask for care:

    sent again      an I-block is a repetition if its octets are those of the last one of the same end, and nothing
                    between them says that it had arrived (R(ACK) for a chain, the other end's I-block).
    constant PCB    NFCGate writes 02 before every APDU, so an equal block number says nothing until an activation
                    has shown both.
    presence checks an empty I-block and its answer are no APDU, and neither are R(NAK) and R(ACK).
"""

from collections.abc import Callable
from typing import ClassVar, Final

from msgspec import Struct

from nfcbridge import airtime
from nfcbridge.errors import BlockError
from nfcbridge.isodep import Ats
from nfcbridge.isodep.activation import Pps
from nfcbridge.isodep.ats import BASE_RATE, frame_size
from nfcbridge.isodep.blocks import MAX_COMMAND, MAX_RESPONSE, NUMBER
from nfcbridge.trace.counts import Counts, Tally
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.frames import Parsed, parse_frame
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, Seen, Selection

DEFAULT_FSD: Final = 256
"""Octets of the reader's longest frame where nobody saw its RATS: what every phone takes."""

_AT_BASE_RATE: Final = frozenset({BlockKind.RATS, BlockKind.ATS, BlockKind.PPS, BlockKind.PPS_RESPONSE})


class OpenApdu(Struct, gc=False):
    """A command that has begun, and what came of it so far.

    Attributes:
        index: of the APDU.
        before: what there was before its first frame.
        first, t: its first entry, and its time.
        last, t_command: the last entry of the command so far, and its time.
        command, response: as far as they came.
        whole: all of the command is here.
        command_entries, response_entries: those that carry them.
    """

    index: int
    before: Counts
    first: int
    t: float
    last: int
    t_command: float
    command: bytearray
    response: bytearray
    command_entries: list[int]
    response_entries: list[int]
    whole: bool = False


_Rule = Callable[["ApduSource", Entry, Parsed, list[Seen]], tuple[BlockKind, bool]]


class ApduSource:
    """Makes APDUs of the entries of a trace of blocks.

    Args:
        header: of the trace; its card may tell the ATS where the trace does not show it.

    Attributes:
        fsd: octets of the reader's longest frame, as its last RATS told.
        ats: what the card announced last; None where nobody knows.
        before: what there was before the APDU that was given last began.
        selected: what APDUs are told to find selected; whoever looks into them sets it.
    """

    def __init__(self, header: Header | None = None) -> None:
        self.fsd = DEFAULT_FSD
        self.ats = ats_of(header)
        self.before = Counts()
        self.selected = Selection.UNKNOWN
        self._tally = Tally()
        self._last = 0
        self._t = 0.0
        self._rates = (BASE_RATE, BASE_RATE)  # reader to card, card to reader
        self._asked: tuple[BlockKind, Entry] | None = None  # RATS or PPS that nobody has answered
        self._open: OpenApdu | None = None
        self._selected = False  # the field told so after the last RATS
        self._known = False  # there was an activation since the field came
        self._begin_activation()

    @property
    def counts(self) -> Counts:
        """What there was up to now."""
        return self._tally.counts()

    def _begin_activation(self) -> None:
        """Block numbers and repetitions of before count no more."""
        self._reader_block = b""
        self._card_block = b""
        self._reader_arrived = True  # the card's answer showed that it has the reader's last I-block
        self._card_arrived = True
        self._numbers = 0  # bit 0: the reader has used block number 0, bit 1: 1
        self._checking = False  # an empty I-block of the reader is out

    def receive(self, entry: Entry) -> list[Seen]:
        """Take the next entry; never raises."""
        if entry.dir is Dir.FIELD:
            return self._field(entry)
        self._last, self._t = entry.number, entry.t
        from_reader = entry.dir is Dir.READER
        asked, self._asked = self._asked, None
        if asked is not None and not from_reader:
            seen = self._answer(*asked, entry)
            if seen is not None:
                return seen
        kind, number, cid, inf = parse_frame(entry.octets, from_reader=from_reader)
        repeated = False
        finished: list[Seen] = []  # what ended before this entry
        rule = self._RULES.get((kind, from_reader))
        if rule is not None:
            kind, repeated = rule(self, entry, (kind, number, cid, inf), finished)
        air = self._count(entry, kind, from_reader=from_reader, repeated=repeated)
        block = BlockSeen(
            entry.number, entry.t, from_reader, entry.octets, kind, number, cid, inf, repeated=repeated, air=air
        )
        finished.append(block)
        open_ = self._open
        if open_ is not None and open_.whole and not from_reader and kind is BlockKind.I_LAST and not repeated:
            finished.append(self._finish(open_, answered=True))
        return finished

    def close(self) -> list[Seen]:
        """The command that got no response, if there is one."""
        finished: list[Seen] = []
        self._leave(finished)
        return finished

    def _count(self, entry: Entry, kind: BlockKind, *, from_reader: bool, repeated: bool) -> float:
        rate = BASE_RATE if kind in _AT_BASE_RATE else self._rates[0 if from_reader else 1]
        delay = airtime.READER_DELAY if from_reader else airtime.CARD_DELAY
        air = airtime.frame_time(len(entry.octets), rate) + delay
        self._tally.air += air
        self._tally.blocks += 1
        self._tally.retransmissions += repeated
        return air

    def _field(self, entry: Entry) -> list[Seen]:
        finished: list[Seen] = []
        self._leave(finished)
        self._last, self._t = entry.number, entry.t
        self._asked = None
        self._rates = (BASE_RATE, BASE_RATE)
        if entry.on:
            self._tally.selections += 1
            self._tally.air += airtime.SELECTION
        else:
            self._known = False
        self._selected = entry.on
        return [*finished, FieldSeen(entry.number, entry.t, entry.on)]

    def _answer(self, asked: BlockKind, question: Entry, entry: Entry) -> list[Seen] | None:
        """The card's frame after RATS or PPS; None if it is no answer to that."""
        octets = entry.octets
        if asked is BlockKind.PPS:
            if octets != question.octets[:1]:
                return None
            air = self._count(entry, BlockKind.PPS_RESPONSE, from_reader=False, repeated=False)
            pps = Pps.parse(question.octets)  # it was read once before
            self._rates = (pps.dr, pps.ds)
            return [BlockSeen(entry.number, entry.t, False, octets, BlockKind.PPS_RESPONSE, inf=octets, air=air)]
        air = self._count(entry, BlockKind.ATS, from_reader=False, repeated=False)
        self._tally.activations += 1
        self.fsd = frame_size(question.octets[1] >> 4)
        try:
            self.ats = Ats.parse(octets)
        except BlockError:
            self.ats = None
        again, self._known = self._known, True
        self._rates = (BASE_RATE, BASE_RATE)
        return [
            BlockSeen(entry.number, entry.t, False, octets, BlockKind.ATS, inf=octets, air=air),
            ActivationSeen(question.number, entry.number, question.t, entry.t, self.fsd, self.ats, octets, again=again),
        ]

    def _leave(self, finished: list[Seen]) -> None:
        """Activation, deselection, field: what is open stays without a response."""
        open_ = self._open
        if open_ is not None and open_.whole:
            finished.append(self._finish(open_, answered=False))
        self._open = None
        self._begin_activation()

    def _activate(self, entry: Entry, _: Parsed, finished: list[Seen]) -> tuple[BlockKind, bool]:
        self._asked = (BlockKind.RATS, entry)
        self._leave(finished)
        if not self._selected:  # the trace does not tell of it, and no card hears RATS without
            self._tally.air += airtime.SELECTION
        self._selected = False
        return BlockKind.RATS, False

    def _choose_rates(self, entry: Entry, _: Parsed, _finished: list[Seen]) -> tuple[BlockKind, bool]:
        self._asked = (BlockKind.PPS, entry)
        return BlockKind.PPS, False

    def _deselect(self, _: Entry, _parsed: Parsed, finished: list[Seen]) -> tuple[BlockKind, bool]:
        self._leave(finished)
        return BlockKind.DESELECT, False

    def _extend(self, _: Entry, _parsed: Parsed, _finished: list[Seen]) -> tuple[BlockKind, bool]:
        self._tally.wtx += 1
        return BlockKind.WTX, False

    def _reader_i_block(self, entry: Entry, parsed: Parsed, finished: list[Seen]) -> tuple[BlockKind, bool]:
        kind, number, _, inf = parsed
        open_ = self._open
        octets = entry.octets
        constant = self._numbers != 3  # noqa: PLR2004 - both bits
        if octets == self._reader_block and not (self._reader_arrived and constant):
            return kind, True
        in_chain = open_ is not None and not open_.whole
        self._numbers |= 1 << (number or 0)
        self._reader_block = octets
        self._reader_arrived = False
        self._card_arrived = True
        if kind is BlockKind.EMPTY:
            if not in_chain:
                self._checking = True
                return kind, False
            kind = BlockKind.I_LAST
        if open_ is None or not in_chain:
            if open_ is not None:  # a command that nobody answered
                finished.append(self._finish(open_, answered=False))
            before = self._tally.counts()
            self._tally.apdus += 1
            open_ = self._open = OpenApdu(
                self._tally.apdus,
                before,
                entry.number,
                entry.t,
                entry.number,
                entry.t,
                bytearray(),
                bytearray(),
                [],
                [],
            )
        self._checking = False
        open_.command += inf
        open_.command_entries.append(entry.number)
        open_.last, open_.t_command = entry.number, entry.t
        open_.whole = kind is BlockKind.I_LAST
        if len(open_.command) > MAX_COMMAND:
            self._open = None
        return kind, False

    def _card_i_block(self, entry: Entry, parsed: Parsed, _: list[Seen]) -> tuple[BlockKind, bool]:
        kind, _number, _cid, inf = parsed
        open_ = self._open
        octets = entry.octets
        if octets == self._card_block and not self._card_arrived:
            return kind, True
        self._card_block = octets
        self._card_arrived = False
        self._reader_arrived = True
        if self._checking:
            self._checking = False
            if kind is BlockKind.EMPTY:
                return kind, False
        if open_ is None or not open_.whole:
            return kind, False
        open_.response += inf
        open_.response_entries.append(entry.number)
        if len(open_.response) > MAX_RESPONSE:
            self._open = None
        return BlockKind.I_LAST if kind is BlockKind.EMPTY else kind, False

    def _reader_acknowledges(self, _: Entry, parsed: Parsed, _finished: list[Seen]) -> tuple[BlockKind, bool]:
        """R(ACK) for a part of a response; with the number of the card's last block it asks for that again."""
        if not self._card_arrived and self._card_block and parsed[1] == self._card_block[0] & NUMBER:
            return BlockKind.ACK, True
        repeated, self._card_arrived = self._card_arrived, True
        return BlockKind.ACK, repeated

    def _card_acknowledges(self, _: Entry, parsed: Parsed, _finished: list[Seen]) -> tuple[BlockKind, bool]:
        """R(ACK) for a part of a command, or for R(NAK): then the other number says that the block did not arrive."""
        if self._reader_block and parsed[1] == self._reader_block[0] & NUMBER:
            self._reader_arrived = True
        return BlockKind.ACK, False

    def _finish(self, open_: OpenApdu, *, answered: bool) -> ApduSeen:
        self._open = None
        self.before = before = open_.before
        tally = self._tally
        last, t_end = (self._last, self._t) if answered else (open_.last, open_.t_command)
        return ApduSeen(
            open_.index,
            open_.first,
            last,
            open_.t,
            open_.t_command,
            t_end,
            bytes(open_.command),
            bytes(open_.response) if answered else None,
            tally.blocks - before.blocks,
            tally.wtx - before.wtx,
            tally.retransmissions - before.retransmissions,
            tally.air - before.air,
            tuple(open_.command_entries),
            tuple(open_.response_entries),
            self.selected,
        )

    _RULES: ClassVar[dict[tuple[BlockKind, bool], _Rule]] = {
        (BlockKind.RATS, True): _activate,
        (BlockKind.PPS, True): _choose_rates,
        (BlockKind.DESELECT, True): _deselect,
        (BlockKind.WTX, False): _extend,
        (BlockKind.I_LAST, True): _reader_i_block,
        (BlockKind.I_MORE, True): _reader_i_block,
        (BlockKind.EMPTY, True): _reader_i_block,
        (BlockKind.I_LAST, False): _card_i_block,
        (BlockKind.I_MORE, False): _card_i_block,
        (BlockKind.EMPTY, False): _card_i_block,
        (BlockKind.ACK, True): _reader_acknowledges,
        (BlockKind.ACK, False): _card_acknowledges,
    }
    """What a block means beyond itself, by its kind and whether the reader sent it: the kind as it turns out to be, and
    whether it was sent again. What had ended before it is put into the list."""


def ats_of(header: Header | None) -> Ats | None:
    """The ATS that the first line tells of; None if it tells none, or one that cannot be read."""
    text = (header.card if header else {}).get("ats")
    try:
        return Ats.parse(bytes.fromhex(text)) if isinstance(text, str) else None
    except (BlockError, ValueError):
        return None
