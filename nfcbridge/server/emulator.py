"""The emulator: one tag on each link, one application behind all of them, HTTP beside them.

    link's thread: CardEnd -> CardStack --submit()--> AppLoop's thread: application
                      ^-------- frames <-- future --------'

Each link has a thread and a tag of its own. While a command is held its thread waits for the answer's future, and sends
S(WTX) from there when the deadline comes; at all other times it waits for the link. Nothing else is shared: events and
trace lines leave through queues.
"""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, LinkClosedError, LinkError
from nfcbridge.framing import Answer, ExchangeConfig
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Ats, SendFrame
from nfcbridge.links import CardEnd, CardIdentity, CardSelected, FieldOff, Frame, Level, open_card
from nfcbridge.server import events as told
from nfcbridge.server.apploop import AppLoop, PendingAnswer
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack, Event
from nfcbridge.trace import Recorder, TappedCard
from nfcbridge.type4 import CardConfig

RANDOM_UID: Final = 0x08  # first octet of a random UID of 4 octets; the only one that most readers can emulate
LOOK_FOR_ANSWER: Final = 0.05  # seconds between looks at a pending answer while the reader does not wait for it
RETRY_LINK: Final = 1.0  # seconds between two attempts at a device that failed
JOIN_TIMEOUT: Final = 1.0  # seconds that a link's thread gets to end
SERVICE_UNAVAILABLE: Final = 503

Notify = Callable[[told.EmulatorEvent], None]

REMEDIES: Final = {
    seen.Reason.PROCESSING: "write one request, read its answer, then write the next",
    seen.Reason.UNREAD: "read the answer before writing the next request (or serve with --pipelining replace)",
}
CLOSE_AND_CONNECT: Final = "the app must close() and connect() before it reads, or use IsoDep"


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What every tag of the emulator looks like.

    Args:
        uid: 4 or 7 octets; empty: 08 and three random ones.
        ats: the answer to select.
        limits: what the CC says.
        language: language code of the Text records.
    """

    uid: bytes = b""
    ats: Ats = DEFAULT_ATS
    limits: CardConfig = field(default_factory=CardConfig)
    language: str = "en"


class Emulator:
    """Serves an ASGI application as a Type 4 Tag on links, and over HTTP if asked to.

    Args:
        app: any ASGI 3 application.
        links: names of links, such as `udp:127.0.0.1:54321`, or open card ends.
        card: what the tags look like.
        exchange: times and policies of the one outstanding request.
        base_path: put before the paths of messages; `/v1` for our charge controller, empty for other applications.
        http: `HOST:PORT`, None for no HTTP.
        trace: file to record to; with several links the second and later get `-2`, `-3` before the ending.
        on_event: called from any thread with every event; must be quick and must not raise.
    """

    def __init__(
        self,
        app: App,
        links: Sequence[str | CardEnd],
        *,
        card: CardSettings | None = None,
        exchange: ExchangeConfig | None = None,
        base_path: str = "",
        http: str | None = None,
        trace: Path | str | None = None,
        on_event: Notify | None = None,
    ) -> None:
        self._notify: Notify = on_event or (lambda _event: None)
        self.card = card or CardSettings()
        self.exchange = exchange or ExchangeConfig()
        self._links = links
        self._http = http
        self._trace = Path(trace) if trace is not None else None
        self.app_loop = AppLoop(app, base_path=base_path, report=self._application_failed)
        self.doors: list[Door] = []
        self.http_url: str | None = None
        self._started = False

    @property
    def link_names(self) -> list[str]:
        """The names that open the other ends, with the real ports."""
        return [door.end.name for door in self.doors]

    def start(self) -> None:
        """Start the application, HTTP and every link; all or nothing.

        Raises:
            ConfigError: a name or setting cannot work, or the application cannot start.
            LinkError: a port is taken, or a device is not there.
        """
        self._started = True
        try:
            self.app_loop.start()
            if self._http is not None:
                host, _, port = self._http.rpartition(":")
                self.http_url = self.app_loop.serve_http(host.strip("[]"), int(port)).url
            self.doors += [self._open(link, index) for index, link in enumerate(self._links)]
        except BaseException:
            self.stop()
            raise
        gc.freeze()  # what start-up made stays: the collector need not walk it between two blocks
        for door in self.doors:
            door.start()

    def stop(self) -> None:
        """End links, requests and HTTP; at most about 3 s. Any number of times."""
        for door in self.doors:
            door.end.close()
        for door in self.doors:
            door.join()
        self.app_loop.stop()

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self, link: str | CardEnd, index: int) -> "Door":
        card = self.card
        uid = card.uid or bytes([RANDOM_UID]) + random_octets(3)
        identity = CardIdentity(uid=uid, ats=card.ats.to_bytes())
        end = open_card(link, identity) if isinstance(link, str) else link
        recorder = None
        try:
            check_frame_size(end, card.ats)
            if self._trace is not None:
                path = self._trace if index == 0 else self._trace.with_stem(f"{self._trace.stem}-{index + 1}")
                recorder = Recorder(path, level=end.level.value, link=end.name, card=self._describe(uid))
                end = TappedCard(end, recorder)
        except BaseException:
            end.close()
            raise
        upper = CardStack(card.limits, self.exchange, language=card.language)
        stack = BlockCardStack(upper, card.ats) if end.level is Level.BLOCKS else upper
        return Door(end, stack, self.app_loop, self._notify, uid=uid, recorder=recorder)

    def _describe(self, uid: bytes) -> dict[str, Any]:
        card, exchange = self.card, self.exchange
        return {
            "uid": uid.hex(),
            "ats": card.ats.to_bytes().hex(),
            "mle": card.limits.mle,
            "mlc": card.limits.mlc,
            "file_size": card.limits.file_size,
            "language": card.language,
            "idle": exchange.idle.hex(),
            "not_ready": exchange.not_ready.hex(),
            "hold": exchange.hold,
            "answer_ttl": exchange.answer_ttl,
            "give_up": exchange.give_up,
            "replace": exchange.replace,
        }

    def _application_failed(self, problem: str, error: BaseException | None) -> None:
        reason = problem if error is None else f"{problem}: {type(error).__name__}: {error}"
        self._notify(told.ApplicationFailed(time.monotonic(), "", reason))


def check_frame_size(end: CardEnd, ats: Ats) -> None:
    """Raise ConfigError if the link cannot carry the frames that the ATS announces."""
    if end.level is Level.BLOCKS and end.max_frame < ats.fsc:
        raise ConfigError(
            f"frames of {ats.fsc} octets do not fit {end.name}, which carries {end.max_frame}: "
            "choose a smaller FSCI in the ATS"
        )


def random_octets(count: int) -> bytes:
    """Octets for a UID; none is the cascade tag 88."""
    import secrets

    return bytes(secrets.choice(range(0x80)) for _ in range(count))


class Door:
    """One link with its tag and its thread.

    Args:
        end: the open card end.
        stack: the tag.
        app_loop: where requests run.
        notify: told of every event.
        uid: of the tag.
        recorder: closed when the thread ends.
    """

    def __init__(
        self,
        end: CardEnd,
        stack: CardStack | BlockCardStack,
        app_loop: AppLoop,
        notify: Notify,
        *,
        uid: bytes,
        recorder: Recorder | None = None,
    ) -> None:
        self.end = end
        self._stack = stack
        self._app_loop = app_loop
        self._notify = notify
        self._uid = uid.hex()
        self._recorder = recorder
        self._number = 0
        self._pending: PendingAnswer | None = None
        self._ready_at: float | None = None
        self._present = False
        self._unread: int | None = None
        self._thread = threading.Thread(target=self._run, name=f"nfcbridge-{end.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread of a closed end, and close the trace."""
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT)
        if self._recorder is not None:
            self._recorder.close()

    def _run(self) -> None:
        while True:
            try:
                self._step()
            except LinkClosedError:
                break
            except LinkError as error:
                self._act(self._stack.field_lost(time.monotonic()))
                self._notify(told.LinkFailed(time.monotonic(), self.end.name, str(error)))
                time.sleep(RETRY_LINK)
        if self._pending is not None:
            self._pending.cancel()

    def _step(self) -> None:
        """Wait for the one thing that can come next, and act on it."""
        stack = self._stack
        deadline = stack.next_deadline()
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            self._act(stack.handle_timer(now))
        elif self._pending is not None and (stack.owes_reply or self._pending.done()):
            self._wait_for_answer(None if deadline is None else deadline - now)
        else:
            timeout = None if deadline is None else deadline - now
            if self._pending is not None:
                timeout = LOOK_FOR_ANSWER if timeout is None else min(timeout, LOOK_FOR_ANSWER)
            incoming = self.end.receive(timeout)
            if incoming is not None:
                self._receive(incoming)

    def _wait_for_answer(self, timeout: float | None) -> None:
        pending = self._pending
        if pending is None:
            return
        try:
            answer = pending.result(timeout)
        except TimeoutError:
            return
        except CancelledError:  # the loop has stopped under it
            answer = Answer(SERVICE_UNAVAILABLE)
        now = time.monotonic()
        self._pending = None
        # An answer nobody waited for was ready before this thread looked: its time to live began then.
        self._act(self._stack.answer(self._number, answer, min(now, self._ready_at or now)))

    def _receive(self, incoming: Frame | CardSelected | FieldOff) -> None:
        if self._pending is not None and self._pending.done():
            self._wait_for_answer(0.0)
        now = time.monotonic()
        if isinstance(incoming, Frame):
            self._act(self._stack.receive(incoming.octets, now))
        elif isinstance(incoming, CardSelected):
            frame_size = incoming.fsd
            if isinstance(self._stack, CardStack):
                self._act(self._stack.activated(frame_size or self._stack.frame_size, now))
            else:
                self._act(self._stack.activated(frame_size, now))
        else:
            self._act(self._stack.field_lost(now))

    def _act(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, SendFrame):
                self.end.send(event.frame)
            else:
                self._ACT[type(event)](self, event)

    # What the stack tells, in the order of stack/events.py

    def _request_received(self, event: seen.RequestReceived) -> None:
        self._number = event.number
        self._unread = event.number
        self._ready_at = None
        pending = self._app_loop.submit(event.request, client=self.end.name)
        pending.add_done_callback(self._answer_ready)
        self._pending = pending
        path = event.request.path.partition("?")[0]
        self._tell(told.RequestReceived, event.number, event.request.method, path, event.octets)

    def _answer_ready(self, _pending: object) -> None:
        self._ready_at = time.monotonic()

    def _request_broken(self, event: seen.RequestBroken) -> None:
        self._unread = event.number
        self._tell(told.RequestBroken, event.number, event.status, event.reason)

    def _request_given_up(self, event: seen.RequestGivenUp) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        self._tell(told.ApplicationFailed, f"request {event.number} was not answered in time: 504")

    def _answer_too_large(self, event: seen.AnswerTooLarge) -> None:
        self._tell(
            told.Warned,
            f"the answer has {event.octets} octets, the file takes {event.limit}: 413",
            "ask for less, or serve with a larger --file-size",
        )

    def _answer_read(self, event: seen.AnswerRead) -> None:
        self._unread = None
        self._tell(told.AnswerSent, event.number, event.status, event.octets, event.core, event.air)

    def _answer_expired(self, event: seen.AnswerExpired) -> None:
        self._unread = None
        self._tell(told.AnswerUnread, event.number, event.read)

    def _write_refused(self, event: seen.WriteRefused) -> None:
        self._tell(told.Refused, event.reason.value, REMEDIES[event.reason])

    def _write_rolled_back(self, _event: seen.WriteRolledBack) -> None:
        self._tell(told.Warned, "a half-written request was dropped", "write again, from NLEN 0 on")

    def _read_without_length(self, event: seen.ReadWithoutLength) -> None:
        self._tell(
            told.Warned,
            f"answer {event.number} is read with the length of the request, without NLEN",
            CLOSE_AND_CONNECT,
        )

    def _activated(self, event: seen.TagActivated) -> None:
        if self._present:
            self._tell(told.Reactivated, event.again)
        else:
            self._present = True
            self._tell(told.PhoneArrived, self._uid, event.frame_size)

    def _deselected(self, _event: seen.TagDeselected) -> None:
        self.end.halt()

    def _field_lost(self, _event: seen.FieldLost) -> None:
        if self._present:
            self._present = False
            self._tell(told.PhoneLeft, self._unread)

    def _nothing(self, _event: seen.Event) -> None:
        """What says it for people comes with another event."""

    def _tell(self, kind: type[told.EmulatorEvent], *values: object) -> None:
        self._notify(kind(time.monotonic(), self.end.name, *values))

    _ACT: ClassVar[dict[type, Callable[..., None]]] = {
        seen.RequestReceived: _request_received,
        seen.RequestBroken: _request_broken,
        seen.RequestGivenUp: _request_given_up,
        seen.AnswerReady: _nothing,
        seen.AnswerTooLarge: _answer_too_large,
        seen.AnswerRead: _answer_read,
        seen.AnswerExpired: _answer_expired,
        seen.LateAnswer: _nothing,
        seen.WriteRefused: _write_refused,
        seen.WriteRolledBack: _write_rolled_back,
        seen.ReadWithoutLength: _read_without_length,
        seen.TagActivated: _activated,
        seen.TagDeselected: _deselected,
        seen.FieldLost: _field_lost,
    }


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
