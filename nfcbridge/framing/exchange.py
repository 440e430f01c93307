"""The exchange of one card: at most one request is outstanding, and its answer stays until it was read.

Reports of the card, answers and the time go in. What the file shall hold, whether it refuses writes and what is to be
executed comes out. The rule is a table, in `transitions`. NDEF messages are opaque octets here; times are seconds of
one clock that never goes back.
"""

from math import inf
from typing import Final

from msgspec import Struct

from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing.transitions import REFUSING, SHOWS, TRANSITIONS, Input, State

_NLEN_END: Final = 2
"""The file's offset where the message begins: reads of NLEN alone are no reads of an answer."""


class Publish(Struct, frozen=True, gc=False):
    """The file shall hold this NDEF message; without octets: NLEN 0."""

    message: bytes


class RefuseWrites(Struct, frozen=True, gc=False):
    """From now on every UPDATE of the file is refused with 6985, or no more."""

    refuse: bool


class Execute(Struct, frozen=True, gc=False):
    """The committed message is request `number` and shall be executed."""

    number: int


class GiveUp(Struct, frozen=True, gc=False):
    """Request `number` took too long: call `answered` with its 504 at once, before any other input."""

    number: int


class RollBack(Struct, frozen=True, gc=False):
    """The half write in the file lapsed: drop it."""


class Pipelined(Struct, frozen=True, gc=False):
    """A write was refused, as a request is outstanding: PROCESSING it, or ANSWERED and not read."""

    state: State


class Discarded(Struct, frozen=True, gc=False):
    """An answer came for a request that was given up or is long over; it goes nowhere."""

    number: int


class Delivered(Struct, frozen=True, gc=False):
    """The answer to request `number` was read to its last octet (told once)."""

    number: int


class Expired(Struct, frozen=True, gc=False):
    """The time of the answer to request `number` is over; `unread`: not an octet of it was read."""

    number: int
    unread: bool


Effect = Publish | RefuseWrites | Execute | GiveUp | RollBack | Pipelined | Discarded | Delivered | Expired


class ExchangeConfig(Struct, frozen=True):
    """The times in seconds, and the NDEF messages that stand in for an answer.

    Args:
        hold: how long a response may wait for the answer at most; 0 never waits. Android's IsoDep waits 0.618 s.
        answer_ttl: how long an answer stays in the file.
        half_write_ttl: how long after its last UPDATE a half write ends.
        give_up: how long a request is processed before it is answered 504.
        idle: what the file holds while nothing is going on; never NLEN 0, after which Android leaves the tag alone.
        not_ready: what the file holds while a request is processed; without octets NLEN is 0.
        replace: a request may be written over an answer of which nothing was read.

    Raises:
        ConfigError: a time that is no time, or an idle message without octets.
    """

    hold: float = 0.4
    answer_ttl: float = 10.0
    half_write_ttl: float = 10.0
    give_up: float = 8.0
    idle: bytes = b"\xd0\x00\x00"
    not_ready: bytes = b"\xd0\x00\x00"
    replace: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.hold < inf:
            raise ConfigError(f"hold is a time of 0 or more seconds, not {self.hold}")
        for name in ("answer_ttl", "half_write_ttl", "give_up"):
            if not 0 < getattr(self, name) < inf:
                raise ConfigError(f"{name} is a time of more than 0 seconds, not {getattr(self, name)}")
        if not self.idle:
            raise ConfigError("the idle message has octets: Android never comes back to a tag that has none")


class Exchange:
    """The exchange of one card, whose file holds `config.idle` and accepts writes when it begins.

    Every method returns what is now to be done, in that order. An input after a deadline acts as if `handle_timer` had
    been called first. Call it before a command goes to the card all the same, so that the card itself refuses and
    accepts as of now.

    Attributes:
        state: where the exchange stands.
        number: of the latest request that was committed: 1, 2, 3 ...
        pipelining_count: UPDATEs refused as a request was outstanding.

    Every method raises LocalProtocolError for what cannot happen in the state, such as a commit while processing.
    """

    def __init__(self, config: ExchangeConfig | None = None) -> None:
        self.state = State.IDLE
        self.number = 0
        self.pipelining_count = 0
        self._config = ExchangeConfig() if config is None else config
        self._shown = State.IDLE
        self._answer = b""
        self._reactivated = False  # since the request was committed
        self._unread = True
        self._delivered = False
        self._deadlines: dict[Input, float] = {}
        self._due = inf  # the earliest of them

    def write_begun(self, now: float) -> list[Effect]:
        """An UPDATE began a write, or started it over, and did not complete it."""
        return self._write(Input.BEGIN, now)

    def write_continued(self, now: float) -> list[Effect]:
        """A further UPDATE did not complete the write."""
        return self._write(Input.UPDATE, now)

    def write_refused(self, now: float) -> list[Effect]:
        """The card answered an UPDATE with 6985."""
        effects = self.handle_timer(now) + self._move(Input.REFUSED)
        if self.state in REFUSING:
            self.pipelining_count += 1
            effects.append(Pipelined(self.state))
        return effects

    def rolled_back(self, now: float) -> list[Effect]:
        """The card dropped a half write; with none, or told twice, nothing changes."""
        return self.handle_timer(now) + self._move(Input.ROLLBACK)

    def committed(self, now: float) -> list[Effect]:
        """An UPDATE completed a message; it need not have been announced by `write_begun`."""
        effects = self.handle_timer(now) + self._move(Input.COMMIT)
        self.number += 1
        self._reactivated = False
        self._set(Input.OVERDUE, now + self._config.give_up)
        effects.append(Execute(self.number))
        return effects

    def read_up_to(self, offset: int, end: int, now: float) -> list[Effect]:
        """A READ of the file was answered.

        Args:
            offset: of the file, just past the last octet that was read.
            end: of the file, just past the message: 2 + its length.
            now: seconds.
        """
        effects = self.handle_timer(now)
        if offset <= _NLEN_END:
            return effects
        effects += self._move(Input.READ)
        if self.state is State.RELEASED:
            self._unread = False
            if offset >= end and not self._delivered:
                self._delivered = True
                effects.append(Delivered(self.number))
        return effects

    def reactivated(self, now: float) -> list[Effect]:
        """The tag was activated anew, or left the field: the card has dropped a half write already."""
        effects = self.handle_timer(now) + self._move(Input.REACTIVATION)
        self._reactivated = True
        return effects

    def answered(self, number: int, message: bytes, now: float) -> list[Effect]:
        """The answer to request `number` is ready, or the 504 that GiveUp asked for.

        Args:
            number: from Execute or GiveUp.
            message: the NDEF message of the answer.
            now: seconds.
        """
        effects = self.handle_timer(now)
        # GiveUp in this very call: this answer came too late, and its 504 is still to come.
        if effects or number != self.number or self.state is not State.PROCESSING:
            return [*effects, Discarded(number)]
        self._answer, self._unread, self._delivered = message, True, False
        free = self._reactivated or self._config.replace
        effects = self._move(Input.ANSWER_RELEASED if free else Input.ANSWER)
        self._set(Input.ANSWER_LAPSED, now + self._config.answer_ttl)
        return effects

    def next_deadline(self) -> float | None:
        """Tells when to call `handle_timer`; None: not before another input."""
        return None if self._due == inf else self._due

    def handle_timer(self, now: float) -> list[Effect]:
        """Ends what is due by `now`, in the order in which it fell due; nothing if called early."""
        effects: list[Effect] = []
        while now >= self._due:
            timer = min(self._deadlines, key=self._deadlines.__getitem__)
            del self._deadlines[timer]
            effects.append(self._lapsed(timer))
            effects += self._move(timer)
            self._due = min(self._deadlines.values(), default=inf)
        return effects

    def hold_until(self, now: float) -> float | None:
        """Tells until when a response may be kept that would be better with the answer; None: send it now."""
        holding = self.state is State.PROCESSING and self._config.hold > 0
        return now + self._config.hold if holding else None

    def _write(self, happened: Input, now: float) -> list[Effect]:
        effects = self.handle_timer(now) + self._move(happened)
        if (self.state, Input.WRITE_LAPSED) in TRANSITIONS:
            self._set(Input.WRITE_LAPSED, now + self._config.half_write_ttl)
        return effects

    def _lapsed(self, timer: Input) -> Effect:
        if timer is Input.WRITE_LAPSED:
            return RollBack()
        if timer is Input.OVERDUE:
            return GiveUp(self.number)
        return Expired(self.number, self._unread)

    def _move(self, happened: Input) -> list[Effect]:
        """Takes one step in the table, and returns what that changes about the file."""
        before = self.state
        after = TRANSITIONS.get((before, happened))
        if after is None:
            raise LocalProtocolError(f"{happened.value}: impossible while {before.value}")
        if after is before:
            return []
        self.state = after
        if self._deadlines:  # a timer runs on in the states that list its end
            self._deadlines = {timer: at for timer, at in self._deadlines.items() if (after, timer) in TRANSITIONS}
            self._due = min(self._deadlines.values(), default=inf)
        effects: list[Effect] = []
        shown = SHOWS.get(after, self._shown)
        if shown is not self._shown:
            self._shown = shown
            effects.append(Publish(self._message()))
        if (before in REFUSING) is not (after in REFUSING):
            effects.append(RefuseWrites(after in REFUSING))
        return effects

    def _message(self) -> bytes:
        if self._shown is State.ANSWERED:
            return self._answer
        return self._config.idle if self._shown is State.IDLE else self._config.not_ready

    def _set(self, timer: Input, at: float) -> None:
        self._deadlines[timer] = at
        self._due = min(self._deadlines.values())
