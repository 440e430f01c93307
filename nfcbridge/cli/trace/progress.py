"""A bar on stderr for whoever waits for a long trace to be read."""

import contextlib
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from nfcbridge.trace import Entry, TraceFile

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE: Final = 0.5
"""Seconds of reading before there is a bar: a short trace needs none."""

EVERY: Final = 500
"""Entries between two looks at the clock, a few milliseconds."""


class Reading:
    """The entries of a trace; while they are read a bar grows, if stderr is a terminal.

    Args:
        trace: what is read.
        wanted: False for no bar.
        words: what is being done.
    """

    def __init__(self, trace: TraceFile, *, wanted: bool = True, words: str = "reading") -> None:
        self._trace = trace
        self._wanted = wanted and sys.stderr.isatty() and trace.path.is_file()
        self._words = words
        self._bar: Progress | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._trace:
            if self._wanted and entry.number % EVERY == 0:
                self._move()
            yield entry

    def stop(self) -> None:
        """Take the bar away, for good."""
        self._wanted = False
        if self._bar is not None:
            stop_bar(self._bar)

    def _move(self) -> None:
        if self._bar is None:
            if time.monotonic() - self._began < PATIENCE:
                return
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.add_task(self._words, total=self._trace.path.stat().st_size)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._trace.position)


def stop_bar(bar: "Progress") -> None:
    """Take a bar away, also one that Ctrl-C has met between its start and its being shown, which rich cannot undo."""
    with contextlib.suppress(IndexError):
        bar.stop()
