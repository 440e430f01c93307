"""The reader end of `nfc:...`: a reader device that is the phone.

All drivers carry raw blocks, RATS included. A PN53x could do ISO 14443-4 itself (InDataExchange), but then with its own
RATS, which says frames of 64 octets, and with waiting times and repetitions that nobody can choose or see;
InCommunicateThru under our own blocks has frames of 256 octets, keeps the rules of `isodep`, shows every block in a
trace, and is how nfcpy reads Type 4 Tags with these chips too.
"""

import time
from threading import Event, RLock
from typing import Any, Final, Protocol

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links.link import SEL_RES_ISO_DEP, CardFound, Level
from nfcbridge.links.nfc.drivers import Family
from nfcbridge.links.nfc.faults import translated
from nfcbridge.links.nfc.names import ReaderName
from nfcbridge.links.nfc.opening import Opened, open_device
from nfcbridge.links.nfc.transport import ACK, PatientTransport

LOOK_FOR_CARD: Final = 0.05
"""Seconds between two looks for a card: each of them switches the field on for some milliseconds."""

CHIP_MARGIN: Final = 0.1
"""Seconds that a chip gets beyond the time it was given for a card's answer."""

CANCEL: Final = 0.001  # seconds, as nfcpy
CRC: Final = 2
_THRU: Final = 0x42
_TIMINGS: Final = 0x02  # RFConfiguration: various timings
_ATR_RES_TIMEOUT: Final = 11  # of NFC-DEP, which is not used here: the chip's default
_LONGEST_INDEX: Final = 16
_NO_LIMIT: Final = 0
_NO_ANSWER: Final = 0x01


def timeout_index(seconds: float) -> int:
    """Return the index of the shortest time of a PN53x that is not shorter: 100 us x 2^(index - 1), 1 to 16.

    0 stands for no limit, where 3.28 s are not enough.
    """
    for index in range(1, _LONGEST_INDEX + 1):
        if 100e-6 * (1 << (index - 1)) >= seconds:
            return index
    return _NO_LIMIT


class ReaderChip(Protocol):
    """A chip that is a reader, with a card selected."""

    def exchange(self, octets: bytes, timeout: float, closing: Event) -> bytes | None:
        """Send a frame, return the card's; None if there was none, or a damaged one."""


class Pn53xReader:
    """PN531, PN532, PN533: InCommunicateThru."""

    def __init__(self, device: Any, transport: PatientTransport, _target: Any) -> None:  # noqa: ANN401 - no types
        import nfc.clf.pn53x

        self._error = nfc.clf.pn53x.Chipset.Error
        self._chipset = device.chipset
        self._transport = transport
        self._index: int | None = None

    def exchange(self, octets: bytes, timeout: float, closing: Event) -> bytes | None:
        """See `ReaderChip.exchange`."""
        index = timeout_index(timeout)
        if index != self._index:
            self._chipset.rf_configuration(_TIMINGS, bytes([0, _ATR_RES_TIMEOUT, index]))
            self._index = index
        self._chipset.in_communicate_thru(bytearray(octets), 0)
        give_up = time.monotonic() + timeout + CHIP_MARGIN
        while not self._transport.wait(max(0.0, give_up - time.monotonic())):
            if closing.is_set() or time.monotonic() >= give_up:
                self._transport.write(ACK)
                self._transport.drop(CANCEL)
                return None
        response = self._chipset.command(_THRU, None, CHIP_MARGIN)
        return bytes(response[1:]) if response and response[0] == 0 and len(response) > 1 else None


class Port100Reader:
    """RC-S380: InCommRF, whose settings are those that the selection has left."""

    LONGEST = 6.5  # seconds: 16 bits of 0.1 ms

    def __init__(self, device: Any, _transport: PatientTransport, _target: Any) -> None:  # noqa: ANN401
        import nfc.clf.rcs380

        self._error = nfc.clf.rcs380.CommunicationError
        self._chipset = device.chipset

    def exchange(self, octets: bytes, timeout: float, closing: Event) -> bytes | None:
        """See `ReaderChip.exchange`. It cannot be interrupted."""
        milliseconds = max(1, int(1000 * min(timeout, self.LONGEST)))
        try:
            frame = self._chipset.in_comm_rf(octets, milliseconds)
        except self._error:
            return None
        return bytes(frame) or None


class PlainReader:
    """Any driver, by what all of nfcpy's drivers have."""

    def __init__(self, device: Any, _transport: PatientTransport | None, target: Any) -> None:  # noqa: ANN401
        import nfc.clf

        self._error = nfc.clf.CommunicationError
        self._device = device
        self._target = target

    def exchange(self, octets: bytes, timeout: float, closing: Event) -> bytes | None:
        """See `ReaderChip.exchange`. It cannot be interrupted."""
        try:
            frame = self._device.send_cmd_recv_rsp(self._target, bytearray(octets), timeout)
        except self._error:
            return None
        return bytes(frame) if frame else None


def sense(opened: Opened) -> Any:  # noqa: ANN401
    """Look once for a card of type A; the field stays on. Return nfcpy's target, None if there is none."""
    import nfc.clf

    found = opened.device.sense_tta(nfc.clf.RemoteTarget("106A"))
    return found if found is not None and found.sdd_res and found.sel_res else None


def find_card(opened: Opened, timeout: float, closing: Event) -> bytes | None:
    """Look for a card of type A for some seconds, then switch the field off. Return its UID."""
    give_up = time.monotonic() + timeout
    try:
        while True:
            found = sense(opened)
            if found is not None:
                return bytes(found.sdd_res)
            if time.monotonic() >= give_up or closing.is_set():
                return None
            closing.wait(min(LOOK_FOR_CARD, max(0.0, give_up - time.monotonic())))
    finally:
        opened.device.mute()


class NfcReader:
    """The reader end. It implements `ReaderEnd`.

    Args:
        name: of the reader.

    Raises:
        LinkError: the reader cannot be opened.
    """

    level = Level.BLOCKS

    def __init__(self, name: ReaderName) -> None:
        self.name = str(name)
        self._reader_name = name
        self._opened: Opened | None = open_device(name, as_card=False)
        self.max_frame = self._opened.driver.max_frame
        self._chip: ReaderChip | None = None
        self._field_on = False
        self._in_use = RLock()
        self._closing = Event()

    def activate(self, timeout: float) -> CardFound:
        """See `ReaderEnd.activate`. A reader that was unplugged is opened again.

        Raises:
            LinkError: the device failed, or what is there is no Type 4 Tag.
        """
        give_up = time.monotonic() + timeout
        with self._in_use:
            self._switch_off()  # the one way for a card to forget what it was
            while True:
                self._check_open()
                found = self._look()
                if found is not None:
                    return found
                left = give_up - time.monotonic()
                if left <= 0:
                    self._switch_off()
                    raise LinkTimeoutError(f"no card at {self.name}: hold one to the reader, or a phone that is one")
                self._closing.wait(min(LOOK_FOR_CARD, left))

    def _look(self) -> CardFound | None:
        try:
            with translated(self.name):
                opened = self._opened = self._opened or open_device(self._reader_name, as_card=False)
                self._field_on = True
                target = sense(opened)
                if target is None:
                    return None
                self._chip = _make_reader_chip(opened, target)
        except LinkError:
            self._give_up()
            raise
        sel_res = target.sel_res[0]
        if not sel_res & SEL_RES_ISO_DEP:
            self._switch_off()
            raise LinkError(f"the card in the field is no Type 4 Tag (SAK {sel_res:02x}): take it away")
        return CardFound(uid=bytes(target.sdd_res))

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """See `ReaderEnd.transceive`.

        Raises:
            LinkError: the device failed.
        """
        if len(octets) > self.max_frame - CRC:
            raise LocalProtocolError(
                f"a frame of {len(octets)} octets: {self.max_frame - CRC} and the CRC fit this link"
            )
        with self._in_use:
            self._check_open()
            if self._chip is None:
                raise FieldLostError(f"no card is active at {self.name}")
            try:
                with translated(self.name):
                    answer = self._chip.exchange(octets, max(timeout, 0), self._closing)
            except LinkError:
                self._give_up()
                self._check_open()
                raise
            self._check_open()
            return answer

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")

    def _give_up(self) -> None:
        """Close a device that failed; the next `activate` opens it again."""
        self._chip = None
        self._field_on = False
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _switch_off(self) -> None:
        self._chip = None
        if self._field_on and self._opened is not None:
            self._field_on = False
            try:
                with translated(self.name):
                    self._opened.device.mute()
            except LinkError:  # the next `activate` will tell
                self._give_up()

    def field_off(self) -> None:
        """See `ReaderEnd.field_off`."""
        with self._in_use:
            if not self._closing.is_set():
                self._switch_off()

    def close(self) -> None:
        """See `ReaderEnd.close`."""
        if not self._closing.is_set():
            self._closing.set()
            opened = self._opened
            if opened is not None and opened.transport is not None:
                opened.transport.wake()
            with self._in_use:
                self._switch_off()
                self._give_up()


def _make_reader_chip(opened: Opened, target: Any) -> ReaderChip:  # noqa: ANN401
    device, transport, driver = opened
    if transport is not None and driver.family is Family.PORT100:
        return Port100Reader(device, transport, target)
    if transport is not None and driver.family is Family.PN53X:
        return Pn53xReader(device, transport, target)
    return PlainReader(device, transport, target)
