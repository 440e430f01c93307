"""What a recording says of where it comes from, so that it can be replayed: program, application, seed and clock.

Whatever the application does in answer to a recorded request happens, for it, at the time of the frame that completed
the request, to the microsecond, as that time stands in the trace. A replay then gives it the same time again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

DIGITS: Final = 6
"""Of a second: times in a trace are told to the microsecond."""

_instant: ContextVar[float | None] = ContextVar("nfcbridge_instant", default=None)


class TraceClock:
    """Seconds since it was made; what runs within `at` is told that time instead. Any thread.

    Args:
        monotonic: real seconds that never go back.
        wall: real seconds since 1970-01-01 UTC.

    Attributes:
        began: what `monotonic` showed when it was made.
        wall: what `wall` showed then.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self.began = monotonic()
        self.wall = wall()

    def __call__(self) -> float:
        """The time for an application."""
        instant = given_time()
        return self._monotonic() - self.began if instant is None else instant


def given_time() -> float | None:
    """What `at` gave; None outside of it."""
    return _instant.get()


@contextmanager
def at(instant: float) -> Iterator[None]:
    """Within this, and in tasks that begin in it, the clocks of recordings show this time."""
    token = _instant.set(instant)
    try:
        yield
    finally:
        _instant.reset(token)


@dataclass(frozen=True, slots=True)
class TraceOrigin:
    """What is served while it is recorded.

    Args:
        app: how to have the same application again, as JSON: `kind` and what belongs to it, never a password.
        seed: what tokens and ids come from. It is as secret as they are.
        clock: the application's.
        charger: of the charge point's clock, as JSON: what else is needed to set one to the same time.
    """

    app: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    clock: TraceClock = field(default_factory=TraceClock)
    charger: Mapping[str, Any] | None = None

    def clock_words(self, t0: float) -> dict[str, Any]:
        """The entry `clock` of a first line.

        Args:
            t0: the time of the first line, on the application's clock.
        """
        words = {"kind": "monotonic", "wall": round(self.clock.wall + t0, DIGITS)}
        return words if self.charger is None else words | {"origin": t0, "charger": dict(self.charger)}
