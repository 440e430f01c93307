"""What reader and card say to one another: requests, their messageIDs, and whether their answers are read."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from nfcbridge.framing import Answer
from nfcbridge.framing.message import NO_ID
from nfcbridge.lint.facts import (
    AnswerTaken,
    Echo,
    IdsErratic,
    IdStep,
    RequestWritten,
    TextId,
    Unread,
)
from nfcbridge.lint.header_text import HeaderText, read_header_text
from nfcbridge.lint.tag import Tag
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import ExchangeSeen, FieldSeen, MessageSeen, Seen

REMEMBERED_IDS: Final = 1000
"""messageIDs of a conversation that are remembered, to find one that comes again."""

LARGE_STEP: Final = 1000
"""A step between two numbers that nobody makes who counts messages."""

MIN_TIMESTAMP: Final = 10**9
"""Seconds since 1970, or milliseconds: numbers beyond it that grow come from a clock and not from dice."""

RECORDED: Final = "nfcbridge "
"""How the source of a trace begins that we have recorded."""

_NUMBERED: Final = re.compile(r'"?([^"]*?)(\d{1,18})"?')
"""Raw JSON of a messageID: what stands before its last digits, and these."""

_DICE: Final = re.compile(r'"[0-9A-Fa-f-]{16,}"')
"""A messageID that was drawn: a UUID, or as many hexadecimal digits."""


class Talk:
    """Follows the conversation.

    Args:
        tag: knows of which requests it was told why their answers were not read.
        header: of the trace: where it does not tell that the card is one of ours, other cards may be in it, and only
            what looks like a request is one.

    Attributes:
        conversing: what was written last is a request, or should be one.
    """

    def __init__(self, tag: Tag, header: Header) -> None:
        self._tag = tag
        self._strict = bool(header.app or header.card) or header.source.startswith(RECORDED)
        self.conversing = False
        self._written: MessageSeen | None = None
        self._answered = True  # the answer to it was read
        self._begin()

    def _begin(self) -> None:
        """Another phone, or the same with another conversation."""
        self._last: tuple[MessageSeen, bytes] | None = None
        self._ids: deque[bytes] = deque(maxlen=REMEMBERED_IDS)
        self._known: dict[bytes, int] = {}  # how often each of them is among the remembered ones
        self._held: IdStep | None = None  # a strange step: the next one shows whether it is more than that
        self._random = False
        self._text_told = False

    def receive(self, seen: Seen) -> Iterator[Seen]:
        """Take what the trace shows next."""
        if isinstance(seen, MessageSeen):
            yield from self._write(seen) if seen.written else self._read(seen)
        elif isinstance(seen, ExchangeSeen):
            yield from self._end(seen)
        elif isinstance(seen, FieldSeen) and not seen.on:
            yield from self.close()
            self._begin()

    def close(self) -> Iterator[Seen]:
        """What was held back."""
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _write(self, message: MessageSeen) -> Iterator[Seen]:
        self.conversing = self._is_meant(message)
        if not self.conversing:
            self._written, self._answered = None, True
            return
        before = self._written
        retry = not self._answered and before is not None and before.octets == message.octets
        self._written, self._answered = message, False
        header = None if message.text is None else read_header_text(message.text)
        yield RequestWritten(message, header, message.request, retry)
        if message.request is not None and message.request.message_id != NO_ID and not retry:
            yield from self._count(message, message.request.message_id)

    def _is_meant(self, message: MessageSeen) -> bool:
        """Whether a message that was written is a request, or should be one."""
        return self._strict or (message.text or "").lstrip().startswith("{")

    def _read(self, message: MessageSeen) -> Iterator[Seen]:
        if self._written is None or message.text is None or message.octets == self._written.octets:
            return  # whatever a tag has in it before the first request is no answer
        header = read_header_text(message.text)
        if message.answer is not None or looks_like_answer(header):
            yield AnswerTaken(message, header)

    def _end(self, exchange: ExchangeSeen) -> Iterator[Seen]:
        written, request, answer = self._written, exchange.request, exchange.answer
        if not self._is_meant(request):
            return
        if answer is not None and answer.answer is not None:
            self._answered = True
            if request.request is not None and not same_id(request.request.message_id, answer.answer):
                yield Echo(exchange, earlier=answer.answer.message_id in self._known)
            return
        retried = written is not None and written.first > request.first and written.octets == request.octets
        if not retried and not self._tag.is_told(request):
            yield Unread(exchange)

    def _count(self, message: MessageSeen, new: bytes) -> Iterator[Seen]:
        if new.startswith(b'"') and not self._text_told:
            self._text_told = True
            yield TextId(message)
        last, self._last = self._last, (message, new)
        known = new in self._known
        self._remember(new)
        if last is None:
            return
        before, old = last
        step = judge_step(old, new)
        if known:
            yield from self.close()
            yield IdStep(before, message, old, new, reused=True, erratic=False)
        elif step is None:
            yield from self.close()
        elif not self._random:
            yield from self._hold(IdStep(before, message, old, new, reused=False, erratic=step))

    def _hold(self, step: IdStep) -> Iterator[Seen]:
        held, self._held = self._held, None
        drawn = _DICE.fullmatch(step.new.decode()) and _DICE.fullmatch(step.old.decode())
        if step.erratic and (drawn or (held is not None and held.erratic)):
            self._random = True
            yield IdsErratic((step,) if held is None else (held, step))
            return
        if held is not None:
            yield held
        if step.erratic:
            self._held = step
        else:
            yield step

    def _remember(self, message_id: bytes) -> None:
        if len(self._ids) == REMEMBERED_IDS:
            oldest = self._ids[0]
            self._known[oldest] -= 1
            if not self._known[oldest]:
                del self._known[oldest]
        self._ids.append(message_id)
        self._known[message_id] = self._known.get(message_id, 0) + 1


def judge_step(old: bytes, new: bytes) -> bool | None:
    """What a step between two messageIDs is: None for counting on, else whether nobody makes it who counts.

    Args:
        old, new: raw JSON, each a string or a number.
    """
    before, after = (_NUMBERED.fullmatch(raw.decode(errors="replace")) for raw in (old, new))
    if before is None or after is None or before[1] != after[1]:
        return True
    step = int(after[2]) - int(before[2])
    if step == 1:
        return None
    return abs(step) > LARGE_STEP and not (step > 0 and int(before[2]) > MIN_TIMESTAMP)


def same_id(message_id: bytes, answer: Answer) -> bool:
    """Whether an answer has this messageID, in whatever octets of JSON."""
    if answer.message_id == message_id:
        return True
    try:
        return bool(msgspec.json.decode(answer.message_id) == msgspec.json.decode(message_id))
    except (ValueError, RecursionError):
        return False


def looks_like_answer(header: HeaderText) -> bool:
    """Whether a text that is no answer was meant for one."""
    return "statusCode" in header.keys or "messageID" in header.keys
