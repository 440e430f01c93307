"""A recorded card as a link: `replay:FILE`, for readers. It behaves as the card did that was recorded.

`replay:FILE?speed=1` also takes the time that the recorded one took to answer a request, `speed=2` half of it; without
it answers are there at once. What the reader does otherwise than the recorded one is answered by our card's rules, and
told as a warning.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

from nfcbridge.errors import ConfigError, FieldLostError, LinkClosedError, LocalProtocolError
from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.links import CardFound, Level
from nfcbridge.links.vpcd import make_atr
from nfcbridge.replay.captured import Recorded
from nfcbridge.replay.captured_card import Capture, load_capture
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack
from nfcbridge.stack.card import Event as StackEvent

MAX_FRAME: Final = 4096
MAX_APDU: Final = 0x1_0002
MAX_SPEED: Final = 1_000_000.0


class ReplayReader:
    """The reader end. It implements `ReaderEnd`.

    Args:
        name: the whole name.
        capture: the recording.
        speed: how many times as fast as the recorded charger ours answers; 0: at once.
        now: seconds of a clock that never goes back.

    Attributes:
        departures: what the reader did otherwise than the recorded one so far, in words.
    """

    def __init__(
        self, name: str, capture: Capture, *, speed: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._capture = capture
        self._speed = speed
        self._now = now
        self._closing = Event()
        self._active = False
        upper = capture.make_card()
        self._stack: CardStack | BlockCardStack = upper
        if capture.header.level == "blocks":
            self._stack = BlockCardStack(upper, capture.ats())
        self.level = Level(capture.header.level)
        self.max_frame = MAX_FRAME if self.level is Level.BLOCKS else MAX_APDU
        self._answer: tuple[float, int, Answer] | None = None  # when it is ready, the request's number

    @property
    def departures(self) -> list[str]:
        """See the class."""
        return self._capture.charger.departures

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`."""
        self._check_open()
        identity = self._capture.identity()
        stack = self._stack
        self._active = True
        if isinstance(stack, CardStack):
            self._act(stack.activated(stack.frame_size, self._now()))
            atr = make_atr(identity.historical) if len(identity.historical) <= 15 else None  # noqa: PLR2004 - an ATR
            return CardFound(identity.uid, atr=atr)
        self._act(stack.activated(None, self._now()))
        return CardFound(identity.uid)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`."""
        self._check_open()
        if len(octets) > self.max_frame:
            raise LocalProtocolError(f"a frame of {len(octets)} octets: {self.max_frame} fit this link")
        if not self._active:
            raise FieldLostError(f"no card is active at {self.name}")
        now = self._now()
        give_up = now + timeout
        self._put_answer(now)
        sent = self._act(self._stack.receive(octets, now))
        while not sent:
            due = self._due()
            if due > give_up:
                self._wait(give_up)
                return None
            self._wait(due)
            now = max(self._now(), due)
            sent = self._put_answer(now) or self._act(self._stack.handle_timer(now))
        return sent[0]

    def _due(self) -> float:
        deadline = self._stack.next_deadline()
        times = [each for each in (deadline, self._answer and self._answer[0]) if each is not None]
        return min(times, default=float("inf"))

    def _wait(self, until: float) -> None:
        if self._closing.wait(max(0.0, until - self._now())):
            self._check_open()

    def _put_answer(self, now: float) -> list[bytes]:
        """Put the answer into the file if it is ready."""
        if self._answer is None or self._answer[0] > now:
            return []
        _, number, answer = self._answer
        self._answer = None
        return self._act(self._stack.answer(number, answer, now))

    def _act(self, events: list[StackEvent]) -> list[bytes]:
        """Do what the card says, and return what it sends."""
        sent = []
        for event in events:
            if isinstance(event, SendFrame):
                sent.append(event.frame)
            elif isinstance(event, seen.RequestReceived):
                charger = self._capture.charger
                answer = charger.answer(event.request)
                now = self._now()
                self._answer = (now + self._delay(charger.last), event.number, answer)
                sent += self._put_answer(now)
            elif isinstance(event, seen.RequestBroken):
                self._capture.charger.depart(f"what was written is no request: {event.reason}")
            elif isinstance(event, seen.RequestGivenUp):
                self._answer = None
        return sent

    def _delay(self, recorded: Recorded | None) -> float:
        return recorded.delay / self._speed if recorded is not None and self._speed else 0.0

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        if self._active:
            self._active = False
            self._act(self._stack.field_lost(self._now()))

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        self._closing.set()

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")


def open_reader(rest: str) -> ReplayReader:
    """Open the reader end of `replay:FILE?speed=1`; `rest` is what follows the first colon.

    Raises:
        ConfigError: no file, or there is none of this name, or a setting that does not exist.
        TraceError: it is no trace, or has nothing to answer.
    """
    name, speed = parse_name(rest)
    return ReplayReader(f"replay:{rest}", load_capture(name), speed=speed)


def parse_name(rest: str) -> tuple[Path, float]:
    """Split `FILE?speed=1`. Raises ConfigError: no file, or another setting."""
    name, question, settings = rest.rpartition("?")
    if not question or Path(rest).exists():  # a question mark may be a part of the name
        name, settings = rest, ""
    if not name:
        raise ConfigError("replay: needs a recording, such as replay:trace.jsonl")
    if not settings:
        return Path(name), 0.0
    setting, _, value = settings.partition("=")
    with contextlib.suppress(ValueError):
        if setting == "speed" and 0 <= (speed := float(value)) <= MAX_SPEED:
            return Path(name), speed
    raise ConfigError(f"replay: has one setting, speed=1 (0 is at once), and not {settings}")
