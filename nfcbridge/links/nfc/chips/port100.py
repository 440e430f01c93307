"""The RC-S380 as a card: ISO 14443-3 in the firmware."""

import struct
from typing import Any, Final

from nfcbridge.errors import LinkError
from nfcbridge.links.link import CardIdentity
from nfcbridge.links.nfc.chips.chip import CANCEL, Came, What
from nfcbridge.links.nfc.transport import ACK, PatientTransport

ACKNOWLEDGED: Final = 1000
"""Milliseconds that an RC-S380 gets to acknowledge a command, which takes it less than one."""


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
