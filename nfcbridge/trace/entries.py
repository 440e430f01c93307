"""A trace as data: its first line, and one entry for each line after it. `recorder` shows the format.

Entries have numbers, 1 for the first after the first line, which are how every report points at them: an entry's line
in the file is its number plus one.
"""

import enum
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Final, Self

import msgspec
from msgspec import Meta, Struct

from nfcbridge.errors import TraceError
from nfcbridge.whole import open_whole

VERSION: Final = 1
"""The value of `nfcbridge_trace`, which grows when older programs could not read what is written."""

MAX_LINE: Final = 1 << 20
"""Octets of the longest line: the longest APDU takes 131,088 hex digits, the first line far less."""


MAX_TIME: Final = 1e10
"""Seconds that an entry lies from the first line at most, 300 years, so that no sum or scale of times overflows."""

MARK: Final = b"\xef\xbb\xbf"
"""What some editors and shells put before UTF-8."""


class Dir(enum.Enum):
    """Who did what an entry tells."""

    READER = "reader"
    CARD = "card"
    FIELD = "field"


class Header(Struct, omit_defaults=False):
    """The first line.

    Attributes:
        nfcbridge_trace: the version of the format.
        level: what the frames are, `blocks` or `apdus`.
        link: the name of the link; empty where nobody knows it.
        source: who wrote it: program, version and end, such as `nfcbridge 0.1.0 card`, or what it was imported from.
        clock: what `t` was counted by: `monotonic` for a real clock, or how a driven one was set.
        seed: what random choices came from; None if there were none, or nobody knows.
        card: the configuration of the card; empty where nobody knows it.
        app: what was served by it and how; empty where nobody knows it.
    """

    nfcbridge_trace: int = VERSION
    level: str = "blocks"
    link: str = ""
    source: str = ""
    clock: Any = "monotonic"
    seed: int | None = None
    card: dict[str, Any] = {}
    app: dict[str, Any] = {}


class Entry(Struct, frozen=True, gc=False):
    """One entry.

    Attributes:
        t: seconds from the first line.
        dir: who did it.
        octets: the frame or APDU without CRC; empty for the field.
        on: of the field: the card was selected; false: the field is gone.
        number: 1 for the first of the trace.
    """

    t: float
    dir: Dir
    octets: bytes = b""
    on: bool = False
    number: int = 0


class _Line(Struct, gc=False):
    t: Annotated[float, Meta(ge=-MAX_TIME, le=MAX_TIME)]
    dir: Dir
    hex: str = ""
    on: bool = False


_DECODER: Final = msgspec.json.Decoder(_Line)
_FIELD: Final = Dir.FIELD  # before Python 3.12 it takes longer to get a member from its class than to compare


def parse_header(line: bytes) -> Header:
    """Read the first line.

    Raises:
        TraceError: it is none of ours, or of a later version.
    """
    if not line:
        raise TraceError("the file is empty: nothing was recorded into it")
    line = line.removeprefix(MARK)
    try:
        header = msgspec.json.decode(line, type=Header)
        given = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TraceError(
            f"line 1: this is no trace of nfcbridge ({error}); `nfcbridge trace import` reads others"
        ) from error
    if "nfcbridge_trace" not in given:
        raise TraceError("line 1: this is no trace of nfcbridge; `nfcbridge trace import` reads others")
    if header.nfcbridge_trace != VERSION:
        raise TraceError(
            f"line 1: a trace of version {header.nfcbridge_trace}, and this program reads {VERSION}: update nfcbridge"
        )
    if header.level not in {"blocks", "apdus"}:
        raise TraceError(f"line 1: the level is blocks or apdus, not {header.level!r}")
    return header


def parse_entry(line: bytes, number: int) -> Entry:
    """Read any other line; `number` is that of the entry.

    Raises:
        TraceError: it is no entry; the message names the line.
    """
    try:
        read = _DECODER.decode(line)
        octets = bytes.fromhex(read.hex)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TraceError(f"line {number + 1}: {error}") from error
    if (read.dir is _FIELD) == bool(octets):
        raise TraceError(f"line {number + 1}: a frame has octets, and the field has none")
    return Entry(read.t, read.dir, octets, read.on, number)


class TraceFile:
    """A trace that is being read, entry by entry: memory does not grow with its length.

        with TraceFile("t.jsonl") as trace:
            for entry in trace: ...

    Args:
        path: the file.

    Attributes:
        header: the first line.
        problem: what was tolerated, in a sentence with the line; empty while there is nothing. It is there after the
            last entry: a last line that was cut off, as by a power failure, ends the trace before it.

    Raises:
        TraceError: a line is broken; it names the file and the line.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.problem = ""
        self._position = 0
        self._file: BinaryIO = self.path.open("rb")
        try:
            self.header = parse_header(self._line(1))
        except TraceError as error:
            self._file.close()
            raise TraceError(f"{self.path}: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        number = 0
        while line := self._entry_line(number + 2):
            number += 1
            try:
                yield parse_entry(line, number)
            except TraceError as error:
                if not line.strip():  # as people leave them who write traces by hand; it has a number all the same
                    continue
                if not line.endswith(b"\n"):  # nothing follows it, and a writer ends each line
                    self.problem = f"{self.path}: line {number + 1} was cut off and is left out"
                    return
                raise TraceError(f"{self.path}: {error}") from error

    @property
    def position(self) -> int:
        """Octets of the file that were read, for whoever shows progress."""
        return self._position

    def _entry_line(self, line_number: int) -> bytes:
        try:
            return self._line(line_number)
        except TraceError as error:
            raise TraceError(f"{self.path}: {error}") from error

    def _line(self, line_number: int) -> bytes:
        line = self._file.readline(MAX_LINE)
        self._position += len(line)
        if len(line) == MAX_LINE:
            raise TraceError(f"line {line_number}: it has more than {MAX_LINE} octets, which no frame needs")
        return line

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def format_header(header: Header) -> str:
    """The first line with its end, in the same octets as a recorder writes it."""
    return json.dumps(msgspec.to_builtins(header)) + "\n"


def format_entry(entry: Entry) -> str:
    """An entry as a line, with its end."""
    if entry.dir is Dir.FIELD:
        return f'{{"t": {entry.t:.6f}, "dir": "field", "on": {"true" if entry.on else "false"}}}\n'
    return f'{{"t": {entry.t:.6f}, "dir": "{entry.dir.value}", "hex": "{entry.octets.hex()}"}}\n'


def write_trace(path: Path | str, header: Header, entries: Iterable[Entry]) -> int:
    """Write a trace that is at `path` when it is whole, for its owner alone.

    Returns:
        How many entries it has.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    with open_whole(path) as file:
        return write_entries(file, header, entries)


def write_entries(file: BinaryIO, header: Header, entries: Iterable[Entry]) -> int:
    """Write a trace as it comes.

    Returns:
        How many entries it has.
    """
    file.write(format_header(header).encode("ascii"))
    count = 0
    for entry in entries:
        file.write(format_entry(entry).encode("ascii"))
        count += 1
    return count
