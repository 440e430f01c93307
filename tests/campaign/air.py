"""Phone, air and card in one thread and in virtual time: a reader end with our card's stack right behind it.

Time passes only where somebody waits: for a frame on the air, for the card, for a pause. So a second of a hand that
slips away costs nothing, and a run is the same each time.
"""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from typing import Final

from nfcbridge.dispatch import App, call_app
from nfcbridge.errors import FieldLostError, LinkTimeoutError
from nfcbridge.framing import Answer, Request
from nfcbridge.isodep import OUR_HISTORICAL, Ats, SendFrame
from nfcbridge.links import CardFound, Level
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack, Event
from nfcbridge.stack.events import RequestGivenUp, RequestReceived
from tests.campaign.plan import Fault, Kind, Plan

OCTET: Final = 85e-6
"""Seconds of an octet on the air at 106 kbit/s."""

ACTIVATION: Final = 0.005
"""Seconds from field on to selected."""

INVALID: Final = b"\xff"
"""A frame that is no block: what damage looks like that a driver passes on."""

BASE: Final = "/v1"


class VirtualAir:
    """A tag on a reader, with faults. It implements `ReaderEnd`.

    Args:
        app: answers requests; it never waits for anything.
        plan: what goes wrong, and how slow the application is.

    Attributes:
        now: the time in seconds.
        frames: how many the phone has sent, and was sent.
        executed: the messageID of every request that reached the application, in order.
        struck: the faults that came to pass.
    """

    name = "virtual:air"
    level = Level.BLOCKS
    max_frame = 256

    def __init__(self, app: App, plan: Plan) -> None:
        self.now = 0.0
        self.frames = 0
        self.executed: list[bytes] = []
        self.struck: list[Fault] = []
        self._app = app
        self._delays = [*plan.delays]
        self._faults: Mapping[int, Fault] = {fault.frame: fault for fault in plan.faults}
        ats = Ats(fsci=plan.fsci, historical=OUR_HISTORICAL if plan.ours else b"\x80")
        self._card = BlockCardStack(CardStack(), ats, max_frame=self.max_frame)
        self._runner = asyncio.Runner()
        self._selected = False
        self._back_at = 0.0  # when the tag is in the field again
        self._events: list[tuple[float, int, Callable[[], list[Event]]]] = []  # of the card's side, by time
        self._count = 0
        self._replies: list[tuple[float, bytes]] = []  # on their way to the phone, by time of arrival

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self._run(self.now + seconds)

    # ReaderEnd

    def activate(self, timeout: float) -> CardFound:
        if self._back_at > self.now + timeout:
            self._run(self.now + timeout)
            raise LinkTimeoutError("no card came")
        self._run(max(self.now, self._back_at) + ACTIVATION)
        self._selected = True
        self._replies.clear()
        self._take(self._card.activated(None, self.now))
        return CardFound(uid=b"\x08\x01\x02\x03")

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        if not self._selected:
            raise FieldLostError("no card is selected")
        give_up = self.now + timeout
        self._replies.clear()  # what comes late is no answer to this
        fault = self._next_fault()
        arrival = self.now + len(octets) * OCTET
        if fault is not None and fault.kind is Kind.FIELD:
            self._lose_field(fault)
        if fault is not None and fault.kind is Kind.DELAY:
            # On the air no frame overtakes another: one that is too late is heard when the reader has given it up.
            arrival = min(arrival + fault.seconds, give_up)
        if fault is not None and fault.kind is Kind.DAMAGE:
            octets = INVALID
        if fault is None or fault.kind is not Kind.LOSS:
            self._at(arrival, lambda: self._card.receive(octets, self.now))
        return self._run(give_up, reply=True)

    def field_off(self) -> None:
        if self._selected:
            self._selected = False
            self._take(self._card.field_lost(self.now))
            self._replies.clear()

    def close(self) -> None:
        self.field_off()
        self._runner.close()

    # Faults

    def _next_fault(self) -> Fault | None:
        self.frames += 1
        fault = self._faults.get(self.frames)
        if fault is not None:
            self.struck.append(fault)
        return fault

    def _lose_field(self, fault: Fault) -> None:
        self._back_at = self.now + fault.seconds
        self.field_off()
        raise FieldLostError("the tag slipped away")

    # The card

    def _at(self, time: float, act: Callable[[], list[Event]]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, act))

    def _run(self, until: float, *, reply: bool = False) -> bytes | None:
        """Let time pass; with `reply` only until a frame for the phone is there, which is returned."""
        while True:
            if reply and self._replies and self._replies[0][0] <= until:
                arrival, octets = self._replies[0]
                if not self._events or self._events[0][0] > arrival:
                    self.now = max(self.now, arrival)
                    self._replies.clear()
                    return octets
            deadline = self._card.next_deadline()
            due = min(self._events[0][0] if self._events else until, until if deadline is None else deadline)
            if due > until or (due == until and not self._is_due(until)):
                self.now = until
                return None
            self.now = max(self.now, due)
            if deadline is not None and deadline <= self.now:
                self._take(self._card.handle_timer(self.now))
            else:
                self._take(heapq.heappop(self._events)[2]())

    def _is_due(self, time: float) -> bool:
        deadline = self._card.next_deadline()
        return bool(self._events and self._events[0][0] <= time) or (deadline is not None and deadline <= time)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, SendFrame):
                self._send(event.frame)
            elif isinstance(event, RequestReceived):
                self._execute(event.number, event.request)
            else:
                assert not isinstance(event, RequestGivenUp), "no delay of a plan is so long"

    def _send(self, octets: bytes) -> None:
        if not self._selected:
            return
        fault = self._next_fault()
        arrival = self.now + len(octets) * OCTET
        if fault is not None and fault.kind is Kind.FIELD:
            self._lose_field(fault)
        if fault is not None and fault.kind is Kind.LOSS:
            return
        if fault is not None and fault.kind is Kind.DAMAGE:
            octets = INVALID
        if fault is not None and fault.kind is Kind.DELAY:
            arrival += fault.seconds
        self._replies.append((arrival, octets))

    def _execute(self, number: int, request: Request) -> None:
        self.executed.append(request.message_id)
        call = call_app(self._app, request, base_path=BASE, client="virtual")
        answer: Answer = self._runner.run(call)
        delay = self._delays.pop(0) if self._delays else 0.0
        self._at(self.now + delay, lambda: self._card.answer(number, answer, self.now))
