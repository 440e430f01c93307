"""What a card stack tells the one who drives it, beside `isodep.SendFrame` (octets to put on the link at once).

All are frozen and cheap; numbers count the committed requests of one tag: 1, 2, 3 ...
Times are seconds on the clock of the `now` arguments; octets are those of the NDEF message.
"""

import enum

import msgspec

from nfcbridge.framing import Request


class Event(msgspec.Struct, frozen=True, gc=False):
    """The root of the events below."""


class RequestReceived(Event, frozen=True):
    """A request was committed: run it, then call `answer(number, ...)`."""

    number: int
    request: Request
    octets: int


class RequestBroken(Event, frozen=True):
    """A committed message is no request; it was answered with `status` and nothing was run."""

    number: int
    status: int
    reason: str


class RequestGivenUp(Event, frozen=True):
    """The application did not answer in time; the file holds a 504. Cancel what still runs."""

    number: int


class AnswerReady(Event, frozen=True):
    """The answer is in the file. `core` is the time from commit to now."""

    number: int
    status: int
    octets: int
    core: float


class AnswerTooLarge(Event, frozen=True):
    """The answer did not fit the file; the file holds a 413 instead."""

    number: int
    octets: int
    limit: int


class AnswerRead(Event, frozen=True):
    """The reader has read the answer to its last octet for the first time.

    `air` is the computed air time of the exchange, from the first frame of the write to the last frame of the read.
    """

    number: int
    status: int
    octets: int
    core: float
    air: float


class AnswerExpired(Event, frozen=True):
    """The answer left the file by its time to live; `read` tells whether any of it had been read."""

    number: int
    read: bool


class LateAnswer(Event, frozen=True):
    """An answer came after its request had been given up, and was dropped."""

    number: int


class Reason(enum.Enum):
    """Why a write was refused with 6985."""

    PROCESSING = "the request before it is still processed"
    UNREAD = "the answer to the request before it was not read"


class WriteRefused(Event, frozen=True):
    """A write got 6985: pipelining. `count`: how often that tag has seen it."""

    reason: Reason
    count: int


class WriteRolledBack(Event, frozen=True):
    """A half-written message was dropped."""


class ReadWithoutLength(Event, frozen=True):
    """The reader reads an answer in the activation of its request without reading NLEN first.

    Android's Ndef.getNdefMessage() does so with the length of the request, and turns an answer of another length into
    null: the app must close() and connect() before it reads, or use IsoDep.
    """

    number: int


class TagActivated(Event, frozen=True):
    """The reader activated the tag. `again`: while a request of this tag was processed or its answer was kept."""

    frame_size: int
    again: bool


class TagDeselected(Event, frozen=True):
    """The reader sent S(DESELECT): the link must listen for the wake-up at once."""


class FieldLost(Event, frozen=True):
    """The reader's field is gone."""
