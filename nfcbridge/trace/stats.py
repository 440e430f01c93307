"""What a trace amounts to: how much crossed, and where the time went. Memory does not grow with the trace.

A recording knows when frames crossed a tap; how long they took on the air is computed (`nfcbridge.airtime`, as fast as
reader and card may be), since most links have no air. Every second belongs to exactly one of these:

    computed, seconds of air
    payload              the octets of JSON in requests, and in answers that were read for the first time: 9 bits each
    re-selects           selection, RATS, ATS and PPS after the first activation since the field came, and SELECT and
                         READ of the capability container if the same was done since then: one phone needs them once
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
the other way round; in a trace that was imported with its times the frame before and the delay. In a trace of APDUs all
air of a pair lies before the response. Of a gap that is shorter than its air all is air. So for each trace

    recorded = measured + the air that was in the clock

and on links without air (`memory:`, `udp:`, `vpcd:` and what is made of them), whose gaps are waits alone, as are those
of a trace of which nobody knows the link, the sum of all seven tells how long the same would have taken with air. An
exchange is counted with all that came since the one before it: its detection and its polling. One that got no answer
ends where the next request is there.
"""

from msgspec import Struct, field

from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.durations import Durations, TimeSpent
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import ApduSeen, BlockKind, BlockSeen, ExchangeSeen, FieldSeen, Seen
from nfcbridge.trace.spending import Gaps, Uses


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
