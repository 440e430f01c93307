"""What a door does about each thing that its tag tells: it asks the application, and tells others what they care for.

The methods stand in the order of stack/events.py.
"""

import time
from collections.abc import Callable
from math import inf
from typing import ClassVar, Final

from nfcbridge.links import CardEnd
from nfcbridge.server import events as told
from nfcbridge.server.apploop import AppLoop, PendingAnswer
from nfcbridge.server.collection import Collection
from nfcbridge.stack import events as seen
from nfcbridge.trace import Recorder

Notify = Callable[[told.EmulatorEvent], None]

REMEDIES: Final = {
    seen.Reason.PROCESSING: "write one request, read its answer, then write the next",
    seen.Reason.UNREAD: "read the answer before writing the next request (or serve with --pipelining replace)",
}
CLOSE_AND_CONNECT: Final = "the app must close() and connect() before it reads, or use IsoDep"


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


class Reactions:
    """What is known of the phone and of its request, and what follows from each event of the tag.

    Args:
        end: of the link that the tag is at.
        app_loop: where requests run.
        notify: told of every event; must not raise.
        uid: of the tag, hexadecimal.
        recorder: knows the instants of a recording that is replayed.
        collection: keeps the garbage collector out of exchanges.

    Attributes:
        end: the same; another one when the link was opened again.
        outstanding: the request that the application has.
        present: a phone is there.
    """

    def __init__(
        self,
        end: CardEnd,
        app_loop: AppLoop,
        notify: Notify,
        *,
        uid: str,
        recorder: Recorder | None,
        collection: Collection,
    ) -> None:
        self.end = end
        self.outstanding: Outstanding | None = None
        self.present = False
        self._app_loop = app_loop
        self._notify = notify
        self._uid = uid
        self._recorder = recorder
        self._collection = collection
        self._unread: int | None = None  # the number of the request whose answer was not read to its end

    def react(self, event: seen.Event) -> None:
        """Do what follows from an event of the tag."""
        self._REACTIONS[type(event)](self, event)

    def begin_anew(self) -> None:
        """Forget the phone, and what it has not read: the tag is a new one."""
        self._leave()
        self._unread = None

    def tell(self, kind: type[told.EmulatorEvent], *values: object) -> None:
        """Tell of what happens now; `values` are what the event has after its time and link."""
        self._notify(kind(time.monotonic(), self.end.name, *values))

    def _request_received(self, event: seen.RequestReceived) -> None:
        self._unread = event.number
        request = event.request
        path = request.path.partition("?")[0]
        # First: what the application does with it may be told as soon as it has it.
        self.tell(told.RequestReceived, event.number, request.method, path, event.octets)
        instant = None if self._recorder is None else self._recorder.instant
        pending = self._app_loop.submit(request, client=self.end.name, instant=instant)
        self.outstanding = Outstanding(event.number, pending)

    def _request_broken(self, event: seen.RequestBroken) -> None:
        self._unread = event.number
        self.tell(told.RequestBroken, event.number, event.status, event.reason)

    def _request_given_up(self, event: seen.RequestGivenUp) -> None:
        outstanding, self.outstanding = self.outstanding, None
        if outstanding is not None:
            outstanding.pending.cancel()
        self.tell(told.ApplicationFailed, f"request {event.number} was not answered in time: 504")

    def _answer_too_large(self, event: seen.AnswerTooLarge) -> None:
        self.tell(
            told.Warned,
            f"the answer has {event.octets} octets, the file takes {event.limit}: 413",
            "ask for less, or serve with a larger --file-size",
        )

    def _answer_read(self, event: seen.AnswerRead) -> None:
        self._unread = None
        self.tell(told.AnswerSent, event.number, event.status, event.octets, event.core, event.air)

    def _answer_expired(self, event: seen.AnswerExpired) -> None:
        self._unread = None
        self.tell(told.AnswerUnread, event.number, event.read)

    def _write_refused(self, event: seen.WriteRefused) -> None:
        self.tell(told.Refused, event.count, event.reason.value, REMEDIES[event.reason])

    def _write_rolled_back(self, _event: seen.WriteRolledBack) -> None:
        self.tell(told.Warned, "a half-written request was dropped", "write again, from NLEN 0 on")

    def _read_without_length(self, event: seen.ReadWithoutLength) -> None:
        self.tell(
            told.Warned,
            f"answer {event.number} is read with the length of the request, without NLEN",
            CLOSE_AND_CONNECT,
        )

    def _activated(self, event: seen.TagActivated) -> None:
        if self.present:
            self.tell(told.Reactivated, event.again)
        else:
            self.present = True
            self._collection.phone_came()
            self.tell(told.PhoneArrived, self._uid, event.frame_size)

    def _deselected(self, _event: seen.TagDeselected) -> None:
        self.end.halt()

    def _field_lost(self, _event: seen.FieldLost) -> None:
        self._leave()

    def _leave(self) -> None:
        if self.present:
            self.present = False
            self._collection.phone_left()
            self.tell(told.PhoneLeft, self._unread)

    def _nothing(self, _event: seen.Event) -> None:
        """What says it for people comes with another event."""

    _REACTIONS: ClassVar[dict[type, Callable[..., None]]] = {
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
