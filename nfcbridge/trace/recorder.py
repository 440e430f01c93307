"""Recording what crosses a link, as JSON lines.

    {"nfcbridge_trace": 1, "level": "blocks", "link": "udp:127.0.0.1:54321", "source": "nfcbridge 0.1.0 card",
     "clock": {...}, "seed": 123, "card": {...}, "app": {...}}                        (all of this is the first line)
    {"t": 0.000104, "dir": "field", "on": true}
    {"t": 0.000412, "dir": "reader", "hex": "e080"}
    {"t": 0.000587, "dir": "card", "hex": "0578804202"}

`t` counts seconds from the first line, to the microsecond; `hex` are octets without CRC. `on` is true whenever a reader
has selected the card, so a card that was selected again in the same field has two of them without a false between.
"""

import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Self, TextIO

from nfcbridge.errors import ConfigError, TraceError
from nfcbridge.trace.entries import VERSION
from nfcbridge.trace.origin import DIGITS, TraceOrigin

BATCH_INTERVAL: Final = 0.05
"""Seconds that the writer lets pass between two batches: a link's thread is not to compete with it for every frame."""

_Line = tuple[float, str, bytes]

_FORMATS: Final = {
    "reader": '{{"t": {:.6f}, "dir": "reader", "hex": "{}"}}\n',
    "card": '{{"t": {:.6f}, "dir": "card", "hex": "{}"}}\n',
    "on": '{{"t": {:.6f}, "dir": "field", "on": true}}\n',
    "off": '{{"t": {:.6f}, "dir": "field", "on": false}}\n',
}


LEVELS: Final = ("blocks", "apdus")
"""What the frames of a trace are."""


def open_private(path: Path) -> int:
    """Opens a file to write it anew; one that it makes is for its owner alone: a trace has session ids in it."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


class Recorder:
    """A trace that is being written.

    The threads of the link only put into a queue; a thread of this object formats and writes. A recorder that nobody
    closes is closed when the program ends.

    Args:
        path: the file; an old one is overwritten and keeps its mode, a new one has 0600.
        level: `blocks` or `apdus`.
        link: the name of the link.
        card: what the card is made of, as JSON.
        clock: the name of `now`, for people and for whoever plays the trace back.
        seed: what random choices of the link came from, None if there were none.
        now: seconds from any origin.
        source: who records: program, version and end.
        origin: what is served, and by which clock and seed. It takes the place of `clock`, and of `seed` if it has one.

    Attributes:
        heard: when the reader or its field was heard last, on the clock `now`, to the microsecond as in the trace.
        instant: the same on the clock of `origin`.
        failure: why nothing is written any more, such as a full disk; None while all is well.

    Raises:
        ConfigError: there is no such level, or the file cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        level: str,
        link: str,
        card: Mapping[str, Any],
        clock: str = "monotonic",
        seed: int | None = None,
        now: Callable[[], float] = time.monotonic,
        source: str = "",
        origin: TraceOrigin | None = None,
    ) -> None:
        if level not in LEVELS:
            raise ConfigError(f"a trace has the level {' or '.join(LEVELS)}, and {level!r} is none")
        self.path = Path(path)
        self._now = now
        self._began = self.heard = now()
        self._origin = 0.0 if origin is None else self._began - origin.clock.began
        self.instant = self._origin
        header = {
            "nfcbridge_trace": VERSION,
            "level": level,
            "link": link,
            "source": source,
            "clock": clock if origin is None else origin.clock_words(self._origin),
            "seed": seed if origin is None or origin.seed is None else origin.seed,
            "card": dict(card),
            "app": {} if origin is None else dict(origin.app),
        }
        self._lines: SimpleQueue[_Line | Event | None] = SimpleQueue()
        self._closing = Event()
        self.failure: OSError | None = None
        try:
            self._file = os.fdopen(open_private(self.path), "w", encoding="ascii")
        except OSError as error:
            raise ConfigError(f"cannot write the trace {path} ({error.strerror}): name another file") from error
        self._file.write(json.dumps(header) + "\n")
        self._thread = Thread(target=self._write, name="nfcbridge-trace", daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _end, self._closing, self._lines, self._thread)

    def record_reader(self, octets: bytes) -> None:
        """Record a frame of the reader, now. One without octets, which no air carries, is none."""
        if frame := bytes(octets):  # as it is now; it may be changed later
            self._lines.put((self._hear(), "reader", frame))

    def record_card(self, octets: bytes) -> None:
        """Record a frame of the card, now; the same."""
        if frame := bytes(octets):
            self._lines.put((self._now(), "card", frame))

    def record_field(self, *, on: bool) -> None:
        """Record that the card was selected, or that the field is gone, now."""
        self._lines.put((self._hear(), "on" if on else "off", b""))

    def _hear(self) -> float:
        now = self._now()
        t = round(now - self._began, DIGITS)
        self.heard, self.instant = self._began + t, self._origin + t
        return now

    def flush(self) -> None:
        """Wait until what was recorded before is in the file, or `failure` says why not. Any thread may call it."""
        if not self._closing.is_set():
            written = Event()
            self._lines.put(written)
            while not written.wait(BATCH_INTERVAL) and self.failure is None and self._thread.is_alive():
                pass

    def close(self) -> None:
        """Write what is left and close the file. Any thread may call it, more than once.

        Raises:
            TraceError: the file could not be written to its end; it holds what was written before.
        """
        if not self._closing.is_set():
            self._end()
            if self.failure is not None:
                raise TraceError(f"the trace {self.path} is not whole: {self.failure.strerror}") from self.failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        file: TextIO = self._file
        open_ = True
        try:
            with file:
                file.flush()  # who looks before the first frame finds what will be recorded
                while open_:
                    batch, waiting, open_ = self._next_batch()
                    file.write(batch)
                    file.flush()
                    for written in waiting:
                        written.set()
        except OSError as error:  # such as a full disk: the link goes on without a trace
            self.failure = error
        while open_:
            _, waiting, open_ = self._next_batch()  # nobody else empties the queue
            for written in waiting:
                written.set()

    def _next_batch(self) -> tuple[str, list[Event], bool]:
        """Wait for lines; return all that are there, who waits until they are written, and whether more may come."""
        lines = [self._lines.get()]
        if not isinstance(lines[0], Event):
            self._closing.wait(BATCH_INTERVAL)
        try:
            while lines[-1] is not None:
                lines.append(self._lines.get_nowait())
        except Empty:
            pass
        text = "".join(
            _FORMATS[kind].format(at - self._began, octets.hex())
            for at, kind, octets in (line for line in lines if isinstance(line, tuple))
        )
        return text, [line for line in lines if isinstance(line, Event)], lines[-1] is not None


def _end(closing: Event, lines: "SimpleQueue[_Line | Event | None]", thread: Thread) -> None:
    """Let the writer write what is left, and wait for it."""
    closing.set()
    lines.put(None)
    thread.join()
