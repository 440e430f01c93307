"""Any other link with faults: `faulty:LINK?seed=1&loss=0.01&corrupt=0.01&delay=0.005&field=0.001`.

Every frame, either way, runs these risks in this order:

* field: the field is lost at this frame. A frame of the reader is then never seen by the card; a frame of the card was
  made and never arrives.
* loss: the frame vanishes. On the air a receiver drops a damaged frame by its CRC, so this is also what damage is.
* corrupt: one bit arrives inverted although the CRC was right, which no air does. It shows what a parser is worth.
* delay: the frame is held back for a time between nothing and so many seconds.

The same seed and the same frames give the same faults. ISO 14443-3, below the frames, stays whole.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from threading import Event
from typing import Final, Generic, TypeVar

from nfcbridge.errors import ConfigError, FieldLostError, LinkClosedError
from nfcbridge.links.link import CardEnd, CardFound, FieldOff, Frame, Incoming, Level, ReaderEnd

MAX_DELAY: Final = 10.0
"""Seconds: more than any reader waits for a frame."""

_FIELD_OFF: Final = FieldOff()

Wait = Callable[[float], object]
"""Waits for so many seconds; a true value says that the end was closed meanwhile."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How faulty a link is.

    Attributes:
        seed: where the random choices begin.
        loss: probability for a frame to vanish, 0..1.
        corrupt: probability for a frame to arrive with one bit inverted, 0..1.
        delay: seconds that a frame is held back at most, 0..10.
        field: probability for the field to be lost at a frame, 0..1.

    Raises:
        ConfigError: a value that is out of bounds.
    """

    seed: int = 0
    loss: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0
    field: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no probability and no time."""
        for name in ("loss", "corrupt", "field"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is a probability from 0 to 1, not {getattr(self, name):g}")
        if not 0 <= self.delay <= MAX_DELAY:
            raise ConfigError(f"delay is a time from 0 to {MAX_DELAY:g} seconds, not {self.delay:g}")

    def __str__(self) -> str:
        """Return it as in a name, without what is left at its default."""
        words = [f"seed={self.seed}"]
        words += [f"{name}={getattr(self, name)}" for name in _RISKS if getattr(self, name)]
        return "&".join(words)


_RISKS: Final = tuple(field.name for field in fields(Faults) if field.name != "seed")


def parse_faults(text: str) -> tuple[str, Faults]:
    """Split `LINK?seed=1&loss=0.01` into the name of the link inside and the faults.

    Raises:
        ConfigError: an unknown fault, or a value that is no number or out of bounds.
    """
    inner, _, settings = text.rpartition("?") if "?" in text else (text, "", "")
    values: dict[str, int | float] = {}
    for setting in filter(None, settings.split("&")):
        name, _, value = setting.partition("=")
        try:
            if name == "seed":
                values[name] = int(value)
            elif name in _RISKS:
                values[name] = float(value)
            else:
                raise ConfigError(f"no fault is called {name}; what exists: seed, {', '.join(_RISKS)}")
        except ValueError as error:
            raise ConfigError(f"{name} needs a number, not {value!r}") from error
    return inner, Faults(**values)  # type: ignore[arg-type]  # int for the seed, float for the others


class _Dice:
    """The random choices of one end."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = Random(faults.seed)  # noqa: S311 - repeatable, not secret

    def field_is_lost(self) -> bool:
        return self._random.random() < self.faults.field

    def spoil(self, octets: bytes, wait: Wait) -> bytes | None:
        """Return what arrives of a frame, when it arrives: None if nothing does."""
        random, faults = self._random, self.faults
        if random.random() < faults.loss:
            return None
        if random.random() < faults.corrupt:
            bit = random.randrange(8 * len(octets))
            octets = (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")
        if faults.delay:
            wait(random.uniform(0, faults.delay))
        return octets


E = TypeVar("E", bound=CardEnd | ReaderEnd)


class _FaultyEnd(Generic[E]):
    """What both ends are.

    Args:
        end: the end inside; it is closed with this one.
        faults: how faulty it is.
        wait: how time passes; by default until `close`.

    Raises:
        ConfigError: lost APDUs, which nobody would send again.
    """

    def __init__(self, end: E, faults: Faults, wait: Wait | None = None) -> None:
        if faults.loss and end.level is Level.APDUS:
            raise ConfigError(f"loss needs a link of blocks, which are sent again: {end.name} carries APDUs")
        self.name = f"faulty:{end.name}?{faults}"
        self.level = end.level
        self.max_frame = end.max_frame
        self._end = end
        self._dice = _Dice(faults)
        self._closing = Event()
        self._wait: Wait = wait or self._closing.wait

    def close(self) -> None:
        """See `CardEnd.close` and `ReaderEnd.close`."""
        self._closing.set()
        self._end.close()


class FaultyCard(_FaultyEnd[CardEnd]):
    """A card end with faults. It implements `CardEnd`."""

    def __init__(self, end: CardEnd, faults: Faults, wait: Wait | None = None) -> None:
        super().__init__(end, faults, wait)
        self.link_sends_ats = end.link_sends_ats
        self._lost = False  # the field, at a frame of ours: still to be told

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`."""
        give_up = None if timeout is None else time.monotonic() + timeout
        while not self._lost:
            incoming = self._end.receive(timeout)
            if not isinstance(incoming, Frame):
                return incoming
            if self._dice.field_is_lost():
                self._lose_field()
                break
            octets = self._dice.spoil(incoming.octets, self._wait)
            if octets is not None:
                return Frame(octets)
            if give_up is not None:
                timeout = max(give_up - time.monotonic(), 0)
        self._lost = False
        return _FIELD_OFF

    def _lose_field(self) -> None:
        self._end.lose_field()
        self._lost = True

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`."""
        if self._lost:
            return
        if self._dice.field_is_lost():
            self._lose_field()
            return
        spoilt = self._dice.spoil(octets, self._wait)
        if spoilt is not None:
            self._end.send(spoilt)

    def halt(self) -> None:
        """See `CardEnd.halt`."""
        self._end.halt()

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        self._lost = False
        self._end.lose_field()


class FaultyReader(_FaultyEnd[ReaderEnd]):
    """A reader end with faults. It implements `ReaderEnd`."""

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        return self._end.activate(timeout)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        give_up = time.monotonic() + timeout
        if self._dice.field_is_lost():
            self._lose_field()
        spoilt = self._dice.spoil(octets, self._wait)
        if spoilt is None:
            self._be_silent(give_up)
            return None
        answer = self._end.transceive(spoilt, max(give_up - time.monotonic(), 0))
        if answer is None:
            return None
        if self._dice.field_is_lost():
            self._lose_field()
        spoilt = self._dice.spoil(answer, self._wait)
        if spoilt is None:
            self._be_silent(give_up)
        return spoilt

    def _lose_field(self) -> None:
        self._end.field_off()
        raise FieldLostError(f"the field was lost at {self.name}, as it was asked to be")

    def _be_silent(self, give_up: float) -> None:
        """Wait as long as the reader has to: its card hears nothing meanwhile and has its own clock."""
        if self._wait(max(give_up - time.monotonic(), 0)):
            raise LinkClosedError(f"the link {self.name} was closed")

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        self._end.field_off()


def open_card(end: CardEnd, faults: Faults) -> FaultyCard:
    """Put faults around an open card end; it is closed if they do not suit it.

    Raises:
        ConfigError: the faults do not suit the link.
    """
    try:
        return FaultyCard(end, faults)
    except ConfigError:
        end.close()
        raise


def open_reader(end: ReaderEnd, faults: Faults) -> FaultyReader:
    """Put faults around an open reader end; it is closed if they do not suit it.

    Raises:
        ConfigError: the faults do not suit the link.
    """
    try:
        return FaultyReader(end, faults)
    except ConfigError:
        end.close()
        raise
