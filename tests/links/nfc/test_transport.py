"""Waiting for a chip without cancelling what it does."""

import errno
import os
import threading
import time
from typing import Any

import pytest

from nfcbridge.links.nfc.transport import ACK, PatientTransport
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
    patient = PatientTransport(port)
    assert not patient.wait(0.05)
    assert patient.wait(10)
    assert patient.wait(0)  # it is there
    assert patient.read(50) == b"\x01"
    assert patient.read(7) == b"\x02"
    assert port.waits == [50, 100, 7]
    patient.wake()  # where nobody can be woken
    patient.close()
    assert port.closed


def test_a_new_command_forgets_what_was_waited_for() -> None:
    patient = PatientTransport(Port(b"\x01", b"\x02"))
    assert patient.wait(1)
    patient.write(b"")
    assert patient.read() == b"\x02"


def test_a_port_that_is_gone_is_no_silence() -> None:
    patient = PatientTransport(Port(OSError(errno.ENODEV, "gone")))
    with pytest.raises(OSError, match="gone"):
        patient.wait(1)


def test_the_first_acknowledgement_after_an_arrival_is_noted() -> None:
    patient = PatientTransport(Port(b"\x01", ACK, b"\x02", ACK))
    assert patient.wait(1)
    assert patient.read() == b"\x01"
    assert patient.arrived_at <= patient.responded_at
    assert patient.read() == ACK
    first = patient.acked_first_at
    assert first == patient.acked_at >= patient.responded_at
    assert patient.read() == b"\x02"
    assert patient.read() == ACK
    assert patient.acked_first_at == first < patient.acked_at


def test_a_serial_port_is_waited_for_with_the_way_to_be_woken() -> None:
    reading, writing = os.pipe()

    class Tty(Port):
        TYPE = "TTY"
        tty: Any = os.fdopen(reading, "rb", buffering=0)

    patient = PatientTransport(Tty())
    assert not patient.wait(0.01)
    threading.Timer(0.02, patient.wake).start()
    began = time.monotonic()
    assert not patient.wait(PATIENCE)
    assert time.monotonic() - began < 1
    os.write(writing, b"\0")
    assert patient.wait(PATIENCE)
    patient.close()
    patient.wake()
    patient.baudrate = 9600
    assert patient.baudrate == 9600
    Tty.tty.close()
    os.close(writing)
