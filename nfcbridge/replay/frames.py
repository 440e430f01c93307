"""Replay at the level of frames: the reader's frames of a trace against a new card, each frame of the card compared.

The trace decides what comes first where several things are due at the same time: a frame of the reader that was heard
before a timer went off in the recording is heard before it here.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from nfcbridge.errors import NfcBridgeError
from nfcbridge.framing import Answer, Request
from nfcbridge.replay.card import ReplayedCard, make_stack
from nfcbridge.replay.cores import Core, RecordedCore
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import MessageSeen

MAX_AHEAD: Final = 20_000
"""Entries that are read ahead for the answer to one request: a message of 32 kB in READs of 15 octets, each a pair of
frames, takes 4,400, and the rest is for polling and for blocks of 16 octets."""

_RATS: Final = 0xE0
_RATS_SIZE: Final = 2


class Mismatch(Struct, frozen=True):
    """Where the card did something else than the recorded one.

    Attributes:
        entry: at which it shows.
        recorded: what the recorded card sent, None if nothing.
        ours: what this one sent, None if nothing.
        request: the last that was executed, None before the first.
        answer: ours to it, if it was in the file.
    """

    entry: Entry
    recorded: bytes | None
    ours: bytes | None
    request: Request | None
    answer: Answer | None


class Counted(Struct):
    """How far a replay came. Attributes: frames of the card that were compared, and requests that were executed."""

    frames: int = 0
    exchanges: int = 0


class AnswersAhead:
    """Entries of a trace, and the answers in it before the card comes to them.

    Args:
        entries: of the trace.
        header: its first line.
    """

    def __init__(self, entries: Iterable[Entry], header: Header) -> None:
        self._entries = iter(entries)
        self._decoder = Decoder(header.level, header=header)
        self._ahead: deque[Entry] = deque()
        self._written = 0  # messages that were given out and that were written
        self._messages: deque[MessageSeen] = deque()  # of what was read ahead

    def __iter__(self) -> Iterator[Entry]:
        """The entries; `next_answer` may read ahead meanwhile."""
        while True:
            if not self._ahead and not self._read():
                return
            yield self._ahead.popleft()

    def _read(self) -> bool:
        entry = next(self._entries, None)
        if entry is None:
            return False
        self._ahead.append(entry)
        self._messages += [each for each in self._decoder.receive(entry) if isinstance(each, MessageSeen)]
        return True

    def next_answer(self, last: int) -> Answer | None:
        """The answer to the message that was completed by the entry with this number; None if there is none."""
        while True:
            while self._messages:
                message = self._messages[0]
                if message.written and message.last > last + 1:
                    return None
                self._messages.popleft()
                if not message.written and message.answer is not None and message.last > last:
                    return message.answer
            if len(self._ahead) >= MAX_AHEAD or not self._read():
                return None


class FrameReplay:
    """A replay at the level of frames.

    Args:
        header: the first line of the trace.
        core: what answers requests; None: the answers of the trace itself.
        entries: of the trace.
        from_reader: it was recorded at the reader's end, where frames of the card may have been lost.

    Attributes:
        counted: how far it came.
        sent: what our card did, as a trace: `run` fills it if it is a list.

    Raises:
        TraceError: no card can be made of the first line.
    """

    def __init__(
        self, header: Header, core: Core | None, entries: Iterable[Entry], *, from_reader: bool = False
    ) -> None:
        self.counted = Counted()
        self._entries = entries
        self._now = 0
        if core is None:
            ahead = AnswersAhead(entries, header)
            self._entries = ahead
            core = RecordedCore(lambda: ahead.next_answer(self._now))
        self.core = core
        self._from_reader = from_reader
        self._blocks = header.level == "blocks"
        self.card = ReplayedCard(make_stack(header), core)

    def run(self) -> Mismatch | None:
        """Replay the trace to its end, or to the first difference.

        Raises:
            TraceError: a line is broken.
            OSError: the file cannot be read.
        """
        card = self.card
        sent = card.sent
        compared = 0
        last: Entry | None = None
        try:
            entries = iter(self._entries)
            entry = next(entries, None)
            while entry is not None:
                following = next(entries, None)
                octets = entry.octets
                if entry.dir is Dir.CARD:
                    if not card.sent:
                        card.send_what_is_due(octets, entry.t)
                    sent = card.sent
                    compared += 1
                    if not sent:
                        return self._mismatch(entry, octets, None)
                    ours = sent.pop(0)
                    if ours != octets:
                        return self._mismatch(entry, octets, ours)
                else:
                    if card.sent and not self._may_be_lost():
                        return self._mismatch(last or entry, None, card.sent[0])
                    self._now = entry.number
                    if entry.dir is Dir.READER:
                        answered_by = following.octets if following and following.dir is Dir.CARD else None
                        card.receive(octets, entry.t, answered_by)
                    elif entry.on:
                        card.selected(entry.t, rats_follows=self._rats(following))
                    else:
                        card.field_lost(entry.t)
                last, entry = entry, following
            return None
        finally:
            self.counted.frames = compared
            self.counted.exchanges = card.requests

    def _may_be_lost(self) -> bool:
        """Whether the recorder may have missed what our card sends."""
        if self._from_reader:
            self.card.sent.clear()
        return self._from_reader

    def _rats(self, following: Entry | None) -> bool:
        if following is None or not self._blocks:
            return True
        octets = following.octets
        return following.dir is not Dir.READER or (octets[0] == _RATS and len(octets) == _RATS_SIZE)

    def _mismatch(self, entry: Entry, recorded: bytes | None, ours: bytes | None) -> Mismatch:
        return Mismatch(entry, recorded, ours, self.card.request, self.card.answer)


__all__ = ["AnswersAhead", "FrameReplay", "Mismatch", "NfcBridgeError"]
