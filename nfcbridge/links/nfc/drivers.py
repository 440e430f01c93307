"""What the drivers of nfcpy differ in, as one table. Whatever is not in it is the same for all of them.

A driver is known by the class of the device that nfcpy opened. None answers RATS here, since all are used below nfcpy's
`listen`, which drops the RATS and with it FSD: the chip does ISO 14443-3, and the RATS comes up as the first frame.

    driver      first frame after the selection      next frames               answer and wait for the next
    pn53x       in the response of TgInitAsTarget    TgGetInitiatorCommand     two commands
    port100     in the response of TgCommRF          TgCommRF                  one command
    plain       `tt4_cmd` of `listen_tta`            `send_rsp_recv_cmd`       one call, which blocks

Frame sizes are those of ISO 14443-4 (CRC counted) that fit the chip's frames to the host; the chips know one bit rate
before PPS and none is offered, so that `?picc` aside the air is at 106 kbit/s.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from nfcbridge.errors import ConfigError
from nfcbridge.links.link import CardIdentity

RANDOM_UID: Final = 0x08
"""The first octet of a UID of 4 that the chips put before the three octets that can be chosen (ISO 14443-3: random)."""

CHIP_UID: Final = "4 octets, 08 and three of your choice"


class Family(Enum):
    """How a chip is spoken to as a card and as a reader."""

    PN53X = "pn53x"
    PORT100 = "port100"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Driver:
    """What one driver of nfcpy can do.

    Attributes:
        chip: for people.
        connection: for people.
        family: how it is spoken to; None: nfcpy cannot make a card of it.
        host_frame: octets of a frame of the air that a response of the chip carries, at most.
        max_frame: FSC and FSD with CRC that follow from it.
        fixed_uid: the UID has 4 octets and begins with 08.
        picc: the chip has ISO 14443-4 of its own for a card (`?picc`).
        baud: the highest speed that nfcpy raises a serial line to, bit/s; 0 where there is none.
        as_card: why it cannot be a card, and what to do; empty if it can.
    """

    chip: str
    connection: str
    family: Family | None
    host_frame: int
    max_frame: int = 256
    fixed_uid: bool = True
    picc: bool = False
    baud: int = 0
    as_card: str = ""

    @property
    def uid(self) -> str:
        """The rule for UIDs, for people."""
        return CHIP_UID if self.fixed_uid else "4, 7 or 10 octets"


_NO_CARD: Final = (
    "nfcpy cannot make a tag of it: take a PN532 (nfc:tty:USB0:pn532) or an RC-S380 (nfc:usb:054c:06c3); "
    "as a reader, for nfcbridge request, it works"
)

DRIVERS: Final[dict[str, Driver]] = {
    "nfc.clf.pn532.Device": Driver("PN532", "serial", Family.PN53X, host_frame=262, picc=True, baud=921_600),
    "nfc.clf.pn533.Device": Driver("PN533", "USB", Family.PN53X, host_frame=262),
    # Without extended frames to the host 251 octets of the air fit, so 256 with CRC does not.
    "nfc.clf.pn531.Device": Driver("PN531", "USB", Family.PN53X, host_frame=251, max_frame=128),
    "nfc.clf.arygon.DeviceA": Driver("PN531", "serial (Arygon)", Family.PN53X, 251, max_frame=128, baud=230_400),
    # A PN532, but its ISO 14443-4 behind the microcontroller of Arygon was never seen to work.
    "nfc.clf.arygon.DeviceB": Driver("PN532", "serial (Arygon)", Family.PN53X, host_frame=262, baud=230_400),
    "nfc.clf.rcs380.Device": Driver("NFC Port-100 (RC-S380)", "USB", Family.PORT100, host_frame=290),
    "nfc.clf.udp.Device": Driver("simulation of nfcpy", "UDP", Family.PLAIN, host_frame=290, fixed_uid=False),
    "nfc.clf.rcs956.Device": Driver("RC-S956 (RC-S330, RC-S360, RC-S370)", "USB", None, 262, as_card=_NO_CARD),
    "nfc.clf.acr122.Device": Driver("ACR122U", "USB", None, 251, max_frame=128, as_card=_NO_CARD),
}
"""By the class of nfcpy's device."""

BY_MODULE: Final = {key.split(".")[2]: driver for key, driver in DRIVERS.items()}
"""The same by nfcpy's name of the driver, such as `rcs380`, which is known before the device is opened."""


def driver_of(device: Any) -> Driver:  # noqa: ANN401 - nfcpy has no types
    """Return the line of the table for a device that nfcpy opened.

    Raises:
        ConfigError: nfcpy has a driver that is not in the table.
    """
    kind = type(device)
    for base in kind.__mro__:
        driver = DRIVERS.get(f"{base.__module__}.{base.__qualname__}")
        if driver is not None:
            return driver
    raise ConfigError(f"nfcbridge does not know the driver {kind.__module__} of nfcpy: take another reader")


def check_card(driver: Driver, identity: CardIdentity, name: str, *, picc: bool) -> None:
    """Refuse a card that the chip cannot be.

    Raises:
        ConfigError: the chip cannot have this UID, or has no ISO 14443-4 of its own.
    """
    if driver.fixed_uid and (len(identity.uid) != 4 or identity.uid[0] != RANDOM_UID):  # noqa: PLR2004 - see CHIP_UID
        raise ConfigError(f"{name} is a {driver.chip}, whose UID is {driver.uid}, not {identity.uid.hex().upper()}")
    if picc and not driver.picc:
        raise ConfigError(f"{name} is a {driver.chip}, which has no ISO 14443-4 of its own: leave ?picc away")
