"""What can be imported, and how a file is told to be of a format: by its content, never by its name.

    with open("capture.pcap.gz", "rb") as file:
        chosen, reading = read_import(Source(file))

A log may begin with any number of lines of other programs, so the whole file is looked through until a format knows its
own. Formats are asked in the order of the table: those that another could be taken for come later.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast

from nfcbridge.errors import TraceError
from nfcbridge.formats.lines import read_text

if TYPE_CHECKING:
    from nfcbridge.formats.found import Reading

HEAD: Final = 1 << 16
"""Octets that formats without lines are known by."""

WINDOW: Final = 1 << 18
"""Characters of text that formats are looked for in at a time."""

OVERLAP: Final = 1 << 14
"""Characters that two windows share: no format needs more of a line to know it."""

GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 31  # zlib: the largest window, and gzip around it

OURS: Final = b'{"nfcbridge_trace"'
ZIP: Final = b"PK\x03\x04"


class ImportFormat(NamedTuple):
    """A format. Its module is imported when it is asked: for the names of formats none is needed.

    Attributes:
        name: for `--format`.
        words: what it is, for people.
        module: of this package, with `detect` and `read`.
        ending: of the names of these two, where the module has several.
    """

    name: str
    words: str
    module: str
    ending: str = ""

    def detect(self, part: str | bytes) -> bool:
        """Whether a part of a text, or the first octets of what is no text, is of it."""
        found: bool = self._function("detect")(part)
        return found

    def read(self, stream: BinaryIO) -> "Reading":
        """Read a file from its beginning."""
        reading: Reading = self._function("read")(stream)
        return reading

    def _function(self, name: str) -> Callable[[Any], Any]:
        function: Callable[[Any], Any] = getattr(import_module(f"nfcbridge.formats.{self.module}"), name + self.ending)
        return function


OCTET_FORMATS: Final = (
    ImportFormat("pcap", "pcap or pcapng of link type 264, GSMTAP, or by NFCGate", "capture"),
    ImportFormat("proxmark3", "trace file of the Proxmark3", "proxmark", "_file"),
)

TEXT_FORMATS: Final = (
    ImportFormat("nfcsnoop", "bug report of Android with a log of nfcsnoop", "nfcsnoop"),
    ImportFormat("proxmark3-list", "what `hf 14a list` of the Proxmark3 printed", "proxmark", "_list"),
    ImportFormat("pcsc-spy", "log of pcsc-spy", "pcsc_spy", "_spy"),
    ImportFormat("pcsc-spy-shown", "log of pcsc-spy as it shows it", "pcsc_spy", "_shown_spy"),
    ImportFormat("pcscd", "log of pcscd --apdu --debug", "pcsc_logs", "_pcscd"),
    ImportFormat("pcscd-syslog", "log of pcscd in syslog", "pcsc_logs", "_syslog"),
    ImportFormat("opensc", "debug log of OpenSC", "opensc", "_debug"),
    ImportFormat("opensc-tool", "what `opensc-tool -s` printed", "opensc", "_tool"),
    ImportFormat("apdu4j", "log of apdu4j or GlobalPlatformPro", "apdu4j"),
    ImportFormat("ykman", "log of ykman or python-fido2", "yubico"),
    ImportFormat("libnfc", "debug log of libnfc", "libnfc", "_bus"),
    ImportFormat("libnfc-tag", "what a tag emulated by libnfc printed", "libnfc", "_tag"),
    ImportFormat("nfcpy", "debug log of nfcpy", "nfcpy"),
    ImportFormat("pyscard", "what pyscard's console observer, or scriptor, printed", "pcsc_logs", "_pyscard"),
)

IMPORT_FORMATS: Final[dict[str, ImportFormat]] = {each.name: each for each in (*OCTET_FORMATS, *TEXT_FORMATS)}
"""By the name for `--format`."""


def describe_formats() -> str:
    """The table for people, a format a line."""
    return "\n".join(f"  {each.name:<16}{each.words}" for each in IMPORT_FORMATS.values())


def recognise(stream: BinaryIO, moved: Callable[[], None] = lambda: None) -> ImportFormat | None:
    """The format of a file, which stands at its beginning then; None if it is none of those known.

    Args:
        stream: the file, which can be rewound.
        moved: is called now and then, for whoever shows how far the file was looked through.
    """
    begin = stream.tell()
    try:
        head = _read_all(stream, HEAD)
        if (found := detect(head)) is not None:
            return found
        stream.seek(begin)
        for text in _windows(stream):
            moved()
            if (found := detect_text(text)) is not None:
                return found
        return None
    finally:
        stream.seek(begin)


def detect(head: bytes) -> ImportFormat | None:
    """The format that the first octets of a file show, if they do."""
    return next((each for each in OCTET_FORMATS if each.detect(head)), None)


def detect_text(text: str) -> ImportFormat | None:
    """The format that a part of a text shows, if it does."""
    return next((each for each in TEXT_FORMATS if each.detect(text)), None)


def _windows(stream: BinaryIO) -> Iterator[str]:
    kept = ""
    for text in read_text(stream):
        kept += text
        if len(kept) >= WINDOW:
            yield kept
            kept = kept[-OVERLAP:]
            # A line begins where a line begins.
            kept = kept[kept.find("\n") + 1 :]
    if kept:
        yield kept


def _read_all(stream: BinaryIO, count: int) -> bytes:
    """As many octets as there are, up to `count`."""
    parts: list[bytes] = []
    while count > 0 and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Unpacked(io.RawIOBase):
    """A file of gzip as what is in it. One that was cut off ends where it was cut off, and not before.

    Args:
        packed: the file, at its beginning.

    Attributes:
        broken: why it ended before its end, in words; empty if it did not.
    """

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__()
        self._packed = packed
        self._begin = packed.tell()
        self._restart()

    def _restart(self) -> None:
        self._packed.seek(self._begin)
        self._member = zlib.decompressobj(_GZIP_BITS)
        self._rest = b""
        self._at = 0
        self.broken = ""

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, from the beginning."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("from the beginning alone")
        if offset < self._at:
            self._restart()
        while self._at < offset and self.read(min(offset - self._at, HEAD)):
            pass
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.RawIOBase`: as many octets as were asked for, if there are."""
        parts: list[bytes] = []
        left = size if size is not None and size >= 0 else -1
        while left and (part := self._some(HEAD if left < 0 else min(left, HEAD))):
            parts.append(part)
            left -= len(part) if left > 0 else 0
        octets = b"".join(parts)
        self._at += len(octets)
        return octets

    def _some(self, most: int) -> bytes:
        """Some octets, none at the end."""
        while not self.broken:
            if self._member.eof:  # files may be put one behind another
                self._rest = self._member.unused_data or self._packed.read(HEAD)
                if not self._rest.strip(b"\0"):
                    return b""
                self._member = zlib.decompressobj(_GZIP_BITS)
            elif not self._rest:
                self._rest = self._packed.read(HEAD)
            if not self._rest:
                self.broken = "the gzip file was cut off"
                break
            try:
                octets = self._member.decompress(self._rest, most)
            except zlib.error as error:
                self.broken = f"the gzip file is broken ({error})"
                break
            self._rest = self._member.unconsumed_tail
            if octets:
                return octets
        return b""


class Source:
    """An open file that is to be imported.

    Args:
        file: its octets; can be rewound, stays open.

    Attributes:
        stream: what is in it, unpacked.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        begin = file.tell()
        head = file.read(len(ZIP))
        file.seek(begin)
        if head == ZIP:
            raise TraceError("this is a zip archive: unpack it, and import the file in it that has the log")
        self._unpacked = Unpacked(file) if head[:2] == GZIP else None
        self.stream: BinaryIO = file if self._unpacked is None else cast("BinaryIO", self._unpacked)

    @property
    def broken(self) -> str:
        """Why it ended before its end; empty if it did not, or was not packed."""
        return "" if self._unpacked is None else self._unpacked.broken


def read_import(
    source: Source, name: str | None = None, moved: Callable[[], None] = lambda: None
) -> tuple[ImportFormat, "Reading"]:
    """Find the format of a file and begin to read it.

    Args:
        source: the file.
        name: of the format, where the content is not to decide.
        moved: see `recognise`.

    Raises:
        TraceError: the content is of no known format.
    """
    chosen = IMPORT_FORMATS[name] if name is not None else recognise(source.stream, moved)
    if chosen is None:
        if source.stream.read(len(OURS)) == OURS:
            raise TraceError("this is a trace of nfcbridge already, which every command reads as it is")
        raise TraceError(
            "no format that is known; say --format NAME if it is one of "
            + ", ".join(f"{each.name} ({each.words})" for each in IMPORT_FORMATS.values())
        )
    return chosen, chosen.read(source.stream)
