"""The commands of a trace as scripts that send them to a card again.

scriptor of pcsc-tools (`scriptor FILE`): a command a line, `reset`, comments that begin a line:

    # 1.415195 s: SELECT NDEF application
    00 A4 04 00 07 D2 76 00 00 85 01 01 00
    reset

It looks for the word «exit» first and ends there, in a comment too. Commands of less than four octets end it.

opensc-tool (`sh FILE [--reader N]`) has no files of commands, so that this one is a shell script which calls it once an
activation, with the commands as arguments; xargs calls it more often where they are too many for one call:

    send "$@" <<'END'
    00A4040007D276000085010100  # 1.415195 s: SELECT NDEF application
    END

The shell's arguments and opensc-tool's own check bound a command: it must be well-formed and not too long.
"""

import re
from typing import Final, Protocol

from nfcbridge.errors import CommandError
from nfcbridge.formats.writer import LeftOut, describe_source
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Entry, Header
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, FieldSeen, Seen
from nfcbridge.trace.words import count_octets, describe_pair
from nfcbridge.type4 import CommandAPDU

MIN_COMMAND: Final = 4
"""Octets of the shortest command that pcsc-lite takes."""

MAX_ARGUMENT: Final = 60_000
"""Octets of the longest command for opensc-tool: Linux allows 128 KiB an argument, two digits an octet, with room."""

SEND: Final = "send \"$@\" <<'END'\n"
RESET: Final = 'reset "$@"\n'

_EXIT: Final = re.compile("exit", re.IGNORECASE)


class Dialect(Protocol):
    """How a script is written."""

    opening: str
    ending: str

    def reason_against(self, command: bytes) -> str:
        """Why the tool cannot send a command; empty if it can."""
        ...

    def activate(self, *, first: bool) -> str:
        """What stands before the first command of an activation."""
        ...

    def send(self, command: bytes, words: str) -> str:
        """What sends a command."""
        ...

    def deactivate(self) -> str:
        """What stands behind the last command of an activation."""
        ...

    def comment(self, words: str) -> str:
        """A line for people."""
        ...


class Scriptor:
    """The dialect of scriptor. It implements `Dialect`."""

    opening = "# Send it with: scriptor FILE\n"
    ending = ""

    def reason_against(self, command: bytes) -> str:
        """See `Dialect.reason_against`."""
        return "" if len(command) >= MIN_COMMAND else f"scriptor sends no command of {count_octets(len(command))}"

    def activate(self, *, first: bool) -> str:
        """See `Dialect.activate`."""
        return "" if first else "reset\n"

    def send(self, command: bytes, words: str) -> str:
        """See `Dialect.send`."""
        return f"{self.comment(words)}{command.hex(' ').upper()}\n"

    def deactivate(self) -> str:
        """See `Dialect.deactivate`."""
        return ""

    def comment(self, words: str) -> str:
        """See `Dialect.comment`."""
        return f"# {_EXIT.sub('e.xit', words)}\n"


class OpenscTool:
    """The dialect of opensc-tool, a shell script. It implements `Dialect`."""

    opening = """\
# Send it with: sh FILE [--reader N]
send() { sed -n 's/^\\([0-9A-F][0-9A-F]*\\) .*/--send-apdu \\1/p' | xargs -r opensc-tool --card-driver default "$@"; }
reset() { opensc-tool --card-driver default --reset=warm "$@"; }
"""
    ending = ""

    def reason_against(self, command: bytes) -> str:
        """See `Dialect.reason_against`."""
        try:
            CommandAPDU.parse(command)
        except CommandError:
            return f"opensc-tool sends no broken command, {command[:MIN_COMMAND].hex().upper()}..."
        if len(command) > MAX_ARGUMENT:
            return f"{count_octets(len(command))} are too many for an argument of opensc-tool"
        return ""

    def activate(self, *, first: bool) -> str:
        """See `Dialect.activate`."""
        # A call of its own: opensc-tool resets the card behind the commands of the same call.
        return f"{'' if first else RESET}{SEND}"

    def send(self, command: bytes, words: str) -> str:
        """See `Dialect.send`."""
        return f"{command.hex().upper()}  # {words}\n"

    def deactivate(self) -> str:
        """See `Dialect.deactivate`."""
        return "END\n"

    def comment(self, words: str) -> str:
        """See `Dialect.comment`."""
        return f"# {words}\n"


class ScriptWriter:
    """Makes a script. It implements `Writer`.

    Args:
        header: the first line of the trace.
        dialect: how it is written.
    """

    def __init__(self, header: Header, dialect: Dialect) -> None:
        self.left_out = LeftOut()
        self._header = header
        self._dialect = dialect
        self._decoder = Decoder(header.level, header=header)
        self._activated = False  # commands that come belong to an activation that the script has made
        self._first = True

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        shebang = "#!/bin/sh\n" if isinstance(self._dialect, OpenscTool) else ""
        text = shebang + self._dialect.comment(_one_line(describe_source(self._header))) + self._dialect.opening
        return text.encode(errors="replace")

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`."""
        return "".join(self._write(each) for each in self._decoder.receive(entry)).encode()

    def close(self) -> bytes:
        """See `Writer.close`."""
        text = "".join(self._write(each) for each in self._decoder.close())
        if self._activated:
            text += self._dialect.deactivate()
        return text.encode()

    def _write(self, seen: Seen) -> str:
        if isinstance(seen, FieldSeen | ActivationSeen):
            left, self._activated = self._activated, False
            return self._dialect.deactivate() if left else ""
        if not isinstance(seen, ApduSeen):
            return ""
        if reason := self._dialect.reason_against(seen.command):
            self.left_out.add(seen.first, f"{reason}: left out")
            return ""
        before = "" if self._activated else self._dialect.activate(first=self._first)
        self._activated, self._first = True, False
        return before + self._dialect.send(seen.command, f"{seen.t:.6f} s: {_one_line(describe_pair(seen))}")


def _one_line(text: str) -> str:
    """Text of a trace, which must not begin another line of the script."""
    return "".join(sign if sign.isprintable() and sign.isascii() else "?" for sign in text)
