"""A PN532 board on a serial port that is a pty: what nfcpy's driver opens, and a cable that can be pulled."""

import os
import select
import termios
import threading
import tty
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.links.nfc.fake_chip import FakeChip

PATIENCE: Final = 5.0
SPEEDS: Final = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()
}


class FakePn532:
    """The board. `path` stays the same when it is unplugged and plugged again, as by /dev/serial/by-id.

    Args:
        path: where the link to the port is put.
        chip: on the board.
    """

    def __init__(self, path: Path, chip: FakeChip | None = None) -> None:
        self.path = path
        self.chip = chip or FakeChip()
        self.chip.emit = self._emit
        self.chip.host_baud = self._host_baud
        self._master = self._slave = -1
        self._wake_out, self._wake_in = os.pipe()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The name of the link."""
        return f"nfc:tty:{self.path}:pn532"

    def plug(self) -> None:
        """Put the cable in; the chip starts anew if it was without power."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        temporary = self.path.with_suffix(".new")
        temporary.symlink_to(os.ttyname(self._slave))
        temporary.replace(self.path)
        self._thread = threading.Thread(target=self._run, args=(self._master,), daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Pull the cable."""
        master, slave = self._master, self._slave
        if master < 0:
            return
        with self.chip.lock:
            self._master = self._slave = -1
        self.path.unlink(missing_ok=True)
        os.write(self._wake_in, b"\0")
        assert self._thread is not None
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        os.read(self._wake_out, 1)
        os.close(master)
        os.close(slave)
        self.chip.__init__(self.chip.kind, self._emit)  # type: ignore[misc]  # no power: as it was made
        self.chip.host_baud = self._host_baud

    def _host_baud(self) -> int:
        slave = self._slave
        return SPEEDS[termios.tcgetattr(slave)[5]] if slave >= 0 else 0  # pulled: nothing is understood

    def _emit(self, octets: bytes) -> None:
        if self._master >= 0:
            os.write(self._master, octets)

    def _run(self, master: int) -> None:
        while self._master == master:
            deadline = self.chip.deadline is not None
            ready, _, _ = select.select([master, self._wake_out], [], [], 0.002 if deadline else None)
            if self._wake_out in ready:
                return
            if master in ready:
                self.chip.receive(os.read(master, 4096))
            self.chip.tick()

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()
        os.close(self._wake_in)
        os.close(self._wake_out)
