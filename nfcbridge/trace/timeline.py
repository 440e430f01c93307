"""One exchange along the time: frames, commands and waits, each with its place on an axis that has air and waits in it.

What is on the axis is what `stats` counts: a frame takes its computed air, the delay before it left free, and the waits
between frames are those that were measured.
"""

from typing import Final

from msgspec import Struct, field

from nfcbridge import airtime
from nfcbridge.trace.entries import Dir, Entry
from nfcbridge.trace.seen import ApduSeen, BlockKind, BlockSeen, ExchangeSeen, Seen
from nfcbridge.trace.spending import Use
from nfcbridge.trace.stats import StatsCounter
from nfcbridge.type4.apdu import HEADER_SIZE, Ins

MAX_FRAMES: Final = 4_000
"""Of one exchange; more could not be told apart in a picture. An answer of 32 KiB has 270 frames of 251 octets."""

_BY_NAME: Final = 0x04
_INS: Final = {Ins.SELECT: "SELECT", Ins.READ_BINARY: "READ", Ins.UPDATE_BINARY: "UPDATE"}


class Frame(Struct):
    """A frame, or of a trace of APDUs all frames of one direction.

    Attributes:
        entry: its number.
        from_reader: who sent it.
        wait: seconds before it in which nothing was on the air.
        selection: seconds after that in which the card was selected, before RATS.
        delay: seconds after that, which the standard asks for.
        air: seconds that it took.
        apdu: index of the command it belongs to; 0 for none.
        use: what it was good for.
        kind: what it is; None in a trace of APDUs.
        repeated: it was sent before.
    """

    entry: int
    from_reader: bool
    wait: float
    delay: float
    air: float
    apdu: int = 0
    use: Use = Use.NEEDED
    kind: BlockKind | None = None
    repeated: bool = False
    selection: float = 0.0


class Timeline(Struct):
    """One exchange.

    Attributes:
        frames: in their order.
        commands: by index, what each is in a word or two.
        exchange: as the trace shows it; None while it has not ended.
        cut: it has more frames than are here.
    """

    frames: list[Frame] = field(default_factory=list)
    commands: dict[int, str] = field(default_factory=dict)
    exchange: ExchangeSeen | None = None
    cut: bool = False


class TimelineKeeper:
    """Keeps one exchange of a trace, with what came since the one before it.

    Args:
        wanted: its number, 1 for the first.
        counter: counts the same trace; `receive` comes after its own.

    Attributes:
        timeline: the exchange; None while it did not come.
    """

    def __init__(self, wanted: int, counter: StatsCounter) -> None:
        self.timeline: Timeline | None = None
        self._wanted = wanted
        self._counter = counter
        self._growing = Timeline()
        self._by_entry: dict[int, Frame] = {}
        self._by_apdu: dict[int, list[Frame]] = {}
        self._selection = 0.0
        self._reader_wait = 0.0
        self._done = 0

    def receive(self, entry: Entry, seen: list[Seen]) -> None:
        """Take an entry, and what the counter said of it."""
        if self.timeline is not None:
            return
        wait = self._counter.gaps.wait
        if entry.dir is Dir.READER:
            self._reader_wait = wait
        for each in seen:
            if isinstance(each, BlockSeen):
                self._block(each, wait)
            elif isinstance(each, ApduSeen):
                self._apdu(each, wait)
        if entry.dir is Dir.FIELD and entry.on:
            self._selection += airtime.SELECTION
        self._conclude(seen)

    def close(self, seen: list[Seen]) -> None:
        """The end of the trace, and what was still open."""
        if self.timeline is None:
            for each in seen:
                if isinstance(each, ApduSeen):
                    self._apdu(each, 0.0)
            self._conclude(seen)

    def _block(self, block: BlockSeen, wait: float) -> None:
        selection = 0.0
        if block.kind is BlockKind.RATS:
            selection, self._selection = self._selection or airtime.SELECTION, 0.0
        delay = airtime.READER_DELAY if block.from_reader else airtime.CARD_DELAY
        self._add(
            Frame(
                block.entry,
                block.from_reader,
                wait,
                delay,
                block.air - delay,
                kind=block.kind,
                repeated=block.repeated,
                selection=selection,
            )
        )

    def _apdu(self, apdu: ApduSeen, wait: float) -> None:
        if not self._counter.blocks:
            octets = len(apdu.command) / (len(apdu.command) + len(apdu.response or b""))
            self._add(Frame(apdu.first, True, self._reader_wait, 0.0, apdu.air * octets))
            if apdu.response is not None:
                self._add(Frame(apdu.last, False, wait, 0.0, apdu.air * (1 - octets)))
        for frame in reversed(self._growing.frames):
            if frame.entry < apdu.first:
                break
            frame.apdu = apdu.index
            self._by_apdu.setdefault(apdu.index, []).append(frame)
            self._growing.commands[apdu.index] = name_command(
                apdu.command
            )  # of frames that are kept, which are bounded

    def _add(self, frame: Frame) -> None:
        if len(self._growing.frames) == MAX_FRAMES:
            self._growing.cut = True
            return
        self._growing.frames.append(frame)
        self._by_entry[frame.entry] = frame

    def _conclude(self, seen: list[Seen]) -> None:
        for (kind, number), use in self._counter.uses.news.items():
            frames = self._by_apdu.get(number, []) if kind == "apdu" else [self._by_entry.get(number)]
            for frame in frames:
                if frame is not None:
                    frame.use = use
        for each in seen:
            if isinstance(each, ExchangeSeen):
                self._end(each)

    def _end(self, exchange: ExchangeSeen) -> None:
        """The exchange is over; what came after its last entry belongs to the next one."""
        ended, self._growing = self._growing, Timeline()
        after = [frame for frame in ended.frames if frame.entry > exchange.last]
        self._done += 1
        if self._done == self._wanted:
            del ended.frames[len(ended.frames) - len(after) :]
            ended.exchange = exchange
            self.timeline = ended
        self._growing.frames = after
        self._growing.commands = {frame.apdu: ended.commands[frame.apdu] for frame in after if frame.apdu}
        self._by_entry = {frame.entry: frame for frame in after}
        self._by_apdu.clear()


def name_command(command: bytes) -> str:
    """A command APDU in a word or two, for a label."""
    if len(command) < HEADER_SIZE:
        return command.hex()
    name = _INS.get(command[1]) if command[0] == 0 else None  # type: ignore[call-overload]
    if name is None:
        return f"{command[:2].hex().upper()}"
    if name == "SELECT":
        return "SELECT app" if command[2] == _BY_NAME else f"SELECT {command[5:7].hex().upper()}"
    return f"{name} {int.from_bytes(command[2:4])}"
