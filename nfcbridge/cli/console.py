"""What `nfcbridge serve` prints: one line an event, for people or as JSON.

Events come from the threads of the links, which have no time for a terminal: they are put into an `EventQueue` and
printed by the main thread. What a phone wrote is shown with its control characters escaped: a path must not be able
to paint on the operator's terminal.
"""

import os
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

import click
import msgspec

from nfcbridge.cli.errors import drop_output, escape_controls
from nfcbridge.server import events as told
from nfcbridge.server.events import EmulatorEvent

MAX_PENDING: Final = 10_000
"""Events that wait for a terminal that was stopped (Ctrl-S); what comes after them is counted and dropped."""

ALERT_COLOURS: Final[dict[type[EmulatorEvent], str]] = {
    told.Refused: "yellow",
    told.Warned: "yellow",
    told.RuleBroken: "yellow",
    told.LinkFailed: "red",
    told.ApplicationFailed: "red",
}

ALERTS: Final = tuple(ALERT_COLOURS)
"""What is told with `--quiet` too, on stderr."""


class EventQueue:
    """Events on their way to the console. Any thread may put one in, also a signal's handler: it never waits."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[EmulatorEvent | None] = SimpleQueue()
        self.lost = 0

    def put(self, event: EmulatorEvent) -> None:
        """Add an event, or count it as lost when nobody prints them."""
        if self._queue.qsize() < MAX_PENDING:
            self._queue.put(event)
        else:
            self.lost += 1

    def stop(self) -> None:
        """Make `get` return None once all events before it were taken."""
        self._queue.put(None)

    def get(self) -> EmulatorEvent | None:
        """Wait for the next event; None: stop."""
        return self._queue.get()


class Console:
    """Prints events.

    Args:
        quiet: alerts alone, on stderr.
        json: a JSON object a line.
        show_link: the link's name stands in each line: there is more than one.

    Attributes:
        lost: lines that could not be written, to a full disk for one. The server goes on, and the next may find room.
    """

    def __init__(self, *, quiet: bool, json: bool, show_link: bool) -> None:
        self._quiet = quiet
        self._json = json
        self._show_link = show_link
        self._stdout_open = True
        self.lost = 0
        # Whether it is a terminal click sees for itself. The colours need no more than click, unlike those of `demo`.
        self._coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        # Events have the time of the monotonic clock; people have that of the wall.
        self._wall = time.time() - time.monotonic()

    def print_event(self, event: EmulatorEvent) -> None:
        """Print an event as one line."""
        if self._quiet:
            if isinstance(event, ALERTS):
                self._print_alert(self._line(event))
        else:
            self.print_line(msgspec.json.encode(event).decode() if self._json else self._line(event))

    def print_line(self, line: str) -> None:
        """Print a line on stdout, at once. When its reader is gone (`| head -1`) the server goes on without it."""
        if not self._stdout_open:
            return
        try:
            click.echo(line)
        except BrokenPipeError:
            self._stdout_open = False
            drop_output()
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Forget what could not be written; it would be tried again when the program ends."""
        if self.lost:
            drop_output()

    def _print_alert(self, line: str) -> None:
        try:
            click.echo(line, err=True)
        except OSError:
            self.lost += 1

    def _line(self, event: EmulatorEvent) -> str:
        clock = self._wall + event.t
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(clock))}.{int(clock % 1 * 1000):03}"
        link = f"{event.link}  " if self._show_link and event.link else ""
        words = escape_controls(describe_event(event))
        if self._coloured and (colour := ALERT_COLOURS.get(type(event))):
            words = click.style(words, fg=colour)
        return f"{stamp}  {link}{words}"


def describe_event(event: EmulatorEvent) -> str:
    """Return an event in words."""
    return _WORDS[type(event)](event)


def _answer_sent(event: told.AnswerSent) -> str:
    return (
        f"answer {event.number}: {event.status}, {event.octets} octets, "
        f"air {event.air * 1000:.1f} ms, core {event.core * 1000:.1f} ms"
    )


_WORDS: Final[dict[type, Callable[..., str]]] = {
    told.PhoneArrived: lambda event: (
        f"phone arrived: UID {event.uid} on {event.link}, frames of {event.frame_size} octets"
    ),
    told.Reactivated: lambda event: "re-activation" + (": request and answer are kept" if event.kept else ""),
    told.PhoneLeft: lambda event: (
        "phone left" + ("" if event.unread is None else f": answer {event.unread} was not read to its end")
    ),
    told.RequestReceived: lambda event: f"request {event.number}: {event.method} {event.path}, {event.octets} octets",
    told.RequestBroken: lambda event: f"request {event.number}: broken, answered {event.status}: {event.reason}",
    told.AnswerSent: _answer_sent,
    told.AnswerUnread: lambda event: (
        f"answer {event.number}: expired, " + ("read in part" if event.partly else "nobody read it")
    ),
    told.CardRead: lambda event: f"card read, UID of {event.octets} octets: {event.outcome}",
    told.Refused: lambda event: f"refused (pipelining, {event.count}): {event.reason}; {event.remedy}",
    told.Warned: lambda event: f"warning: {event.reason}; {event.remedy}",
    told.RuleBroken: lambda event: (
        f"{event.severity} {event.rule}: {event.what}; {event.mend}"
        + (f" ({event.count} times by now)" if event.count > 1 else "")
    ),
    told.LinkFailed: lambda event: f"link {event.link} failed: {event.reason}",
    told.ApplicationFailed: lambda event: f"application: {event.reason}",
}
