"""A door: one link with its tag and its thread.

    step   what there is                                    what is done
    1      an answer of the application                     into the tag's file
    2      a deadline that has passed                       the tag's timer: S(WTX), the end of a hold, of an answer
    3      a reader that waits for the application          wait for the answer, with looks at the link
    4      nothing                                          wait for the link, with looks at the application

A link at a reader device looks for cards too, in step 4 while no phone is there, if the oversight wants (`card_looks`).
Where phones are to find no tag such a link stays open and withdraws it; others are closed.

Nothing ends the thread but `close` and a link that was closed by others: a device that fails is tried again, and after
a fault of our own the reader meets a new tag.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from math import inf
from typing import ClassVar, Final

from nfcbridge.errors import LinkClosedError, LinkError
from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.links import CardEnd, CardSelected, Frame, Incoming
from nfcbridge.links.link import CardLooker, looker_of
from nfcbridge.server import events as told
from nfcbridge.server.apploop import AppLoop, PendingAnswer
from nfcbridge.server.card_looks import LOOK, CardLooks, ignored
from nfcbridge.server.collection import Collection
from nfcbridge.server.oversight import Oversight
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack, Event
from nfcbridge.trace import Recorder

LOOK_FOR_ANSWER: Final = 0.05  # seconds between looks at the application while the reader does not wait for it
LOOK_AT_LINK: Final = 0.005  # seconds between looks at the link while it does: it may have gone, and come back
LOOK_AT_OVERSIGHT: Final = 0.05  # seconds between looks whether the tag is to be there, while nothing comes
RETRY: Final = 0.5  # seconds before a link that failed is tried again
JOIN_TIMEOUT: Final = 1.0  # seconds that the thread gets to end: it looks at `close` in far less
SERVICE_UNAVAILABLE: Final = 503

Stack = CardStack | BlockCardStack
Notify = Callable[[told.EmulatorEvent], None]

REMEDIES: Final = {
    seen.Reason.PROCESSING: "write one request, read its answer, then write the next",
    seen.Reason.UNREAD: "read the answer before writing the next request (or serve with --pipelining replace)",
}
CLOSE_AND_CONNECT: Final = "the app must close() and connect() before it reads, or use IsoDep"

_log: Final = logging.getLogger(__name__)


class Outstanding:
    """A request that the application has.

    Attributes:
        number: of the request.
        pending: its answer, one day.
        ready_at: when that was there, on the monotonic clock.
    """

    __slots__ = ("number", "pending", "ready_at")

    def __init__(self, number: int, pending: PendingAnswer) -> None:
        self.number = number
        self.pending = pending
        self.ready_at = inf
        pending.add_done_callback(self._note)

    def _note(self, _pending: object) -> None:
        self.ready_at = time.monotonic()


class Door:
    """One link with its tag and its thread.

    Args:
        end: the open card end; closed with the door.
        make_stack: makes the tag, and a new one after a fault.
        app_loop: where requests run.
        notify: told of every event; must not raise.
        uid: of the tag.
        recorder: closed when the thread has ended.
        oversight: may take the tag away; `reopen` then opens the link anew.
        reopen: opens the same link again, with the same card.
        collection: keeps the garbage collector out of exchanges.

    Attributes:
        recorder: the same.
    """

    def __init__(
        self,
        end: CardEnd,
        make_stack: Callable[[], Stack],
        app_loop: AppLoop,
        notify: Notify,
        *,
        uid: bytes,
        recorder: Recorder | None = None,
        oversight: Oversight | None = None,
        reopen: Callable[[], CardEnd] | None = None,
        collection: Collection | None = None,
    ) -> None:
        self.end = end
        self._make_stack = make_stack
        self._stack = make_stack()
        self._app_loop = app_loop
        self._notify = notify
        self._uid = uid.hex()
        self.recorder = recorder
        self._oversight = oversight
        self._reopen = reopen
        self._looker = looker_of(end) if oversight else None
        self._looks = CardLooks()
        self._collection = collection or Collection()
        self._absent = False
        self._losses = oversight.losses if oversight else 0
        self._commands = 0  # of the tag, as far as they were told
        self._outstanding: Outstanding | None = None
        self._present = False
        self._unread: int | None = None  # the number of the request whose answer was not read to its end
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"nfcbridge-{end.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Close the link and let the thread end; any thread, any number of times.

        A request that the application has goes on: who runs the application gives it the time for that.
        """
        self._closing.set()
        self.end.close()

    def join(self) -> None:
        """Wait for the thread of a closed door, JOIN_TIMEOUT at most, then close the trace.

        Raises:
            TraceError: the trace is not whole.
        """
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT)
        if self.recorder is not None:
            self.recorder.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 whatever it is, one frame must not end what all others need
                _log.exception("%s: a fault of nfcbridge", self.end.name)
                self._begin_anew()
                self._tell(told.LinkFailed, f"a fault of nfcbridge, {type(error).__name__}: the tag begins anew")
                self._closing.wait(RETRY)
        if self._present:
            self._collection.phone_left()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._step()
            except LinkClosedError as error:
                if not self._closing.is_set():
                    self._closing.set()
                    self._lose_phone(str(error))
            except LinkError as error:
                self._lose_phone(str(error))
                self._closing.wait(RETRY)

    def _lose_phone(self, reason: str) -> None:
        self._act(self._stack.field_lost(time.monotonic()))
        self._tell(told.LinkFailed, reason)

    def _begin_anew(self) -> None:
        """Put a new tag into the place of one that cannot be trusted any more, as if the phone had been lifted."""
        self._stack = self._make_stack()  # to which the answer of a request that is out will be a late one
        with contextlib.suppress(Exception):  # a second fault would say no more than the first
            self.end.lose_field()
        self._leave()
        self._unread = None

    def _step(self) -> None:
        """Wait for the one thing that can come next, and act on it: see the table above."""
        stack = self._stack
        outstanding = self._outstanding
        if outstanding is not None and outstanding.pending.done():
            self._take_answer(outstanding)
            return
        now = time.monotonic()
        deadline = stack.next_deadline()
        timeout = None if deadline is None else deadline - now
        if timeout is not None and timeout <= 0:
            self._act(stack.handle_timer(now))
            return
        if outstanding is not None:
            waits = stack.owes_reply
            look = LOOK_AT_LINK if waits else LOOK_FOR_ANSWER
            timeout = look if timeout is None else min(timeout, look)
            if waits:
                with contextlib.suppress(TimeoutError, CancelledError):
                    outstanding.pending.result(timeout)
                    return
                timeout = 0.0
        if self._oversight is not None:
            wait = self._obey(
                self._oversight, LOOK_AT_OVERSIGHT if timeout is None else min(timeout, LOOK_AT_OVERSIGHT)
            )
            if wait is None:
                return
            timeout = wait
        quiet = self._collection.quiet_in() if self._present and outstanding is None else None
        if quiet is not None:
            timeout = quiet if timeout is None else min(timeout, quiet)
        incoming = self.end.receive(timeout)
        if incoming is not None:
            self._receive(incoming)
        elif quiet is not None and timeout == quiet:
            self._collection.quiet()

    def _obey(self, oversight: Oversight, timeout: float) -> float | None:
        """Do what the oversight wants of the link.

        Args:
            oversight: what is asked.
            timeout: seconds that there are.

        Returns:
            The seconds for which to wait for the link, or None when that was done, or something else.

        Raises:
            LinkError: the link cannot be opened again now, or the device failed.
        """
        offered = self._find_tag(oversight)
        if self._looker is not None and oversight.looks_for_cards and not self._present and self._outstanding is None:
            due_in = self._looks.due_in(time.monotonic())
            if due_in <= 0:
                self._look_for_card(self._looker, oversight, offered=offered)
                return None
            timeout = min(timeout, due_in)
        if not offered:
            self._closing.wait(timeout)
            return None
        return timeout

    def _find_tag(self, oversight: Oversight) -> bool:
        """Whether the tag is there, after the link was closed or opened as the oversight wants it.

        Raises:
            LinkError: the link cannot be opened again now.
        """
        if oversight.losses != self._losses:
            self._losses = oversight.losses
            if not self._absent:
                self._lose_field()
        if oversight.present == self._absent and self._looker is not None:
            self._absent = not self._absent
            if self._absent:
                self._lose_field()
                self._looker.withdraw()
            else:
                self._looker.offer()
        elif oversight.present == self._absent and self._reopen is not None:
            if self._absent:
                end = self._reopen()
                self.end, self._absent = end, False
                if self._closing.is_set():  # by `close`, which may have met the end before this one
                    end.close()
            else:
                self._absent = True
                self._lose_field()
                self.end.close()  # to the other end there is no card at all
        return not self._absent

    def _look_for_card(self, looker: CardLooker, oversight: Oversight, *, offered: bool) -> None:
        """Look for a card, and tell of one that was not there before.

        Raises:
            LinkError: the device failed.
        """
        uid = looker.poll_card(LOOK)
        new = self._looks.looked(uid, time.monotonic(), offered=offered)
        if new is None:
            return
        if words := ignored(new):
            self._tell(told.CardRead, len(new), words)
        else:
            oversight.card_read(new, lambda outcome: self._tell(told.CardRead, len(new), outcome))

    def _lose_field(self) -> None:
        self.end.lose_field()
        self._act(self._stack.field_lost(time.monotonic()))

    def _take_answer(self, outstanding: Outstanding) -> None:
        try:
            answer = outstanding.pending.result()
        except CancelledError:  # the application's loop has stopped under it
            answer = Answer(SERVICE_UNAVAILABLE)
        self._outstanding = None
        # It may have been ready before this thread looked, and its time to live began then.
        ready_at = min(outstanding.ready_at, time.monotonic())
        self._act(self._stack.answer(outstanding.number, answer, ready_at))

    def _receive(self, incoming: Incoming) -> None:
        outstanding = self._outstanding
        if outstanding is not None and outstanding.pending.done():
            self._take_answer(outstanding)  # first: the frame may be a READ of it
        stack = self._stack
        # Of a recorded frame the time in the trace, so that a replay decides alike.
        now = time.monotonic() if self.recorder is None else self.recorder.heard
        if isinstance(incoming, Frame):
            if self._oversight is None:
                self._act(stack.receive(incoming.octets, now))
            else:
                self._receive_overseen(self._oversight, incoming.octets, now)
        elif not isinstance(incoming, CardSelected):
            self._act(stack.field_lost(now))
        else:
            if self._oversight is not None:
                self._losses = self._oversight.losses  # meant for a phone that was there before
            self._select(incoming, now)

    def _select(self, selected: CardSelected, now: float) -> None:
        stack = self._stack
        if isinstance(stack, CardStack):
            self._act(stack.activated(selected.fsd or stack.frame_size, now))
        else:
            self._act(stack.activated(selected.fsd, now))

    def _receive_overseen(self, oversight: Oversight, frame: bytes, now: float) -> None:
        stack = self._stack
        if oversight.cut_now():  # before the tag could act on it
            self._lose_field()
            return
        events = stack.receive(frame, now)
        if stack.commands != self._commands:
            self._commands = stack.commands
            oversight.command_received()
        self._act(events)

    def _act(self, events: list[Event]) -> None:
        sent = False
        for event in events:
            if isinstance(event, SendFrame):
                cut = self._oversight is not None and self._oversight.cut_now()  # counted before the reader has it
                self.end.send(event.frame)
                sent = True
                if cut:
                    self._lose_field()
            else:
                self._ACT[type(event)](self, event)
        if sent and self._present:
            self._collection.frame_sent()

    # What the stack tells, in the order of stack/events.py

    def _request_received(self, event: seen.RequestReceived) -> None:
        self._unread = event.number
        request = event.request
        path = request.path.partition("?")[0]
        # First: what the application does with it may be told as soon as it has it.
        self._tell(told.RequestReceived, event.number, request.method, path, event.octets)
        instant = None if self.recorder is None else self.recorder.instant
        pending = self._app_loop.submit(request, client=self.end.name, instant=instant)
        self._outstanding = Outstanding(event.number, pending)

    def _request_broken(self, event: seen.RequestBroken) -> None:
        self._unread = event.number
        self._tell(told.RequestBroken, event.number, event.status, event.reason)

    def _request_given_up(self, event: seen.RequestGivenUp) -> None:
        outstanding, self._outstanding = self._outstanding, None
        if outstanding is not None:
            outstanding.pending.cancel()
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
        self._tell(told.Refused, event.count, event.reason.value, REMEDIES[event.reason])

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
            self._collection.phone_came()
            self._tell(told.PhoneArrived, self._uid, event.frame_size)

    def _deselected(self, _event: seen.TagDeselected) -> None:
        self.end.halt()

    def _field_lost(self, _event: seen.FieldLost) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._present:
            self._present = False
            self._collection.phone_left()
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
