"""Replay at the level of frames: the reader's frames of a trace against a new card, each frame of the card compared.

The trace decides what comes first where several things are due at the same time: a frame of the reader that was heard
before a timer went off in the recording is heard before it here.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from nfcbridge.framing import Answer, Request
from nfcbridge.replay.ahead import AnswersAhead
from nfcbridge.replay.card import ReplayedCard, make_stack
from nfcbridge.replay.cores import Core, RecordedCore
from nfcbridge.trace import Dir, Entry, Header

_RATS: Final = 0xE0
_CARD: Final = Dir.CARD  # before Python 3.12 it takes longer to get a member from its class than to compare
_READER: Final = Dir.READER
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
        self._recorded = isinstance(core, RecordedCore)
        self.card = ReplayedCard(make_stack(header, recorded=self._recorded), core)

    def run(self) -> Mismatch | None:
        """Replay the trace to its end, or to the first difference.

        Raises:
            TraceError: a line is broken.
            OSError: the file cannot be read.
        """
        card = self.card
        compared = 0
        last: Entry | None = None
        try:
            entries = iter(self._entries)
            entry = next(entries, None)
            while entry is not None:
                following = next(entries, None)
                octets = entry.octets
                if entry.dir is _CARD:
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
                    if entry.dir is _READER:
                        answered_by = following.octets if following and following.dir is _CARD else None
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
        return following.dir is not _READER or (octets[0] == _RATS and len(octets) == _RATS_SIZE)

    def _mismatch(self, entry: Entry, recorded: bytes | None, ours: bytes | None) -> Mismatch:
        answer = None if self._recorded else self.card.answer
        return Mismatch(entry, recorded, ours, self.card.request, answer)
