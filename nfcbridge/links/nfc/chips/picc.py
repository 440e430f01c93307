"""A PN532 as a card that does ISO 14443-4 in its firmware."""

from typing import Any, Final

from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.chips.chip import Came, What
from nfcbridge.links.nfc.chips.pn53x import FREE_SENSF_RES, GONE, INIT, RATE_MASK, STATUS_MASK, Pn53xCard, fault_of
from nfcbridge.links.nfc.transport import PatientTransport

SEND: Final = 1.0
"""Seconds that the chip gets to send a frame to the reader: 256 octets take 22 ms of air."""

MAX_COMMAND: Final = 65_544
"""Octets of the longest APDU (ISO/IEC 7816-4) that is collected from the parts that a chip gives."""

MAX_HISTORICAL: Final = 48
"""Historical octets that TgInitAsTarget takes (libnfc)."""

_GET_DATA: Final = 0x86
"""TgGetData."""

_PICC: Final = 0x20
"""SetParameters, fISO14443-4_PICC: the firmware answers RATS and does the blocks (libnfc: pn53x_target_init)."""

_PICC_ONLY, _PASSIVE_ONLY = 0x04, 0x01
"""Modes of TgInitAsTarget."""

_RF_LEVEL: Final = 0x04
"""CIU_TxAuto, InitialRFOn: the field of a reader wakes the chip (libnfc, the same function)."""

_MORE: Final = 0x40
"""In the first octet of the response to TgGetData: another part follows."""


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
            if error.errno in GONE:
                return False
        self.stay_silent()
        return True

    def take(self) -> Came:
        """See `CardChip.take`."""
        if self._listening:
            response = bytes(self._response(INIT))
            return (What.SELECTED if response and not response[0] & RATE_MASK else What.FAULT), b""
        response = bytes(self._response(_GET_DATA))
        if not response or response[0] & STATUS_MASK:
            return fault_of(response[0] if response else 0)
        self._apdu += response[1:]
        if response[0] & _MORE and len(self._apdu) < MAX_COMMAND:
            self.stay_silent()
            return What.MORE, b""
        apdu = bytes(self._apdu)
        self._apdu.clear()
        return (What.FRAME, apdu) if apdu else (What.FAULT, b"")
