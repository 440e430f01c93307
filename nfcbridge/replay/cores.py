"""What answers the requests of a replay: the charge controller that was recorded, another application, the recording.

All of them live in the thread of the replay, on the time of the trace.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta, timezone
from typing import Any, Final, Protocol, TypeVar

import msgspec

from nfcbridge.charger import FixedPasswords, Role, create_app
from nfcbridge.charger.bench import Bench
from nfcbridge.charger.description import KIND, Description
from nfcbridge.charger.point import ChargerClock
from nfcbridge.charger.randomness import SeededRandomness
from nfcbridge.dispatch import App, call_app
from nfcbridge.errors import ConfigError, TraceError
from nfcbridge.framing import Answer, Request
from nfcbridge.replay.virtual import VirtualLoop
from nfcbridge.server.oversight import Oversight
from nfcbridge.trace import Header
from nfcbridge.trace.origin import at, given_time

DEV_PASSWORD: Final = "operator"  # noqa: S105 - of `serve --dev`, and no secret
OPERATOR: Final = "operator"


_T = TypeVar("_T")


ANY_SEED: Final = 0
"""Of a charger whose recording tells no seed: reports tell what it makes up, and are to be the same each time."""

AS_RECORDED: Final = 999
"""The status of an answer whose content is a whole NDEF message; HTTP has no such status."""


class Core(Protocol):
    """What answers requests.

    Attributes:
        oversight: takes the tag away while it is used; None: nobody does.
    """

    oversight: Oversight | None

    def advance(self, now: float) -> None:
        """It is that late, in seconds of the trace."""

    def submit(self, number: int, request: Request) -> None:
        """Answer this request, which was completed now."""

    def take(self) -> Answer | None:
        """The answer to the request submitted last, once; None while there is none."""

    def cancel(self) -> None:
        """Nobody waits for that answer any more."""

    def answer_is_over(self, *, read: bool = True) -> None:
        """The last answer was read, or (not `read`) will not be read any more."""

    def close(self) -> None:
        """Free what it has."""


class AppCore:
    """An ASGI application in a loop of its own.

    Args:
        app: the application.
        client: the name of the link, as the application knows it.
        base_path: put before the paths of messages.
        loop: whose time it is.
    """

    oversight: Oversight | None = None

    def __init__(self, app: App, client: str, *, base_path: str = "", loop: VirtualLoop | None = None) -> None:
        self.problems: list[str] = []
        self._app = app
        self._client = client
        self._base_path = base_path
        self.loop = loop or VirtualLoop()
        self._task: asyncio.Task[Answer] | None = None
        self._answer: Answer | None = None

    def advance(self, now: float) -> None:
        """See `Core.advance`."""
        self.loop.advance(now)

    def submit(self, number: int, request: Request) -> None:
        """See `Core.submit`."""
        self._answer = None
        call = call_app(
            self._app,
            request,
            base_path=self._base_path,
            client=self._client,
            report=self._report,
            on_answer=self._settle,
        )
        self._task = self.loop.create_task(call)
        self.loop.settle()

    def take(self) -> Answer | None:
        """See `Core.take`."""
        answer, self._answer = self._answer, None
        return answer

    def cancel(self) -> None:
        """See `Core.cancel`."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self.loop.settle()
        self._answer = None

    def answer_is_over(self, *, read: bool = True) -> None:
        """See `Core.answer_is_over`."""

    def close(self) -> None:
        """See `Core.close`."""
        self.cancel()
        self.loop.close()

    def _settle(self, answer: Answer) -> None:
        self._answer = answer

    def _report(self, problem: str, error: BaseException | None) -> None:
        self.problems.append(problem if error is None else f"{problem}: {type(error).__name__}")


class ChargerCore(AppCore):
    """The charge controller that was recorded, as new as it was then.

    Args:
        header: of the trace.
        passwords: of roles, by their names.

    Raises:
        ConfigError: a file of its settings was not kept, or is refused by this version.
        TraceError: the first line says of it what cannot be.
    """

    def __init__(self, header: Header, passwords: Mapping[str, str]) -> None:
        known, clock = read_description(header), _read_clock(header)
        loop = VirtualLoop()
        loop.now = min(clock.charger.began - clock.origin, 0.0)

        def now() -> float:
            given = given_time()
            return clock.origin + loop.now if given is None else given

        self._now = now
        try:
            charger_clock = ChargerClock(
                speed=known.speed,
                driven=known.driven,
                monotonic=now,
                wall=lambda: clock.charger.wall,
                zone=timezone(timedelta(seconds=clock.charger.zone)),
            )
            charger_clock.began = clock.charger.began  # exactly
            if known.dev:
                passwords = {OPERATOR: DEV_PASSWORD} | dict(passwords)
            controller = known.make_controller(
                charger_clock,
                FixedPasswords({Role(role): password for role, password in passwords.items()}),
                SeededRandomness(ANY_SEED if header.seed is None else header.seed),
            )
            self.bench = Bench(controller, create_app(controller))
            self.bench.serves([header.link])
            super().__init__(self.bench.app, header.link, base_path=known.base_path, loop=loop)
            loop.run_until_complete(self._start(controller.charger.start))
        except (ValueError, OverflowError) as error:
            loop.close()
            raise TraceError(f"line 1: {error}") from error
        except BaseException:
            loop.close()
            raise
        self.oversight = self.bench.tag

    async def _start(self, start: Callable[[], None]) -> None:
        self.bench.start()
        start()

    def answer_is_over(self, *, read: bool = True) -> None:
        """See `Core.answer_is_over`."""
        with at(self._now()) if read else nullcontext():  # as the emulator does while it records
            self.bench.answer_is_over()


class RecordedCore:
    """Answers what the recording has as answers: it judges the card, whatever stood behind it.

    Args:
        answers: returns the message that answers the request which was completed last.
    """

    oversight: Oversight | None = None

    def __init__(self, answers: Callable[[], bytes]) -> None:
        self._answers = answers
        self._answer: Answer | None = None

    def advance(self, now: float) -> None:
        """See `Core.advance`."""

    def submit(self, number: int, request: Request) -> None:
        """See `Core.submit`."""
        self._answer = Answer(AS_RECORDED, self._answers())

    def take(self) -> Answer | None:
        """See `Core.take`."""
        answer, self._answer = self._answer, None
        return answer

    def cancel(self) -> None:
        """See `Core.cancel`."""
        self._answer = None

    def answer_is_over(self, *, read: bool = True) -> None:
        """See `Core.answer_is_over`."""

    def close(self) -> None:
        """See `Core.close`."""


class _ChargerClock(msgspec.Struct, frozen=True):
    began: float
    wall: float
    zone: float = 0.0


class _Clock(msgspec.Struct, frozen=True):
    charger: _ChargerClock
    origin: float = 0.0


def is_charger(header: Header) -> bool:
    """Whether a charge controller of ours was recorded."""
    return header.app.get("kind") == KIND


def read_description(header: Header) -> Description:
    """The charge controller of a first line. Raises TraceError: it says what cannot be."""
    return _convert(header.app, Description)


def _read_clock(header: Header) -> _Clock:
    return _convert(header.clock, _Clock)


def _convert(value: Any, kind: type[_T]) -> _T:  # noqa: ANN401 - JSON
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise TraceError(f"line 1: {error}; record it anew, or replay it with --level message") from error


def check_roles(passwords: Mapping[str, str]) -> None:
    """Raise ConfigError for the name of a role that does not exist."""
    for role in passwords:
        if role not in set(Role):
            raise ConfigError(f"there is no role {role!r}; the roles are {', '.join(Role)}")
