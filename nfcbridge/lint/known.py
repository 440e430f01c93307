"""All that the linter knows of a trace while it comes: the trackers in their order, and what they make of it."""

from collections.abc import Iterable, Iterator

from nfcbridge.lint.air import Air
from nfcbridge.lint.calls import Calls
from nfcbridge.lint.tag import Tag
from nfcbridge.lint.talk import Talk
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import Seen


class Known:
    """The trackers.

    Args:
        header: of the trace.

    Attributes:
        header: the same.
        air: of frames; it says nothing of a trace of APDUs.
        tag: of APDUs.
        talk: of messages.
        calls: of the charge controller's interface.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.air = Air(header)
        self.tag = Tag(header)
        self.talk = Talk(self.tag, header)
        self.calls = Calls(header)

    def receive(self, seen: Iterable[Seen]) -> Iterator[Seen]:
        """What the trace shows, each followed by the facts that are made of it."""
        for each in seen:
            yield each
            yield from self.air.receive(each)
            yield from self.tag.receive(each)
            for fact in self.talk.receive(each):
                yield fact
                yield from self.calls.receive(fact)
            yield from self.calls.receive(each)

    def close(self, seen: Iterable[Seen]) -> Iterator[Seen]:
        """The same at the end, with what is half done."""
        yield from self.receive(seen)
        yield from self.tag.close()
        yield from self.talk.close()

    def cut(self) -> Iterator[Seen]:
        """The same where the trace was cut off: what was only held back."""
        yield from self.talk.close()
