"""The card of a replay: the one that was recorded, on the time of the trace, with what answers its requests.

It does in one thread what a door of the server does in its own, at the moments that the trace tells.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import msgspec

from nfcbridge.errors import BlockError, ConfigError, TraceError
from nfcbridge.framing import Answer, ExchangeConfig, Request
from nfcbridge.framing.transitions import State
from nfcbridge.isodep import Ats, SendFrame
from nfcbridge.isodep.card import EXTEND_AT
from nfcbridge.replay.cores import AS_RECORDED, Core
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack, Event
from nfcbridge.trace import Header
from nfcbridge.type4 import CardConfig

Stack = CardStack | BlockCardStack

_PROCESSING: Final = State.PROCESSING

DEFAULT_FSD: Final = 256
"""Octets of the reader's longest frame where a driver answered the RATS and the trace does not tell."""

WTX: Final = frozenset({0xF2, 0xFA})
"""The first octet of S(WTX), without and with a CID."""


_LIMITS: Final = CardConfig()


class _Card(msgspec.Struct, frozen=True):
    """`card` of a first line, with what our card has where it says nothing."""

    ats: str | None = None
    mle: int = _LIMITS.mle
    mlc: int = _LIMITS.mlc
    file_size: int = _LIMITS.file_size
    writable: bool = True
    language: str = "en"
    idle: str = "d00000"
    not_ready: str = "d00000"
    hold: float = 0.4
    half_write_ttl: float = 10.0
    answer_ttl: float = 10.0
    give_up: float = 8.0
    replace: bool = False


def make_stack(header: Header, *, recorded: bool = False) -> Stack:
    """The card of a first line.

    Args:
        header: the first line.
        recorded: its answers come as NDEF messages.

    Raises:
        TraceError: there can be no such card.
    """
    try:
        card = msgspec.convert(header.card, _Card)
        exchange = ExchangeConfig(
            hold=card.hold,
            answer_ttl=card.answer_ttl,
            half_write_ttl=card.half_write_ttl,
            give_up=card.give_up,
            idle=bytes.fromhex(card.idle),
            not_ready=bytes.fromhex(card.not_ready),
            replace=card.replace,
        )
        limits = CardConfig(card.mle, card.mlc, card.file_size, card.writable)
        upper = (RecordedStack if recorded else ReplayStack)(limits, exchange, language=card.language)
        if header.level == "apdus":
            return upper
        return BlockCardStack(upper, Ats() if card.ats is None else Ats.parse(bytes.fromhex(card.ats)))
    except (msgspec.ValidationError, ConfigError, BlockError, ValueError) as error:
        raise TraceError(f"line 1: no card can be made of `card`: {error}") from error


class ReplayStack(CardStack):
    """A card that computes no air time, which nobody wants here and which is a tenth of what it does."""

    def _air_time(self) -> float:
        return 0.0


class RecordedStack(ReplayStack):
    """A card whose answers come as NDEF messages."""

    def _encode(self, answer: Answer) -> bytes:
        return answer.content if answer.status == AS_RECORDED else super()._encode(answer)


class ReplayedCard:
    """The card.

    Args:
        stack: its layers.
        core: what answers its requests.

    Attributes:
        sent: frames that it sends, each until it is taken: `sent.pop(0)`.
        answer: the last answer that went into the file, None before the first.
        request: the last request that was executed.
        requests: how many were.
    """

    def __init__(self, stack: Stack, core: Core) -> None:
        self.sent: list[bytes] = []
        self.answer: Answer | None = None
        self.request: Request | None = None
        self.requests = 0
        self._core = core
        self._set_stack(stack)
        self._pending: Answer | None = None  # of the core, and not in the file yet
        self._number = 0  # of its request; 0: none is with the core
        self._not_before = 0.0  # the last moment at which that answer was not in the file
        self._commands = 0

    def _set_stack(self, stack: Stack) -> None:
        self._stack = stack
        self._upper = stack if isinstance(stack, CardStack) else stack.upper
        self._next_deadline = self._upper.exchange.next_deadline

    # What the trace tells

    def selected(self, now: float, *, rats_follows: bool) -> None:
        """The reader has selected the card."""
        self._pass_time(now)
        if isinstance(self._stack, CardStack):
            self._act(self._stack.activated(self._stack.frame_size, now), now)
        else:
            self._act(self._stack.activated(None if rats_follows else DEFAULT_FSD, now), now)

    def field_lost(self, now: float) -> None:
        """The field is gone."""
        self._pass_time(now)
        self._act(self._stack.field_lost(now), now)

    def receive(self, frame: bytes, now: float, answered_by: bytes | None) -> None:
        """The reader sends a frame.

        Args:
            frame: its octets.
            now: when.
            answered_by: what the recorded card sent before anything else happened, None if nothing.
        """
        self._pass_time(now)
        if self._number:
            self._ask_core()
            if self._pending is not None and self._upper.exchange.state is _PROCESSING:
                self._receive_undecided(frame, now, answered_by)
                return
        self._receive(frame, now)

    def answer_now(self, now: float) -> None:
        """Put the answer into the file if there is one: no trace says when."""
        self._core.advance(now)
        if self._number:
            self._ask_core()
            self._put(now)

    def send_what_is_due(self, recorded: bytes, now: float) -> None:
        """The recorded card sent a frame by itself: after a time, or when there was an answer. Do the same.

        Args:
            recorded: that frame.
            now: when.
        """
        core = self._core
        core.advance(now)
        if self._number:
            self._ask_core()
        ways: list[Callable[[], None]] = []
        if recorded[0] in WTX and isinstance(self._stack, BlockCardStack):
            deadline = self._stack.link.next_deadline()
            if deadline is not None:
                self._not_before = now
                ways += [lambda at=at: self._ring(at) for at in self._moments(recorded, deadline, now)]  # type: ignore[misc]
        elif self._upper.owes_reply:
            due = self._upper.next_deadline()  # of holding, or of the patience with the application
            if due is not None and due <= now:  # first: an answer in time would have been sent before
                ways.append(lambda: self._ring(now))
            if self._pending is not None:
                ways.append(lambda: self._put(now))
        self._try_ways(ways, recorded)

    def _moments(self, recorded: bytes, deadline: float, now: float) -> list[float]:
        """When the card can have decided to ask for more time: after its deadline, and before the frame was recorded.

        How much it asks for depends on that moment, which the trace tells no closer.
        """
        stack = self._stack
        moments = [now, min(deadline, now)]
        until = self._upper.held_until
        if until is not None and isinstance(stack, BlockCardStack):
            exact = until - recorded[-1] * EXTEND_AT * stack.link.ats.fwt
            moments.append(min(max(exact, deadline), now))
        return moments

    def _try_ways(self, ways: list[Callable[[], None]], recorded: bytes) -> None:
        """Go the first way that does what was recorded; the first of all if none does."""
        for way in ways[1:] and ways:
            saved = self._save()
            way()
            if self.sent[:1] == [recorded]:
                return
            self._restore(saved)
        if ways:
            ways[0]()

    def _save(self) -> Any:  # noqa: ANN401 - for `_restore` alone
        return deepcopy(self._stack), self._pending, self._number, self._not_before, self.answer, list(self.sent)

    def _restore(self, saved: Any) -> None:  # noqa: ANN401 - of `_save`
        stack, self._pending, self._number, self._not_before, self.answer, self.sent = saved
        self._set_stack(stack)

    def _receive_undecided(self, frame: bytes, now: float, answered_by: bytes | None) -> None:
        """Take a frame while an answer is there of which the trace does not tell when it went into the file."""
        saved = self._save()
        self._receive(frame, now)
        late = self.sent[:1]
        recorded = [] if answered_by is None else [answered_by]
        if late == recorded or (not late and self._upper.owes_reply):
            return
        without_answer = self._save()
        self._restore(saved)
        self._put(self._not_before)
        self._receive(frame, now)
        if self.sent[:1] != recorded:
            self._restore(without_answer)

    # What happens by itself

    def _pass_time(self, now: float) -> None:
        """Let pass what was due before `now` and sends nothing. What sends something is in the trace."""
        core = self._core
        due = self._next_deadline()
        while due is not None and due <= now and not self._upper.owes_reply:
            core.advance(due)
            self._ring(due)
            due = self._next_deadline()
        core.advance(now)

    def _ring(self, now: float) -> None:
        self._act(self._stack.handle_timer(now), now)

    def _ask_core(self) -> None:
        if self._pending is None:
            self._pending = self._core.take()

    def _put(self, now: float) -> None:
        """Put the answer into the file."""
        answer, self._pending = self._pending, None
        if answer is not None:
            number, self._number = self._number, 0
            self.answer = answer
            self._act(self._stack.answer(number, answer, now), now)

    def _receive(self, frame: bytes, now: float) -> None:
        oversight = self._core.oversight
        if oversight is None:
            self._act(self._stack.receive(frame, now), now)
            return
        if oversight.cut_now():
            self._act(self._stack.field_lost(now), now)
            return
        events = self._stack.receive(frame, now)
        commands = self._upper.commands
        if commands != self._commands:
            self._commands = commands
            oversight.command_received()
        self._act(events, now)

    def _act(self, events: list[Event], now: float) -> None:
        for event in events:
            kind = type(event)
            if kind is SendFrame:
                self.sent.append(event.frame)  # type: ignore[union-attr]  # its type was just compared
                oversight = self._core.oversight
                if oversight is not None and oversight.cut_now():
                    self._act(self._stack.field_lost(now), now)
            elif kind is seen.RequestReceived:
                self._submit(event.number, event.request, now)  # type: ignore[union-attr]
            elif kind is seen.AnswerRead or kind is seen.AnswerExpired:
                self._core.answer_is_over(read=kind is seen.AnswerRead)
            elif kind is seen.RequestGivenUp:
                self._number = 0
                self._pending = None
                self._core.cancel()

    def _submit(self, number: int, request: Request, now: float) -> None:
        self.requests += 1
        self.request = request
        self._number = number
        self._pending = None
        self._not_before = now
        self._core.submit(number, request)
