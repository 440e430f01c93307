"""A chip as a card: what each family of drivers has to be told, on nfcpy's drivers and below its tag layer.

A command that waits for the air is begun here and taken later (`transport` says why), so each chip has three calls that
begin to wait, and one that takes what came. `take` is called when `wait` says that there is something.

    listen                 for a reader that selects the card
    answer                 send the reply to the frame taken last, then wait for the next frame
    answer_and_listen      send the reply to S(DESELECT), then listen, with nothing in between
    stay_silent            wait for the next frame
"""

import contextlib
import struct
from enum import Enum, auto
from typing import Any, Final, Protocol

from nfcbridge.errors import LinkError
from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.drivers import Driver, Family
from nfcbridge.links.nfc.transport import ACK, SLICE, PatientTransport

READY: Final = 0.1
"""Seconds that a response which has begun to arrive gets to be whole."""

ACKNOWLEDGED: Final = 1000
"""Milliseconds that an RC-S380 gets to acknowledge a command, which takes it less than one."""

SEND: Final = 1.0
"""Seconds that the chip gets to send a frame to the reader: 256 octets take 22 ms of air."""

CANCEL: Final = 0.002
"""Seconds that the chip gets to cancel a command (nfcpy: 1 ms), and to wake up for it (PN532: its oscillator, 2 ms)."""

MAX_COMMAND: Final = 65_544
"""Octets of the longest APDU (ISO/IEC 7816-4) that is collected from the parts that a chip gives."""

MAX_HISTORICAL: Final = 48
"""Historical octets that TgInitAsTarget takes (libnfc)."""

FREE_SENSF_RES: Final = bytes(range(18))
"""What a PN53x would answer to type F, did it listen for it: nfcpy's choice."""

_INIT, _GET, _GET_DATA, _STATUS = 0x8C, 0x88, 0x86, 0x04
_CIU_MODE: Final = 0x3F
"""CIU_Mode with b3, the detector of other modes, switched off: TgInitAsTarget answers type A alone then (nfcpy)."""
_PICC: Final = 0x20
"""SetParameters, fISO14443-4_PICC: the firmware answers RATS and does the blocks (libnfc: pn53x_target_init)."""
_PICC_ONLY, _PASSIVE_ONLY = 0x04, 0x01
_RF_LEVEL: Final = 0x04
"""CIU_TxAuto, InitialRFOn: the field of a reader wakes the chip (libnfc, the same function)."""
_MORE, _STATUS_MASK = 0x40, 0x3F
_RATE_MASK: Final = 0x70
_RATS: Final = 0xE0

_GONE: Final = frozenset({0x0A, 0x25, 0x26, 0x27, 0x29, 0x31})
"""Statuses after which the chip is no target any more: the field is off or the reader has released it (0A, 29, 31, as
nfcpy has it), and commands that make no sense in the state that the chip is in (25 to 27)."""


class What(Enum):
    """What has come from a chip."""

    SELECTED = auto()  # a reader has selected the card; the octets are the first frame, if there is one
    ACTIVATED = auto()  # the same, but the driver has answered RATS and dropped it; the octets are the first block
    FRAME = auto()
    MORE = auto()  # a part of an APDU: the chip waits for the next part already
    FAULT = auto()  # something that was no frame: damaged on the air, or at another bit rate
    GONE = auto()  # the reader's field is off, or the reader has released the card


Came = tuple[What, bytes]


class CardChip(Protocol):
    """A chip that is a card."""

    def prepare(self) -> None:
        """Make the chip a card: after opening, and after it was a reader."""

    def listen(self) -> None:
        """Begin to wait for a reader that selects the card."""

    def answer(self, octets: bytes) -> bool:
        """Send a frame, then begin to wait for the next. False: the reader is gone, nothing was begun."""

    def answer_and_listen(self, octets: bytes) -> None:
        """Send a frame, then begin to wait for a reader that selects the card."""

    def stay_silent(self) -> None:
        """Begin to wait for the next frame."""

    def take(self) -> Came:
        """Take what came. After SELECTED and FRAME the chip waits for us, after the others it does nothing."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds for something to take; it may return earlier, with nothing to take too."""

    def cancel(self) -> None:
        """Cancel what was begun."""

    def field_is_on(self) -> bool:
        """Whether there is a reader's field. Nothing may be begun."""


class Pn53xCard:
    """PN531, PN532 and PN533: ISO 14443-3 in the firmware, ISO 14443-4 by us.

    Args:
        device: nfcpy's, opened.
        transport: that of the device.
        identity: UID, SENS_RES and SEL_RES.
    """

    _begun_by = _GET

    def __init__(self, device: Any, transport: PatientTransport, identity: CardIdentity) -> None:  # noqa: ANN401
        import nfc.clf.pn53x

        self._device = device
        self._chipset = device.chipset
        self._pn53x = nfc.clf.pn53x.Chipset
        self._transport = transport
        self._type_a = bytearray(identity.sens_res + identity.uid[1:] + bytes([identity.sel_res]))
        self._listening = False

    def prepare(self) -> None:
        """See `CardChip.prepare`. Needed once: nfcpy too listens again without it after S(DESELECT)."""
        self._device.mute()
        self._chipset.write_register("CIU_Mode", _CIU_MODE)

    def listen(self) -> None:
        """See `CardChip.listen`."""
        self._device._init_as_target(1, self._type_a, bytearray(FREE_SENSF_RES), 0)  # noqa: SLF001 - the only way
        self._listening = True

    def answer(self, octets: bytes) -> bool:
        """See `CardChip.answer`."""
        self._listening = False
        try:
            self._chipset.tg_response_to_initiator(bytearray(octets))
        except self._pn53x.Error as error:
            if error.errno in _GONE:
                return False
        self.stay_silent()
        return True

    def answer_and_listen(self, octets: bytes) -> None:
        """See `CardChip.answer_and_listen`."""
        with contextlib.suppress(self._pn53x.Error):  # the reader may be gone already: it is to be found again
            self._chipset.tg_response_to_initiator(bytearray(octets))
        self.listen()

    def stay_silent(self) -> None:
        """See `CardChip.stay_silent`."""
        self._listening = False
        self._chipset.command(self._begun_by, b"", 0)

    def take(self) -> Came:
        """See `CardChip.take`."""
        if self._listening:
            return self._take_selection(bytes(self._response(_INIT)))
        response = self._response(_GET)
        if response and response[0] == 0 and len(response) > 1:
            return What.FRAME, bytes(response[1:])
        return _fault_of(response[0] if response else 0)

    def _take_selection(self, response: bytes) -> Came:
        if len(response) < 2 or response[0] & _RATE_MASK:  # noqa: PLR2004 - mode and the frame
            return What.FAULT, b""
        return What.SELECTED, response[1:]

    def _response(self, code: int) -> bytearray:
        response: bytearray | None = self._chipset.command(code, None, READY)
        return response or bytearray()

    def wait(self, timeout: float) -> bool:
        """See `CardChip.wait`."""
        return self._transport.wait(timeout)

    def cancel(self) -> None:
        """See `CardChip.cancel`."""
        self._listening = False
        self._transport.write(self._transport.wake_up + ACK)
        self._transport.drop(CANCEL)

    def field_is_on(self) -> bool:
        """See `CardChip.field_is_on`: the second octet of GetGeneralStatus."""
        return bool(self._pn53x.get_general_status(self._chipset)[1])


def _fault_of(status: int) -> Came:
    return (What.GONE if status & _STATUS_MASK in _GONE else What.FAULT), b""


class PiccCard(Pn53xCard):
    """A PN532 whose firmware does ISO 14443-4, ATS and S(WTX) included: whole APDUs come up.

    Its frames have 64 octets and its ATS is its own but for the historical octets, so it is slower than our blocks; it
    is for hosts that are too slow for the two times that the blocks need.
    """

    _begun_by = _GET_DATA

    def __init__(self, device: Any, transport: PatientTransport, identity: CardIdentity) -> None:  # noqa: ANN401
        super().__init__(device, transport, identity)
        self._historical = bytearray(identity.historical[:MAX_HISTORICAL])
        self._apdu = bytearray()

    def prepare(self) -> None:
        """See `CardChip.prepare`."""
        super().prepare()
        self._chipset.set_parameters(_PICC)
        self._chipset.write_register("CIU_TxAuto", self._chipset.read_register("CIU_TxAuto") | _RF_LEVEL)

    def listen(self) -> None:
        """See `CardChip.listen`."""
        self._apdu.clear()
        type_f = bytearray(FREE_SENSF_RES)
        self._chipset.tg_init_as_target(
            _PASSIVE_ONLY | _PICC_ONLY, self._type_a, type_f, type_f[:10], b"", self._historical, 0
        )
        self._listening = True

    def answer(self, octets: bytes) -> bool:
        """See `CardChip.answer`."""
        self._listening = False
        try:
            self._chipset.tg_set_data(bytearray(octets), SEND)
        except self._pn53x.Error as error:
            if error.errno in _GONE:
                return False
        self.stay_silent()
        return True

    def take(self) -> Came:
        """See `CardChip.take`."""
        if self._listening:
            response = bytes(self._response(_INIT))
            return (What.SELECTED if response and not response[0] & _RATE_MASK else What.FAULT), b""
        response = bytes(self._response(_GET_DATA))
        if not response or response[0] & _STATUS_MASK:
            return _fault_of(response[0] if response else 0)
        self._apdu += response[1:]
        if response[0] & _MORE and len(self._apdu) < MAX_COMMAND:
            self.stay_silent()
            return What.MORE, b""
        apdu = bytes(self._apdu)
        self._apdu.clear()
        return (What.FRAME, apdu) if apdu else (What.FAULT, b"")


class Port100Card:
    """RC-S380: ISO 14443-3 in the firmware, and each command sends and waits at once.

    Args:
        device: nfcpy's, opened.
        transport: that of the device.
        identity: UID, SENS_RES and SEL_RES.
    """

    LONGEST_WAIT = 0xFFFF  # milliseconds
    GUARD_TIME = 500  # in 1/13.56 MHz steps of the chip, as nfcpy has it: the earliest time of an answer

    def __init__(self, device: Any, transport: PatientTransport, identity: CardIdentity) -> None:  # noqa: ANN401
        import nfc.clf.rcs380

        self._rcs380 = nfc.clf.rcs380
        self._chipset = device.chipset
        self._device = device
        self._transport = transport
        self._type_a = bytes(identity.sens_res + identity.uid[1:] + bytes([identity.sel_res]))
        self._listening = False
        self._tells_field = False

    def prepare(self) -> None:
        """See `CardChip.prepare`."""
        self._device.mute()
        self._chipset.tg_set_rf("106A")
        self._chipset.tg_set_protocol(self._chipset.tg_set_protocol_defaults)
        self._chipset.tg_set_protocol(rf_off_error=False)
        self._tells_field = False

    def listen(self) -> None:
        """See `CardChip.listen`. Here a field that is off is no error."""
        if self._tells_field:
            self._chipset.tg_set_protocol(rf_off_error=False)
            self._tells_field = False
        self._begin(b"", automatic=True)

    def answer(self, octets: bytes) -> bool:
        """See `CardChip.answer`."""
        if not self._listening and not self._tells_field:  # once there is a dialogue, as nfcpy does it
            self._chipset.tg_set_protocol(rf_off_error=True)
            self._tells_field = True
        self._begin(octets, automatic=False)
        return True

    def answer_and_listen(self, octets: bytes) -> None:
        """See `CardChip.answer_and_listen`: one command. If the field goes, the chip says so and `listen` follows."""
        self._begin(octets, automatic=True)

    def stay_silent(self) -> None:
        """See `CardChip.stay_silent`."""
        self._begin(b"", automatic=False)

    def _begin(self, octets: bytes, *, automatic: bool) -> None:
        """Give TgCommRF and take the chip's acknowledgement."""
        command = struct.pack(
            "<HH?6s18s??H",
            self.GUARD_TIME if octets else 0,
            0xFFFF,
            automatic,
            self._type_a if automatic else b"",
            b"",
            False,
            False,
            self.LONGEST_WAIT,
        )
        self._transport.write(bytes(self._rcs380.Frame(b"\xd6\x48" + command + octets)))
        if self._rcs380.Frame(self._transport.read(ACKNOWLEDGED)).type != "ack":
            raise LinkError("the reader does not acknowledge commands: pull it and plug it in again")
        self._listening = automatic

    def take(self) -> Came:
        """See `CardChip.take`.

        The response is D7 49 | bit rate 0B: 106A | - | activation 3: by anticollision | status 4 octets | frame.
        """
        response = bytes(self._rcs380.Frame(self._transport.read()).data or b"")[2:]
        if len(response) < 7:  # noqa: PLR2004 - what stands before the frame
            return What.FAULT, b""
        error = self._rcs380.CommunicationError(response[3:7])
        if error == "RF_OFF_ERROR":
            return What.GONE, b""
        frame = response[7:]
        if error != "NO_ERROR" or not frame:
            return What.FAULT, b""
        if not self._listening:
            return What.FRAME, frame
        if response[0] == 11 and response[2] & 3 == 3:  # noqa: PLR2004 - see above
            self._listening = True
            return What.SELECTED, frame
        return What.FAULT, b""

    def wait(self, timeout: float) -> bool:
        """See `CardChip.wait`."""
        return self._transport.wait(timeout)

    def cancel(self) -> None:
        """See `CardChip.cancel`."""
        self._transport.write(ACK)
        self._transport.drop(CANCEL)
        self._listening = False

    def field_is_on(self) -> bool:
        """See `CardChip.field_is_on`: once in a dialogue the chip tells of itself when the field goes, not before."""
        return self._tells_field


class ListeningCard:
    """Any driver, through what all of nfcpy's drivers have. Slower, and FSD may stay unknown.

    Args:
        device: nfcpy's, opened.
        identity: UID, ATS, SENS_RES and SEL_RES.
    """

    def __init__(self, device: Any, identity: CardIdentity) -> None:  # noqa: ANN401
        import nfc.clf

        self._clf = nfc.clf
        self._device = device
        self._identity = identity
        self._target: Any = None
        self._came: Came | None = None

    def prepare(self) -> None:
        """See `CardChip.prepare`."""
        self._device.mute()

    def listen(self) -> None:
        """See `CardChip.listen`."""
        self._target = self._came = None

    def answer(self, octets: bytes) -> bool:
        """See `CardChip.answer`."""
        self._exchange(bytearray(octets), 0)
        return True

    def answer_and_listen(self, octets: bytes) -> None:
        """See `CardChip.answer_and_listen`."""
        self._exchange(bytearray(octets), 0)
        self.listen()

    def stay_silent(self) -> None:
        """See `CardChip.stay_silent`: `wait` does the waiting."""

    def wait(self, timeout: float) -> bool:
        """See `CardChip.wait`."""
        timeout = min(timeout, SLICE)
        if self._came is None and self._target is not None:
            self._exchange(None, timeout)
        elif self._came is None:
            self._listen(timeout)
        return self._came is not None

    def _listen(self, timeout: float) -> None:
        identity = self._identity
        target = self._clf.LocalTarget(
            "106A",
            sens_res=bytearray(identity.sens_res),
            sdd_res=bytearray(identity.uid),
            sel_res=bytearray([identity.sel_res]),
            rats_res=bytearray(identity.ats),
        )
        self._device.mute()  # as ContactlessFrontend does: the simulation cannot bind its socket twice
        found = self._device.listen_tta(target, timeout)
        if found is not None and found.tt4_cmd:
            self._target = found
            first = bytes(found.tt4_cmd)
            self._came = (What.SELECTED if first[0] == _RATS else What.ACTIVATED), first

    def _exchange(self, octets: bytearray | None, timeout: float) -> None:
        try:
            frame = self._device.send_rsp_recv_cmd(self._target, octets, timeout)
        except self._clf.TimeoutError:
            return
        except self._clf.BrokenLinkError:
            self._came = What.GONE, b""
        except self._clf.CommunicationError:
            self._came = What.FAULT, b""
        else:
            if frame:
                self._came = What.FRAME, bytes(frame)

    def take(self) -> Came:
        """See `CardChip.take`."""
        came, self._came = self._came, None
        return came or (What.FAULT, b"")

    def cancel(self) -> None:
        """See `CardChip.cancel`."""
        self._came = None

    def field_is_on(self) -> bool:
        """See `CardChip.field_is_on`: these drivers raise when the field goes."""
        return True


def make_card_chip(
    device: Any,  # noqa: ANN401
    transport: PatientTransport | None,
    driver: Driver,
    identity: CardIdentity,
    *,
    picc: bool,
) -> CardChip:
    """Return what speaks to a chip that is to be a card.

    Should a later nfcpy have no `_init_as_target`, what all of its drivers have is used, with small frames.
    """
    if transport is not None:
        if driver.family is Family.PORT100:
            return Port100Card(device, transport, identity)
        if driver.family is Family.PN53X and hasattr(device, "_init_as_target"):
            return (PiccCard if picc else Pn53xCard)(device, transport, identity)
    return ListeningCard(device, identity)
