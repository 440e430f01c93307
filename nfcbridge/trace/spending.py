"""What the time of a trace was spent on: waits are measured, air is computed and has a use. `stats` says more."""

from collections import deque
from enum import Enum
from typing import Final

from nfcbridge import airtime
from nfcbridge.isodep.activation import Pps
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen, Selection
from nfcbridge.type4.apdu import HEADER_SIZE, Ins

AIRLESS: Final = frozenset({"memory", "udp", "vpcd", "faulty", "casimir", "replay"})
"""Kinds of links without real air."""

IMPORTED: Final = "imported"
TIMELESS: Final = "none"
"""How source and clock begin of a trace that another program recorded, and of one that has no times."""

MAX_PENDING: Final = 70_000
"""READs whose use is not known yet: more than a whole file in READs of one octet has."""

MAX_DETECTION: Final = 64
"""Different commands of a detection that are remembered: a CC read octet by octet has fifteen."""

_ACTIVATION: Final = frozenset({BlockKind.RATS, BlockKind.ATS, BlockKind.PPS, BlockKind.PPS_RESPONSE})
_COMMAND: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE})


class Use(Enum):
    """What a command or a frame was good for, of which `payload` and `overhead` have a share each of `MESSAGE`."""

    MESSAGE = "request or answer"
    NEEDED = "overhead"
    RE_SELECT = "re-select"
    POLL = "polling"


class Clock(Enum):
    """What the times of a trace tell of air."""

    AT_CARD = "card"
    """A frame of the card when it begins, one of the reader when it ended."""
    AT_READER = "reader"
    """The other way round."""
    AT_BEGINNING = "beginning"
    """Every frame when it begins, as those do who listen to both."""
    WITHOUT_AIR = "without air"
    """Between frames there are waits alone: the link has no air."""
    UNKNOWN = "unknown"
    """Nobody knows."""


def clock_of(header: Header) -> Clock:
    """What the times of this trace tell."""
    kind = header.link.partition(":")[0]
    if kind in AIRLESS:
        return Clock.WITHOUT_AIR
    if kind:
        return Clock.AT_READER if header.source.endswith("reader") else Clock.AT_CARD
    timed = header.source.startswith(IMPORTED) and not str(header.clock).startswith(TIMELESS)
    return Clock.AT_BEGINNING if timed else Clock.UNKNOWN


_WITH_AIR: Final = frozenset({Clock.AT_CARD, Clock.AT_READER, Clock.AT_BEGINNING})


class Gaps:
    """Measures what lies between entries.

    Args:
        header: names the link, and the end at which it was tapped.

    Attributes:
        recorded: seconds since the first entry.
        air: seconds of these that are air; 0 on a link without.
        waiting_for_us, waiting_for_reader, away: the others.
        wait: of the gap before the last entry, what is not air.
    """

    def __init__(self, header: Header) -> None:
        self.recorded = self.air = self.waiting_for_us = self.waiting_for_reader = self.away = self.wait = 0.0
        self._clock = clock_of(header)
        self._t: float | None = None
        self._field = False
        self._frames = 0.0  # air of the last frame, where the clock stopped before it

    def receive(self, entry: Entry, seen: list[Seen]) -> None:
        """Measure up to an entry, which shows this."""
        gap = 0.0 if self._t is None else max(entry.t - self._t, 0.0)
        self._t = entry.t if self._t is None else max(self._t, entry.t)
        self.recorded += gap
        air = min(self._air_before(entry, seen), gap) if self._clock in _WITH_AIR else 0.0
        self.air += air
        self.wait = wait = gap - air
        if entry.dir is Dir.CARD:
            self.waiting_for_us += wait
        elif entry.dir is Dir.FIELD and entry.on and not self._field:
            self.away += wait
        else:
            self.waiting_for_reader += wait
        if entry.dir is Dir.FIELD:
            self._field = entry.on

    def _air_before(self, entry: Entry, seen: list[Seen]) -> float:
        """The air that lies between the entry before and this one."""
        block = next((each for each in seen if isinstance(each, BlockSeen) and each.entry == entry.number), None)
        if block is None:  # a trace of APDUs has the whole exchange of blocks before the response
            return sum(each.air for each in seen if isinstance(each, ApduSeen)) if entry.dir is Dir.CARD else 0.0
        delay = airtime.READER_DELAY if block.from_reader else airtime.CARD_DELAY
        frames, self._frames = self._frames, block.air - delay
        if self._clock is Clock.AT_BEGINNING:
            return frames + delay
        if block.from_reader is (self._clock is Clock.AT_READER):  # told when it begins, the one before when it ended
            return delay
        self._frames = 0.0
        return frames + block.air


class Uses:
    """Finds out what air was good for.

    Args:
        blocks: the frames of the trace are blocks, else APDUs.

    Attributes:
        air: seconds, of all that was seen.
        payload, re_selects, polling: seconds of it; the rest is overhead.
        news: by index of the APDU and by number of the entry, what turned out since this was emptied last.
    """

    def __init__(self, *, blocks: bool) -> None:
        self._blocks = blocks
        self.air = self.payload = self.re_selects = self.polling = 0.0
        self.news: dict[tuple[str, int], Use] = {}
        self._rates = (airtime.BASE_RATE, airtime.BASE_RATE)  # reader to card, card to reader
        self._pps = b""
        self._selected = False  # by the field, after the last RATS
        self._activated = False  # since the field came
        self._again = False  # this activation is a repetition
        self._detected: set[bytes] = set()  # commands since the field came
        self._reads: deque[tuple[int, float]] = deque()  # index and air of READs whose use is not known
        self._open = False  # a command has no response yet
        self._nak = 0.0  # air of an R(NAK) outside of a command
        self._answer = b""  # that was read last

    def receive(self, seen: Seen) -> None:
        """Take what was seen next."""
        match seen:
            case BlockSeen():
                self.air += seen.air
                self._block(seen)
            case FieldSeen():
                self._field(on=seen.on)
            case ApduSeen():
                self._open = False
                if not self._blocks:
                    self.air += seen.air
                self._apdu(seen)
            case MessageSeen():
                self._message(seen)

    def give_up(self) -> None:
        """Nothing came of the READs that are left."""
        while self._reads:
            self._settle_read(Use.POLL)

    def _settle_read(self, use: Use) -> None:
        """The oldest READ was good for this."""
        index, air = self._reads.popleft()
        self.news["apdu", index] = use
        if use is Use.POLL:
            self.polling += air

    def _field(self, *, on: bool) -> None:
        self._rates = (airtime.BASE_RATE, airtime.BASE_RATE)
        if not on:
            self._activated = False
            self._detected.clear()
        elif self._selected:
            self._again = self._activated
            self._select()  # the one before was all of its activation
        self._selected = on
        if on and not self._blocks:  # a trace of APDUs has no RATS, with which it would be counted
            self._again, self._activated = self._activated, True
            self._select()
            self._selected = False

    def _select(self) -> None:
        self.air += airtime.SELECTION
        if self._again:
            self.re_selects += airtime.SELECTION

    def _block(self, block: BlockSeen) -> None:
        kind = block.kind
        if kind is BlockKind.RATS:
            self._again, self._activated = self._activated, True
            self._select()
            self._selected = self._open = False
            self._rates = (airtime.BASE_RATE, airtime.BASE_RATE)
        elif kind is BlockKind.PPS:
            self._pps = block.octets
        elif kind is BlockKind.PPS_RESPONSE:
            pps = Pps.parse(self._pps)  # it was read before: it would not have this name otherwise
            self._rates = (pps.dr, pps.ds)
        if kind in _ACTIVATION and self._again:
            self.re_selects += block.air
            self.news["entry", block.entry] = Use.RE_SELECT
        nak, self._nak = self._nak, 0.0
        if kind is BlockKind.EMPTY:
            self.polling += block.air
            self.news["entry", block.entry] = Use.POLL
        elif kind is BlockKind.NAK and not self._open:
            self._nak = block.air
        elif kind is BlockKind.ACK and nak and not block.from_reader:
            self.polling += nak + block.air
            self.news["entry", block.entry - 1] = self.news["entry", block.entry] = Use.POLL
        elif kind in _COMMAND and block.from_reader:
            self._open = True

    def _apdu(self, apdu: ApduSeen) -> None:
        command = apdu.command
        if len(command) < HEADER_SIZE:
            return
        if command[1] == Ins.SELECT:
            self._detection(apdu)
        elif command[1] == Ins.READ_BINARY:
            if apdu.selected is Selection.CC:
                self._detection(apdu)
                return
            self._reads.append((apdu.index, apdu.air))
            if len(self._reads) > MAX_PENDING:
                self._settle_read(Use.POLL)
        elif command[1] == Ins.UPDATE_BINARY:
            self.news["apdu", apdu.index] = Use.MESSAGE

    def _detection(self, apdu: ApduSeen) -> None:
        if apdu.command in self._detected or len(self._detected) >= MAX_DETECTION:
            self.re_selects += apdu.air
            self.news["apdu", apdu.index] = Use.RE_SELECT
        else:
            self._detected.add(apdu.command)

    def _message(self, message: MessageSeen) -> None:
        octets = 0 if message.text is None else len(message.text.encode())
        if message.written:
            self.give_up()
            self._answer = b""
            self.payload += octets * airtime.OCTET * airtime.BASE_RATE / self._rates[0]
            return
        new = message.answer is not None and message.octets != self._answer
        while self._reads and self._reads[0][0] <= message.last_apdu:
            useful = new and self._reads[0][0] >= message.first_apdu
            self._settle_read(Use.MESSAGE if useful else Use.POLL)
        if new:
            self._answer = message.octets
            self.payload += octets * airtime.OCTET * airtime.BASE_RATE / self._rates[1]
