"""A card end in a thread of its own, for tests that sit at the reader end."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Final, Self

from nfcbridge.errors import LinkClosedError
from nfcbridge.links import CardEnd, CardFound, CardIdentity, Frame, Incoming, ReaderEnd

PATIENCE: Final = 5.0  # seconds after which a test gives up; nothing ever takes so long
UID4: Final = bytes.fromhex("08A1B2C3")
UID7: Final = bytes.fromhex("04497622D93881")
ATS: Final = bytes.fromhex("0578804202")
IDENTITY: Final = CardIdentity(uid=UID7, ats=ATS)
RATS: Final = bytes.fromhex("E080")

Respond = Callable[[bytes], bytes | None]


class RunningCard:
    """Answers frames in a thread until it is left.

    Args:
        end: closed on leaving.
        respond: the answer to a frame, None for silence; the first frame is the RATS.
        halt_after: the frame after whose answer the card is halted.
    """

    def __init__(self, end: CardEnd, respond: Respond, *, halt_after: bytes | None = None) -> None:
        self.end = end
        self.seen: SimpleQueue[Incoming] = SimpleQueue()
        self._respond = respond
        self._halt_after = halt_after
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def next_seen(self) -> Incoming:
        """What the card saw next."""
        return self.seen.get(timeout=PATIENCE)

    def _run(self) -> None:
        try:
            while True:
                self._step()
        except LinkClosedError:
            pass
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread of the test
            self._failure = failure

    def _step(self) -> None:
        incoming = self.end.receive(None)
        assert incoming is not None
        if isinstance(incoming, Frame):
            answer = self._respond(incoming.octets)
            if answer is not None:
                self.end.send(answer)
            if incoming.octets == self._halt_after:
                self.end.halt()
        self.seen.put(incoming)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


def echo(frame: bytes) -> bytes:
    """The answer of a card that sends everything back."""
    return frame


def activate(reader: ReaderEnd) -> CardFound:
    """Activate the card and take it through RATS, so that it is in its protocol."""
    found = reader.activate(PATIENCE)
    assert reader.transceive(RATS, PATIENCE) is not None
    return found
