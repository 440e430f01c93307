"""A room for PC/SC: pcscd and vpcd's virtual reader in a network and mount namespace of their own.

    tests ----- nsenter -----> room: lo, /run/pcscd on a tmpfs
                               pcscd -- libifdvpcd (TCP 35963, 35964) <-- nfcbridge serve --link vpcd:...
                                 ^----- pyscard, opensc-tool

Two rooms do not see each other, nor the machine's own pcscd and readers: the ports and the socket's path are free in
each.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from nfcbridge.links import vpcd
from tests.conftest import Peers
from tests.foreign.served import PROJECT

READER: Final = "Virtual PCD 00 00"
"""The name that pcscd gives to the first slot."""

VPCD: Final = "127.0.0.1:35963"
"""Where the driver of that slot listens for its card."""

DRIVER: Final = Path("/etc/reader.conf.d/vpcd")
"""What tells pcscd about the virtual reader."""

START_TIMEOUT: Final = 30.0
"""Seconds until pcscd accepts a client. It takes 0.1 s where nothing else runs."""

PROGRAM_TIMEOUT: Final = 60.0
"""Seconds for a program in the room. It includes pcscd's look for a new card, which it takes every 0.4 s."""

# The mount of the new namespace is private to it, since unshare makes it so. pcscd must be the process that is known
# by its id outside, hence exec.
_FURNISH: Final = """
ip link set lo up &&
mkdir -p /run/pcscd &&
mount -t tmpfs tmpfs /run/pcscd &&
exec pcscd --foreground --error
"""

# A socket stays in the namespace in which it was made, whoever holds it.
_CONNECT: Final = """
import socket, sys
with socket.socket(fileno=int(sys.argv[1])) as to, socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as card:
    socket.send_fds(to, [b"1"], [card.fileno()])
"""


def _environment() -> dict[str, str]:
    """That of this process, without its own place of pcscd, see `tests.conftest`."""
    return {name: value for name, value in os.environ.items() if name != "PCSCLITE_CSOCK_NAME"}


class Room:
    """An open room.

    Args:
        process: pcscd, in its namespaces.
        enter: words that run a command in them.
    """

    def __init__(self, process: "subprocess.Popen[str]", enter: Sequence[str]) -> None:
        self.process = process
        self.enter = tuple(enter)

    def run(self, *command: str) -> str:
        """Runs a program in the room, which must exit with 0, and returns its standard output."""
        done = subprocess.run(
            [*self.enter, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT,
            check=False,
            cwd=PROJECT,
            env=_environment(),
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_python(self, module: str, *arguments: str) -> str:
        """Runs a module of the tests in the room, with the interpreter of the tests."""
        return self.run(sys.executable, "-m", module, *arguments)

    def connect(self, port: int) -> socket.socket:
        """Returns a socket of this process that is connected to a port of the room's loopback."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            words = [*self.enter, sys.executable, "-c", _CONNECT, str(theirs.fileno()), str(port)]
            subprocess.run(words, pass_fds=[theirs.fileno()], check=True, timeout=PROGRAM_TIMEOUT, cwd=PROJECT)
            _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=descriptor)

    @property
    def pcscd(self) -> str:
        """The path of pcscd's socket, from outside of the room."""
        return f"/proc/{self.process.pid}/root/run/pcscd/pcscd.comm"

    def wait_open(self) -> None:
        """Waits until pcscd takes clients."""
        path = self.pcscd
        end = time.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
                return
            assert self.process.poll() is None, f"pcscd ended at once:\n{self.process.communicate()[0]}"
            assert time.monotonic() < end, f"pcscd took no client within {START_TIMEOUT} s"
            time.sleep(0.01)  # nothing tells when a path of another namespace appears

    @contextlib.contextmanager
    def furnishing(self, pcscd_socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Makes PC/SC of this process, and the virtual reader of its `vpcd` link, those of the room."""
        pcscd_socket.symlink_to(self.pcscd)
        monkeypatch.setattr(vpcd, "connect_to_port", lambda _host, port: self.connect(port))
        yield
        wait_until_empty()
        pcscd_socket.unlink()

    def close(self) -> None:
        """Ends pcscd, and with it the namespaces."""
        self.process.kill()
        self.process.communicate()


def wait_until_empty() -> None:
    """Waits until pcscd has noticed that the cards are gone, for which it looks every 0.4 s."""
    from smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    states = [(f"Virtual PCD 00 0{slot}", scard.SCARD_STATE_UNAWARE) for slot in (0, 1)]
    while not all(state & scard.SCARD_STATE_EMPTY for _, state in states):
        code, told = scard.SCardGetStatusChange(context, int(PROGRAM_TIMEOUT * 1000), states)
        assert code == scard.SCARD_S_SUCCESS
        states = [(name, state & ~scard.SCARD_STATE_CHANGED) for name, state, _ in told]
    scard.SCardReleaseContext(context)


def _missing(peers: Peers) -> None:
    """Ends the test unless what a room needs is here."""
    for program, package in (
        ("pcscd", "pcscd"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("setpriv", "util-linux"),
        ("mount", "mount"),
    ):
        peers.program(program, package=package)
    if not DRIVER.exists():
        peers.missing("the virtual reader is not installed: apt-get install --no-install-recommends vsmartcard-vpcd")


@contextlib.contextmanager
def open_room(peers: Peers) -> Iterator[Room]:
    """Opens a room until the block ends; without the rights or programs for it the test ends as `missing_peer` does."""
    _missing(peers)
    # A plain user makes the namespaces in a user namespace, where the kernel allows it.
    plain = os.geteuid() != 0
    unshare = ("unshare", *(("--user", "--map-root-user") if plain else ()), "--net", "--mount")
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True, timeout=START_TIMEOUT, check=False)
    if tried.returncode:
        peers.missing(f"no private namespace ({tried.stderr.strip()}): run the tests as root")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    process = subprocess.Popen(
        # The room ends with the tests, however they end.
        [shutil.which("setpriv", path=path) or "setpriv", "--pdeathsig", "KILL", *unshare, "sh", "-c", _FURNISH],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment() | {"PATH": path},
    )
    user = ("--user", "--preserve-credentials") if plain else ()
    # --root: of a build that runs in a chroot, where the namespace's own root is another one.
    where = ("--net", "--mount", "--root", f"--wd={PROJECT}")
    room = Room(process, ("nsenter", "--target", str(process.pid), *user, *where))
    try:
        room.wait_open()
        yield room
    finally:
        room.close()
