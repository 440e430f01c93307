"""`nfcbridge serve` at work: the emulator with what it serves, the signals that end it, and the events it prints."""

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from nfcbridge.cli.console import Console, EventQueue
from nfcbridge.cli.errors import ExitCode, print_warning
from nfcbridge.cli.serve_settings import ServeSettings
from nfcbridge.cli.serving_app import Served, open_app, open_capture
from nfcbridge.cli.serving_lint import live_lint, warn_of_lost_frames
from nfcbridge.cli.serving_words import announce, show_password, warn
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.events import AnswerSent, AnswerUnread, EmulatorEvent, Warned

if TYPE_CHECKING:
    from nfcbridge.cli.charger import OpenCharger

OTHERWISE: Final = "answered as the rules of our card have it"
"""What became of something that a phone does otherwise than in the recording."""


class StopSignals:
    """Turns SIGINT and SIGTERM into the end of the server.

    While it starts they interrupt it, whatever it waits for; once it serves they end the queue of events.

    Args:
        events: the queue that the main thread waits for.
    """

    def __init__(self, events: EventQueue) -> None:
        self.serving = False
        self._events = events
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        # SIGINT too: a shell starts what it puts into the background with SIGINT ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.serving:
            raise KeyboardInterrupt
        self._events.stop()


def run(settings: ServeSettings) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError: a setting cannot work, or a recording cannot be served.
        TraceError: a recording is broken.
        LinkError: a port is taken, or a device is not there.
    """
    events = EventQueue()
    console = Console(quiet=settings.quiet, json=settings.json, show_link=len(settings.links) > 1)
    with StopSignals(events) as signals:
        try:
            with (
                open_served(settings, events) as served,
                live_lint(settings, served.card, served.origin, tell := watcher(events, served.charger)) as lint,
                Emulator(
                    served.app,
                    settings.links,
                    card=served.card,
                    exchange=served.exchange,
                    base_path=served.base_path,
                    http=served.http,
                    trace=settings.trace,
                    origin=served.origin,
                    listen=lint.listen if settings.lint else None,
                    drop_error_content=served.drop_error_content,
                    on_event=tell,
                    oversight=served.charger and served.charger.bench.tag,
                ) as emulator,
            ):
                if served.charger is not None:
                    served.charger.bench.serves(emulator.link_names)
                signals.serving = True
                warn(settings)
                show_password(served.charger)
                present = served.charger is None or served.charger.bench.tag.present
                announce(settings, console, emulator, served.trust, tag_present=present)
                if settings.lint:
                    lint.start()  # the start is over, and nobody waits for its imports
                if served.problem:
                    print_warning(served.problem)
                while (event := events.get()) is not None:
                    console.print_event(event)
        except KeyboardInterrupt:
            return ExitCode.DONE
    console.close()
    if lost := events.lost + console.lost:
        print_warning(f"{lost} events were not shown: the output did not take them, or not in time")
    warn_of_lost_frames(lint)
    return ExitCode.DONE


def open_served(settings: ServeSettings, events: EventQueue) -> AbstractContextManager[Served]:
    """Open what the settings name; what phones do otherwise than a recorded one are warnings.

    Raises:
        ConfigError, TraceError: it cannot be served.
    """
    if settings.replay is None:
        return open_app(settings)

    def warn_of(text: str) -> None:
        events.put(Warned(time.monotonic(), "", text, OTHERWISE))

    return nullcontext(open_capture(settings, settings.replay, warn_of))


def watcher(events: EventQueue, charger: "OpenCharger | None") -> Callable[[EmulatorEvent], None]:
    """Return what is told of every event: the console, and the bench of the charge controller."""
    if charger is None:
        return events.put
    bench = charger.bench

    def watch(event: EmulatorEvent) -> None:
        events.put(event)
        bench.publish(event)
        if isinstance(event, AnswerSent | AnswerUnread):
            bench.answer_is_over()

    return watch
