"""All that a trace shows, from its entries, while they come: blocks, APDUs, NDEF messages, exchanges.

`apdus` listens to both ends of a link of blocks, `pairs` to one of APDUs; `messages` follows the file, and `exchanges`
puts a request together with its answer, which may be read after any number of activations. Memory does not grow with
the trace: what is kept is one command, one response, one file and one exchange.
"""

from typing import Final

from nfcbridge.isodep import Ats
from nfcbridge.trace.apdus import ApduSource
from nfcbridge.trace.entries import Entry, Header
from nfcbridge.trace.exchanges import ExchangeSource
from nfcbridge.trace.messages import MessageSource, Span, Told
from nfcbridge.trace.pairs import PairSource
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen

_LEAVING: Final = frozenset({BlockKind.RATS, BlockKind.DESELECT})
"""Frames of the reader after which nothing is selected."""


class Decoder:
    """Makes of entries what they show. It never raises, whatever they are.

    Args:
        level: what the frames of the trace are, `blocks` or `apdus`.
        header: the first line, which may tell the ATS.
    """

    def __init__(self, level: str, *, header: Header | None = None) -> None:
        self._source = PairSource(header) if level == "apdus" else ApduSource(header)
        self._messages = MessageSource()
        self._exchanges = ExchangeSource()

    @property
    def fsd(self) -> int:
        """Octets of the reader's longest frame: what the last RATS told, 256 if there was none."""
        return self._source.fsd

    @property
    def ats(self) -> Ats | None:
        """What the card announced last; what the first line tells while there was none; None if nobody knows."""
        return self._source.ats

    def receive(self, entry: Entry) -> list[Seen]:
        """Take the next entry.

        Returns:
            What ended with it, lower layers first.
        """
        return self._rise(self._source.receive(entry))

    def close(self) -> list[Seen]:
        """What is still open at the end: a command without response, a message read without NLEN, an exchange."""
        seen = self._rise(self._source.close())
        for told in self._messages.close():
            seen += self._conclude(*told)
        return seen + self._exchanges.close(self._messages.previous, self._source.counts)

    def _rise(self, below: list[Seen]) -> list[Seen]:
        """Give what the lowest layers have seen to those above."""
        seen: list[Seen] = []
        for each in below:
            messages: list[Told] = []
            if isinstance(each, ApduSeen):
                messages = self._messages.receive(each, self._source.before)
            elif isinstance(each, FieldSeen | ActivationSeen) or (
                isinstance(each, BlockSeen) and each.kind in _LEAVING and each.from_reader
            ):
                messages = self._messages.leave()
            self._source.selected = self._messages.selection
            seen.append(each)
            for told in messages:
                seen += self._conclude(*told)
        return seen

    def _conclude(self, message: MessageSeen, span: Span) -> list[Seen]:
        """A message, and the exchange that ends with it."""
        return [message, *self._exchanges.receive(message, span, self._source.counts)]
