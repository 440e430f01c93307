"""Runs the command line as a user does: in a process of its own, at a terminal of a given width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
PROGRAM: Final = [sys.executable, "-c", "import sys; from nfcbridge.cli import main; sys.exit(main())"]

WISHES: Final = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES")
"""Variables by which whoever runs the tests may have asked for colours, or for none."""

ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*m")


def environment(**others: str) -> dict[str, str]:
    """Return the environment of the tests without wishes about terminals, and with what is given."""
    plain = {name: value for name, value in os.environ.items() if name not in WISHES}
    return plain | {"PYTHONPATH": str(PROJECT), "TERM": "xterm-256color"} | others


def run_in_terminal(*args: str, columns: int = 140, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, which is to be a good one; return what it printed, with LF for CR LF."""
    ours, its = pty.openpty()
    try:
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(
            [*PROGRAM, *args], stdin=its, stdout=its, stderr=its, env=environment(**(variables or {}))
        ) as process:
            os.close(its)
            octets = read_terminal(ours)
        assert process.returncode == 0
    finally:
        os.close(ours)
    return octets.decode().replace("\r\n", "\n")


def read_terminal(descriptor: int) -> bytes:
    """Return what comes until nobody has the other side open."""
    octets = b""
    try:
        while piece := os.read(descriptor, 65_536):
            octets += piece
    except OSError:  # EIO: this is how Linux tells the end of a pseudo-terminal
        return octets
    return octets


def run_in_pipe(*args: str, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, which is to be a good one; return what it printed on stdout."""
    done = subprocess.run(
        [*PROGRAM, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        env=environment(**(variables or {})),
    )
    assert not done.stderr
    return done.stdout


def without_escapes(text: str) -> str:
    """Return what is seen of text with colours."""
    return ESCAPES.sub("", text)
