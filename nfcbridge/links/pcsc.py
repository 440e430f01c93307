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
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as OverdueError
from math import ceil
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links.link import CardFound, Level
from nfcbridge.links.pcsc_apdu import exchange
from nfcbridge.links.pcsc_codes import PACKAGE, Codes

MAX_COMMAND: Final = 4 + 3 + 0xFFFF + 2
"""Octets of the longest command APDU: extended, with 65,535 octets of data and an Le. PC/SC carries four more."""

CANCEL_INTERVAL: Final = 0.05
"""Seconds between two SCardCancel, which does nothing to a wait that is only about to begin."""

LEAVE_TIMEOUT: Final = 2.0
"""Seconds that `field_off` and `close` wait for the reader. After that the thread does it when it can."""

RETRY_INTERVAL: Final = 0.5
"""Seconds between two looks for a pcscd that is being restarted."""

NEW_READER: Final = "\\\\?PnP?\\Notification"
"""The name under which PC/SC tells that readers come and go."""

MAX_MILLISECONDS: Final = 0x7FFF_FFFF
"""Of one wait: one more bit of them all set would mean for ever."""

_T = TypeVar("_T")


class PcscError(Exception):
    """A call that PC/SC refused. `code` is its SCARD_E_... or SCARD_W_..., 32 bits."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code & 0xFFFFFFFF:08X}")
        self.code = code


class _Seen(NamedTuple):
    """A reader as PC/SC last described it."""

    name: str
    state: int


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
        self._scard = scard
        self._codes = Codes(scard)
        self._pattern = pattern
        self.name = f"pcsc:{pattern}"
        self._context: Any = None
        self._card: Any = None  # the handle of the connection
        self._protocol = 0
        self._lost = False  # the last card, in the middle
        self._reader = ""  # the one whose card we have or had
        self._asked: Future[Any] | None = None  # what a caller waits for
        self._closing = threading.Event()
        self._leaving = threading.Event()  # set while a wait for a card shall end
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()
        try:
            names = self._do(self._readers_or_why)
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
        self._let_go()
        self._forget_context()

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
            self._cancel()
            time.sleep(CANCEL_INTERVAL)
        self._leaving.clear()

    def _cancel(self) -> None:
        context = self._context
        if context is not None:
            self._scard.SCardCancel(context)

    # What the owner of the link calls

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`.

        Raises:
            LinkError: pcscd does not run, or another program has the card.
        """
        self._check_open()
        give_up = time.monotonic() + timeout
        try:
            return self._do(lambda: self._activate(give_up), timeout + LEAVE_TIMEOUT)
        except OverdueError as error:
            raise LinkTimeoutError(
                f"the reader at {self.name} still works on the last command: take the card away and put it back"
            ) from error

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`. A command that is overdue cannot be called back."""
        self._check_open()
        if len(octets) > MAX_COMMAND:
            raise LocalProtocolError(f"an APDU of {len(octets)} octets: {MAX_COMMAND} are the most there are")
        if self._card is None:
            raise FieldLostError(f"no card is active at {self.name}")
        try:
            return self._do(lambda: self._exchange(octets), max(timeout, 0.0))
        except OverdueError:
            return None
        except PcscError as error:
            self._check_open()
            raise self._explain_loss(error, len(octets)) from error

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`. The reader takes the card's power."""
        if not self._closing.is_set():
            with contextlib.suppress(OverdueError):  # it will, as soon as it can
                self._leave()

    def _leave(self) -> None:
        future: Future[None] = Future()
        self._jobs.put((self._let_go, future))
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
            self._cancel()
            self._thread.join(CANCEL_INTERVAL)

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise self._closed()

    def _closed(self) -> LinkClosedError:
        return LinkClosedError(f"the link {self.name} was closed")

    # In the link's own thread from here on

    def _call(self, function: str, *arguments: Any) -> Any:  # noqa: ANN401 - what SWIG gives
        """Call PC/SC. Returns what comes beside the code: nothing, a value or a list of values.

        Raises:
            PcscError: the code was no success.
        """
        told = getattr(self._scard, function)(*arguments)
        code, values = (told[0], told[1:]) if isinstance(told, (list, tuple)) else (told, ())
        if code != self._scard.SCARD_S_SUCCESS:
            raise PcscError(code)
        return values[0] if len(values) == 1 else values

    def _open_context(self) -> Any:  # noqa: ANN401 - a handle
        if self._context is None:
            self._context = self._call("SCardEstablishContext", self._scard.SCARD_SCOPE_USER)
        return self._context

    def _forget_context(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._scard.SCardReleaseContext(context)  # whatever it says: there is nothing left to do

    def _let_go(self) -> None:
        card, self._card = self._card, None
        if card is not None:
            self._scard.SCardDisconnect(card, self._scard.SCARD_UNPOWER_CARD)  # of a card that is gone it says so

    def _lose(self) -> None:
        """Let go of a card that is gone.

        Its power is not taken: pcscd 1.9 would then call the reader empty until the next removal, also when the card,
        or another one, is back before pcscd has looked. So if one is there, it has to be reset.
        """
        card, self._card = self._card, None
        if card is not None:
            self._lost = True
            self._scard.SCardDisconnect(card, self._scard.SCARD_LEAVE_CARD)

    def _readers(self) -> list[str]:
        """The readers that the name means; an exact name means that reader alone.

        Raises:
            PcscError: no service.
        """
        try:
            names = [str(name) for name in self._call("SCardListReaders", self._open_context(), [])]
        except PcscError as error:
            if error.code not in self._codes.no_reader:
                raise
            return []
        wanted = self._pattern.casefold()
        exact = [name for name in names if name.casefold() == wanted]
        return exact or [name for name in names if wanted in name.casefold()]

    def _readers_or_why(self) -> list[str]:
        try:
            names = self._readers()
            if names:
                return names
            raise LinkError(self._no_reader())
        except PcscError as error:
            raise LinkError(self._codes.explain(error.code)) from error

    def _no_reader(self) -> str:
        try:
            others = [str(name) for name in self._call("SCardListReaders", self._open_context(), [])]
        except PcscError:
            others = []
        if others:
            return f"no PC/SC reader is called {self._pattern!r}: there is {', '.join(others)}"
        return "no PC/SC reader is connected: plug one in, or see `pcsc_scan` for what pcscd says of it"

    def _activate(self, give_up: float) -> CardFound:
        old = self._context is not None  # of a service that was restarted since, perhaps
        while not self._closing.is_set():
            try:
                return self._reset() if self._card is not None else self._find(give_up)
            except PcscError as error:
                self._lose()
                if error.code in self._codes.gone:
                    continue
                self._forget_context()
                reason = self._codes.explain(error.code)
                if error.code not in self._codes.no_service:
                    raise LinkError(f"{self.name}: {reason}") from error
                if not old:
                    if time.monotonic() + RETRY_INTERVAL > give_up:
                        raise LinkError(reason) from error
                    self._closing.wait(RETRY_INTERVAL)
                old = False
        raise self._closed()

    def _reset(self) -> CardFound:
        """Activate the card anew to which we are connected."""
        self._protocol = self._call(
            "SCardReconnect",
            self._card,
            self._scard.SCARD_SHARE_EXCLUSIVE,
            self._scard.SCARD_PROTOCOL_T0 | self._scard.SCARD_PROTOCOL_T1,
            self._scard.SCARD_RESET_CARD,
        )
        return self._found()

    def _found(self) -> CardFound:
        *_, atr = self._call("SCardStatus", self._card)
        return CardFound(uid=b"", atr=bytes(atr))

    def _find(self, give_up: float) -> CardFound:
        """Wait for a card in one of the readers and connect to it.

        Raises:
            LinkTimeoutError: no card in time.
            LinkError: two readers have one, or another program has it.
            PcscError: the service failed.
        """
        seen: dict[str, int] = {}
        excuse = ""
        while not self._closing.is_set() and not self._leaving.is_set():
            names = self._readers()
            # A card that could not be had although it is there may be had later, without a change of state.
            until = min(give_up, time.monotonic() + RETRY_INTERVAL) if excuse else give_up
            states = self._look([_Seen(name, seen.get(name, self._scard.SCARD_STATE_UNAWARE)) for name in names], until)
            seen |= dict(states)
            present = [name for name, state in states if self._has_card(state)]
            if len(present) > 1 and self._pattern:
                raise LinkError(
                    f"{self._pattern!r} means more than one reader with a card: {', '.join(present)}; "
                    "name more of the one to take"
                )
            excuse = ""
            if present:
                try:
                    return self._connect(present[0])
                except PcscError as error:
                    if error.code not in self._codes.gone | self._codes.unusable:
                        raise
                    excuse = f"{present[0]}: {self._codes.explain(error.code)}"
            if time.monotonic() >= give_up:
                self._fail(names, excuse, states)
        raise LinkTimeoutError(f"the wait for a card at {self.name} was broken off")

    def _fail(self, names: Sequence[str], excuse: str, states: Sequence[_Seen]) -> NoReturn:
        if not names:
            raise LinkTimeoutError(self._no_reader())
        mute = [name for name, state in states if state & self._scard.SCARD_STATE_MUTE]
        if mute and not excuse:
            excuse = f"{mute[0]}: the card there does not answer: lay it on the reader again"
        if excuse:
            raise LinkError(excuse)
        raise LinkTimeoutError(f"no card came to {', '.join(names)}: lay one on the reader")

    def _has_card(self, state: int) -> bool:
        return bool(state & self._scard.SCARD_STATE_PRESENT) and not state & self._scard.SCARD_STATE_MUTE

    def _look(self, readers: Sequence[_Seen], give_up: float) -> list[_Seen]:
        """Wait until something is different from what was seen; the first look, without state, tells at once."""
        asked = [tuple(reader) for reader in readers]
        if not any(state == self._scard.SCARD_STATE_UNAWARE for _, state in readers):
            asked.append((NEW_READER, self._scard.SCARD_STATE_UNAWARE))
        milliseconds = min(max(0, ceil((give_up - time.monotonic()) * 1000)), MAX_MILLISECONDS)
        try:
            told = self._call("SCardGetStatusChange", self._open_context(), milliseconds, asked)
        except PcscError as error:
            if error.code in self._codes.nothing_new:
                return list(readers)
            if error.code in self._codes.no_reader:  # unplugged between the two calls
                return []
            raise
        return [_Seen(name, state & ~self._scard.SCARD_STATE_CHANGED) for name, state, _ in told if name != NEW_READER]

    def _connect(self, name: str) -> CardFound:
        self._card, self._protocol = self._call(
            "SCardConnect",
            self._open_context(),
            name,
            self._scard.SCARD_SHARE_EXCLUSIVE,
            self._scard.SCARD_PROTOCOL_T0 | self._scard.SCARD_PROTOCOL_T1,
        )
        self._reader = name
        lost, self._lost = self._lost, False
        return self._reset() if lost else self._found()

    def _exchange(self, command: bytes) -> bytes:
        try:
            return exchange(command, self._transmit, t0=self._protocol == self._scard.SCARD_PROTOCOL_T0)
        except PcscError as error:
            if error.code not in self._codes.too_long:
                self._lose()
            raise

    def _transmit(self, command: bytes) -> bytes:
        """Send a command. PC/SC knows octets as a list of numbers, here and nowhere else."""
        numbers: list[int] = list(command)
        if self._card is None:
            raise PcscError(self._scard.SCARD_E_INVALID_HANDLE)
        response = bytes(self._call("SCardTransmit", self._card, self._protocol, numbers))
        if len(response) < 2:  # noqa: PLR2004 - a status word
            raise PcscError(self._scard.SCARD_F_COMM_ERROR)
        return response

    def _explain_loss(self, error: PcscError, octets: int) -> LinkError:
        reason = self._codes.explain(error.code)
        if error.code in self._codes.too_long:
            return LinkError(f"{self._reader} does not take a command of {octets} octets ({reason})")
        return FieldLostError(f"the card at {self._reader} is lost: {reason}")


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
