"""The real command, `nfcbridge serve`, in a process of its own."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]

COMMAND: Final = str(Path(sys.executable).with_name("nfcbridge"))
"""The console script of the environment that runs the tests."""

START_TIMEOUT: Final = 60.0
"""Seconds until the `ready` line. It comes within 0.5 s; a busy machine that also measures coverage takes its time."""

STOP_TIMEOUT: Final = 20.0
"""Seconds from SIGTERM to the end of the process; it allows itself 2."""


class Served:
    """A running server.

    Attributes:
        nfc: name of the link as the server announced it, with the real port.
        http: URL of the HTTP side as announced.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self._stdout = process.stdout
        self.nfc = ""
        self.http = ""
        self._seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pump = threading.Thread(target=self._read_lines, name="served-output", daemon=True)
        self._pump.start()

    def wait_for_line(self, start: str, timeout: float) -> str:
        """Returns the next line of output that starts so; fails with all that was printed."""
        while True:
            try:
                line = self._lines.get(timeout=timeout)
            except queue.Empty:
                line = None
            if line is None:
                message = f"nfcbridge printed no line starting {start!r}, but:\n{self.output()}"
                raise AssertionError(message)
            if line.startswith(start):
                return line

    def wait_ready(self) -> None:
        """Waits for the line that scripts wait for, and takes link and URL from it."""
        words = self.wait_for_line("ready ", START_TIMEOUT).split()
        fields = dict(word.split("=", 1) for word in words[1:])
        self.nfc, self.http = fields["nfc"], fields["http"]

    def stop(self) -> int:
        """Sends SIGTERM, waits, and returns the exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(STOP_TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()
            self._pump.join()
            self._stdout.close()
        return status

    def output(self) -> str:
        """Returns what was printed so far, both streams."""
        return "".join(self._seen)

    def _read_lines(self) -> None:
        for line in self._stdout:
            self._seen.append(line)
            self._lines.put(line)
        self._lines.put(None)


@contextlib.contextmanager
def serving(*arguments: str, inside: Sequence[str] = ()) -> Iterator[Served]:
    """Runs `nfcbridge serve` with these arguments until the block ends; then it must end well.

    Args:
        arguments: options of the command.
        inside: words before the command, such as those that enter a namespace.
    """
    process = subprocess.Popen(
        [*inside, COMMAND, "serve", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
        # An application of the tests is imported by the name tests.foreign...
        env=os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
    )
    served = Served(process)
    try:
        served.wait_ready()
        yield served
    finally:
        status = served.stop()
    # Not in `finally`: the first failure is the one to read.
    assert status == 0, f"nfcbridge serve ended with {status}:\n{served.output()}"
