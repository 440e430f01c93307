"""A card end whose reader and whose faults are the test's."""

from collections.abc import Sequence
from queue import Empty, SimpleQueue

from nfcbridge.errors import LinkClosedError
from nfcbridge.links import Incoming, Level
from tests.server.hall import SOON

Log = tuple[str, bytes]


class ScriptedCard:
    """A card end that implements `CardEnd`.

    Args:
        level: what its frames are.
        incoming: what comes first; None: nothing comes in time. What is an exception is raised.

    Attributes:
        script: what comes next.
        log: what was done to it, in order: send, halt, lose_field, close.
        faults: raised by the next calls of send and lose_field.
        timeouts: how long it was listened to, each time.
    """

    name = "scripted:desk"
    max_frame = 256
    link_sends_ats = True

    def __init__(self, level: Level = Level.APDUS, incoming: Sequence[Incoming | Exception | None] = ()) -> None:
        self.level = level
        self.script: SimpleQueue[Incoming | Exception | None] = SimpleQueue()
        for each in incoming:
            self.script.put(each)
        self.log: SimpleQueue[Log] = SimpleQueue()
        self.faults: list[Exception] = []
        self.timeouts: SimpleQueue[float | None] = SimpleQueue()

    def receive(self, timeout: float | None) -> Incoming | None:
        self.timeouts.put(timeout)
        try:
            incoming = self.script.get(timeout=SOON if timeout is None else max(timeout, 0.0))
        except Empty:
            return None
        if isinstance(incoming, Exception):
            raise incoming
        return incoming

    def send(self, octets: bytes) -> None:
        self._do("send", octets)

    def halt(self) -> None:
        self._do("halt")

    def lose_field(self) -> None:
        self._do("lose_field")

    def close(self) -> None:
        self.log.put(("close", b""))
        self.script.put(LinkClosedError("closed"))

    def next_timeout(self) -> float | None:
        """How long it was listened to next."""
        return self.timeouts.get(timeout=SOON)

    def next_log(self) -> Log:
        """What was done to it next."""
        return self.log.get(timeout=SOON)

    def _do(self, what: str, octets: bytes = b"") -> None:
        self.log.put((what, octets))
        if self.faults:
            raise self.faults.pop(0)
