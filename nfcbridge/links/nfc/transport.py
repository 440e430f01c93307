"""nfcpy's transport to a chip, and a way to wait for the chip's response that does not cancel the command.

A driver that waits for a phone gives its command a time-out; when that is over it cancels the command and gives it
again. In between the chip is deaf, and a frame that came in that moment is lost. Here a command that waits for the air
is given once, with no time to wait; `wait` then looks for the response as often and as long as anybody likes.
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


class PatientTransport:
    """Stands before a transport of nfcpy.

    Args:
        inner: the transport, which is closed with this one.

    Attributes:
        arrived_at: the time (`time.perf_counter`) at which `wait` saw the last response.
        acked_first_at: the time at which the chip acknowledged the first command after that.
        acked_at: the time at which it acknowledged the last command.
        responded_at: the time at which the last response was read.
    """

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - nfcpy has no types
        self._inner = inner
        self._held: Any = None
        self.arrived_at = 0.0
        self.acked_first_at = 0.0
        self.acked_at = 0.0
        self.responded_at = 0.0
        self._wake_out = self._wake_in = -1
        if inner.TYPE == "TTY" and sys.platform != "win32":
            self._wake_out, self._wake_in = os.pipe()

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
        """Return a frame, waiting some milliseconds; 0: as nfcpy understands it."""
        frame, self._held = self._held, None
        if frame is None:
            frame = self._inner.read(timeout)
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
        if self._held is not None:
            return True
        if self._wake_out >= 0:
            port = self._inner.tty
            ready, _, _ = select.select([port.fileno(), self._wake_out], [], [], timeout)
            here = port.fileno() in ready
        else:
            try:
                self._held = self._inner.read(max(1, int(1000 * min(timeout, SLICE))))
            except OSError as error:
                if error.errno != errno.ETIMEDOUT:
                    raise
            here = self._held is not None
        if here:
            self.arrived_at = time.perf_counter()
        return here

    def wake(self) -> None:
        """Let a `wait` of another thread return; any thread may call it."""
        if self._wake_in >= 0:
            with contextlib.suppress(OSError):  # closed meanwhile
                os.write(self._wake_in, b"\0")

    def close(self) -> None:
        """Close the port."""
        self._inner.close()
        wake_out, wake_in = self._wake_out, self._wake_in
        self._wake_out = self._wake_in = -1
        if wake_out >= 0:
            os.close(wake_in)
            os.close(wake_out)
