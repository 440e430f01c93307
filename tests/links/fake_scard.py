"""PC/SC without a service: the calls of `smartcard.scard` that a link uses, with readers and cards of the test.

What it says was noted from pcsc-lite 1.9.9 with vsmartcard's reader: codes, states, what a removal does to a handle.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from smartcard import scard as real

Answer = Callable[[bytes], bytes | int]
"""A card: the response to a command, or a code of PC/SC in its place."""

PNP: Final = "\\\\?PnP?\\Notification"
OK: Final[int] = real.SCARD_S_SUCCESS
ATR: Final = bytes.fromhex("3B80800101")


class Slot:
    """A reader.

    Attributes:
        card: what is in it; None if nothing is.
        mute: the card does not answer its reset.
        taken: another program has the card.
        protocol: that of the card.
        power: what was done to the card, in order.
        commands: what it was sent.
    """

    def __init__(self) -> None:
        self.card: Answer | None = None
        self.mute = False
        self.taken = False
        self.protocol: int = real.SCARD_PROTOCOL_T1
        self.power: list[str] = []
        self.commands: list[bytes] = []
        self.events = 0
        self.insertions = 0
        self.overlooked = False  # pcscd calls the reader empty although a card is there

    @property
    def state(self) -> int:
        gone = self.card is None or self.overlooked
        state: int = real.SCARD_STATE_EMPTY if gone else real.SCARD_STATE_PRESENT
        if self.mute:
            state |= real.SCARD_STATE_MUTE
        if self.taken:
            state |= real.SCARD_STATE_INUSE
        return state | self.events << 16


class FakeScard:
    """Behaves as `smartcard.scard` does. What is not defined here is the real thing: the constants.

    Attributes:
        slots: the readers, in order.
        faults: codes that the next calls of a function give instead of what they do.
        calls: the names of the functions that were called.
        contexts: those that are open.
        running: whether there is a service.
        waiting: set when a call waits for something to change.
    """

    def __init__(self, *readers: str) -> None:
        self.slots: dict[str, Slot] = {name: Slot() for name in readers}
        self.faults: dict[str, list[int]] = {}
        self.calls: list[str] = []
        self.contexts: set[int] = set()
        self.running = True
        self.waiting = threading.Event()
        self.changed = threading.Condition()
        self._cancelled = False
        self._numbers = 0
        self._handles: dict[int, tuple[Slot, int]] = {}  # with the insertion that it belongs to

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("SCARD_") and name != "SCardGetErrorMessage":
            raise AttributeError(name)
        return getattr(real, name)

    # What the test does

    def insert(self, name: str, card: Answer, *, mute: bool = False) -> None:
        with self.changed:
            slot = self.slots[name]
            slot.card, slot.mute = card, mute
            slot.events += 1
            slot.insertions += 1
            self.changed.notify_all()

    def remove(self, name: str) -> None:
        with self.changed:
            self.slots[name].card = None
            self.slots[name].mute = False
            self.slots[name].events += 1
            self.changed.notify_all()

    def take(self, name: str, *, taken: bool) -> None:
        with self.changed:
            self.slots[name].taken = taken
            self.changed.notify_all()

    def plug(self, name: str) -> None:
        with self.changed:
            self.slots[name] = Slot()
            self.changed.notify_all()

    def unplug(self, name: str) -> None:
        with self.changed:
            del self.slots[name]
            self.changed.notify_all()

    def restart(self, *, running: bool = True) -> None:
        with self.changed:
            self.contexts.clear()
            self._handles.clear()
            self.running = running

    # What the link calls

    def _fault(self, function: str, context: int | None = None) -> int:
        self.calls.append(function)
        faults = self.faults.get(function)
        if faults:
            return faults.pop(0)
        if not self.running:
            return int(real.SCARD_E_NO_SERVICE)
        if context is not None and context not in self.contexts:
            return int(real.SCARD_E_INVALID_HANDLE)
        return OK

    def SCardEstablishContext(self, _scope: int) -> tuple[int, int]:  # noqa: N802 - as PC/SC has it
        code = self._fault("SCardEstablishContext")
        self._numbers += 1
        if code == OK:
            self.contexts.add(self._numbers)
        return code, self._numbers

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802
        code = self._fault("SCardReleaseContext", context)
        self.contexts.discard(context)
        return code

    def SCardListReaders(self, context: int, _groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802
        code = self._fault("SCardListReaders", context)
        if code == OK and not self.slots:
            code = int(real.SCARD_E_NO_READERS_AVAILABLE)
        return code, list(self.slots) if code == OK else []

    def SCardGetStatusChange(  # noqa: N802
        self, context: int, milliseconds: int, readers: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        code = self._fault("SCardGetStatusChange", context)
        names = [name for name, _ in readers if name != PNP]
        before = dict(readers)
        count = len(self.slots)

        def news() -> bool:
            if self._cancelled or (PNP in before and len(self.slots) != count):
                return True
            return any(name not in self.slots or self.slots[name].state != before[name] for name in names)

        with self.changed:
            if code != OK:
                return code, []
            if milliseconds and not news():
                self.waiting.set()
            came = self.changed.wait_for(news, milliseconds / 1000)
            cancelled, self._cancelled = self._cancelled, False
            if cancelled or not came:
                return int(real.SCARD_E_CANCELLED if cancelled else real.SCARD_E_TIMEOUT), []
            if any(name not in self.slots for name in names):
                return int(real.SCARD_E_UNKNOWN_READER), []
            states = [(name, self.slots[name].state | real.SCARD_STATE_CHANGED, [*ATR]) for name in names]
            return OK, [*states, *((PNP, count << 16, []) for name in before if name == PNP)]

    def SCardCancel(self, context: int) -> int:  # noqa: N802
        with self.changed:
            code = self._fault("SCardCancel", context)
            if self.waiting.is_set():
                self._cancelled = True
                self.changed.notify_all()
            return code

    def SCardConnect(self, context: int, name: str, mode: int, _protocols: int) -> tuple[int, int, int]:  # noqa: N802
        code = self._fault("SCardConnect", context)
        slot = self.slots[name]
        if mode == real.SCARD_SHARE_DIRECT and code == OK:
            self._numbers += 1
            self._handles[self._numbers] = slot, slot.insertions
            return OK, self._numbers, 0
        assert mode == real.SCARD_SHARE_EXCLUSIVE
        if code == OK and slot.taken:
            code = int(real.SCARD_E_SHARING_VIOLATION)
        if code != OK:
            return code, 0, 0
        self._numbers += 1
        self._handles[self._numbers] = slot, slot.insertions
        slot.power.append("on")
        return OK, self._numbers, slot.protocol

    def _handle(self, function: str, handle: int) -> tuple[int, Slot]:
        code = self._fault(function)
        slot, insertion = self._handles.get(handle, (Slot(), 0))
        if code == OK and handle not in self._handles:
            code = int(real.SCARD_E_INVALID_HANDLE)
        if code == OK and slot not in self.slots.values():
            code = int(real.SCARD_E_READER_UNAVAILABLE)
        if code == OK and (slot.card is None or slot.insertions != insertion):
            code = int(real.SCARD_W_REMOVED_CARD)
        return code, slot

    def SCardStatus(self, handle: int) -> tuple[int, str, int, int, list[int]]:  # noqa: N802
        code, slot = self._handle("SCardStatus", handle)
        return code, "", 0, slot.protocol, [*ATR]

    def SCardReconnect(  # noqa: N802
        self, handle: int, _mode: int, _protocols: int, initialization: int
    ) -> tuple[int, int]:
        code, slot = self._handle("SCardReconnect", handle)
        assert initialization == real.SCARD_RESET_CARD
        if code == OK:
            slot.power.append("reset")
            slot.overlooked = False
        return code, slot.protocol

    def SCardDisconnect(self, handle: int, disposition: int) -> int:  # noqa: N802
        code, slot = self._handle("SCardDisconnect", handle)
        if disposition == real.SCARD_UNPOWER_CARD and code == real.SCARD_W_REMOVED_CARD:
            slot.overlooked = slot.card is not None
        slot.power.append({real.SCARD_UNPOWER_CARD: "off", real.SCARD_LEAVE_CARD: "left"}[disposition])
        self._handles.pop(handle, None)
        return code

    def SCardTransmit(self, handle: int, protocol: int, command: list[int]) -> tuple[int, list[int]]:  # noqa: N802
        code, slot = self._handle("SCardTransmit", handle)
        if code != OK:
            return code, []
        assert protocol == slot.protocol
        assert type(command) is list
        slot.commands.append(bytes(command))
        assert slot.card is not None
        response = slot.card(bytes(command))
        return (response, []) if isinstance(response, int) else (OK, [*response])
