"""What a trace shows, layer by layer: blocks, APDUs, messages, exchanges. `decoder` makes them from entries.

All are frozen. Entries are named by their numbers, times are seconds from the first line of the trace, `air` is
computed air time in seconds (`nfcbridge.airtime`), octets are without CRC. An object is given when its last entry came.
"""

import enum
from typing import Final

from msgspec import Struct

from nfcbridge.framing import Answer, Request
from nfcbridge.isodep import Ats
from nfcbridge.type4.apdu import SW_SIZE


class BlockKind(enum.Enum):
    """What a frame of a trace of blocks is."""

    RATS = "RATS"
    ATS = "ATS"
    PPS = "PPS"
    PPS_RESPONSE = "PPS response"
    I_LAST = "I-block"
    I_MORE = "I-block, more follow"
    EMPTY = "empty I-block"  # from the reader: a presence check, from the card: its answer
    ACK = "R(ACK)"
    NAK = "R(NAK)"
    WTX = "S(WTX)"
    DESELECT = "S(DESELECT)"
    INVALID = "no block"

    __hash__ = object.__hash__  # a member is itself alone; that of Enum is a function of Python, called for each frame


class Selection(enum.Enum):
    """What a reader has selected."""

    UNKNOWN = "unknown"  # the trace does not show it
    OTHER = "other"
    APPLICATION = "NDEF application"
    CC = "CC"
    NDEF = "NDEF file"

    __hash__ = object.__hash__


UNSEEN: Final = frozenset({Selection.UNKNOWN, Selection.APPLICATION})
"""No file was seen to be selected; if the card reads or writes one nevertheless, the trace lacks a SELECT."""

MAY_BE_NDEF: Final = UNSEEN | {Selection.NDEF}
"""What READ and UPDATE go to may be the NDEF file."""


class Seen(Struct, frozen=True):
    """The root of the classes below."""


class FieldSeen(Seen, frozen=True):
    """The card was selected (`on`), or the field is gone."""

    entry: int
    t: float
    on: bool


class BlockSeen(Seen, frozen=True):
    """A frame of a trace of blocks.

    Attributes:
        entry: its number.
        t: its time.
        from_reader: who sent it.
        octets: the frame.
        kind: what it is.
        number: block number of I- and R-blocks, None of others.
        cid: the CID, None without one.
        inf: what it carries; of S(WTX) the WTXM.
        repeated: the same end had sent the same I-block before and nothing else came of it: a retransmission.
        air: of this frame with the delay before it.
    """

    entry: int
    t: float
    from_reader: bool
    octets: bytes
    kind: BlockKind
    number: int | None = None
    cid: int | None = None
    inf: bytes = b""
    repeated: bool = False
    air: float = 0.0


class ActivationSeen(Seen, frozen=True):
    """RATS was answered.

    Attributes:
        first, last: the entries of RATS and ATS.
        t: time of the RATS.
        t_end: time of the ATS.
        fsd: octets of the reader's longest frame.
        ats: as the card sent it; None if it cannot be read.
        octets: of the ATS.
        again: neither the field was lost nor was this the first.
    """

    first: int
    last: int
    t: float
    t_end: float
    fsd: int
    ats: Ats | None
    octets: bytes
    again: bool


class ApduSeen(Seen, frozen=True):
    """A command and its response.

    Attributes:
        index: 1 for the first of the trace.
        first, last: the first entry of the command, the last of the response (of the command if there is none).
        t: time of the command's first frame.
        t_command: time of the command's last frame.
        t_end: time of the response's last frame (of the command's if there is none).
        command: the C-APDU.
        response: the R-APDU, None if none came.
        blocks: frames of both directions.
        wtx: how often the card asked for more time.
        retransmissions: frames that were sent again.
        air: of all its frames.
        command_entries: those that carry the command, in order, none twice.
        response_entries: those that carry the response.
        selected: what was selected when the command came.
    """

    index: int
    first: int
    last: int
    t: float
    t_command: float
    t_end: float
    command: bytes
    response: bytes | None
    blocks: int = 2
    wtx: int = 0
    retransmissions: int = 0
    air: float = 0.0
    command_entries: tuple[int, ...] = ()
    response_entries: tuple[int, ...] = ()
    selected: Selection = Selection.UNKNOWN

    @property
    def sw(self) -> int | None:
        """The status word; None if no response came, or one that is too short for it."""
        response = self.response
        return None if response is None or len(response) < SW_SIZE else int.from_bytes(response[-SW_SIZE:])

    @property
    def data(self) -> bytes:
        """What the response carries before its status word."""
        return b"" if self.response is None else self.response[:-SW_SIZE]


class MessageSeen(Seen, frozen=True):
    """An NDEF message that was written as a whole, or read as a whole.

    Attributes:
        index: 1 for the first of the trace.
        written: by the reader; False: read by it.
        first, last: entries of the first APDU that carried a part, and of the last.
        first_apdu, last_apdu: the same as indexes of APDUs.
        t, t_end: the times of these entries.
        octets: the message, without NLEN.
        text: of its Text record; None if it has none.
        problem: why there is no text, request or answer, in words; empty if there is.
        request: what was written, if it is a request.
        answer: what was read, if it is an answer.
    """

    index: int
    written: bool
    first: int
    last: int
    first_apdu: int
    last_apdu: int
    t: float
    t_end: float
    octets: bytes
    text: str | None = None
    problem: str = ""
    request: Request | None = None
    answer: Answer | None = None


class ExchangeSeen(Seen, frozen=True):
    """A request and what became of it: its answer was read, or the next request was written, or the trace ended.

    Attributes:
        index: 1 for the first of the trace.
        request: the message that was written, whether or not it is a request.
        answer: the first message that was read after it and is an answer; None if none was.
        first, last: entries of its first APDU, and of its last one.
        t, t_end: the times of these entries.
        apdus: from the first of the write to the last of the read, detections and polling between them included.
        blocks: frames of both directions.
        wtx: how often the card asked for more time.
        retransmissions: frames that were sent again.
        activations: between writing and reading.
        air: of all frames of it, selections included.
    """

    index: int
    request: MessageSeen
    answer: MessageSeen | None
    first: int
    last: int
    t: float
    t_end: float
    apdus: int
    blocks: int = 0
    wtx: int = 0
    retransmissions: int = 0
    activations: int = 0
    air: float = 0.0
