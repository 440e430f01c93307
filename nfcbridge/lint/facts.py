"""What trackers make of what a trace shows: one thing beside the one before it that gives it its meaning.

All are frozen. `air` makes the first group, `tag` the second, `talk` the third.
"""

import enum

from nfcbridge.framing import Request
from nfcbridge.lint.container import Container
from nfcbridge.lint.header_text import HeaderText
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockSeen, ExchangeSeen, FieldSeen, MessageSeen, Seen

# Blocks


class Question(Seen, frozen=True):
    """A frame of the reader. `after`: the card's last frame of this activation, None if there was none."""

    block: BlockSeen
    after: BlockSeen | None


class Reply(Seen, frozen=True):
    """A frame of the card.

    Attributes:
        block: it.
        question: the reader's frame before it; None where none was seen.
        before: the card's last I- or R-block before it, None if there was none in this activation.
        delay: seconds that the card took; None where times are not real.
        patience: seconds that it was granted; None where nobody knows.
        idle: the card had no command to answer.
    """

    block: BlockSeen
    question: BlockSeen | None
    before: BlockSeen | None
    delay: float | None
    patience: float | None
    idle: bool


class NumberWrong(Seen, frozen=True):
    """An I- or R-block with another block number than the rules of the standard make it. `expected`: 0 or 1."""

    block: BlockSeen
    expected: int


class WakeUpMissed(Seen, frozen=True):
    """After S(DESELECT) the card did not hear the reader, which came back another way.

    Attributes:
        deselect: the card's S(DESELECT), or the reader's.
        back: what the reader did then: the field again, or a RATS that nobody answered.
        delay: seconds between them.
    """

    deselect: BlockSeen
    back: FieldSeen | BlockSeen
    delay: float


class AtsTime(Seen, frozen=True):
    """An activation, and the seconds from RATS to ATS; None where times are not real."""

    activation: ActivationSeen
    delay: float | None


# APDUs


class Kind(enum.Enum):
    """What a command is to a Type 4 Tag."""

    SELECT_NAME = "SELECT by name"
    SELECT_FILE = "SELECT of a file"
    READ = "READ BINARY"
    UPDATE = "UPDATE BINARY"
    OTHER = "another instruction"
    BROKEN = "no command"


class File(enum.Enum):
    """What is selected."""

    NOTHING = "nothing"
    APPLICATION = "the NDEF application"
    CC = "the CC"
    NDEF = "the NDEF file"
    OTHER = "something else"


class Command(Seen, frozen=True):
    """A command and its response, read.

    Attributes:
        apdu: both.
        kind: what it is.
        file: what was selected before it.
        chosen: what a SELECT asks for; what was selected, for all others.
        offset: of READ and UPDATE.
        data: of the command.
        ne: octets that it asks for at most; None without Le.
        sw: the status word; None without a response, or for one of a single octet.
        answer: the data of the response.
    """

    apdu: ApduSeen
    kind: Kind
    file: File
    chosen: File
    offset: int = 0
    data: bytes = b""
    ne: int | None = None
    sw: int | None = None
    answer: bytes = b""


class ContainerRead(Seen, frozen=True):
    """A CC that was not seen before in this trace."""

    apdu: ApduSeen
    container: Container


class LengthRead(Seen, frozen=True):
    """NLEN was read, whole.

    Attributes:
        apdu: that had its last octet.
        nlen: it.
        first: it was the first time after the activation.
        count: how often it was read since a request was written whose answer was not read yet.
    """

    apdu: ApduSeen
    nlen: int
    first: bool
    count: int


class ShortRead(Seen, frozen=True):
    """A READ that was followed by one of the next octets. `most`: what it could have asked for."""

    apdu: ApduSeen
    ne: int
    most: int


class BlindRead(Seen, frozen=True):
    """A READ of the message after a write, while nobody has read NLEN. `write`: the UPDATE that ended the write."""

    apdu: ApduSeen
    write: ApduSeen


class ReadAgain(Seen, frozen=True):
    """A READ of an answer that was read as a whole in the same activation."""

    apdu: ApduSeen


class Uncleared(Seen, frozen=True):
    """An UPDATE of the message while NLEN is not zero. `nlen`: its value, None if the reader does not know it."""

    apdu: ApduSeen
    nlen: int | None


class LengthFirst(Seen, frozen=True):
    """An UPDATE of the message that comes after the UPDATE `length` has set NLEN."""

    apdu: ApduSeen
    length: ApduSeen
    nlen: int


class WriteGivenUp(Seen, frozen=True):
    """A write ended before its message was whole.

    Attributes:
        start, end: its first UPDATE, and its last.
        nlen: what it set; 0 if it never came so far.
        written: octets of the message that it wrote.
        missing: octets below NLEN that it did not write.
        early: octets of the message came after NLEN was set.
        reason: what ended it, in words.
    """

    start: ApduSeen
    end: ApduSeen
    nlen: int
    written: int
    missing: int
    early: bool
    reason: str


class TooLarge(Seen, frozen=True):
    """A message, or a part of it, that the file has no room for. `size` and `limit` in octets of the message."""

    apdu: ApduSeen
    size: int
    limit: int
    written: bool


class WrittenAgain(Seen, frozen=True):
    """A write that begins before the answer to the request before was read.

    Attributes:
        apdu: its first UPDATE.
        before: the UPDATE that ended the write before; None if that was not seen.
        refused: with 6985.
        looked: octets of the file were read in between.
    """

    apdu: ApduSeen
    before: ApduSeen | None
    refused: bool
    looked: bool


# Messages


class RequestWritten(Seen, frozen=True):
    """A request, or what should be one.

    Attributes:
        message: it.
        header: its text, read with much patience; None for a message without text.
        request: it, if it is one.
        retry: the message before had the same octets, and its answer was not read.
    """

    message: MessageSeen
    header: HeaderText | None
    request: Request | None
    retry: bool


class AnswerTaken(Seen, frozen=True):
    """An answer, or what looks like one. `header` as in `RequestWritten`."""

    message: MessageSeen
    header: HeaderText


class IdStep(Seen, frozen=True):
    """A request and the one before it in the same conversation, with their messageIDs as raw JSON."""

    before: MessageSeen
    message: MessageSeen
    old: bytes
    new: bytes
    reused: bool
    erratic: bool


class IdsErratic(Seen, frozen=True):
    """Two steps between messageIDs that nobody would call counting."""

    steps: tuple[IdStep, ...]


class TextId(Seen, frozen=True):
    """The first messageID of a conversation that is no number."""

    message: MessageSeen


class Unread(Seen, frozen=True):
    """An exchange whose answer was not read, for no reason that was told already."""

    exchange: ExchangeSeen


class Echo(Seen, frozen=True):
    """A request and its answer. `earlier`: the answer has the messageID of an earlier request."""

    exchange: ExchangeSeen
    earlier: bool


# Sessions


class Call(Seen, frozen=True):
    """A call of the charge controller's interface, told when it was written.

    Attributes:
        message: the request's.
        request: it.
        path: without prefix, query and slash at the end.
        query: decoded values by name.
    """

    message: MessageSeen
    request: Request
    path: str
    query: dict[str, str]


class LoginTried(Seen, frozen=True):
    """A login. `reused`: with a token that had been used already; None where nobody knows. `hashed`: by its looks."""

    message: MessageSeen
    reused: MessageSeen | None
    hashed: bool


class SessionUsed(Seen, frozen=True):
    """A call with a session that the trace knows.

    Attributes:
        exchange: it.
        before: the last call with that session.
        pause: seconds between them.
        ended: the session was ended by a logout before.
    """

    exchange: ExchangeSeen
    before: ExchangeSeen
    pause: float
    ended: bool
