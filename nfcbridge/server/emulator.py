"""The emulator: one tag on each link, one application behind all of them, HTTP beside them.

    link's thread: CardEnd -> CardStack --submit()--> AppLoop's thread: application
                      ^-------- frames <-- future --------'

Each link has a thread and a tag of its own (`door`). While a command is held its thread waits for the answer's future,
and sends S(WTX) from there when the deadline comes; at all other times it waits for the link. Nothing else is shared:
events and trace lines leave through queues.
"""

import contextlib
import gc
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from nfcbridge import __version__
from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.links import CardEnd, CardIdentity, Level, open_card
from nfcbridge.server import events as told
from nfcbridge.server.apploop import AppLoop
from nfcbridge.server.collection import Collection
from nfcbridge.server.door import Door, Stack
from nfcbridge.server.oversight import Oversight
from nfcbridge.server.reactions import Notify
from nfcbridge.server.settings import CardSettings, HttpSettings, check_messages, check_sizes, fit_frames
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack
from nfcbridge.trace import Listener, Recorder, TappedCard, TraceOrigin
from nfcbridge.trace.origin import at

RANDOM_UID: Final = b"\x08"  # first octet of a random UID of 4 octets (ISO 14443-3); most readers emulate no other

SWITCH_INTERVAL: Final = 0.001
"""Seconds after which a busy thread hands the interpreter on. A link's thread asks for it three or four times an
exchange, and may have the writers of database and trace before it beside the loop: 5 ms each, as Python has it, are a
good part of the 31 ms that S(WTX) leaves to FWT."""

_log: Final = logging.getLogger(__name__)


class Emulator:
    """Serves an ASGI application as a Type 4 Tag on links, and over HTTP if asked to.

    Args:
        app: any ASGI 3 application.
        links: names of links, such as `udp:127.0.0.1:54321`, or open card ends, which are closed with the emulator.
        card: what the tags look like.
        exchange: times and policies of the one outstanding request.
        base_path: put before the paths of messages; `/v1` for our charge controller, empty for other applications.
        drop_error_content: NFC answers of status 400 and more go without content.
        http: where HTTP is served, `HOST:PORT` if there is no more to say, None for no HTTP.
        trace: file to record to; with several links the second and later get `-2`, `-3` before the ending.
        origin: what is served while it is recorded, so that a replay can have it again.
        listen: makes what is told of every frame of a link, from the link's end; None: of this link nobody wants it.
        on_event: called with every event, in the thread where it happens: a link's or the application's. It must be
            quick, and cannot stop the emulator. What it raises is logged.
        oversight: may take the tags away while they are served; their links are given by name then.

    Attributes:
        doors: the links that are served.
        http_url: where HTTP is served, None if it is not.

    Raises:
        ConfigError: a setting cannot work.
    """

    def __init__(
        self,
        app: App,
        links: Sequence[str | CardEnd],
        *,
        card: CardSettings | None = None,
        exchange: ExchangeConfig | None = None,
        base_path: str = "",
        drop_error_content: bool = True,
        http: str | HttpSettings | None = None,
        trace: Path | str | None = None,
        origin: TraceOrigin | None = None,
        listen: Callable[[CardEnd], Listener | None] | None = None,
        on_event: Notify | None = None,
        oversight: Oversight | None = None,
    ) -> None:
        self.card = card or CardSettings()
        self.exchange = exchange or ExchangeConfig()
        check_messages(self.exchange, self.card.limits, self.card.language)
        if oversight is not None and not all(isinstance(link, str) for link in links):
            raise ConfigError("with an oversight links are given by name, so that they can be opened again")
        self._on_event = on_event
        self._oversight = oversight
        self._links = list(links)
        self._http = HttpSettings(http) if isinstance(http, str) else http
        self._trace = Path(trace) if trace is not None else None
        self._origin = origin or TraceOrigin()
        self._listen = listen
        self.app_loop = AppLoop(
            app,
            base_path=base_path,
            drop_error_content=drop_error_content,
            report=self._application_failed,
            on_stop=None if oversight is None else oversight.stop,
        )
        self.doors: list[Door] = []
        self._collection = Collection()
        self._switch_interval = sys.getswitchinterval()
        self.http_url: str | None = None
        self._started = False

    @property
    def link_names(self) -> list[str]:
        """The names that open the other ends, with the real ports."""
        return [door.end.name for door in self.doors]

    def start(self) -> None:
        """Start the application, HTTP and every link, once; all or nothing.

        Raises:
            ConfigError: a name or setting cannot work, or the application cannot start.
            LinkError: a port is taken, or a device is not there.
            LocalProtocolError: it was started before.
        """
        if self._started:
            raise LocalProtocolError("this emulator was started before: make another one")
        self._started = True
        try:
            self.app_loop.start()
            if self._http is not None:
                self.http_url = self.app_loop.serve_http(
                    *self._http.address, app=self._http.app, ssl_context=self._http.ssl_context
                ).url
            for index, link in enumerate(self._links):
                self.doors.append(self._open(link, index))  # one by one: `stop` closes those that are open
            gc.freeze()  # what start-up made stays: the collector need not walk it between two blocks
            sys.setswitchinterval(SWITCH_INTERVAL)
            for door in self.doors:
                door.start()
        except BaseException:
            self.stop()
            raise

    def flush(self) -> None:
        """Wait until all that crossed before is in the traces, for whoever reads them while they grow."""
        for door in self.doors:
            if door.recorder is not None:
                door.recorder.flush()

    def stop(self) -> None:
        """End links, requests and HTTP, whatever is open; about 2 s at most. Any number of times.

        Raises:
            TraceError: a trace is not whole.
        """
        with contextlib.ExitStack() as last:  # from the last to the first, each even if one before it raised
            last.callback(gc.unfreeze)
            last.callback(sys.setswitchinterval, self._switch_interval)
            for door in self.doors:
                last.callback(door.join)
            last.callback(self.app_loop.stop)
            for link in self._links:
                if not isinstance(link, str):
                    last.callback(link.close)  # one that has no door, since the start failed
            for door in self.doors:
                last.callback(door.close)

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self, link: str | CardEnd, index: int) -> Door:
        uid = self.card.uid or RANDOM_UID + os.urandom(3)
        identity = CardIdentity(uid=uid, ats=self.card.ats.to_bytes())
        end = open_card(link, identity) if isinstance(link, str) else link
        card = fit_frames(end, self.card)
        name = end.name  # with the real port
        listeners: list[Listener] = []
        recorder = None
        try:
            check_sizes(end, card)
            if self._trace is not None:
                path = self._trace if index == 0 else self._trace.with_stem(f"{self._trace.stem}-{index + 1}")
                recorder = self._record(path, end, uid, card)
                listeners.append(recorder)
            if self._listen is not None and (listener := self._listen(end)) is not None:
                listeners.append(listener)
        except BaseException:
            end.close()
            raise

        def tap(end: CardEnd) -> CardEnd:
            for listener in listeners:
                end = TappedCard(end, listener)
            return end

        def make_stack() -> Stack:
            ours = CardStack(card.limits, self.exchange, language=card.language)
            upper = ours if card.make is None else card.make()
            return BlockCardStack(upper, card.ats, max_frame=end.max_frame) if end.level is Level.BLOCKS else upper

        def reopen() -> CardEnd:
            return tap(open_card(name, identity))

        return Door(
            tap(end),
            make_stack,
            self.app_loop,
            self._notify,
            uid=uid,
            recorder=recorder,
            oversight=self._oversight,
            reopen=reopen,
            collection=self._collection,
        )

    def _record(self, path: Path, end: CardEnd, uid: bytes, card: CardSettings) -> Recorder:
        exchange = self.exchange
        kind, _, rest = end.name.partition(":")
        description = {
            "uid": uid.hex(),
            "ats": card.ats.to_bytes().hex(),
            "mle": card.limits.mle,
            "mlc": card.limits.mlc,
            "file_size": card.limits.file_size,
            "writable": card.limits.writable,
            "language": card.language,
            "idle": exchange.idle.hex(),
            "not_ready": exchange.not_ready.hex(),
            "hold": exchange.hold,
            "half_write_ttl": exchange.half_write_ttl,
            "answer_ttl": exchange.answer_ttl,
            "give_up": exchange.give_up,
            "replace": exchange.replace,
        }
        seed = None
        if kind == "faulty":
            from nfcbridge.links.faulty import parse_faults

            seed = parse_faults(rest)[1].seed
        return Recorder(
            path,
            level=end.level.value,
            link=end.name,
            card=description,
            seed=seed,
            source=f"nfcbridge {__version__} card",
            origin=self._origin,
        )

    def _notify(self, event: told.EmulatorEvent) -> None:
        if self._on_event is not None:
            try:
                with self._time_of(event):
                    self._on_event(event)
            except Exception:  # noqa: BLE001 a stranger's: it must not take the link or the application with it
                _log.exception("on_event raised for %s", event)

    def _time_of(self, event: told.EmulatorEvent) -> contextlib.AbstractContextManager[None]:
        """For what follows from an answer that was read: the time of the frame that read it, as in the trace."""
        if isinstance(event, told.AnswerSent):
            for door in self.doors:
                if door.recorder is not None and door.end.name == event.link:
                    return at(door.recorder.instant)
        return contextlib.nullcontext()

    def _application_failed(self, problem: str, error: BaseException | None) -> None:
        # Type and place, and not what the exception says: that may be what no event may have in it.
        if error is not None:
            _log.debug("%s", problem, exc_info=error)
            problem = f"{problem} {type(error).__name__}{place_of(error)}"
        self._notify(told.ApplicationFailed(time.monotonic(), "", problem))


def place_of(error: BaseException) -> str:
    """Where an exception was raised, for people; empty where it does not know."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def serve(app: App, link: str | CardEnd | Sequence[str | CardEnd], **settings: Any) -> Emulator:  # noqa: ANN401 - those of Emulator
    """Serve an ASGI application over NFC, in threads of its own.

        with nfcbridge.serve(app, "memory:desk"):
            httpx2.Client(transport=nfcbridge.NfcTransport("memory:desk")).get("http://charger/hello")

    Args:
        app: any ASGI 3 application.
        link: one link or several, by name or open.
        settings: those of `Emulator`.

    Returns:
        The running emulator; `stop()` it, or use it as a context manager.
    """
    emulator = Emulator(app, [link] if isinstance(link, str) or not isinstance(link, Sequence) else link, **settings)
    emulator.start()
    return emulator
