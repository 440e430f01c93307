"""The charger of a test: the emulator of `nfcbridge serve` in this process, driven by the test.

Test and charger live in threads of their own. What a test does to the charge point is done when the call returns.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from nfcbridge.charger import BASE_PATH, FixedPasswords, Role, create_app
from nfcbridge.charger.bench import Bench
from nfcbridge.charger.bench.control import Followed
from nfcbridge.charger.description import KIND, Description, keep_text
from nfcbridge.charger.point import ChargerClock
from nfcbridge.charger.point.effects import Effect, StoreTransaction
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.policy import RefusedError
from nfcbridge.charger.randomness import SeededRandomness, make_seed
from nfcbridge.client.transport import NfcTransport
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.events import AnswerSent, AnswerUnread, EmulatorEvent
from nfcbridge.testing.client import NFC_URL, AppTransport, ChargerClient
from nfcbridge.testing.settings import ChargerSettings
from nfcbridge.trace import TraceClock, TraceOrigin

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds for what a test does to the charge point, a year of a scenario in one go included."""

MAX_EVENTS: Final = 10_000
"""Events that are kept, the last ones: a test that reads them looks for what it has just caused."""

OPERATOR: Final = "operator"

_names: Final[set[str]] = set()
_naming: Final = threading.Lock()


class Clock:
    """The clock of a charger: sessions, transactions, what the charge point waits for.

    How long the card holds a response and keeps an answer is real time, as for a phone.
    """

    def __init__(self, clock: ChargerClock, advance: Callable[[str], object]) -> None:
        self._clock = clock
        self._advance = advance

    @property
    def seconds(self) -> float:
        """Seconds since the charger began."""
        return self._clock.simulated()

    @property
    def now(self) -> datetime:
        """What the charger's clock says, in UTC."""
        return self._clock.utc(self._clock.simulated())

    def advance(self, time: float | str) -> None:
        """Move it forward, and let happen what was due by then.

        Args:
            time: seconds, or such as `61s` and `1h30m`.

        Raises:
            ConfigError: it is no time, or more than a year.
        """
        self._advance(time if isinstance(time, str) else f"{time:.6f}")


class Charger:
    """A charge controller with its charge point, on a link in memory.

    Made by the fixture `charger`. What can happen to the charge point has the names of `nfcbridge sim`; each returns
    the events that followed at once, and raises `nfcbridge.errors.LocalProtocolError` if it cannot happen now and
    `ConfigError` if there is no such thing.

    Attributes:
        link: opens the reader's end: `nfcbridge.NfcTransport(charger.link)`. It takes one reader at a time.
        api: a client that calls the interface directly, without NFC; logged out.
        clock: its time.
        settings: what it is made of.
        passwords: plain, by the name of the role.
        trace_file: where what crosses the link is recorded.
    """

    def __init__(self, settings: ChargerSettings, trace_file: Path, link: str) -> None:
        self.settings = settings
        self.link = link
        self.trace_file = trace_file
        self.passwords: Mapping[str, str] = MappingProxyType(dict(settings.passwords))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: deque[Effect | EmulatorEvent] = deque(maxlen=MAX_EVENTS)
        card, exchange = settings.card(), settings.exchange()
        trace_clock = TraceClock()
        clock = make_clock(settings, trace_clock)
        known = describe(settings)
        seed = make_seed() if settings.seed is None else settings.seed
        passwords = FixedPasswords({Role(name): plain for name, plain in settings.passwords.items()})
        controller = known.make_controller(clock, passwords, SeededRandomness(seed))
        controller.charger.watch(self._happened)
        self.bench = Bench(controller, create_app(controller))
        self.emulator = Emulator(
            self._serve,
            [f"faulty:{self.link}?{settings.faults}" if settings.faults else self.link],
            card=card,
            exchange=exchange,
            base_path=known.base_path,
            trace=trace_file,
            origin=TraceOrigin(known.to_json(), seed, trace_clock, clock.to_json()),
            on_event=self._told,
            oversight=self.bench.tag,
        )
        self.clock = Clock(clock, lambda time: self._order("advance", time=time))
        self.api = ChargerClient(AppTransport(self._serve, self._running_loop), NFC_URL + BASE_PATH, self.passwords)

    @property
    def state(self) -> PointState:
        """All of the charge point, now: its states, its transaction, its messages, LEDs, contactor, power."""
        return self._call(lambda: self.bench.room.state().charger)

    @property
    def events(self) -> list[Effect | EmulatorEvent]:
        """What happened so far, at the charge point and on the link: the last MAX_EVENTS of it.

        What a link tells may be there a moment after the client has its answer.
        """
        return list(self._events)

    def client(self) -> ChargerClient:
        """A new client over NFC; logged out."""
        return ChargerClient(NfcTransport(self.link, first_id=1), NFC_URL, self.passwords)

    def plug(self, socket: str = "type2") -> list[Effect]:
        """Plug a vehicle in: `type2` or `schuko`."""
        return self._order("plug", socket=socket)

    def unplug(self) -> list[Effect]:
        """Unplug the vehicle."""
        return self._order("unplug")

    def swipe(self, tag: str, kind: str = "RFID") -> list[Effect]:
        """Hold a tag to the reader; of the kind `EVCCID` the vehicle says it. Others are `RFID` and `NFC`."""
        return self._order("swipe", id=tag, type=kind)

    def charge(self, *, ventilation: bool = False) -> list[Effect]:
        """Let the vehicle ask for energy."""
        return self._order("charge", ventilation=ventilation)

    def stop(self) -> list[Effect]:
        """Let the vehicle ask for no more energy."""
        return self._order("stop")

    def error(self, name: str) -> list[Effect]:
        """Let an error or a warning occur, such as `rcd`."""
        return self._order("error", name=name)

    def clear(self, name: str | None = None) -> list[Effect]:
        """Remove the cause of an error or warning; without a name of all whose cause can be removed."""
        return self._order("clear", **({"name": name} if name else {}))

    def power_cycle(self) -> list[Effect]:
        """Let the mains fail and come back."""
        return self._order("power-cycle")

    def fault(self, what: str) -> list[Effect]:
        """Let something go wrong, once: `next=500`, `late=2s`, `cut=BLOCKS`, `lose-field` or `expire-sessions`."""
        return self._order("fault", fault=what)

    def advance(self, time: float | str) -> list[Effect]:
        """Move its clock forward, as `clock.advance` does."""
        return self._order("advance", time=time if isinstance(time, str) else f"{time:.6f}")

    def _order(self, name: str, /, **fields: object) -> list[Effect]:
        followed: Followed = self._call(lambda: self.bench.room.order(name, msgspec.json.encode(fields)))
        return followed.events

    def _call(self, function: Callable[[], T]) -> T:
        loop = self._running_loop()

        async def run() -> T:
            return function()

        try:
            return asyncio.run_coroutine_threadsafe(run(), loop).result(PATIENCE)
        except RefusedError as error:
            if error.status == HTTPStatus.CONFLICT:
                raise LocalProtocolError(str(error)) from None
            raise ConfigError(str(error)) from None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._loop.is_closed():
            raise LocalProtocolError("the charger of this test is gone: use it while the test runs")
        return self._loop

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._loop = asyncio.get_running_loop()
        await self.bench.app(scope, receive, send)

    def _happened(self, effect: Effect) -> None:
        if not isinstance(effect, StoreTransaction):
            self._events.append(effect)

    def _told(self, event: EmulatorEvent) -> None:
        self._events.append(event)
        if isinstance(event, AnswerSent | AnswerUnread):
            self.bench.answer_is_over()


def make_clock(settings: ChargerSettings, monotonic: Callable[[], float]) -> ChargerClock:
    """The clock of these settings. Raises ConfigError: no such speed."""
    wall = settings.wall if settings.wall.tzinfo else settings.wall.replace(tzinfo=UTC)
    return ChargerClock(
        speed=settings.speed or 1.0,
        driven=not settings.speed,
        monotonic=monotonic,
        wall=wall.timestamp,
        zone=wall.tzinfo,
    )


def describe(settings: ChargerSettings) -> Description:
    """What a recording says of a charger of these settings, and what it is made from.

    Raises:
        ConfigError: there is no such role, or a file cannot be read.
    """
    names = [role.value for role in Role]
    if unknown := sorted(set(settings.passwords) - set(names)):
        raise ConfigError(f"there is no role {', '.join(unknown)}; there are {', '.join(names)}")
    try:
        return Description(
            kind=KIND,
            speed=settings.speed or 1.0,
            driven=not settings.speed,
            rfid_only=settings.rfid_only,
            scenario=keep_text(settings.scenario),
            catalogue=keep_text(settings.catalogue),
            app_layout=keep_text(settings.app_layout),
            passwords=tuple(settings.passwords),
            dev=settings.passwords.get(OPERATOR) == OPERATOR,
        )
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; give a file that can be read") from error


@contextmanager
def a_name() -> Iterator[str]:
    """The name of a link that no other charger has now: the same in every run, since tokens depend on it."""
    with _naming:
        name = next(name for number in count(1) if (name := f"memory:charger-{number}") not in _names)
        _names.add(name)
    try:
        yield name
    finally:
        _names.discard(name)


@contextmanager
def open_charger(settings: ChargerSettings, trace_file: Path) -> Iterator[Charger]:
    """A charger that runs.

    Raises:
        ConfigError: a setting cannot work.
    """
    with a_name() as link:
        charger = Charger(settings, trace_file, link)
        with charger.emulator:
            charger.bench.serves(charger.emulator.link_names)
            with closing(charger.api):
                yield charger
