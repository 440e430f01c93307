"""Chromium without a window, driven through its DevTools protocol on two pipes: JSON with a NUL after each message."""

import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",  # root has none to be in, as in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)

# The browser reads commands from 3 and writes to 4. A shell puts the pipes there: here, 3 and 4 are other files.
PIPES_AT: Final = 20

STOP_TIMEOUT: Final = 20.0


class Page:
    """A page in the browser.

    Attributes:
        complaints: what the page, its policy and its scripts complained of.
        loaded: the URLs that were asked for.
    """

    def __init__(self, commands: int, messages: int) -> None:
        self.complaints: list[str] = []
        self.loaded: list[str] = []
        self._commands = commands
        self._messages = messages
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go there; its scripts may still be at work when this returns."""
        self._call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or what its promise becomes."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait, in the page, until an expression is true there. Fails when it does not become so within 20 s."""
        script = (
            "new Promise((done) => { const began = performance.now(); const look = () => {"
            f" if ({condition}) done(true); else if (performance.now() - began > 20000) done(false);"
            " else setTimeout(look, 10); }; look(); })"
        )
        assert self.evaluate(script), f"never true: {condition}\n{self.evaluate('document.body.innerText')}"

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _receive(self) -> Any:
        while b"\0" not in self._buffer:
            piece = os.read(self._messages, 65_536)
            assert piece, "the browser ended"
            self._buffer += piece
        octets, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(octets)

    def _note(self, event: Any) -> None:
        match event["method"], event["params"]:
            case "Log.entryAdded", {"entry": {"text": text}}:
                self.complaints.append(text)
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                self.complaints.append(str(details))
            case "Network.requestWillBeSent", {"request": {"url": url}}:
                self.loaded.append(url)
            case _:
                pass


@contextlib.contextmanager
def browsing(program: str, folder: Path, *options: str) -> Iterator[Page]:
    """A page of a new browser, which ends with the block.

    Args:
        program: the browser.
        folder: where it may write.
        options: more options of it.
    """
    command_out, command_in = os.pipe()
    message_out, message_in = os.pipe()
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, PIPES_AT) for fd in (command_out, message_in)]
    os.close(command_out)
    os.close(message_in)
    script = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
    with subprocess.Popen(
        ["bash", "-c", script, program, *OPTIONS, f"--user-data-dir={folder}", *options],
        pass_fds=theirs,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(folder)},
    ) as process:
        for fd in theirs:
            os.close(fd)
        try:
            yield Page(command_in, message_out)
        finally:
            os.close(command_in)  # it ends when nobody can command it any more
            try:
                process.wait(STOP_TIMEOUT)
            finally:
                process.kill()
                os.close(message_out)
