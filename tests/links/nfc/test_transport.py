"""Waiting for a chip without cancelling what it does."""

import contextlib
import errno
import os
import pty
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import serial

from nfcbridge.links.nfc import transport
from nfcbridge.links.nfc.transport import ACK, frame_size, patient
from tests.links.nfc.fake_chip import frame_of
from tests.links.running import PATIENCE


class Port:
    """A transport of nfcpy: USB without a file descriptor."""

    TYPE = "USB"
    baudrate = 0

    def __init__(self, *frames: bytes | OSError) -> None:
        self.frames = list(frames)
        self.waits: list[int] = []
        self.closed = False

    def read(self, timeout: int) -> bytes:
        self.waits.append(timeout)
        frame = self.frames.pop(0)
        if isinstance(frame, OSError):
            raise frame
        return frame

    def write(self, _frame: bytes) -> None:
        pass

    def close(self) -> None:
        self.closed = True


LATE = OSError(errno.ETIMEDOUT, "late")


def test_what_was_waited_for_stays_to_be_read() -> None:
    port = Port(LATE, b"\x01", b"\x02")
    waiting = patient(port)
    assert not waiting.wait(0.05)
    assert waiting.wait(10)
    assert waiting.wait(0)  # it is there
    assert waiting.read(50) == b"\x01"
    assert waiting.read(7) == b"\x02"
    assert port.waits == [50, 100, 7]
    waiting.wake()  # where nobody can be woken
    waiting.close()
    assert port.closed


def test_a_new_command_forgets_what_was_waited_for() -> None:
    waiting = patient(Port(b"\x01", b"\x02"))
    assert waiting.wait(1)
    waiting.write(b"")
    assert waiting.read() == b"\x02"


def test_a_port_that_is_gone_is_no_silence() -> None:
    waiting = patient(Port(OSError(errno.ENODEV, "gone")))
    with pytest.raises(OSError, match="gone"):
        waiting.wait(1)


def test_the_first_acknowledgement_after_an_arrival_is_noted() -> None:
    waiting = patient(Port(b"\x01", ACK, b"\x02", ACK))
    assert waiting.wait(1)
    assert waiting.read() == b"\x01"
    assert waiting.arrived_at <= waiting.responded_at
    assert waiting.read() == ACK
    first = waiting.acked_first_at
    assert first == waiting.acked_at >= waiting.responded_at
    assert waiting.read() == b"\x02"
    assert waiting.read() == ACK
    assert waiting.acked_first_at == first < waiting.acked_at


class Tty(Port):
    """A transport of nfcpy on a pty, of which the test has the other end."""

    TYPE = "TTY"

    def __init__(self) -> None:
        super().__init__()
        self.master, slave = pty.openpty()
        self.slave = os.ttyname(slave)
        self.tty: Any = serial.Serial(self.slave, 115_200, timeout=0.05)
        os.close(slave)

    def close(self) -> None:
        if self.tty is not None:
            self.tty.close()
            self.tty = None


@pytest.fixture
def tty() -> Iterator[Tty]:
    port = Tty()
    yield port
    port.close()
    with contextlib.suppress(OSError):
        os.close(port.master)


SHORT = bytes.fromhex("0000FF03FDD591009A00")
NACK = bytes.fromhex("0000FFFF0000")
LONG = frame_of(b"\xd5\x89\x00" + bytes(254))


def test_a_serial_port_is_waited_for_with_the_way_to_be_woken(tty: Tty) -> None:
    waiting = patient(tty)
    assert not waiting.wait(0.01)
    timer = threading.Timer(0.02, waiting.wake)
    timer.start()
    began = time.monotonic()
    assert not waiting.wait(PATIENCE)
    assert time.monotonic() - began < 1
    timer.join()
    os.write(tty.master, SHORT)
    assert waiting.wait(PATIENCE)
    assert waiting.read(100) == SHORT
    waiting.baudrate = 9600
    assert waiting.baudrate == tty.baudrate == 9600
    waiting.close()
    waiting.wake()
    waiting.close()
    for action in (lambda: waiting.read(1), lambda: waiting.write(b"\0"), lambda: waiting.wait(0)):
        with pytest.raises(OSError, match="gone"):
            action()


@pytest.mark.parametrize("frame", [ACK, NACK, SHORT, LONG, frame_of(bytes(255)), frame_of(bytes(256))], ids=len)
def test_the_length_of_a_frame_is_told_as_soon_as_it_can_be(frame: bytes) -> None:
    known = [frame_size(bytearray(frame[:size])) for size in range(len(frame) + 1)]
    assert set(known) <= {0, len(frame)}
    assert known[8:] == [len(frame)] * len(known[8:])


@pytest.mark.parametrize("size", [1, 3, 7])
def test_frames_are_put_together_and_cut_apart_whatever_comes_at_once(tty: Tty, size: int) -> None:
    waiting = patient(tty)
    frames = [ACK, SHORT, LONG, NACK, SHORT]
    octets = b"\x55\x00" + b"\x00".join(frames)

    def dribble() -> None:
        for at in range(0, len(octets), size):
            os.write(tty.master, octets[at : at + size])

    thread = threading.Thread(target=dribble)
    thread.start()
    for frame in frames:
        while not waiting.wait(PATIENCE):
            pass
        assert waiting.read(5000) == frame
    thread.join()


def test_what_was_received_before_a_command_is_forgotten(tty: Tty) -> None:
    waiting = patient(tty)
    os.write(tty.master, SHORT + SHORT[:4])
    assert waiting.wait(PATIENCE)
    waiting.read(100)
    waiting.write(ACK)
    assert os.read(tty.master, 100) == ACK
    os.write(tty.master, SHORT)
    assert waiting.read(1000) == SHORT


def test_half_a_frame_is_a_silence(tty: Tty) -> None:
    waiting = patient(tty)
    os.write(tty.master, SHORT[:-1])
    assert waiting.wait(PATIENCE)
    with pytest.raises(OSError) as silent:  # noqa: PT011 - the number tells
        waiting.read(1)
    assert silent.value.errno == errno.ETIMEDOUT


def test_a_port_that_takes_nothing_is_no_port(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = patient(tty)
    monkeypatch.setattr(transport, "WRITE", 0.01)
    with pytest.raises(OSError, match="does not take"):
        waiting.write(bytes(100_000))


def test_a_cable_that_is_pulled_is_told(tty: Tty) -> None:
    waiting = patient(tty)
    os.close(tty.master)
    assert waiting.wait(PATIENCE)
    with pytest.raises(OSError):  # noqa: PT011 - EIO or none of the octets that were to be there, by the system
        waiting.read(100)
