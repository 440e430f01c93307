"""PN531, PN532 and PN533 as a card: ISO 14443-3 in the firmware."""

import contextlib
from typing import Any, Final

from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.chips.chip import CANCEL, Came, What
from nfcbridge.links.nfc.transport import ACK, PatientTransport

READY: Final = 0.1
"""Seconds that a response which has begun to arrive gets to be whole."""

FREE_SENSF_RES: Final = bytes(range(18))
"""What a PN53x would answer to type F, did it listen for it: nfcpy's choice."""

INIT: Final = 0x8C
"""TgInitAsTarget."""

_GET: Final = 0x88
"""TgGetInitiatorCommand."""

_CIU_MODE: Final = 0x3F
"""CIU_Mode with b3, the detector of other modes, switched off: TgInitAsTarget answers type A alone then (nfcpy)."""

RATE_MASK: Final = 0x70
"""The bit rate in the mode that TgInitAsTarget tells: 0 is 106 kbit/s."""

STATUS_MASK: Final = 0x3F
"""The error in the first octet of a response."""

GONE: Final = frozenset({0x0A, 0x25, 0x26, 0x27, 0x29, 0x31})
"""Statuses after which the chip is no target any more: the field is off or the reader has released it (0A, 29, 31, as
nfcpy has it), and commands that make no sense in the state that the chip is in (25 to 27)."""


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
            if error.errno in GONE:
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
            return self._take_selection(bytes(self._response(INIT)))
        response = self._response(_GET)
        if response and response[0] == 0 and len(response) > 1:
            return What.FRAME, bytes(response[1:])
        return fault_of(response[0] if response else 0)

    def _take_selection(self, response: bytes) -> Came:
        if len(response) < 2 or response[0] & RATE_MASK:  # noqa: PLR2004 - mode and the frame
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


def fault_of(status: int) -> Came:
    """Return what a status says that came with no frame: GONE or FAULT."""
    return (What.GONE if status & STATUS_MASK in GONE else What.FAULT), b""
