"""A trace as Markdown, for a bug report: what happened, what is wrong, the messages, and all frames folded away.

A report is long and its parts are made of all entries, so each part is a writer of its own that is given them again.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from nfcbridge.formats.writer import LeftOut, program
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Dir, Entry, Header
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen
from nfcbridge.trace.words import (
    count_octets,
    describe_activation,
    describe_block,
    describe_content,
    describe_field,
    describe_message,
    describe_pair,
)

WARNING: Final = """\
> **Before you publish this:** it holds every octet that was exchanged, so session ids, password hashes and tag ids, and
> the seed that they may have come from, unless the trace was redacted (`nfcbridge trace redact`).
"""

_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]<>#|~@]")
_BACKTICKS: Final = re.compile("`+")
_SHOWN_BLOCKS: Final = frozenset({BlockKind.DESELECT, BlockKind.INVALID, BlockKind.NAK})
_ARROWS: Final = {Dir.READER: "->", Dir.CARD: "<-"}


class FindingRow(Struct, frozen=True):
    """What lint says.

    Attributes:
        severity: in a word.
        rule: its identifier.
        lines: where, in words.
        what: what happened.
        mend: what to do.
    """

    severity: str
    rule: str
    lines: str
    what: str
    mend: str


def cell(text: str) -> str:
    """Text that somebody else wrote, as Markdown that shows it and nothing else, in one line."""
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    # An entity, not a backslash: the sites that show reports look for names behind an at sign first.
    return _SPECIAL.sub(lambda found: "&#64;" if found[0] == "@" else f"\\{found[0]}", shown)


def fence(text: str, language: str = "") -> str:
    """A block of code, whatever is in it."""
    longest = max((len(found) for found in _BACKTICKS.findall(text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}\n"


def row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |\n"


def heading(*names: str) -> str:
    """The first two rows of a table."""
    return row(*names) + row(*("---" for _ in names))


class _Part:
    """A part of the report: a `Writer`, once it has its methods."""

    def __init__(self) -> None:
        self.left_out = LeftOut()  # stays empty: Markdown has a place for all


class _DecodedPart(_Part, ABC):
    """A part that is made of what the trace shows."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self._header = header
        self._decoder = Decoder(header.level, header=header)

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`."""
        return "".join(self._show(each) for each in self._decoder.receive(entry)).encode(errors="replace")

    def close(self) -> bytes:
        """See `Writer.close`."""
        return "".join(self._show(each) for each in self._decoder.close()).encode(errors="replace")

    @abstractmethod
    def _show(self, seen: Seen) -> str:
        """What the part says of it; nothing if it is no matter of this part."""


class Happenings(_DecodedPart):
    """The title, where the trace is from, and what happened, a row each.

    Args:
        header: the first line of the trace.
        name: of the trace.
    """

    def __init__(self, header: Header, name: str) -> None:
        super().__init__(header)
        self._name = name

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        rows = "".join(row(cell(name), value) for name, value in _describe_header(self._header))
        text = (
            f"# {cell(self._name)}\n\n{WARNING}\n{heading('What', 'Value')}{rows}\n"
            f"Times are seconds from the first line of the trace. Made by {program()}.\n\n"
            f"## What happened\n\n{heading('Lines', 'Time', 'What', 'Air time')}"
        )
        return text.encode(errors="replace")

    def _show(self, seen: Seen) -> str:
        match seen:
            case FieldSeen():
                return row(_lines(seen.entry), _seconds(seen.t), describe_field(seen), "")
            case ActivationSeen():
                return row(_lines(seen.first, seen.last), _seconds(seen.t), cell(describe_activation(seen)), "")
            case BlockSeen() if seen.kind in _SHOWN_BLOCKS and (seen.from_reader or seen.kind is BlockKind.INVALID):
                return row(_lines(seen.entry), _seconds(seen.t), cell(describe_block(seen)), _air(seen.air))
            case ApduSeen():
                again = f", {seen.retransmissions} sent again" if seen.retransmissions else ""
                words = cell(describe_pair(seen)) + again
                return row(_lines(seen.first, seen.last), _seconds(seen.t), words, _air(seen.air))
            case MessageSeen():
                words = f"**{cell(describe_message(seen))}**"
                return row(_lines(seen.first, seen.last), _seconds(seen.t_end), words, "")
        return ""


class Findings(_Part):
    """What lint says.

    Args:
        find: is given each entry, None at the end, and returns what is found with it.
    """

    def __init__(self, find: Callable[[Entry | None], list[FindingRow]]) -> None:
        super().__init__()
        self._find = find
        self._told: set[str] = set()  # rules whose remedy was told: there are some dozens of them

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        return b"\n## Findings\n\n"

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`."""
        return self._show(self._find(entry))

    def close(self) -> bytes:
        """See `Writer.close`."""
        return self._show(self._find(None)) + (b"" if self._told else b"None.\n")

    def _show(self, findings: list[FindingRow]) -> bytes:
        if not findings:
            return b""
        text = "" if self._told else heading("Severity", "Rule", "Lines", "What", "What to do")
        for each in findings:
            mend = "" if each.rule in self._told else cell(each.mend)
            self._told.add(each.rule)
            text += row(each.severity, each.rule, each.lines, cell(each.what), mend)
        return text.encode(errors="replace")


class Messages(_DecodedPart):
    """The messages, with their JSON laid out."""

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        return b"\n## Messages\n"

    def _show(self, seen: Seen) -> str:
        if not isinstance(seen, MessageSeen):
            return ""
        way = "written" if seen.written else "read"
        title = (
            f"\n### {seen.index}. {way.capitalize()}, lines {_lines(seen.first, seen.last)}: "
            f"{cell(describe_content(seen))}\n\n{count_octets(len(seen.octets))}, at {_seconds(seen.t_end)} s.\n"
        )
        if seen.text is None:
            return f"{title}\n{fence(seen.octets.hex(' '))}" if seen.octets else title
        documents = lay_out(seen.text)
        if documents is None:
            return f"{title}\n{fence(_printable(seen.text))}"
        return title + "".join(f"\n{fence(each, 'json')}" for each in documents)


class Frames(_Part):
    """All frames, folded."""

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        return b"\n<details><summary>All frames: line, time, direction, octets without CRC</summary>\n\n```\n"

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`."""
        what = f"field {'on' if entry.on else 'off'}" if entry.dir is Dir.FIELD else _frame(entry)
        return f"{entry.number + 1:>6} {entry.t:>13.6f} {what}\n".encode()

    def close(self) -> bytes:
        """See `Writer.close`."""
        return b"```\n\n</details>\n"


def lay_out(text: str) -> list[str] | None:
    """The JSON documents of a message, each indented by two; None if they are none."""
    try:
        documents = msgspec.json.decode(f"[{text}]", type=list[msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return [_printable(msgspec.json.format(bytes(each), indent=2).decode(errors="replace")) for each in documents]


def _printable(text: str) -> str:
    """Text without what a terminal would obey, its lines kept."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )


def _describe_header(header: Header) -> Iterator[tuple[str, str]]:
    """The first line, a row each; what nobody knows is left out."""
    yield "Recorded by", cell(header.source) or "nobody says"
    if header.link:
        yield "Link", cell(header.link)
    yield "Frames are", header.level
    clock: Any = header.clock
    if clock != "monotonic":
        yield "Clock", _code(clock)
    if header.seed is not None:
        yield "Seed", str(header.seed)
    for name, value in (("Card", header.card), ("Application", header.app)):
        if value:
            yield name, _code(value)


def _code(value: Any) -> str:  # noqa: ANN401 - JSON
    return cell(msgspec.json.encode(value).decode())


def _lines(first: int, last: int | None = None) -> str:
    """Lines of the file: an entry's number and one."""
    return f"{first + 1}" if last is None or last == first else f"{first + 1}-{last + 1}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"


def _air(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _frame(entry: Entry) -> str:
    return f"{_ARROWS[entry.dir]} {entry.octets.hex()}"
