"""What happens on the air: which frame answers which, after how long, and with which block number it should.

Block numbers (ISO/IEC 14443-4, rules A to E), seen by one who listens: the reader begins with 0 and counts on with each
I- or R(ACK)-block of the card that has its own number; the card answers with the number of the block that it answers.
What was lost on the air is not known here, so that a frame that was only sent again is never wrong.
"""

from collections.abc import Iterator
from typing import Final

from nfcbridge import airtime
from nfcbridge.isodep.ats import MAX_FWI, waiting_time
from nfcbridge.isodep.blocks import WTXM_MASK
from nfcbridge.lint.facts import AtsTime, NumberWrong, Question, Reply, WakeUpMissed
from nfcbridge.trace.apdus import ats_of
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import ActivationSeen, BlockKind, BlockSeen, FieldSeen, Seen

WAKE_UP_PATIENCE: Final = 1.0
"""Seconds after S(DESELECT) within which a reader that comes back wanted to stay: Android looks for a tag that it lost
at once, and a hand that lifts a phone and puts it down again takes longer."""

I_BLOCKS: Final = frozenset({BlockKind.I_LAST, BlockKind.I_MORE, BlockKind.EMPTY})
NUMBERED: Final = I_BLOCKS | {BlockKind.ACK}
"""What the card answers an I-block with, and what lets the reader count on."""

ASKING: Final = frozenset({BlockKind.ACK, BlockKind.NAK, BlockKind.WTX})
"""What else a card must answer. To what is no block it is silent, and nobody waits."""

BOTH: Final = 3

READERS: Final = " reader"
"""How the source of a trace ends that was recorded at the reader's end: its times have the air between them."""

IMPORTED: Final = "imported: "
"""How the source of a trace begins that was made of another tool's log."""


class Air:
    """Listens to frames.

    Args:
        header: of the trace: it tells whether times are real, and on which side they were taken.

    Attributes:
        real_times: `t` was counted by a real clock.
        card_side: `t` of a reader's frame is when the card's host had it, and of a card's frame when it sent it.
        activation: the last one, None before the first and when the field is gone.
    """

    def __init__(self, header: Header) -> None:
        self.real_times = has_real_times(header)
        self.card_side = not header.source.endswith(READERS) and not header.source.startswith(IMPORTED)
        self.activation: ActivationSeen | None = None
        self._ats = ats_of(header)  # what the driver of a reader device sends by itself, and drops RATS with it
        self._deselect: BlockSeen | None = None
        self._rats: BlockSeen | None = None
        self._lost = False  # the field is gone
        self._begin()

    def _begin(self) -> None:
        """A card that was selected: it has heard nothing yet."""
        self._question: BlockSeen | None = None
        self._unanswered: BlockSeen | None = None
        self._card: BlockSeen | None = None
        self._card_block: BlockSeen | None = None
        self._number: int | None = None  # of the reader's next I-block
        self._used = 0  # bit 0: the reader has used number 0, bit 1: 1
        self._wtxm = 0
        self._open = False  # an I-block of the reader has no I-block for an answer yet

    def receive(self, seen: Seen) -> Iterator[Seen]:
        """Take what the trace shows next."""
        if isinstance(seen, BlockSeen):
            yield from self._from_reader(seen) if seen.from_reader else self._from_card(seen)
        elif isinstance(seen, FieldSeen):
            yield from self._field(seen)
        elif isinstance(seen, ActivationSeen):
            self._activate(seen)
            delay = max(seen.t_end - seen.t - self._on_air(seen), 0.0) if self.real_times else None
            yield AtsTime(seen, delay)

    def _field(self, seen: FieldSeen) -> Iterator[Seen]:
        deselect = self._deselect
        if seen.on and deselect is not None and self._lost:
            self._deselect = None
            if (delay := seen.t - deselect.t) <= WAKE_UP_PATIENCE:
                yield WakeUpMissed(deselect, seen, delay)
        self._lost = not seen.on
        if not seen.on:
            self.activation = None
        self._rats = None
        self._begin()

    def _activate(self, seen: ActivationSeen) -> None:
        self.activation = seen
        self._deselect = self._rats = None
        self._begin()
        self._number = 0
        self._used = BOTH  # the activation was seen, so its numbers are those of the air

    def _from_reader(self, block: BlockSeen) -> Iterator[Seen]:
        yield Question(block, self._card)
        deselect, rats = self._deselect, self._rats
        if deselect is not None and rats is not None:
            self._deselect = self._rats = None
            yield WakeUpMissed(deselect, rats, rats.t - deselect.t)
        if block.kind is BlockKind.RATS:
            self._begin()
            self._rats = block
        elif block.kind in I_BLOCKS and block.number is not None:
            known = self._used == BOTH
            self._used |= 1 << block.number
            if self._number not in {None, block.number} and known:
                yield NumberWrong(block, 1 - block.number)
            self._number = block.number
            self._open = True
        self._question = block
        if block.kind in I_BLOCKS and not block.repeated:
            self._unanswered = block  # whatever came before, the reader does not wait for it any more
        elif block.repeated or block.kind in ASKING:
            self._unanswered = self._unanswered or block

    def _from_card(self, block: BlockSeen) -> Iterator[Seen]:
        question, first = self._question, self._unanswered
        delay = self._delay(question, first, block)
        yield Reply(block, question, self._card_block, delay, self._patience(), idle=not self._open)
        if question is not None and block.kind in NUMBERED and block.number is not None:
            yield from self._judge_number(block, question)
        self._open = self._open and block.kind not in I_BLOCKS
        if block.kind in NUMBERED:
            if block.number == self._number:
                self._number = 1 - block.number if block.number is not None else None
            self._card_block = block
        self._wtxm = block.inf[0] & WTXM_MASK if block.kind is BlockKind.WTX and block.inf else 0
        if block.kind is BlockKind.DESELECT:
            self._deselect = block
            self._lost = False
        self._card = block
        self._unanswered = None
        self._question = None if block.kind is BlockKind.DESELECT else question

    def _judge_number(self, block: BlockSeen, question: BlockSeen) -> Iterator[Seen]:
        number = question.number
        if number is None or self._used != BOTH:  # after S(WTX) it is still that of the command
            return
        again = self._card_block is not None and block.octets == self._card_block.octets
        if question.kind is BlockKind.NAK:
            wrong = block.number == number if block.kind is BlockKind.ACK else block.number != number
            if wrong and not again:
                yield NumberWrong(block, 1 - number if block.kind is BlockKind.ACK else number)
        elif block.number != number:
            yield NumberWrong(block, number)

    def _delay(self, question: BlockSeen | None, first: BlockSeen | None, block: BlockSeen) -> float | None:
        """Seconds that the card took, without those on the air where they are in the times."""
        if not self.real_times or question is None:
            return None
        if self.card_side:  # it had the first frame, however often it was repeated
            return max(block.t - (first or question).t, 0.0)
        return max(block.t - question.t - block.air - question.air, 0.0)

    def _patience(self) -> float | None:
        ats = self.activation.ats if self.activation is not None else self._ats
        if ats is None:
            return None
        return min(ats.fwt * max(self._wtxm, 1), waiting_time(MAX_FWI))

    def _on_air(self, seen: ActivationSeen) -> float:
        if self.card_side:
            return 0.0
        return airtime.frames_time([(True, 2), (False, len(seen.octets))])


def has_real_times(header: Header) -> bool:
    """Whether `t` was counted by a real clock while the frames crossed.

    Logs of other tools are believed: where they have no times `t` stands still, and nothing is late.
    """
    clock = header.clock
    kind = clock.get("kind") if isinstance(clock, dict) else clock
    return kind == "monotonic" or (isinstance(clock, str) and header.source.startswith(IMPORTED))
