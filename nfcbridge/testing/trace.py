"""What crossed the link of a test's charger, to be asked by the test and shown where it fails."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from nfcbridge.testing.readable import read_words
from nfcbridge.trace import Entry, Header, TraceFile
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, MessageSeen, Seen

SeenT = TypeVar("SeenT", bound=Seen)


class LinkTrace:
    """A trace that grows while the test runs.

    Args:
        file: where it is recorded.
        flush: waits until all that has crossed is in the file.
    """

    def __init__(self, file: Path, flush: Callable[[], None]) -> None:
        self._file = file
        self._flush = flush

    @property
    def path(self) -> Path:
        """Its file, with all in it that has crossed; it grows on."""
        self._flush()
        return self._file

    @property
    def header(self) -> Header:
        """Its first line: the link, and what the card is made of."""
        with TraceFile(self.path) as opened:
            return opened.header

    @property
    def entries(self) -> list[Entry]:
        """Frames and field, in the order of their times."""
        with TraceFile(self.path) as opened:
            return list(opened)

    @property
    def apdus(self) -> list[ApduSeen]:
        """Commands, each with its response."""
        return list(self._all(ApduSeen))

    @property
    def messages(self) -> list[MessageSeen]:
        """NDEF messages that were written or read as a whole."""
        return list(self._all(MessageSeen))

    @property
    def exchanges(self) -> list[ExchangeSeen]:
        """Requests, each with its answer."""
        return list(self._all(ExchangeSeen))

    @property
    def requests(self) -> list[str]:
        """What was asked, such as `GET /system_state`; a message that is no request as why it is none."""
        messages = (each for each in self._all(MessageSeen) if each.written)
        return [
            each.problem if each.request is None else f"{each.request.method} {each.request.path}" for each in messages
        ]

    def readable(self) -> list[str]:
        """It in words, a line each; of a long one the end."""
        return read_words(self.path)

    def save(self, path: Path | str) -> Path:
        """Copy it, such as to a file that the marker `replay` finds; folders are made.

        Returns:
            The same path.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path, path)
        return path

    def _all(self, kind: type[SeenT]) -> Iterator[SeenT]:
        with TraceFile(self.path) as opened:
            decoder = Decoder(opened.header.level, header=opened.header)
            for entry in opened:
                yield from (seen for seen in decoder.receive(entry) if isinstance(seen, kind))
            yield from (seen for seen in decoder.close() if isinstance(seen, kind))
