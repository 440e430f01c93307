"""nfcpy's transport to a chip, and a way to wait for the chip's response that does not cancel the command.

A driver that waits for a phone gives its command a time-out; when that is over it cancels the command and gives it
again. In between the chip is deaf, and a frame that came in that moment is lost. Here a command that waits for the air
is given once, with no time to wait; `wait` then looks for the response as often and as long as anybody likes.

A serial port is read here and not by nfcpy, which sets the port up anew for every read, waits 50 ms at least and trips
over a frame that is not whole. Frames of a PN53x to its host:

    00 00 FF 00 FF 00                            acknowledgement; FF 00 in the middle: the chip wants it again
    00 00 FF LEN LCS data DCS 00                 LEN and LCS make 0, data and DCS make 0
    00 00 FF FF FF LEN LEN LCS data DCS 00       an extended one
"""

import contextlib
import errno
import os
import select
import sys
import time
from typing import Any, Final

SLICE: Final = 0.1
"""Seconds between looks whether somebody else wants something, where the port of a chip cannot be waited for together
with other things: USB."""

ACK: Final = bytes.fromhex("0000FF00FF00")
"""Host and chip acknowledge commands by it, PN53x and Port-100 alike; from the host it also cancels a command."""

LONGEST_WAIT: Final = 10.0
"""Seconds of a wait on USB to which the driver of the RC-S380 sets no end: the chip itself takes 6.5 s at most. A chip
that has hung must not hang us too."""

MAX_LEFT_OVER: Final = 64
"""Frames that are thrown away at most: a chip has room for a few, and one that never ends is no chip."""

SHORTEST_WAIT: Final = 0.05
"""Seconds that a serial port gets at least for a response, as nfcpy has it: adapters collect octets."""

WRITE: Final = 1.0
"""Seconds for a frame to leave: 275 octets take 24 ms at the lowest speed."""

_START: Final = b"\x00\x00\xff"
_CHUNK: Final = 512
_GONE: Final = "the port has gone"


def patient(inner: Any) -> "PatientTransport":  # noqa: ANN401 - nfcpy has no types
    """Return what stands before a transport of nfcpy; itself, if it is one that does."""
    if isinstance(inner, PatientTransport):
        return inner
    if inner.TYPE == "TTY" and sys.platform != "win32":
        return SerialTransport(inner)
    return PatientTransport(inner)


def frame_size(octets: bytearray) -> int:
    """Return how long the frame is that begins here; 0 if not enough of it is there to tell."""
    if len(octets) < len(ACK):
        return 0
    size, check = octets[3], octets[4]
    if {size, check} == {0x00, 0xFF}:
        return len(ACK)
    if size != 0xFF or check != 0xFF:  # noqa: PLR2004 - see above
        return size + 7
    return int.from_bytes(octets[5:7], "big") + 10 if len(octets) > len(ACK) else 0


class PatientTransport:
    """Stands before a transport of nfcpy.

    `wake_up` are octets that a chip needs before others when it may be asleep.

    Args:
        inner: the transport, which is closed with this one.

    Attributes:
        arrived_at: the time (`time.perf_counter`) at which `wait` saw the last response.
        acked_first_at: the time at which the chip acknowledged the first command after that.
        acked_at: the time at which it acknowledged the last command.
        responded_at: the time at which the last response was read.
    """

    wake_up = b""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - nfcpy has no types
        self._inner = inner
        self._held: Any = None
        self.arrived_at = 0.0
        self.acked_first_at = 0.0
        self.acked_at = 0.0
        self.responded_at = 0.0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever drivers ask their transport for
        return getattr(self._inner, name)

    @property
    def baudrate(self) -> int:
        """Bit/s of a serial line."""
        speed: int = self._inner.baudrate
        return speed

    @baudrate.setter
    def baudrate(self, speed: int) -> None:
        self._inner.baudrate = speed

    def write(self, frame: bytes) -> None:
        """Send a frame. What was received before and not read belongs to nothing any more."""
        self._held = None
        self._inner.write(frame)

    def read(self, timeout: int = 0) -> Any:  # noqa: ANN401 - as nfcpy's
        """Return a frame, waiting some milliseconds; 0: as long as any command of a chip takes."""
        frame, self._held = self._held, None
        if frame is None:
            frame = self._get(timeout)
        now = time.perf_counter()
        if frame == ACK:
            self.acked_at = now
            if self.acked_first_at < self.arrived_at:
                self.acked_first_at = now
        else:
            self.responded_at = now
        return frame

    def wait(self, timeout: float) -> bool:
        """Wait for a response, which stays to be read.

        Args:
            timeout: seconds; a true answer may come earlier, a false one too if `wake` was called.

        Raises:
            OSError: the device is gone.
        """
        if self._held is None and not self._look(timeout):
            return False
        self.arrived_at = time.perf_counter()
        return True

    def drop(self, quiet: float) -> None:
        """Throw away what the chip sends, until it says nothing for so many seconds.

        A command that is cancelled may have been answered in the same moment; its response would be taken for that of
        the next one.
        """
        self._held = None
        for _ in range(MAX_LEFT_OVER):
            try:
                self._inner.read(max(1, int(1000 * quiet)))
            except OSError as error:
                if error.errno == errno.ETIMEDOUT:
                    return
                raise
        raise OSError(errno.EIO, "the reader sends without end")

    def _get(self, timeout: int) -> Any:  # noqa: ANN401
        return self._inner.read(timeout or int(1000 * LONGEST_WAIT))

    def _look(self, timeout: float) -> bool:
        try:
            self._held = self._inner.read(max(1, int(1000 * min(timeout, SLICE))))
        except OSError as error:
            if error.errno != errno.ETIMEDOUT:
                raise
        return self._held is not None

    def wake(self) -> None:
        """Let a `wait` of another thread return soon; any thread may call it."""

    def close(self) -> None:
        """Close the port."""
        self._inner.close()


class SerialTransport(PatientTransport):
    """The same for a serial port.

    A PN532 that waits for a field is in power down (libnfc: pn53x_transceive) and wakes up by edges on its line, while
    which it loses them; nfcpy begins with 10 octets of 0 too.
    """

    wake_up = bytes(10)

    def __init__(self, inner: Any) -> None:  # noqa: ANN401
        super().__init__(inner)
        self._received = bytearray()
        self._wake_out, self._wake_in = os.pipe()

    def write(self, frame: bytes) -> None:
        """Send a frame."""
        self._held = None
        self._received.clear()
        port = self._port
        port.reset_input_buffer()
        fd = port.fileno()
        rest = memoryview(bytes(frame))
        while rest:
            _, ready, _ = select.select([], [fd], [], WRITE)
            if not ready:
                raise OSError(errno.EIO, "the port does not take what is sent")
            rest = rest[os.write(fd, rest) :]

    def drop(self, quiet: float) -> None:
        """Wait for what the chip may still send; the next `write` throws it away."""
        time.sleep(quiet)

    @property
    def _port(self) -> Any:  # noqa: ANN401 - pyserial's
        port = self._inner.tty
        if port is None:
            raise OSError(errno.ENODEV, _GONE)
        return port

    def _get(self, timeout: int) -> Any:  # noqa: ANN401
        give_up = time.monotonic() + max(timeout / 1000, SHORTEST_WAIT)
        fd = self._port.fileno()
        while (frame := self._cut()) is None:
            ready, _, _ = select.select([fd], [], [], max(0.0, give_up - time.monotonic()))
            if not ready:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            octets = os.read(fd, _CHUNK)
            if not octets:
                raise OSError(errno.ENODEV, _GONE)
            self._received += octets
        return frame

    def _cut(self) -> bytearray | None:
        """Take the first frame out of what was received; what is before it is noise."""
        received = self._received
        start = received.find(_START)
        if start < 0:
            del received[:-2]  # which may be a beginning
            return None
        del received[:start]
        size = frame_size(received)
        if not 0 < size <= len(received):
            return None
        frame = received[:size]
        del received[:size]
        return frame

    def _look(self, timeout: float) -> bool:
        self._held = self._cut()
        if self._held is not None:
            return True
        fd = self._port.fileno()
        ready, _, _ = select.select([fd, self._wake_out], [], [], timeout)
        return fd in ready

    def wake(self) -> None:
        """Let a `wait` of another thread return at once; any thread may call it."""
        with contextlib.suppress(OSError):  # closed meanwhile
            os.write(self._wake_in, b"\0")

    def close(self) -> None:
        """Close the port."""
        super().close()
        wake_out, wake_in = self._wake_out, self._wake_in
        self._wake_out = self._wake_in = -1
        if wake_out >= 0:
            os.close(wake_in)
            os.close(wake_out)
