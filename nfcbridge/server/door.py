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
from typing import Final

from nfcbridge.errors import LinkClosedError, LinkError
from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.links import CardEnd, CardSelected, Frame, Incoming
from nfcbridge.links.link import CardLooker, looker_of
from nfcbridge.server import events as told
from nfcbridge.server.apploop import AppLoop
from nfcbridge.server.card_looks import LOOK, CardLooks, ignored
from nfcbridge.server.collection import Collection
from nfcbridge.server.oversight import Oversight
from nfcbridge.server.reactions import Notify, Outstanding, Reactions
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

_log: Final = logging.getLogger(__name__)


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
        self.recorder = recorder
        self._oversight = oversight
        self._reopen = reopen
        self._looker = looker_of(end) if oversight else None
        self._looks = CardLooks()
        self._collection = collection or Collection()
        self._reactions = Reactions(
            end, app_loop, notify, uid=uid.hex(), recorder=recorder, collection=self._collection
        )
        self._absent = False
        self._losses = oversight.losses if oversight else 0
        self._commands = 0  # of the tag, as far as they were told
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
                self._reactions.tell(
                    told.LinkFailed, f"a fault of nfcbridge, {type(error).__name__}: the tag begins anew"
                )
                self._closing.wait(RETRY)
        if self._reactions.present:
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
        self._reactions.tell(told.LinkFailed, reason)

    def _begin_anew(self) -> None:
        """Put a new tag into the place of one that cannot be trusted any more, as if the phone had been lifted."""
        self._stack = self._make_stack()  # to which the answer of a request that is out will be a late one
        with contextlib.suppress(Exception):  # a second fault would say no more than the first
            self.end.lose_field()
        self._reactions.begin_anew()

    def _step(self) -> None:
        """Wait for the one thing that can come next, and act on it: see the table above."""
        stack = self._stack
        outstanding = self._reactions.outstanding
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
        quiet = self._collection.quiet_in() if self._reactions.present and outstanding is None else None
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
        if (
            self._looker is not None
            and oversight.looks_for_cards
            and not self._reactions.present
            and self._reactions.outstanding is None
        ):
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
                self.end = self._reactions.end = end
                self._absent = False
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
            self._reactions.tell(told.CardRead, len(new), words)
        else:
            oversight.card_read(new, lambda outcome: self._reactions.tell(told.CardRead, len(new), outcome))

    def _lose_field(self) -> None:
        self.end.lose_field()
        self._act(self._stack.field_lost(time.monotonic()))

    def _take_answer(self, outstanding: Outstanding) -> None:
        try:
            answer = outstanding.pending.result()
        except CancelledError:  # the application's loop has stopped under it
            answer = Answer(SERVICE_UNAVAILABLE)
        self._reactions.outstanding = None
        # It may have been ready before this thread looked, and its time to live began then.
        ready_at = min(outstanding.ready_at, time.monotonic())
        self._act(self._stack.answer(outstanding.number, answer, ready_at))

    def _receive(self, incoming: Incoming) -> None:
        outstanding = self._reactions.outstanding
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
                self._reactions.react(event)
        if sent and self._reactions.present:
            self._collection.frame_sent()
