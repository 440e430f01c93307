"""Ctrl-C, as the signal that it is: no command dies with a traceback, or leaves a phone in the field."""

import asyncio
import fcntl
import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import IO, Final

import pytest

from nfcbridge.cli.errors import ExitCode
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.cli.in_terminal import PROGRAM, environment

PATIENCE: Final = 30.0

PIPE: Final = 4096
"""Octets that wait in a pipe: less than what the demo prints, so that it cannot end while nobody reads."""


class Commands:
    """Starts commands, and ends what a failed test would leave behind."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(
        self, *args: str, stdout: int = subprocess.PIPE, stdin: int = subprocess.DEVNULL
    ) -> "subprocess.Popen[str]":
        """Start a command. Without a controlling terminal, lest it asks for a password at that of the tests."""
        process = subprocess.Popen(
            [*PROGRAM, *args],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.running.append(process)
        return process


@pytest.fixture
def commands() -> Iterator[Commands]:
    commands = Commands()
    yield commands
    for process in commands.running:
        process.kill()
        process.communicate()


def interrupt(process: "subprocess.Popen[str]") -> str:
    """Send SIGINT, expect the end of an interrupted command, return what it said on stdout."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip() == ""
    return out or ""


@contextmanager
def silent_port() -> Iterator[tuple[socket.socket, str]]:
    """A UDP socket where nobody answers, and the link's name for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(("127.0.0.1", 0))
        yield listener, f"udp:127.0.0.1:{listener.getsockname()[1]}"


def test_a_request_that_looks_for_a_tag_can_be_interrupted(commands: Commands) -> None:
    with silent_port() as (listener, link):
        process = commands.start("request", "--no-login", "GET", "/", "--link", link)
        listener.recv(64)
        assert interrupt(process) == ""


def test_a_request_that_waits_for_its_answer_can_be_interrupted_and_leaves_the_field(commands: Commands) -> None:
    asked = threading.Event()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["type"] == "http":
            asked.set()
            await asyncio.Event().wait()

    events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
    with Emulator(app, ["udp:127.0.0.1:0"], on_event=events.put) as emulator:
        process = commands.start("request", "--no-login", "GET", "/", "--link", emulator.link_names[0])
        assert asked.wait(PATIENCE)
        assert interrupt(process) == ""
        while not isinstance(events.get(timeout=PATIENCE), told.PhoneLeft):
            pass


def test_who_is_asked_for_a_password_may_refuse(commands: Commands) -> None:
    ours, its = pty.openpty()
    try:
        with silent_port() as (_, link):
            process = commands.start("request", "GET", "/", "--link", link, stdin=its)
            assert read_until(process.stderr, ": ") == "Password of operator: "
            assert interrupt(process) == ""
    finally:
        os.close(ours)
        os.close(its)


def read_until(stream: IO[str] | None, end: str) -> str:
    assert stream is not None
    text = ""
    while not text.endswith(end) and (sign := stream.read(1)):
        text += sign
    return text


def test_a_demo_can_be_interrupted(commands: Commands) -> None:
    ours, its = os.pipe()
    fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, PIPE)
    with os.fdopen(ours, "rb") as stream:
        process = commands.start("demo", "--as", "android", stdout=its)
        os.close(its)
        assert stream.read(2) == b"=="
        process.send_signal(signal.SIGINT)
        text = stream.read()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip() == ""
    assert b" ms air time" not in text
