"""A PN53x without silicon: commands of its host in, responses out, and the air on the other side. Sans I/O.

What it does was taken from what nfcpy and libnfc ask of the real chips and read from their answers, and from published
logs of PN532 boards as targets (`8D 08 E0 80`, `87 00 00 A4 04 00 ..`, `87 29`). It keeps those ways of the chip that
matter to a host:

* one command at a time: a new one, or an acknowledgement from the host, cancels what waits for the air;
* the reader of the air is heard while the host works: one frame is kept until it is asked for;
* ISO 14443-3 is answered while TgInitAsTarget waits, and at no other time;
* the speed of a serial line changes with the acknowledgement after SetSerialBaudRate, and what comes at another speed
  is lost.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from nfcbridge.isodep import Ats, CardLink, CommandReceived, Deselected, SendFrame

ACK: Final = bytes.fromhex("0000FF00FF00")
SYNTAX_ERROR: Final = bytes.fromhex("0000FF01FF7F8100")
BAUD: Final = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
PICC_ATS: Final = Ats(fsci=5, fwi=9, cid=False)
RELEASED: Final = 0x29
TIMED_OUT: Final = 0x01
FIRMWARE: Final = {"pn532": "32010607", "pn533": "33020707", "pn531": "0402"}


class Line(NamedTuple):
    """A frame that crossed the line to the host."""

    to_host: bool
    octets: bytes
    at: float
    baud: int

    @property
    def seconds(self) -> float:
        """How long it takes on a serial line."""
        return 10 * len(self.octets) / self.baud


def frame_of(data: bytes) -> bytes:
    """A frame between host and chip, either way; an extended one if it must be."""
    if len(data) < 256:
        head = bytes([len(data), -len(data) & 0xFF])
    else:
        size = len(data).to_bytes(2, "big")
        head = b"\xff\xff" + size + bytes([-sum(size) & 0xFF])
    return b"\x00\x00\xff" + head + data + bytes([-sum(data) & 0xFF, 0])


class AirCardLike:
    """What the chip asks of a card in its own field."""

    identity_octets: tuple[bytes, int, bytes]

    def select(self) -> bool:
        """Go through ISO 14443-3; False: not there."""
        raise NotImplementedError

    def hear(self, frame: bytes) -> None:
        """A frame of ISO 14443-4; an answer goes to `FakeChip.card_answers`, at once or later."""
        raise NotImplementedError

    def field_off(self) -> None:
        """No power."""
        raise NotImplementedError


class FakeChip:
    """The chip.

    Args:
        kind: pn531, pn532 or pn533.
        emit: takes what goes to the host; may be set later.

    Attributes:
        lines: everything that crossed the line.
        commands: the codes of the commands received.
        waiting: the command that waits for the air; None: nothing.
        selected: a reader has selected the card.
        field: the field of the reader outside is on.
        host_baud: what the host's end of the line is set to; None: as the chip's.
    """

    def __init__(self, kind: str = "pn532", emit: Callable[[bytes], None] | None = None) -> None:
        self.kind = kind
        self.emit = emit or (lambda _octets: None)
        self.lines: list[Line] = []
        self.commands: list[int] = []
        self.baud = 115_200
        self.highest_baud = 921_600
        self.host_baud: Callable[[], int] | None = None
        self.line_errors_above = 10_000_000
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.parameters = 0
        self.registers: dict[int, int] = {}
        self.timings = b""
        self._in = bytearray()
        self._delayed: list[bytes] | None = None
        self._next_baud: int | None = None
        # as a card
        self.waiting: int | None = None
        self.picc = False
        self.type_a = b""
        self.historical = b""
        self.field = False
        self.selected = False
        self.heard: bytes | None = None  # a frame of the reader that was not asked for yet
        self.answers: list[bytes] = []
        self.link: CardLink | None = None  # of the firmware
        self.refuse_answers = 0  # statuses to give to answers before it goes on: one each
        self.garbage = b""  # sent in the place of the next response
        # as a reader
        self.cards: list[AirCardLike] = []
        self.own_field = False
        self.deadline: float | None = None

    # The line

    def receive(self, octets: bytes) -> None:
        """Octets from the host."""
        with self.lock:
            if self.host_baud is not None and (speed := self.host_baud()) != self.baud:
                # nfcpy closes the port right after the acknowledgement, and a pty forgets it then.
                if speed != self._next_baud:
                    return  # noise
                self._acknowledged()
            self._in += octets
            while self._parse():
                pass

    def _parse(self) -> bool:
        start = self._in.find(b"\x00\xff")
        if start < 0:
            del self._in[:-1]
            return False
        body = self._in[start + 2 :]
        if len(body) < 3:
            return False
        if body[:2] == b"\x00\xff":
            del self._in[: start + 5]
            self._acknowledged()
            return True
        if body[:2] == b"\xff\xff":
            if len(body) < 5:
                return False
            size, head = int.from_bytes(body[2:4], "big"), 5
        else:
            size, head = body[0], 2
        if len(body) < head + size + 2:
            return False
        data = bytes(body[head : head + size])
        self.lines.append(Line(False, frame_of(data), time.perf_counter(), self.baud))
        del self._in[: start + 2 + head + size + 2]
        # What a test sees of a command must be done when its host goes on, so the acknowledgement waits for that.
        self._delayed = []
        self._send(ACK)
        self._command(data[1], data[2:])
        delayed, self._delayed = self._delayed, None
        for octets in delayed:
            self.emit(octets)
        return True

    def _acknowledged(self) -> None:
        if self._next_baud is not None:
            self.baud, self._next_baud = self._next_baud, None
        self.waiting = None
        self.deadline = None

    def _send(self, octets: bytes) -> None:
        self.lines.append(Line(True, octets, time.perf_counter(), self.baud))
        if self.baud > self.line_errors_above:
            octets = bytes(octet ^ 0x10 for octet in octets)
        if self._delayed is None:
            self.emit(octets)
        else:
            self._delayed.append(octets)

    def respond(self, code: int, data: bytes = b"") -> None:
        """Send the response to a command."""
        octets = frame_of(bytes([0xD5, code + 1]) + data)
        if self.garbage:
            octets, self.garbage = self.garbage, b""
        self._send(octets)

    def count(self, code: int) -> int:
        """How often a command was received."""
        return self.seen().count(code)

    def seen(self) -> list[int]:
        """The commands so far; one that is being worked on is done before."""
        with self.lock:
            return list(self.commands)

    def waits_for(self) -> int | None:
        """The command that waits for the air."""
        with self.lock:
            return self.waiting

    # Commands

    def _command(self, code: int, data: bytes) -> None:
        self.commands.append(code)
        self.waiting = None
        self.deadline = None
        handler = self._HANDLERS.get(code)
        if handler is None:
            self._send(SYNTAX_ERROR)
        else:
            handler(self, code, data)
        self.changed.notify_all()

    def _diagnose(self, code: int, data: bytes) -> None:
        self.respond(code, data)

    def _version(self, code: int, _data: bytes) -> None:
        self.respond(code, bytes.fromhex(FIRMWARE[self.kind]))

    def _status(self, code: int, _data: bytes) -> None:
        self.respond(code, bytes([0, self.field, 0, 0]))

    def _read(self, code: int, data: bytes) -> None:
        addresses = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        if addresses[0] == 0xA000:
            self._send(SYNTAX_ERROR)  # no EEPROM
            return
        values = bytes(self.registers.get(address, 0x26 if address == 0x6339 else 0) for address in addresses)
        self.respond(code, (b"\x00" if self.kind == "pn533" else b"") + values)

    def _write(self, code: int, data: bytes) -> None:
        for at in range(0, len(data), 3):
            self.registers[int.from_bytes(data[at : at + 2], "big")] = data[at + 2]
        self.respond(code, b"\x00" if self.kind == "pn533" else b"")

    def _speed(self, code: int, data: bytes) -> None:
        self.respond(code)
        self._next_baud = BAUD[data[0]]

    def _set_parameters(self, code: int, data: bytes) -> None:
        self.parameters = data[0]
        self.respond(code)

    def _plain(self, code: int, _data: bytes) -> None:
        self.respond(code)

    def _power_down(self, code: int, _data: bytes) -> None:
        self.respond(code, b"\x00")

    def _configure(self, code: int, data: bytes) -> None:
        if data[0] == 0x01:
            self.own_field = bool(data[1] & 1)
            if not self.own_field:
                for card in self.cards:
                    card.field_off()
        if data[0] == 0x02:
            self.timings = data[1:]
        self.respond(code)

    # As a card

    def _init(self, code: int, data: bytes) -> None:
        assert data[0] in {1, 5}
        self.picc = bool(data[0] & 4)
        assert self.picc == bool(self.parameters & 0x20)
        self.type_a = data[1:7]
        if self.kind != "pn531":
            assert data[35] == 0  # general bytes
            self.historical = data[37 : 37 + data[36]]
        self.selected = False
        self.heard = None
        self.waiting = code

    def select(self) -> bytes | None:
        """The reader outside goes through ISO 14443-3. Its result is the UID."""
        if self.waiting != 0x8C or self.selected:
            return None
        self.field = self.selected = True
        self.link = CardLink(PICC_ATS) if self.picc else None
        return b"\x08" + self.type_a[2:5]

    def air(self, frame: bytes) -> None:
        """A frame of the reader outside."""
        if not self.selected:
            return
        if self.waiting == 0x8C:
            self.waiting = None
            if self.link is not None:
                self._to_firmware(frame)
                self.respond(0x8C, b"\x08" + frame)
            else:
                self.respond(0x8C, b"\x00" + frame)
        elif self.link is not None:
            self._to_firmware(frame)
        elif self.waiting == 0x88:
            self.waiting = None
            self.respond(0x88, b"\x00" + frame)
        else:
            self.heard = frame

    def _to_firmware(self, frame: bytes) -> None:
        assert self.link is not None
        for event in self.link.receive_frame(frame, time.monotonic()):
            if isinstance(event, SendFrame):
                self._to_air(event.frame)
            elif isinstance(event, CommandReceived):
                self.heard = event.apdu
                if self.waiting == 0x86:
                    self._give_heard(0x86)
            elif isinstance(event, Deselected):
                self._release()

    def tick(self) -> None:
        """The firmware's clock: S(WTX), the end of a wait for a card."""
        with self.lock:
            now = time.monotonic()
            if self.link is not None:
                for event in self.link.handle_timer(now):
                    if isinstance(event, SendFrame):
                        self._to_air(event.frame)
            if self.deadline is not None and now >= self.deadline:
                self.deadline = None
                self.respond(0x42, bytes([TIMED_OUT]))

    def _give_heard(self, code: int) -> None:
        assert self.heard is not None
        heard, self.heard = self.heard, None
        self.waiting = None
        self.respond(code, b"\x00" + heard)

    def _to_air(self, frame: bytes) -> None:
        self.answers.append(frame)
        self.changed.notify_all()

    def _release(self) -> None:
        self.selected = False
        if self.waiting in {0x86, 0x88}:
            code, self.waiting = self.waiting, None
            self.respond(code, bytes([RELEASED]))

    def lose_field(self) -> None:
        """The field of the reader outside goes."""
        with self.lock:
            self.field = False
            if self.selected:
                self._release()

    def _get(self, code: int, _data: bytes) -> None:
        if not self.selected:
            self.respond(code, bytes([RELEASED]))
        elif self.heard is not None:
            self._give_heard(code)
        else:
            self.waiting = code

    def _answer(self, code: int, data: bytes) -> None:
        if self.refuse_answers:
            status, self.refuse_answers = self.refuse_answers, 0
            self.respond(code, bytes([status]))
        elif not self.selected:
            self.respond(code, bytes([RELEASED]))
        else:
            if self.link is not None:
                for event in self.link.respond(data, time.monotonic()):
                    self._to_air(event.frame)
            else:
                self._to_air(data)
            self.respond(code, b"\x00")

    # As a reader

    def _list(self, code: int, data: bytes) -> None:
        self.own_field = True
        card = next((card for card in self.cards if data[1] == 0 and card.select()), None)
        if card is None:
            self.respond(code, b"\x00")
        else:
            sens_res, sel_res, uid = card.identity_octets
            # PN531 has the low octet first, and cascade tags; nfcpy puts that right.
            sens_res = sens_res if self.kind == "pn531" and len(uid) > 4 else sens_res[::-1]
            self.respond(code, b"\x01\x01" + sens_res + bytes([sel_res, len(uid)]) + uid)

    def _thru(self, code: int, data: bytes) -> None:
        if not self.own_field or not self.cards:
            self.respond(code, bytes([TIMED_OUT]))
            return
        self.waiting = code
        index = self.timings[-1]
        self.deadline = time.monotonic() + 100e-6 * (1 << (index - 1)) if index else None
        for card in self.cards:
            card.hear(data)

    def card_answers(self, frame: bytes, status: int = 0) -> None:
        """A card in the own field answers."""
        with self.lock:
            if self.waiting == 0x42:
                self.waiting = None
                self.deadline = None
                self.respond(0x42, bytes([status]) + frame)

    _HANDLERS: Final[dict[int, Callable[["FakeChip", int, bytes], None]]] = {
        0x00: _diagnose,
        0x02: _version,
        0x04: _status,
        0x06: _read,
        0x08: _write,
        0x10: _speed,
        0x12: _set_parameters,
        0x14: _plain,
        0x16: _power_down,
        0x32: _configure,
        0x42: _thru,
        0x4A: _list,
        0x86: _get,
        0x88: _get,
        0x8C: _init,
        0x8E: _answer,
        0x90: _answer,
    }
