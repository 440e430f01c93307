"""An RC-S380 without silicon: frames of its host in, frames out, and the air beyond, as `fake_chip` has it."""

import struct
import threading
from collections.abc import Callable

from tests.links.nfc.fake_chip import ACK, AirCardLike

RECEIVE_TIMEOUT, RF_OFF, CRC_ERROR = 0x80, 0x400, 0x04


def frame_of(data: bytes) -> bytes:
    size = struct.pack("<H", len(data))
    return b"\x00\x00\xff\xff\xff" + size + bytes([-sum(size) & 0xFF]) + data + bytes([-sum(data) & 0xFF, 0])


class FakePort100:
    """The chip."""

    def __init__(self) -> None:
        self.emit: Callable[[bytes], None] = lambda _octets: None
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.commands: list[int] = []
        self.rf_off_error = False
        self.waiting = False  # TgCommRF waits for the air
        self.automatic = False  # and answers ISO 14443-3
        self.type_a = b""
        self.field = False
        self.selected = False
        self.heard: bytes | None = None
        self.answers: list[bytes] = []
        self.cards: list[AirCardLike] = []
        self.own_field = False
        self.acknowledges = True
        self._bits = 8
        self._reply = threading.Event()
        self._card_answer = b""

    def receive(self, octets: bytes) -> None:
        with self.lock:
            if octets == ACK:
                self.waiting = False
                return
            assert octets == frame_of(octets[8:-2])
            code, data = octets[9], octets[10:-2]
            self.commands.append(code)
            self.waiting = False
            self.emit(ACK if self.acknowledges else frame_of(b"\xd7\x00"))
            if code == 0x48:
                self._comm(data)
            elif code == 0x04:
                self._in_comm(data)
            else:
                self._configure(code, data)
            self.changed.notify_all()

    def respond(self, code: int, data: bytes) -> None:
        self.emit(frame_of(bytes([0xD7, code + 1]) + data))

    def _configure(self, code: int, data: bytes) -> None:
        if code == 0x06:
            self.own_field = bool(data[0])
            if not self.own_field:
                for card in self.cards:
                    card.field_off()
        if code == 0x02:
            self._bits = dict(zip(data[::2], data[1::2], strict=True)).get(7, self._bits)
        if code == 0x00:
            self.own_field = True
        if code == 0x42:
            self.rf_off_error = dict(zip(data[::2], data[1::2], strict=True)).get(1, self.rf_off_error) == 1
        self.respond(code, {0x20: b"\x11\x01", 0x22: b"\x00\x01"}.get(code, b"\x00"))

    # As a card

    def _comm(self, data: bytes) -> None:
        _, _, automatic, type_a, _, _, _, wait = struct.unpack("<HH?6s18s??H", data[:33])
        if data[33:] and self.selected:
            self.answers.append(data[33:])
        if not wait:
            self._tell(b"")
            return
        self.automatic = automatic
        if automatic:
            self.type_a = type_a
            self.selected = False
            self.heard = None
        if self.heard is not None:
            heard, self.heard = self.heard, None
            self._tell(heard)
        elif not automatic and not self.field and self.rf_off_error:
            self._tell(b"", RF_OFF)
        else:
            self.waiting = True

    def _tell(self, frame: bytes, status: int = 0, *, activated: int = 3) -> None:
        self.waiting = False
        self.respond(0x48, bytes([11, 0, activated]) + struct.pack("<L", status) + frame)

    def select(self) -> bytes | None:
        if not self.waiting or not self.automatic or self.selected:
            return None
        self.field = self.selected = True
        return b"\x08" + self.type_a[2:5]

    def air(self, frame: bytes) -> None:
        if self.selected and self.waiting:
            self._tell(frame)
        elif self.selected:
            self.heard = frame

    def tick(self) -> None:
        """Nothing in it has a clock."""

    def lose_field(self) -> None:
        with self.lock:
            self.field = self.selected = False
            if self.waiting and self.rf_off_error:
                self._tell(b"", RF_OFF)

    def tell_fault(self, status: int = CRC_ERROR) -> None:
        """Something damaged came from the air."""
        with self.lock:
            self._tell(b"", status)

    # As a reader

    def _in_comm(self, data: bytes) -> None:
        timeout = struct.unpack("<H", data[:2])[0] / 10_000
        answer = self._ask_card(data[2:], timeout) if self.own_field else None
        if answer is None:
            self.respond(0x04, struct.pack("<L", RECEIVE_TIMEOUT))
        else:
            self.respond(0x04, bytes(4) + b"\x08" + answer)

    def _ask_card(self, frame: bytes, timeout: float) -> bytes | None:
        card = self.cards[0] if self.cards else None
        if card is None:
            return None
        sens_res, sel_res, uid = card.identity_octets
        if self._bits == 7:
            return sens_res if frame in {b"\x26", b"\x52"} and card.select() else None
        if frame == b"\x93\x20":
            return uid + bytes([uid[0] ^ uid[1] ^ uid[2] ^ uid[3]])
        if frame[:2] == b"\x93\x70":
            return bytes([sel_res])
        self._reply.clear()
        card.hear(frame)
        self.lock.release()
        try:
            self._reply.wait(timeout)
        finally:
            self.lock.acquire()
        return self._card_answer if self._reply.is_set() else None

    def card_answers(self, frame: bytes, _status: int = 0) -> None:
        self._card_answer = frame
        self._reply.set()

    def tells_field(self) -> bool:
        """Whether a field that goes is an error; a command that is being worked on is done before."""
        with self.lock:
            return self.rf_off_error
