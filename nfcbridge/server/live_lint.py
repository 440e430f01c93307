"""What crosses the links held against the rules of `nfcbridge.lint` while it does, in a thread of its own.

    with LiveLint(print) as lint, Emulator(app, links, listen=lint.listen):
        lint.start()
        ...

The threads of the links only put into a queue. This one lets a batch come together, and lets others run while it looks
at it, so that no reader waits for it. What does not fit into the queue is counted, and its link is not looked at
again before its next activation.
"""

import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from nfcbridge.links import CardEnd
from nfcbridge.server.events import EmulatorEvent, RuleBroken
from nfcbridge.trace.entries import Dir, Entry, Header

if TYPE_CHECKING:
    from nfcbridge.lint import Finding, Linter

MAX_PENDING: Final = 10_000
"""Frames that wait to be looked at: half a minute of the air at 106 kbit/s."""

BATCH_INTERVAL: Final = 0.05
"""Seconds that the thread lets pass before it looks: the exchange goes on meanwhile."""

BUNCH: Final = 25
"""Frames that are looked at without a pause, which takes less than the millisecond after which another thread has its
turn in any case."""

PAUSE: Final = 0.0005
"""Seconds for others between two bunches, once no more frames come. While more come it is BATCH_INTERVAL: 500 frames a
second are more than the air carries. A virtual reader that sends thousands, for longer than fits the queue, is not
slowed, and not looked at."""

REPEAT: Final = 10.0
"""Seconds before the same rule is told of the same link again."""

JOIN_TIMEOUT: Final = 1.0

SOURCE: Final = "nfcbridge card"
"""As in the first line of a trace: times are those of the card's host."""

TOLD_BY_THE_DOOR: Final = frozenset({"NB303", "NB307", "NB308", "NB310", "NB401", "NB402"})
"""Rules that the emulator's own events tell: Warned, Refused, AnswerUnread and PhoneLeft."""

TIMES_OF_A_CHIP: Final = frozenset({"NB601", "NB604", "NB605"})
"""Rules about milliseconds, which a reader of flesh and radio keeps and a process on a busy machine need not."""

VIRTUAL: Final = frozenset({"memory", "udp", "vpcd", "casimir", "replay", "faulty"})
"""Kinds of links that have no chip: they are not held to `TIMES_OF_A_CHIP`."""


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What an ear heard. The collector does not know it, however many wait: it would walk them between two blocks.

    Attributes:
        ear: whose it is.
        at: when.
        who: did it.
        octets: the frame.
        on: of the field: the card was selected.
        anew: something before it was not heard.
    """

    ear: "_Ear"
    at: float
    who: Dir
    octets: bytes
    on: bool
    anew: bool


class LiveLint:
    """Listens to the links of an emulator, and tells of broken rules.

    Args:
        on_event: told of each, in this object's thread; it must not raise.
        card: what a trace of such a card would tell of it, such as its `ats` in hex.
        app: what is served, in the same way: of another `kind` than our charge controller less can be told.
        silent: identifiers of rules that are not told; by default those that the emulator tells. Notes never are.
        now: seconds from any origin.

    Attributes:
        lost: frames that nobody looked at.
    """

    def __init__(
        self,
        on_event: Callable[[EmulatorEvent], None],
        *,
        card: Mapping[str, Any] | None = None,
        app: Mapping[str, Any] | None = None,
        silent: frozenset[str] = TOLD_BY_THE_DOOR,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lost = 0
        self._on_event = on_event
        self._card = dict(card or {})
        self._app = dict(app or {})
        self._silent = silent
        self._now = now
        self._queue: SimpleQueue[Heard | None] = SimpleQueue()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="nfcbridge-lint", daemon=True)

    def listen(self, end: CardEnd) -> "_Ear":
        """What is told of every frame of a link; for `Emulator(listen=...)`."""
        header = Header(level=end.level.value, link=end.name, source=SOURCE, card=self._card, app=self._app)
        return _Ear(self, header, self._now)

    def start(self) -> None:
        """Begin to look; what was heard before is in the queue. The rules are imported now, in the thread."""
        self._thread.start()

    def close(self) -> None:
        """End, without a look at what still waits. Any number of times."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
            if self._thread.ident is not None:
                self._thread.join(JOIN_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(self, heard: Heard) -> bool:
        """Let a frame wait to be looked at; False: there is no room for it."""
        if self._queue.qsize() >= MAX_PENDING:
            self.lost += 1
            return False
        self._queue.put(heard)
        return True

    def _run(self) -> None:
        make = maker(self._silent)
        quiet, looked, left = True, 0, 0
        while (heard := self._queue.get()) is not None and not self._closing.is_set():
            if quiet:
                self._closing.wait(BATCH_INTERVAL)
            for event in heard.ear.look(heard, make):
                self._on_event(event)
            looked += 1
            quiet = self._queue.empty()
            if not looked % BUNCH:
                left, before = self._queue.qsize(), left
                self._closing.wait(BATCH_INTERVAL if left >= before else PAUSE)


class _Ear:
    """Listens to one link. It implements `Listener`, and what it hears is looked at in the thread of `LiveLint`."""

    def __init__(self, lint: LiveLint, header: Header, now: Callable[[], float]) -> None:
        self._lint = lint
        self._header = header
        self._now = now
        self._missed = False  # something was not heard, and nothing is until the next activation
        self._linter: Linter | None = None
        self._number = 0
        self._began = now()
        self._counts: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def record_reader(self, octets: bytes) -> None:
        """See `Listener`."""
        self._put(Dir.READER, octets)

    def record_card(self, octets: bytes) -> None:
        """See `Listener`."""
        self._put(Dir.CARD, octets)

    def record_field(self, *, on: bool) -> None:
        """See `Listener`."""
        self._put(Dir.FIELD, b"", on=on)

    def _put(self, who: Dir, octets: bytes, *, on: bool = False) -> None:
        if self._missed and not on:
            self._lint.lost += 1
        else:
            self._missed = not self._lint.put(Heard(self, self._now(), who, octets, on, self._missed))

    def look(self, heard: Heard, make: "Callable[[Header], Linter]") -> list[RuleBroken]:
        """Hold a frame against the rules; what is to be told."""
        if self._linter is None or heard.anew:
            self._linter = make(self._header)
        self._number += 1
        entry = Entry(heard.at - self._began, heard.who, heard.octets, heard.on, self._number)
        return [event for finding in self._linter.receive(entry) if (event := self._tell(finding)) is not None]

    def _tell(self, finding: "Finding") -> RuleBroken | None:
        rule = finding.rule
        count = self._counts[rule.id] = self._counts.get(rule.id, 0) + 1
        at = self._began + finding.t
        if rule.id in self._told and at - self._told[rule.id] < REPEAT:
            return None
        self._told[rule.id] = at
        severity = rule.severity.value
        return RuleBroken(at, self._header.link, rule.id, rule.name, severity, finding.what, rule.mend, count)


def maker(silent: frozenset[str]) -> "Callable[[Header], Linter]":
    """What makes a linter without these rules; imported here, since it takes a moment that no start has to wait for."""
    from nfcbridge.lint import RULES, Linter, Severity

    rules = [rule for rule in RULES.values() if rule.severity is not Severity.NOTE and rule.id not in silent]
    patient = [rule for rule in rules if rule.id not in TIMES_OF_A_CHIP]

    def make(header: Header) -> Linter:
        return Linter(header, rules=patient if header.link.partition(":")[0] in VIRTUAL else rules)

    return make
