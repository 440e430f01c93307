"""A PC/SC reader: `pcsc:NAME`, by a part of the reader's name. The reader end; whole APDUs, by pyscard.

    activate()    SCardGetStatusChange until a card is there, SCardConnect alone with it, SCardStatus for the ATR
    transceive()  SCardTransmit; then GET RESPONSE after 61xx, and again with the right Le after 6Cxx
    field_off()   SCardDisconnect, and the reader takes the power away

Every call but SCardCancel is made in a thread of the link's own. SCardTransmit cannot be cancelled and has no timeout,
and neither Ctrl-C nor `close` would otherwise end a wait for a card. A command that is overdue goes on in that thread
and its response is dropped; until it has ended the next activation waits.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as OverdueError
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links.link import CardFound, Level
from nfcbridge.links.pcsc_codes import PACKAGE
from nfcbridge.links.pcsc_service import PcscError, PcscService

MAX_COMMAND: Final = 4 + 3 + 0xFFFF + 2
"""Octets of the longest command APDU: extended, with 65,535 octets of data and an Le. PC/SC carries four more."""

CANCEL_INTERVAL: Final = 0.05
"""Seconds between two SCardCancel, which does nothing to a wait that is only about to begin."""

LEAVE_TIMEOUT: Final = 2.0
"""Seconds that `field_off` and `close` wait for the reader. After that the thread does it when it can."""

_T = TypeVar("_T")


class PcscReader:
    """The reader end. It implements `ReaderEnd`.

    Args:
        scard: `smartcard.scard`, or what behaves so.
        pattern: part of the reader's name in any case of letters; empty for any reader.

    Raises:
        LinkError: no service, no reader, or none of this name; the message says what to do.
    """

    level = Level.APDUS
    max_frame = MAX_COMMAND

    def __init__(self, scard: Any, pattern: str) -> None:  # noqa: ANN401 - a module without types
        self.name = f"pcsc:{pattern}"
        self._asked: Future[Any] | None = None  # what a caller waits for
        self._closing = threading.Event()
        self._leaving = threading.Event()  # set while a wait for a card shall end
        self._service = PcscService(scard, pattern, self._closing, self._leaving)
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()
        try:
            names = self._do(self._service.find_readers)
        except BaseException:
            self.close()
            raise
        if len(names) == 1:
            self.name = f"pcsc:{names[0]}"

    # The two threads

    def _work(self) -> None:
        """Of the link's own thread: one call after the other."""
        while (job := self._jobs.get()) is not None:
            call, future = job
            if future.set_running_or_notify_cancel():
                try:
                    settle(future, call())
                except BaseException as error:  # noqa: BLE001 - raised where the call was asked for
                    settle(future, error)
        self._service.close()

    def _do(self, call: Callable[[], _T], timeout: float | None = None) -> _T:
        """Have a call made. A wait for a card that nobody waits for any more is ended.

        Raises:
            OverdueError: it was not done in time, and goes on.
        """
        future: Future[_T] = Future()
        try:
            self._jobs.put((call, future))
            self._asked = future
            self._check_open()  # after this `close` ends the wait
            return future.result(timeout)
        except OverdueError:
            future.cancel()  # where it has not begun
            raise
        except BaseException:  # Ctrl-C in this thread, as a rule
            future.cancel()
            self._end_wait(future)
            raise

    def _end_wait(self, future: "Future[Any]") -> None:
        """Cancel a wait for a card until it has ended."""
        self._leaving.set()
        give_up = time.monotonic() + LEAVE_TIMEOUT
        while not future.done() and time.monotonic() < give_up:
            self._service.cancel()
            time.sleep(CANCEL_INTERVAL)
        self._leaving.clear()

    # What the owner of the link calls

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`.

        Raises:
            LinkError: pcscd does not run, or another program has the card.
        """
        self._check_open()
        give_up = time.monotonic() + timeout
        try:
            return self._do(lambda: self._service.activate(give_up), timeout + LEAVE_TIMEOUT)
        except OverdueError as error:
            raise LinkTimeoutError(
                f"the reader at {self.name} still works on the last command: take the card away and put it back"
            ) from error

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`. A command that is overdue cannot be called back."""
        self._check_open()
        if len(octets) > MAX_COMMAND:
            raise LocalProtocolError(f"an APDU of {len(octets)} octets: {MAX_COMMAND} are the most there are")
        if not self._service.has_card:
            raise FieldLostError(f"no card is active at {self.name}")
        try:
            return self._do(lambda: self._service.exchange(octets), max(timeout, 0.0))
        except OverdueError:
            return None
        except PcscError as error:
            self._check_open()
            raise self._service.explain_loss(error, len(octets)) from error

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`. The reader takes the card's power."""
        if not self._closing.is_set():
            with contextlib.suppress(OverdueError):  # it will, as soon as it can
                self._leave()

    def _leave(self) -> None:
        future: Future[None] = Future()
        self._jobs.put((self._service.let_go, future))
        future.result(LEAVE_TIMEOUT)

    def close(self) -> None:
        """See `ReaderEnd.close`. A command under way is not called back; its response is dropped."""
        if self._closing.is_set():
            return
        self._closing.set()
        asked = self._asked
        if asked is not None:
            settle(asked, self._closed())
        self._jobs.put(None)
        give_up = time.monotonic() + LEAVE_TIMEOUT
        while self._thread.is_alive() and time.monotonic() < give_up:
            self._service.cancel()
            self._thread.join(CANCEL_INTERVAL)

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise self._closed()

    def _closed(self) -> LinkClosedError:
        return LinkClosedError(f"the link {self.name} was closed")


def settle(future: "Future[Any]", outcome: object) -> None:
    """Give a future its result or exception, unless somebody did before."""
    with contextlib.suppress(InvalidStateError):
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def open_reader(address: str) -> PcscReader:
    """Open the reader end of `pcsc:NAME`; `address` is what follows the first colon. The card may come later.

    Raises:
        LinkError: no pyscard, no PC/SC service, no reader, or none of this name; the message says what to do.
    """
    try:
        from smartcard import scard
    except ImportError as error:
        raise LinkError(f"PC/SC readers need pyscard: {PACKAGE}") from error
    return PcscReader(scard, address.strip())
