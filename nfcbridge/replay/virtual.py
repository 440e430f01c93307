"""An event loop whose time is given: tasks and timers run when somebody says how late it is, and nothing ever waits.

It is asyncio's own loop, less the waiting. One thread, and no task of it may wait for another thread or for a socket.
"""

import asyncio

MAX_ROUNDS = 100_000
"""Rounds of callbacks at one moment: a task that never lets time pass would keep a replay for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop.

    Attributes:
        now: its time, in seconds.
    """

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()

    def time(self) -> float:
        """The time that was given."""
        return self.now

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, each at its time. A time that is over changes nothing."""
        while self._pending() and (due := self._next_due()) <= now:
            self.now = max(self.now, due)
            self._run_rounds()
        self.now = max(self.now, now)

    def settle(self) -> None:
        """Run what is to be run now."""
        if self._pending():
            self._run_rounds()

    def _pending(self) -> bool:
        return bool(self._ready or self._scheduled)  # type: ignore[attr-defined]  # asyncio's own, as in all versions

    def _next_due(self) -> float:
        if self._ready:  # type: ignore[attr-defined]
            return self.now
        when: float = self._scheduled[0].when()  # type: ignore[attr-defined]
        return when

    def _run_rounds(self) -> None:
        for _ in range(MAX_ROUNDS):
            if not self._pending() or self._next_due() > self.now:
                return
            self.call_soon(self.stop)
            self.run_forever()
        raise RuntimeError("a task of the application never lets time pass")

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody is woken."""
