"""The rule of the one outstanding request."""

from enum import Enum

from msgspec import Struct

from nfcbridge.errors import ConfigError


class State(Enum):
    """Where the exchange stands."""

    IDLE = "idle"
    WRITING = "being written"
    PROCESSING = "processing"
    ANSWERED = "answered"
    RELEASED = "answered, the next write is welcome"
    REWRITING = "being written over an answer"


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
    """Request `number` took too long: call `answered` with its 504 now, before anything else."""

    number: int


class RollBack(Struct, frozen=True, gc=False):
    """The half write in the file lapsed: drop it."""


class Pipelined(Struct, frozen=True, gc=False):
    """A write was refused as a request is outstanding; `state` says whether its answer was ready."""

    state: State


class Discarded(Struct, frozen=True, gc=False):
    """An answer came for a request that was given up or is long over; it goes nowhere."""

    number: int


class Delivered(Struct, frozen=True, gc=False):
    """The answer to request `number` was read to its last octet (told once)."""

    number: int


class Expired(Struct, frozen=True, gc=False):
    """The answer to request `number` left the file as its time was over; `unread`: not an octet of it was read."""

    number: int
    unread: bool


Effect = Publish | RefuseWrites | Execute | GiveUp | RollBack | Pipelined | Discarded | Delivered | Expired


class ExchangeConfig(Struct, frozen=True):
    """The times in seconds and the two messages that stand in for an answer.

    Args:
        hold: how long a response may wait for the answer at most; 0 never waits.
        answer_ttl: how long an answer stays in the file.
        half_write_ttl: how long after its last UPDATE a half write ends.
        give_up: how long a request is processed before it is answered 504.
        idle: the NDEF message in the file while nothing is going on; never without octets.
        not_ready: the NDEF message in the file while a request is processed; without octets NLEN is 0.
        replace: a request may be written over an answer that nobody read.
    """

    hold: float = 0.4
    answer_ttl: float = 10.0
    half_write_ttl: float = 10.0
    give_up: float = 8.0
    idle: bytes = b"\xd0\x00\x00"
    not_ready: bytes = b"\xd0\x00\x00"
    replace: bool = False

    def __post_init__(self) -> None:
        if not self.idle:
            raise ConfigError("the idle message has no octets")


class Exchange:
    """The state of one card's exchange.

    Call `handle_timer(now)` before each command is given to the card, so that the card refuses or accepts as of now.
    """

    def __init__(self, config: ExchangeConfig | None = None) -> None:
        self.state = State.IDLE
        self.number = 0
        self.pipelining_count = 0

    def write_begun(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def write_continued(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def write_refused(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def rolled_back(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def committed(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def read_up_to(self, offset: int, end: int, now: float) -> list[Effect]:
        raise NotImplementedError

    def reactivated(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def answered(self, number: int, message: bytes, now: float) -> list[Effect]:
        raise NotImplementedError

    def handle_timer(self, now: float) -> list[Effect]:
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        raise NotImplementedError

    def hold_until(self, now: float) -> float | None:
        raise NotImplementedError
