"""The two times by which phones judge a tag whose host does ISO 14443-4, measured on a reader without a phone.

    answer    RATS -> ATS. The chip's response with the RATS goes to the host, the command with the ATS to the chip.
    listen    S(DESELECT) -> listening again. The chip's response to our reply goes to the host, TgInitAsTarget to it.

Android waits about 5 ms for either (ISO 14443-4: 4.8 ms for the ATS). Both are a response and a command over the same
line, so a command that the chip only echoes tells how long they take: Diagnose, line test, whose octets are chosen so
that as many cross the line. What the chip does on the air comes on top, and does not depend on the host.

On a serial line most of it is the octets: 10 bits each at the line's speed. A USB adapter of FTDI hands over what it
has received only when its latency timer ends, 16 ms as Linux starts it.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from nfcbridge.errors import LinkError
from nfcbridge.links.nfc.card import NfcCard
from nfcbridge.links.nfc.drivers import Family

AIM: Final = 0.005
"""Seconds that either time may take."""

ROUNDS: Final = 20
"""How often each is measured."""

SYS: Final = Path("/sys/bus/usb-serial/devices")
"""Where Linux keeps the settings of USB serial adapters."""

# Octets on the line: 7 around the data of a frame, 6 of an acknowledgement.
_AROUND: Final = 7
_ACK: Final = 6
_RATS_RESPONSE: Final = _AROUND + 5  # D5 8D mode E0 80
_ATS_COMMAND: Final = _AROUND + 2  # D4 90, then the ATS
_SENT_RESPONSE: Final = _AROUND + 3  # D5 91 00
_INIT_COMMAND: Final = _AROUND + 39  # D4 8C and its 37 octets
_ECHO: Final = _AROUND + 3  # D4 00 00, then the octets to be echoed

_DIAGNOSE: Final = 0x00
_LINE_TEST: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class Times:
    """What was measured; seconds.

    Attributes:
        answer: RATS to ATS, the median.
        answer_worst: the longest.
        listen: S(DESELECT) to listening again, the median.
        listen_worst: the longest.
        baud: bit/s of the serial line, 0 on USB.
        latency_timer: milliseconds of the adapter's latency timer; None if it has none that is known.
    """

    answer: float
    answer_worst: float
    listen: float
    listen_worst: float
    baud: int = 0
    latency_timer: int | None = None

    @property
    def good(self) -> bool:
        """Whether both are within AIM."""
        return max(self.answer, self.listen) <= AIM

    @property
    def advice(self) -> str:
        """What to do; empty if both are within AIM."""
        if self.good:
            return ""
        if self.latency_timer is not None and self.latency_timer > 1:
            return (
                f"the latency timer of the adapter is {self.latency_timer} ms: write 1 to its latency_timer in {SYS}, "
                'or for good the udev rule ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", '
                'ATTR{latency_timer}="1"'
            )
        if 0 < self.baud < 921_600:  # noqa: PLR2004 - nfcpy's highest
            return (
                f"the serial line runs at {self.baud} bit/s: take an adapter that can do 921,600 (CP2102N, FT232R), or "
                "let the chip do ISO 14443-4 itself: ?picc at the end of the name"
            )
        return "let the chip do ISO 14443-4 itself: ?picc at the end of the name, on a PN532"


def measure(end: NfcCard, rounds: int = ROUNDS) -> Times:
    """Measure both times on a reader; no phone may be there. It listens again in the end.

    Args:
        end: the card end, which nobody else uses meanwhile.
        rounds: how often.

    Raises:
        LinkError: the device is gone or failed, or its chip is none that can be asked so.
    """
    present = end.opened
    if present is not None and (present.driver.family is not Family.PN53X or present.transport is None):
        raise LinkError(f"the times of {end.name} show with a phone only: touch it with one, then ask again")
    with end.lend() as opened:
        ats = len(end.identity.ats)
        answers = [_turn(opened.device, _ATS_COMMAND + ats + _RATS_RESPONSE) for _ in range(rounds)]
        listens = [_turn(opened.device, _INIT_COMMAND + _SENT_RESPONSE) for _ in range(rounds)]
        transport = opened.transport
        serial = transport is not None and transport.TYPE == "TTY"
        baud: int = transport.baudrate if transport is not None and serial else 0
        port: str = transport.port if transport is not None and serial else ""
    return Times(median(answers), max(answers), median(listens), max(listens), baud, latency_timer(port))


def _turn(device: Any, octets: int) -> float:  # noqa: ANN401 - nfcpy has no types
    """Seconds in which so many octets cross the line, there and back."""
    # The test sends back what it was sent, and acknowledges in between.
    echoed = max(0, (octets - 2 * _ECHO - _ACK + 1) // 2)
    began = time.perf_counter()
    device.chipset.command(_DIAGNOSE, _LINE_TEST + bytes(echoed), 1.0)
    return time.perf_counter() - began


def latency_timer(port: str, devices: Path | None = None) -> int | None:
    """Return the milliseconds of a USB serial adapter's latency timer.

    Args:
        port: such as `/dev/ttyUSB0`, or a link to it.
        devices: where the settings are; None: SYS.

    Returns:
        None if the adapter has no such timer, or this is not Linux.
    """
    name = Path(port).resolve().name
    if not re.fullmatch(r"ttyUSB\d+", name):
        return None
    try:
        return int(((devices or SYS) / name / "latency_timer").read_text("ascii"))
    except (OSError, ValueError):
        return None
