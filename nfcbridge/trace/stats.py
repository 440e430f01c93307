"""What a trace amounts to: how much crossed, and where the time went. Memory does not grow with the trace.

A recording knows when frames crossed a tap; how long they took on the air is computed (`nfcbridge.airtime`, as fast as
reader and card may be), since most links have no air. Every second belongs to exactly one of these:

    computed, seconds of air
    payload              the octets of JSON in requests, and in answers that were read for the first time: 9 bits each
    re-selects           selection, RATS, ATS and PPS, and SELECT and READ of the capability container, if the same was
                         done before since the field came: one phone needs them once
    polling              reads of the NDEF file that gave nothing new (NLEN alone, the idle message, an answer that was
                         read before, a part that was read in vain), and presence checks with their answers
    overhead             all other air: the first selection and detection; start bits, CRC, PCB, APDU headers, status
                         words, NLEN and record headers; R(ACK), S(WTX), retransmissions; the delay before each frame

    measured, seconds between two entries, without what air they have in them
    waiting for us       before an entry of the card
    waiting for reader   before an entry of the reader, or before the field went
    away                 before the card was selected, while there was no field

Where the link has real air (a reader device), the gap between two entries has air in it: at the card's end the delay
before the card's frame, and that frame with the reader's delay and frame before the reader's entry; at the reader's end
the other way round. Of a gap that is shorter than its air all is air. So for each trace

    recorded = measured + the air that was in the clock

and on links without air (`memory:`, `udp:`, `vpcd:` and what is made of them), whose gaps are waits alone, the sum of
all seven tells how long the same would have taken with air. An exchange is counted with all that came since the one
before it: its detection and its polling. One that got no answer ends where the next request is there.
"""

from collections import deque
from enum import Enum
from math import log10
from typing import Final

from msgspec import Struct, field

from nfcbridge import airtime
from nfcbridge.errors import BlockError
from nfcbridge.isodep.activation import Pps
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import (
    ApduSeen,
    BlockKind,
    BlockSeen,
    ExchangeSeen,
    FieldSeen,
    MessageSeen,
    Seen,
    Selection,
)
from nfcbridge.type4.apdu import HEADER_SIZE, Ins

AIRLESS: Final = frozenset({"", "memory", "udp", "vpcd", "faulty", "casimir", "replay"})
"""Kinds of links without real air; of a trace that names no link nobody knows, and its waits are left as they are."""

MAX_PENDING: Final = 70_000
"""READs whose use is not known yet: more than a whole file in READs of one octet has."""

MAX_DETECTION: Final = 64
"""Different commands of a detection that are remembered: a CC read octet by octet has fifteen."""

BINS_A_DECADE: Final = 40
"""Of the durations of exchanges: a bin is 6 % wide."""
DECADES: Final = 6
SHORTEST: Final = 1e-3
"""Seconds: the first bin has all that is shorter; the last one, that ends at 1000 s, all that is longer."""
BINS: Final = BINS_A_DECADE * DECADES

_ACTIVATION: Final = frozenset({BlockKind.RATS, BlockKind.ATS, BlockKind.PPS, BlockKind.PPS_RESPONSE})
_COMMAND: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE})


class TimeSpent(Struct, forbid_unknown_fields=True):
    """Seconds by what they went for; the module says what is what."""

    payload: float = 0.0
    overhead: float = 0.0
    re_selects: float = 0.0
    polling: float = 0.0
    waiting_for_us: float = 0.0
    waiting_for_reader: float = 0.0
    away: float = 0.0

    def total(self) -> float:
        """All of them."""
        return sum((getattr(self, name) for name in CATEGORIES), 0.0)

    def add(self, other: "TimeSpent", sign: float = 1.0) -> None:
        """Add another one, or take it away."""
        for name in CATEGORIES:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))

    def copy(self) -> "TimeSpent":
        """One more like it."""
        return TimeSpent(*(getattr(self, name) for name in CATEGORIES))


CATEGORIES: Final = TimeSpent.__struct_fields__
"""In the order in which they are shown."""


class Use(Enum):
    """What a command or a frame was good for, of which `payload` and `overhead` have a share each of `MESSAGE`."""

    MESSAGE = "request or answer"
    NEEDED = "overhead"
    RE_SELECT = "re-select"
    POLL = "polling"


class Durations(Struct):
    """How long exchanges took, in bins that grow by 6 % each.

    Attributes:
        counts: of the exchanges in each bin.
        spent: what they took in all, by bin.
        shortest, longest: seconds; 0 while there is none.
    """

    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    spent: list[TimeSpent] = field(default_factory=lambda: [TimeSpent() for _ in range(BINS)])
    shortest: float = 0.0
    longest: float = 0.0

    def record(self, spent: TimeSpent) -> None:
        """One more exchange."""
        seconds = spent.total() - spent.away
        self.shortest = seconds if not sum(self.counts) else min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)
        at = bin_of(seconds)
        self.counts[at] += 1
        self.spent[at].add(spent)

    def add(self, other: "Durations") -> None:
        """Add those of another trace."""
        if sum(other.counts):
            self.shortest = other.shortest if not sum(self.counts) else min(self.shortest, other.shortest)
            self.longest = max(self.longest, other.longest)
        for at, count in enumerate(other.counts):
            self.counts[at] += count
            self.spent[at].add(other.spent[at])

    def quantile(self, share: float) -> float:
        """The time that this share of the exchanges took at most, to 6 %; 0 if there is none."""
        wanted = share * sum(self.counts)
        seen = 0
        for at, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(max(bin_start(at + 1), self.shortest), self.longest)
        return 0.0


def bin_of(seconds: float) -> int:
    """The bin of a duration."""
    if seconds <= SHORTEST:
        return 0
    return min(int(log10(seconds / SHORTEST) * BINS_A_DECADE), BINS - 1)


def bin_start(at: int) -> float:
    """Seconds at which a bin begins."""
    return float(SHORTEST * 10 ** (at / BINS_A_DECADE))


class Stats(Struct):
    """What traces amount to.

    Attributes:
        entries: of the field too.
        exchanges: requests that were written, whether or not they got an answer.
        answered: those that got one.
        apdus: commands.
        blocks: frames; 0 in a trace of APDUs.
        retransmissions: frames that were sent again.
        wtx: how often the card asked for more time.
        selections: how often the card was selected.
        octets_reader: of its frames, without CRC.
        octets_card: of its frames, without CRC.
        recorded: seconds from the first entry to the last.
        air: seconds, computed; of these `air_in_clock` are in `recorded`.
        spent: where the time went.
        durations: of exchanges.
    """

    entries: int = 0
    exchanges: int = 0
    answered: int = 0
    apdus: int = 0
    blocks: int = 0
    retransmissions: int = 0
    wtx: int = 0
    selections: int = 0
    octets_reader: int = 0
    octets_card: int = 0
    recorded: float = 0.0
    air: float = 0.0
    air_in_clock: float = 0.0
    spent: TimeSpent = field(default_factory=TimeSpent)
    durations: Durations = field(default_factory=Durations)

    @property
    def octets(self) -> int:
        """Of all frames, without CRC."""
        return self.octets_reader + self.octets_card

    def add(self, other: "Stats") -> None:
        """Add those of another trace."""
        for name in self.__struct_fields__:
            if name in ("spent", "durations"):
                getattr(self, name).add(getattr(other, name))
            else:
                setattr(self, name, getattr(self, name) + getattr(other, name))


class StatsCounter:
    """Counts one trace, entry by entry.

    Args:
        header: its first line.

    Attributes:
        stats: up to now; complete after `close`.
        blocks: the frames are blocks, else APDUs.
        gaps: what was measured, the gap before the last entry too.
        uses: what air was good for; its news are those of the last entry.
    """

    def __init__(self, header: Header) -> None:
        self.stats = Stats()
        self._decoder = Decoder(header.level, header=header)
        self.gaps = Gaps(header)
        self.blocks = header.level == "blocks"
        self.uses = Uses(blocks=self.blocks)
        self._before = TimeSpent()

    def receive(self, entry: Entry) -> list[Seen]:
        """Count the next entry, and return what it shows."""
        stats = self.stats
        stats.entries += 1
        if entry.dir is Dir.READER:
            stats.octets_reader += len(entry.octets)
        elif entry.dir is Dir.CARD:
            stats.octets_card += len(entry.octets)
        stats.blocks += self.blocks and entry.dir is not Dir.FIELD
        seen = self._decoder.receive(entry)
        self.uses.news.clear()
        self.gaps.receive(entry, seen)
        for each in seen:
            self._count(each)
        return seen

    def close(self) -> list[Seen]:
        """The end of the trace; return what was still open."""
        seen = self._decoder.close()
        self.uses.news.clear()
        for each in seen:
            self._count(each)
        self.uses.give_up()
        self._settle()
        return seen

    def _count(self, seen: Seen) -> None:
        stats = self.stats
        self.uses.receive(seen)
        match seen:
            case BlockSeen():
                stats.retransmissions += seen.repeated
                stats.wtx += seen.kind is BlockKind.WTX and not seen.from_reader
            case FieldSeen():
                stats.selections += seen.on
            case ApduSeen():
                stats.apdus += 1
            case ExchangeSeen():
                stats.exchanges += 1
                stats.answered += seen.answer is not None
                self._settle()
                spent = stats.spent.copy()
                spent.add(self._before, -1.0)
                self._before = stats.spent.copy()
                stats.durations.record(spent)

    def _settle(self) -> None:
        """Bring the sums up to now."""
        stats, gaps, uses = self.stats, self.gaps, self.uses
        stats.recorded = gaps.recorded
        stats.air_in_clock = gaps.air
        stats.air = uses.air
        stats.spent = TimeSpent(
            uses.payload,
            max(uses.air - uses.payload - uses.re_selects - uses.polling, 0.0),
            uses.re_selects,
            uses.polling,
            gaps.waiting_for_us,
            gaps.waiting_for_reader,
            gaps.away,
        )


def is_airless(link: str) -> bool:
    """Whether a link of this name has no air, as far as its kind tells."""
    return link.partition(":")[0] in AIRLESS


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
        self._real = not is_airless(header.link)
        self._at_reader = header.source.endswith("reader")
        self._t: float | None = None
        self._field = False
        self._frames = 0.0  # air of the last frame of the other end, where the clock stopped before it

    def receive(self, entry: Entry, seen: list[Seen]) -> None:
        """Measure up to an entry, which shows this."""
        gap = 0.0 if self._t is None else max(entry.t - self._t, 0.0)
        self._t = entry.t if self._t is None else max(self._t, entry.t)
        self.recorded += gap
        air = min(self._air_before(entry, seen), gap) if self._real else 0.0
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
        if block.from_reader == self._at_reader:  # it is told when it begins
            self._frames = block.air - delay
            return delay
        frames, self._frames = self._frames, 0.0
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
            try:
                pps = Pps.parse(self._pps)
                self._rates = (pps.dr, pps.ds)
            except BlockError:
                pass
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
