"""The calls to PC/SC behind a link: a service, its readers, one card. Blocking, for one thread."""

import contextlib
import threading
import time
from collections.abc import Sequence
from math import ceil
from typing import Any, Final, NamedTuple, NoReturn

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError
from nfcbridge.links.link import CardFound
from nfcbridge.links.pcsc_apdu import exchange
from nfcbridge.links.pcsc_codes import Codes

RETRY_INTERVAL: Final = 0.5
"""Seconds between two looks for a pcscd that is being restarted, or at a card that could not be had."""

POLL_INTERVAL: Final = 1.0
"""Seconds within which pcscd has looked at a reader itself. It does so every 0.4 s, and a driver may take its time."""

NEW_READER: Final = "\\\\?PnP?\\Notification"
"""The name under which PC/SC tells that readers come and go."""

MAX_MILLISECONDS: Final = 0x7FFF_FFFF
"""Of one wait: one more bit of them all set would mean for ever."""


class PcscError(Exception):
    """A call that PC/SC refused. `code` is its SCARD_E_... or SCARD_W_..., 32 bits."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code & 0xFFFFFFFF:08X}")
        self.code = code


class _Seen(NamedTuple):
    """A reader as PC/SC last described it."""

    name: str
    state: int


class PcscService:
    """PC/SC as one link uses it.

    Args:
        scard: `smartcard.scard`, or what behaves so.
        pattern: part of the reader's name in any case of letters; empty for any reader.
        closing: set when all is over; ends every wait but one for a card.
        leaving: set while a wait for a card shall end, which `cancel` then does.
    """

    def __init__(
        self,
        scard: Any,  # noqa: ANN401 - a module without types
        pattern: str,
        closing: threading.Event,
        leaving: threading.Event,
    ) -> None:
        self._scard = scard
        self._codes = Codes(scard)
        self._pattern = pattern
        self._closing = closing
        self._leaving = leaving
        self._context: Any = None
        self._card: Any = None  # the handle of the connection
        self._protocol = 0
        self._lost = False  # the last card, in the middle
        self._reader = ""  # the one whose card we have or had
        # Since when pcscd may overlook a card, see `_look_behind`; None if it surely does not. The last user of the
        # reader may have caused it just now.
        self._doubt_since: float | None = time.monotonic()

    @property
    def name(self) -> str:
        """The name of the link, with what it was asked for."""
        return f"pcsc:{self._pattern}"

    @property
    def has_card(self) -> bool:
        """Whether a card is connected."""
        return self._card is not None

    def cancel(self) -> None:
        """End a wait for a card, in any thread."""
        context = self._context
        if context is not None:
            self._scard.SCardCancel(context)

    def close(self) -> None:
        """Let the card and the service go."""
        self.let_go()
        self._forget_context()

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

    def let_go(self) -> None:
        """Take the card's power and disconnect from it, if there is one."""
        card, self._card = self._card, None
        if card is not None:
            self._scard.SCardDisconnect(card, self._scard.SCARD_UNPOWER_CARD)  # of a card that is gone it says so
            self._doubt_since = time.monotonic()
            with contextlib.suppress(PcscError):  # nobody waits for a card now
                seen = self._look([_Seen(self._reader, self._scard.SCARD_STATE_UNAWARE)], time.monotonic())
                if self._look_behind(seen):
                    self._doubt_since = None

    def _look_behind(self, seen: Sequence[_Seen]) -> bool:
        """Look whether there is a card although pcscd calls the reader empty.

        When taking the power of a card or its reset fails, since it is gone, pcscd 1.9 calls the reader empty. If it is
        back, or another has come, before pcscd has looked by itself, then it has seen neither, and goes on to call the
        reader empty until the next removal. A reset corrects it.
        """
        found = False
        for name, state in seen:
            if state & self._scard.SCARD_STATE_EMPTY:
                with contextlib.suppress(PcscError):  # nothing is there, or somebody else works on it
                    self._reset_unseen(name)
                    found = True
        return found

    def _reset_unseen(self, name: str) -> None:
        direct = self._scard.SCARD_SHARE_DIRECT  # without a card, as far as pcscd knows
        protocols = self._scard.SCARD_PROTOCOL_T0 | self._scard.SCARD_PROTOCOL_T1
        handle, _ = self._call("SCardConnect", self._open_context(), name, direct, 0)
        leave = self._scard.SCARD_LEAVE_CARD
        try:
            self._call("SCardReconnect", handle, direct, protocols, self._scard.SCARD_RESET_CARD)
            leave = self._scard.SCARD_UNPOWER_CARD
        finally:
            self._scard.SCardDisconnect(handle, leave)

    def _finds_overlooked(self, states: Sequence[_Seen]) -> bool:
        """Whether there is a card although pcscd sees none, and has had the time to see it.

        One look is enough: what comes after the first look that pcscd took itself, it sees come. If that is about to be
        now, it gives power to the card once more, which must not happen to one that is in use.
        """
        if self._doubt_since is None or time.monotonic() < self._doubt_since + POLL_INTERVAL:
            return False
        self._doubt_since = None
        found = self._look_behind(states)
        if found:
            self._closing.wait(RETRY_INTERVAL)
        return found

    def _lose(self) -> None:
        """Let go of a card that is gone.

        Its power is not taken, which would fail, see `_look_behind`. So if a card is there again, it has to be reset.
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

    def find_readers(self) -> list[str]:
        """Return the readers that the name means.

        Raises:
            LinkError: no service, no reader, or none of this name; the message says what to do.
        """
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

    def activate(self, give_up: float) -> CardFound:
        """Wait for a card until a time of the monotonic clock, and connect to it; one that is connected is reset.

        Raises:
            LinkError: no card in time, no service, another program has the card, or `closing`.
        """
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
        raise LinkClosedError(f"the link {self.name} was closed")

    def _reset(self) -> CardFound:
        """Activate the card anew to which we are connected."""
        try:
            self._protocol = self._call(
                "SCardReconnect",
                self._card,
                self._scard.SCARD_SHARE_EXCLUSIVE,
                self._scard.SCARD_PROTOCOL_T0 | self._scard.SCARD_PROTOCOL_T1,
                self._scard.SCARD_RESET_CARD,
            )
        except PcscError:
            self._doubt_since = time.monotonic()
            raise
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
            if not excuse and self._doubt_since is not None:  # nor is there one where pcscd overlooks a card
                until = min(until, self._doubt_since + POLL_INTERVAL)
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
                    self._lose()  # connected, but not to be reset: it would be in use, by ourselves
                    if error.code not in self._codes.gone | self._codes.unusable:
                        raise
                    excuse = f"{present[0]}: {self._codes.explain(error.code)}"
            elif self._finds_overlooked(states):
                continue
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

    def exchange(self, command: bytes) -> bytes:
        """Send a command and fetch all of its response.

        Raises:
            PcscError: it broke off; a card that is gone is let go.
        """
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

    def explain_loss(self, error: PcscError, octets: int) -> LinkError:
        """Return what to raise for a command of so many octets that broke off."""
        reason = self._codes.explain(error.code)
        if error.code in self._codes.too_long:
            return LinkError(f"{self._reader} does not take a command of {octets} octets ({reason})")
        return FieldLostError(f"the card at {self._reader} is lost: {reason}")
