"""A link inside one process: `memory:NAME`. Frames of up to 4096 octets, for demos, tests and library use.

Both ends of one name meet in an air of that name. Every activation begins a field period with its own queue of answers,
so nothing of an earlier period is ever taken for an answer in the present one.
"""

import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Condition, RLock
from typing import Final

from nfcbridge.errors import (
    ConfigError,
    FieldLostError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    LocalProtocolError,
)
from nfcbridge.links.link import CardFound, CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level

MAX_FRAME: Final = 4096
"""FSD and FSC: the largest that ISO 14443-4 knows (FSDI and FSCI 12), CRC counted."""

_CRC: Final = 2
_SELECTED: Final = CardSelected()
_FIELD_OFF: Final = FieldOff()


class Period:
    """From one selection of the card to the next, or to the end of the field.

    Attributes:
        answers: frames of the card; None wakes a reader that waits in vain.
        over: the field is off, or one of the ends was closed.
    """

    __slots__ = ("answers", "over")

    def __init__(self) -> None:
        self.answers: SimpleQueue[bytes | None] = SimpleQueue()
        self.over = False


_changing: Final = RLock()
"""Guards the airs and which ends they have. Frames never wait for it. Reentrant for a signal handler that closes."""


@dataclass(eq=False, slots=True)
class Air:
    """Where the two ends of one name meet.

    Attributes:
        name: the whole name.
        card: the card end that is open, if any.
        reader: the reader end that is open, if any.
        changed: notified when an end comes or goes.
    """

    name: str
    card: "MemoryCard | None" = None
    reader: "MemoryReader | None" = None
    changed: Condition = field(default_factory=lambda: Condition(_changing))


airs: Final[dict[str, Air]] = {}
"""The airs that have at least one end, by name."""


class MemoryCard:
    """The card end. It implements `CardEnd`."""

    level = Level.BLOCKS
    max_frame = MAX_FRAME
    link_sends_ats = False

    def __init__(self, air: Air, identity: CardIdentity) -> None:
        self.name = air.name
        self.uid = identity.uid
        self.inbox: SimpleQueue[tuple[Period, Incoming] | None] = SimpleQueue()
        self._air = air
        self._period: Period | None = None  # of what we received last
        self._deaf = False
        self._closed = False

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            try:
                item = self.inbox.get(timeout=timeout if timeout is None or timeout > 0 else 0)
            except Empty:
                return None
            if item is not None:
                period, incoming = item
                if type(incoming) is CardSelected:
                    self._period = period
                    self._deaf = False
                    return incoming
                # A halted card is deaf to blocks, yet it loses its power like any other.
                if period is self._period and (not self._deaf or type(incoming) is FieldOff):
                    return incoming
            if give_up is not None:
                timeout = give_up - time.monotonic()
        raise LinkClosedError(_closed(self.name))

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`."""
        if self._closed:
            raise LinkClosedError(_closed(self.name))
        _check(octets)
        if self._period is not None:
            self._period.answers.put(octets)

    def halt(self) -> None:
        """See `CardEnd.halt`."""
        self._deaf = True

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        self._period = None

    def close(self) -> None:
        """See `CardEnd.close`."""
        air = self._air
        with _changing:
            if self._closed:
                return
            self._closed = True
            self.inbox.put(None)
            if air.reader is not None:
                air.reader.end_period()
            air.card = None
            _forget(air)


class MemoryReader:
    """The reader end. It implements `ReaderEnd`."""

    level = Level.BLOCKS
    max_frame = MAX_FRAME

    def __init__(self, air: Air) -> None:
        self.name = air.name
        self._air = air
        self._card: MemoryCard | None = None
        self._period: Period | None = None
        self._closed = False

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        air = self._air
        with _changing:
            air.changed.wait_for(lambda: self._closed or air.card is not None, timeout)
            if self._closed:
                raise LinkClosedError(_closed(self.name))
            if air.card is None:
                raise LinkTimeoutError(
                    f"no card at {self.name}: open its card end in this process first; "
                    "to reach another process use udp:, memory: cannot"
                )
            self._card = air.card
            self._period = Period()
            self._card.inbox.put((self._period, _SELECTED))
            return CardFound(uid=self._card.uid)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        if self._closed:
            raise LinkClosedError(_closed(self.name))
        _check(octets)
        period = self._period
        if period is None or self._card is None or period.over:
            raise FieldLostError(f"no card is active at {self.name}")
        while not period.answers.empty():  # an answer after its time: on the air nobody would have listened
            period.answers.get()
        self._card.inbox.put((period, Frame(octets)))
        try:
            answer = period.answers.get(timeout=max(timeout, 0))
        except Empty:
            return None
        if answer is not None:
            return answer
        if self._closed:
            raise LinkClosedError(_closed(self.name))
        raise FieldLostError(f"the card left {self.name}")

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        with _changing:
            self.end_period()

    def end_period(self) -> None:
        """End the field period, if there is one, and wake both ends. The caller holds `_changing`."""
        if self._period is not None and self._card is not None and not self._period.over:
            self._period.over = True
            self._period.answers.put(None)
            self._card.inbox.put((self._period, _FIELD_OFF))

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        air = self._air
        with _changing:
            if self._closed:
                return
            self._closed = True
            self.end_period()
            air.reader = None
            air.changed.notify_all()
            _forget(air)


def open_card(name: str, identity: CardIdentity) -> MemoryCard:
    """Open the card end of `memory:NAME`; `name` is what follows the colon.

    Raises:
        ConfigError: no name.
        LinkError: the name has a card end already.
    """
    with _changing:
        air = _find(name)
        if air.card is not None:
            raise LinkError(f"{air.name} has a card already: close it or take another name")
        air.card = card = MemoryCard(air, identity)
        air.changed.notify_all()
        return card


def open_reader(name: str) -> MemoryReader:
    """Open the reader end of `memory:NAME`; `name` is what follows the colon. The card end may come later.

    Raises:
        ConfigError: no name.
        LinkError: the name has a reader end already.
    """
    with _changing:
        air = _find(name)
        if air.reader is not None:
            raise LinkError(f"{air.name} has a reader already: close it or take another name")
        air.reader = reader = MemoryReader(air)
        return reader


def _find(name: str) -> Air:
    if not name:
        raise ConfigError("a link in memory needs a name, such as memory:tag")
    name = f"memory:{name}"
    return airs.setdefault(name, Air(name))


def _forget(air: Air) -> None:
    """Drop an air that has lost both ends, so that names do not pile up. The caller holds `_changing`."""
    if air.card is None and air.reader is None:
        del airs[air.name]


def _check(octets: bytes) -> None:
    if len(octets) > MAX_FRAME - _CRC:
        raise LocalProtocolError(
            f"a frame of {len(octets)} octets: a link in memory carries {MAX_FRAME - _CRC} and the CRC"
        )


def _closed(name: str) -> str:
    return f"the link {name} was closed"
