"""The exchange against the rule in plain words, wherever the field vanishes and however late a timer is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import LocalProtocolError
from nfcbridge.framing import (
    Discarded,
    Effect,
    Exchange,
    ExchangeConfig,
    Execute,
    GiveUp,
    Publish,
    RefuseWrites,
    RollBack,
    State,
)

IDLE, NOT_READY, TIMEOUT = b"idle", b"not ready", b"504"
PARTS = 3  # UPDATEs of a whole write

CONFIGS = st.builds(
    ExchangeConfig,
    answer_ttl=st.sampled_from([2.0, 10.0]),
    half_write_ttl=st.sampled_from([1.0, 10.0]),
    give_up=st.sampled_from([1.0, 8.0]),
    idle=st.just(IDLE),
    not_ready=st.just(NOT_READY),
    replace=st.booleans(),
)
PAUSES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 100.0])


@dataclass
class Law:
    """What the rule says, from what has happened and when."""

    config: ExchangeConfig
    requests: int = 0
    committed_at: float = 0.0
    ready_at: float | None = None
    answer: bytes = b""
    read: bool = False
    reactivated: bool = False
    updated_at: float | None = None

    def processing(self) -> bool:
        return self.requests > 0 and self.ready_at is None

    def overdue(self, now: float) -> bool:
        return self.processing() and now >= self.committed_at + self.config.give_up

    def answer_stays(self, now: float) -> bool:
        return self.ready_at is not None and now < self.ready_at + self.config.answer_ttl

    def may_write(self, now: float) -> bool:
        if self.processing():
            return False
        return not self.answer_stays(now) or self.read or self.reactivated or self.config.replace

    def half_written(self, now: float) -> bool:
        return self.updated_at is not None and now < self.updated_at + self.config.half_write_ttl

    def file(self, now: float) -> bytes:
        if self.processing():
            return NOT_READY
        return self.answer if self.answer_stays(now) else IDLE


@dataclass
class Tag:
    """A card as simple as can be, an exchange, and the law beside them."""

    config: ExchangeConfig = field(default_factory=lambda: ExchangeConfig(idle=IDLE, not_ready=NOT_READY))
    now: float = 0.0

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.config)
        self.law = Law(self.config)
        self.file = IDLE
        self.refuses = False
        self.written: set[int] = set()
        self.written_for = 0
        self.executed: list[int] = []  # what was written, by request

    def apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish(message):
                    assert not self.written or self.exchange.state is State.PROCESSING
                    self.file = message
                case RefuseWrites(refuse):
                    assert refuse is not self.refuses, "told what is so already"
                    self.refuses = refuse
                case RollBack():
                    self.written.clear()
                case Execute(number):
                    self.executed.append(self.written_for)
                    assert number == len(self.executed)
                case GiveUp(number):
                    self.apply(self.exchange.answered(number, TIMEOUT, self.now))
                case _:
                    pass

    def check(self) -> None:
        assert self.refuses is not self.law.may_write(self.now)
        assert bool(self.written) is self.law.half_written(self.now)
        assert self.written or self.file == self.law.file(self.now)
        assert len(self.executed) == self.law.requests
        deadline = self.exchange.next_deadline()
        assert deadline is None or deadline > self.now

    def wait(self, pause: float) -> None:
        self.now += pause
        if self.law.overdue(self.now):
            self.law.ready_at, self.law.answer = self.now, TIMEOUT
        if not self.law.half_written(self.now):
            self.law.updated_at = None
        self.apply(self.exchange.handle_timer(self.now))

    def update(self, part: int, request: int = 0) -> bool:
        """Writes one part of a message; 0 starts it over. Returns False if that was refused."""
        if self.refuses:
            self.apply(self.exchange.write_refused(self.now))
            return False
        begins = part == 0 or not self.written
        self.written = {part} if begins else self.written | {part}
        self.written_for = request
        if self.written != set(range(PARTS)):
            self.law.updated_at = self.now
            self.apply((self.exchange.write_begun if begins else self.exchange.write_continued)(self.now))
            return True
        self.law = Law(self.config, self.law.requests + 1, self.now)
        self.apply(self.exchange.committed(self.now))
        self.written.clear()
        return True

    def read(self, octets: int) -> bytes:
        """Reads NLEN and that many octets of the message."""
        if not self.written and self.law.answer_stays(self.now) and octets > 0:
            self.law.read = True
        self.apply(self.exchange.read_up_to(2 + octets, 2 + len(self.file), self.now))
        return self.file

    def select(self) -> None:
        """Rolls a half write back."""
        if self.written:
            self.written.clear()
            self.law.updated_at = None
            self.apply(self.exchange.rolled_back(self.now))

    def lose_field(self) -> None:
        self.select()
        self.law.reactivated = True
        self.apply(self.exchange.reactivated(self.now))

    def answer(self) -> None:
        """Answers what is processed, or what was processed once."""
        number = self.law.requests
        message = b"answer %d" % self.executed[-1] if self.executed else b"answer to nothing"
        if self.law.processing():
            self.law.ready_at, self.law.answer = self.now, message
        self.apply(self.exchange.answered(number, message, self.now))

    def answer_late(self) -> None:
        """Answers a request of the past."""
        number = self.law.requests - 1
        assert self.exchange.answered(number, b"late", self.now) == [Discarded(number)]


STEPS: st.SearchStrategy[Callable[[Tag], object]] = st.one_of(
    st.integers(0, PARTS - 1).map(lambda part: lambda tag: tag.update(part)),
    st.just(lambda tag: [tag.update(part) for part in range(PARTS)]),
    st.sampled_from([0, 1, 5, 100]).map(lambda octets: lambda tag: tag.read(octets)),
    PAUSES.map(lambda pause: lambda tag: tag.wait(pause)),
    st.sampled_from([Tag.select, Tag.lose_field, Tag.answer, Tag.answer, Tag.answer_late]),
)
HISTORIES = st.lists(STEPS, max_size=40)


def after(config: ExchangeConfig, history: list[Callable[[Tag], object]]) -> Tag:
    tag = Tag(config)
    for step in history:
        step(tag)
        tag.check()
    return tag


@given(CONFIGS, HISTORIES)
def test_whatever_happens_the_file_and_its_refusals_are_those_of_the_rule(
    config: ExchangeConfig, history: list[Callable[[Tag], object]]
) -> None:
    after(config, history)


@given(CONFIGS, HISTORIES)
def test_whatever_happened_a_new_activation_can_write_once_the_request_is_answered(
    config: ExchangeConfig, history: list[Callable[[Tag], object]]
) -> None:
    tag = after(config, history)
    executed = len(tag.executed)
    tag.lose_field()
    tag.answer()
    assert all(tag.update(part) for part in range(PARTS))
    assert len(tag.executed) == executed + 1


@given(CONFIGS, HISTORIES)
def test_whatever_happened_nothing_is_refused_once_all_times_have_passed(
    config: ExchangeConfig, history: list[Callable[[Tag], object]]
) -> None:
    tag = after(config, history)
    tag.wait(config.give_up)
    tag.wait(max(config.answer_ttl, config.half_write_ttl))
    assert (tag.exchange.state, tag.file, tag.refuses) == (State.IDLE, IDLE, False)
    assert tag.exchange.next_deadline() is None


# A phone that does nothing wrong, and a field that does


class FieldLost(Exception):  # noqa: N818
    pass


@dataclass
class Phone:
    """Carries requests 1 and 2 through, and loses the field after the steps in `losses`."""

    tag: Tag
    losses: tuple[int, ...] = ()
    steps: int = 0

    def step(self, after: object) -> None:
        assert after is not False, "an honest phone was refused"
        self.tag.check()
        self.steps += 1
        if self.steps - 1 in self.losses:
            self.tag.lose_field()
            self.tag.check()
            raise FieldLost

    def request(self, number: int) -> bytes:
        maybe_committed = False
        while True:
            try:
                if maybe_committed and self.answer() == b"answer %d" % number:
                    return self.tag.file
                for part in range(PARTS):
                    maybe_committed = True
                    self.step(self.tag.update(part, number))
                return self.answer()
            except FieldLost:
                continue

    def answer(self) -> bytes:
        """Reads the answer in three steps; the first is held until the answer is ready."""
        if self.tag.exchange.hold_until(self.tag.now) is not None:
            self.tag.answer()
        for octets in (0, 1):
            self.step(self.tag.read(octets))
        answer = self.tag.read(100)
        self.step(answer)
        return answer


def carry(losses: tuple[int, ...]) -> Phone:
    phone = Phone(Tag(), losses)
    assert [phone.request(1), phone.request(2)] == [b"answer 1", b"answer 2"]
    assert phone.tag.executed == [1, 2]
    return phone


UNDISTURBED = carry(()).steps


def test_an_undisturbed_phone_needs_its_steps() -> None:
    assert UNDISTURBED == 2 * (PARTS + 3)


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_each_request_is_executed_once_and_answered_wherever_the_field_is_lost(losses: int) -> None:
    for places in combinations(range(UNDISTURBED + 3 * losses), losses):
        carry(places)


@pytest.mark.parametrize("done", range(PARTS))
def test_a_write_given_up_at_any_part_leaves_what_was_before(done: int) -> None:
    for lose in (Tag.lose_field, Tag.select, lambda tag: tag.wait(9.5)):
        phone = Phone(Tag(ExchangeConfig(idle=IDLE, not_ready=NOT_READY, half_write_ttl=9.0)))
        for before in (IDLE, b"answer 1"):
            for part in range(done):
                phone.tag.update(part, 9)
            lose(phone.tag)
            phone.tag.check()
            assert phone.tag.read(100) == before
            if before == IDLE:
                phone.request(1)
        assert phone.tag.executed == [1]


# Timers that are looked at late

INPUTS: st.SearchStrategy[Callable[[Exchange, float], list[Effect]]] = st.sampled_from(
    [
        Exchange.write_begun,
        Exchange.write_continued,
        Exchange.write_refused,
        Exchange.committed,
        Exchange.rolled_back,
        Exchange.reactivated,
        lambda exchange, now: exchange.read_up_to(2, 9, now),
        lambda exchange, now: exchange.read_up_to(3, 9, now),
        lambda exchange, now: exchange.read_up_to(9, 9, now),
        lambda exchange, now: exchange.answered(exchange.number, b"answer", now),
    ]
)


def outcome(given: Callable[[Exchange, float], list[Effect]], exchange: Exchange, now: float) -> list[Effect] | None:
    try:
        return given(exchange, now)
    except LocalProtocolError:
        return None


@given(CONFIGS, st.lists(st.tuples(PAUSES, INPUTS), max_size=40))
def test_an_input_after_a_deadline_acts_as_if_the_timer_had_been_handled_first(
    config: ExchangeConfig, history: list[tuple[float, Callable[[Exchange, float], list[Effect]]]]
) -> None:
    punctual, late = Exchange(config), Exchange(config)
    now = 0.0
    for pause, happened in history:
        now += pause
        timely = punctual.handle_timer(now)
        if GiveUp(punctual.number) in timely:  # its 504 is due before anything else
            punctual.answered(punctual.number, TIMEOUT, now)
            late.handle_timer(now)
            late.answered(late.number, TIMEOUT, now)
            continue
        effects = outcome(happened, punctual, now)
        assert outcome(happened, late, now) == (None if effects is None else timely + effects)
        assert (late.state, late.number, late.pipelining_count) == (
            punctual.state,
            punctual.number,
            punctual.pipelining_count,
        )
        assert late.next_deadline() == punctual.next_deadline()
