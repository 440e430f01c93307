"""When Python collects garbage: not between a frame of the phone and its answer.

A full collection walks every object that start-up has not frozen: tens of milliseconds in a busy process, of which
RATS and S(DESELECT) leave 5 and S(WTX) leaves 31. So while a phone is there nothing is collected of itself. Instead

    after a frame was sent      the young objects, if there are many: while it is on the air nobody waits for us
    when nothing has come       all of them, every FULL_EVERY seconds at most
    when there is no phone      Python decides again
"""

import gc
import threading
import time
from typing import Final

YOUNG: Final = 2_000
"""Objects made since the last collection from which on the young ones are collected: some 100 us."""

OLDER_EVERY: Final = 10
"""Each so many young collections one takes what survived them with it."""

FULL_EVERY: Final = 5.0
"""Seconds between full collections while a phone is there and silent."""

MOST_YOUNG: Final = 20_000
"""Young collections after which a full one is made even though the phone is never silent: garbage must have an end."""

QUIET: Final = 0.05
"""Seconds in which nothing came: the phone does something else, or checks the presence of the tag now and then."""


class Collection:
    """Keeps the collector out of exchanges; one for all the links of an emulator. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phones = 0
        self._was_enabled = False
        self._young = 0
        self._full_at = 0.0

    def phone_came(self) -> None:
        """A phone is at one of the links from now on."""
        with self._lock:
            self._phones += 1
            if self._phones == 1:
                self._was_enabled = gc.isenabled()
                gc.disable()
                self._young = 0
                self._full_at = time.monotonic() + FULL_EVERY

    def phone_left(self) -> None:
        """One of them is gone."""
        with self._lock:
            self._phones -= 1
            if not self._phones and self._was_enabled:
                gc.enable()

    def frame_sent(self) -> None:
        """A frame has just left."""
        if self._was_enabled and gc.get_count()[0] >= YOUNG:
            self._young += 1
            if self._young >= MOST_YOUNG:
                self._collect_all()
            else:
                gc.collect(0 if self._young % OLDER_EVERY else 1)

    def quiet_in(self) -> float | None:
        """Seconds of silence after which `quiet` is to be called; None if it need not be."""
        return QUIET if self._was_enabled and time.monotonic() >= self._full_at else None

    def quiet(self) -> None:
        """Nothing came for a while."""
        if time.monotonic() >= self._full_at:
            self._collect_all()

    def _collect_all(self) -> None:
        if self._was_enabled:
            self._young = 0
            gc.collect()
        self._full_at = time.monotonic() + FULL_EVERY
