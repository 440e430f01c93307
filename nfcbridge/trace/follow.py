"""A trace that is still being written, read as far as it goes. Whoever reads it decides how long to wait."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from nfcbridge.errors import TraceError
from nfcbridge.trace.entries import MAX_LINE, Entry, Header, parse_entry, parse_header


class GrowingTrace:
    """A file to which lines are added, from its beginning.

    A line that is not whole yet is kept until the rest of it is there.

    Args:
        path: the file; it may be empty.

    Attributes:
        header: the first line; None before it is there.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.header: Header | None = None
        self._file: BinaryIO = self.path.open("rb")
        self._begin()

    def _begin(self) -> None:
        self._part = b""
        self._number = 0
        self._position = 0
        self.header = None

    def read(self) -> Entry | None:
        """The next entry; None while there is no more.

        Raises:
            TraceError: a line is broken, or the file was begun anew: what was decoded of it is of no use then.
        """
        while (line := self._line()) is not None:
            try:
                if self.header is None:
                    self.header = parse_header(line)
                    continue
                self._number += 1
                if line.strip():
                    return parse_entry(line, self._number)
            except TraceError as error:
                raise TraceError(f"{self.path}: {error}") from error
        return None

    def _line(self) -> bytes | None:
        part = self._file.readline(MAX_LINE)
        self._position += len(part)
        if not part and self.path.stat().st_size < self._position and self.path.is_file():
            raise TraceError(f"{self.path}: the file was begun anew while it was followed; follow the new one")
        line = self._part + part
        if len(line) >= MAX_LINE:
            raise TraceError(f"{self.path}: a line has more than {MAX_LINE} octets")
        if line.endswith(b"\n"):
            self._part = b""
            return line
        self._part = line
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
