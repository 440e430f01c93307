"""A reader made of pyscard, and the errands it runs inside the room: `python -m tests.foreign.pcsc_reader ERRAND`.

Each errand prints a JSON value that the test outside looks at.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, Final

from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType
from smartcard.scard import SCARD_RESET_CARD, SCARD_UNPOWER_CARD
from smartcard.System import readers

from tests.foreign.messages import App
from tests.foreign.room import READER

CARD_TIMEOUT: Final = 20
"""Seconds until the reader has seen the card. pcscd tells a change of state, so nobody waits longer than needed."""

OK: Final = (0x90, 0x00)

SELECT_APPLICATION: Final = "00 A4 04 00 07 D2 76 00 00 85 01 01 00"
SELECT_CC: Final = "00 A4 00 0C 02 E1 03"
READ_CC: Final = "00 B0 00 00 0F"
SELECT_FILE: Final = "00 A4 00 0C 02 E1 04"


class PcscReader:
    """A Type 4 Tag over pyscard, by literal commands: write order NLEN 0, data, NLEN."""

    def __init__(self) -> None:
        (reader,) = (each for each in readers() if each.name == READER)
        request = CardRequest(timeout=CARD_TIMEOUT, newcardonly=False, readers=[reader], cardType=AnyCardType())
        # The service must live as long as its connection, which it closes when it goes.
        self._service = request.waitforcard()
        self._connection = self._service.connection
        self._connection.connect()
        self.max_read = self.max_update = 0

    @property
    def atr(self) -> str:
        return bytes(self._connection.getATR()).hex()

    def transmit(self, command: bytes) -> tuple[bytes, tuple[int, int]]:
        """Returns data and status word."""
        data, sw1, sw2 = self._connection.transmit(list(command))
        return bytes(data), (sw1, sw2)

    def do(self, command: str | bytes) -> bytes:
        """Returns the data of a command that must succeed."""
        octets = bytes.fromhex(command) if isinstance(command, str) else command
        data, status = self.transmit(octets)
        assert status == OK, f"{octets[:5].hex()} answered {status[0]:02X}{status[1]:02X}"
        return data

    def detect(self) -> bytes:
        """Selects application and file; returns the capability container."""
        self.do(SELECT_APPLICATION)
        self.do(SELECT_CC)
        container = self.do(READ_CC)
        self.max_read = min(int.from_bytes(container[3:5], "big"), 255)
        self.max_update = min(int.from_bytes(container[5:7], "big"), 255)
        self.do(SELECT_FILE)
        return container

    def write(self, message: bytes) -> None:
        self._update(0, bytes(2))
        for start in range(0, len(message), self.max_update):
            self._update(2 + start, message[start : start + self.max_update])
        self._update(0, len(message).to_bytes(2, "big"))

    def read(self) -> bytes:
        length = int.from_bytes(self._read(0, 2), "big")
        message = b""
        while len(message) < length:
            message += self._read(2 + len(message), min(self.max_read, length - len(message)))
        return message

    def activate_again(self, disposition: int) -> None:
        """Resets the card, or takes its power off and on, as `disposition` says."""
        self._connection.reconnect(disposition=disposition)
        self.detect()

    def close(self) -> None:
        self._connection.disconnect()

    def _update(self, offset: int, data: bytes) -> None:
        self.do(b"\x00\xd6" + offset.to_bytes(2, "big") + bytes([len(data)]) + data)

    def _read(self, offset: int, length: int) -> bytes:
        data = self.do(b"\x00\xb0" + offset.to_bytes(2, "big") + bytes([length]))
        assert data, "9000 without an octet"
        return data


def look(reader: PcscReader) -> dict[str, Any]:
    """What a reader sees that only looks."""
    return {"atr": reader.atr, "cc": reader.detect().hex(), "file": reader.read().hex()}


def read_state(reader: PcscReader) -> list[Any]:
    """Login, state, logout, and the state again."""
    reader.detect()
    app = App(reader.write, reader.read)
    asked = [app.ask("GET", "/system_state"), app.login(), app.ask("GET", "/system_state"), app.ask("POST", "/logout")]
    return [answer._asdict() for answer in (*asked, app.ask("GET", "/system_state"))]


def _interrupted(reader: PcscReader, disposition: int) -> dict[str, Any]:
    reader.detect()

    def write(message: bytes) -> None:
        reader.write(message)
        reader.activate_again(disposition)

    return App(write, reader.read).ask("GET", "/login")._asdict()


def read_after_reset(reader: PcscReader) -> dict[str, Any]:
    """Writes a request, resets the card, reads the answer."""
    return _interrupted(reader, SCARD_RESET_CARD)


def read_after_power_off(reader: PcscReader) -> dict[str, Any]:
    """Writes a request, takes the power off and on, reads the answer."""
    return _interrupted(reader, SCARD_UNPOWER_CARD)


ERRANDS: Final[dict[str, Callable[[PcscReader], Any]]] = {
    errand.__name__: errand for errand in (look, read_state, read_after_reset, read_after_power_off)
}


def main() -> None:
    reader = PcscReader()
    print(json.dumps(ERRANDS[sys.argv[1]](reader)))  # noqa: T201 - it is the answer to the test
    reader.close()


if __name__ == "__main__":
    main()
