"""What the emulator tells whoever watches it: one event a line of the terminal.

`t` is seconds on the monotonic clock, `link` the link's name. No event has a secret in it: no session id, no
authorization, no content, and of a path only what stands before its query.

In JSON an event has its name in snake case: `{"event":"phone_left","t":12.5,"link":"memory:tag","unread":null}`.
"""

import re

import msgspec


class EmulatorEvent(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="event",
    tag=lambda name: re.sub(r"\B[A-Z]", r"_\g<0>", name).lower(),
):
    """The root of the events below."""

    t: float
    link: str


class PhoneArrived(EmulatorEvent, frozen=True):
    """A reader activated the tag. `frame_size`: octets of the longest frame it takes (FSD)."""

    uid: str
    frame_size: int


class Reactivated(EmulatorEvent, frozen=True):
    """The same reader activated the tag again. `kept`: a request or its answer was kept over it."""

    kept: bool


class PhoneLeft(EmulatorEvent, frozen=True):
    """The reader's field is gone. `unread`: the number of a request whose answer it has not read to the end."""

    unread: int | None = None


class RequestReceived(EmulatorEvent, frozen=True):
    """A request was written. `octets` of its NDEF message."""

    number: int
    method: str
    path: str
    octets: int


class RequestBroken(EmulatorEvent, frozen=True):
    """What was written is no request, and was answered with `status`."""

    number: int
    status: int
    reason: str


class AnswerSent(EmulatorEvent, frozen=True):
    """The answer was read to its last octet. `core` and `air`: seconds in the application, and computed on air."""

    number: int
    status: int
    octets: int
    core: float
    air: float


class AnswerUnread(EmulatorEvent, frozen=True):
    """An answer left the file by its time to live. `partly`: some of it had been read."""

    number: int
    partly: bool


class CardRead(EmulatorEvent, frozen=True):
    """A card was held to the reader device. `octets` of its UID, which is not told; `outcome` in words."""

    octets: int
    outcome: str


class Refused(EmulatorEvent, frozen=True):
    """A write was refused, 6985: pipelining. `count`: how often it was, on this link."""

    count: int
    reason: str
    remedy: str


class Warned(EmulatorEvent, frozen=True):
    """Something that will trouble the phone's app, and how to mend it."""

    reason: str
    remedy: str


class RuleBroken(EmulatorEvent, frozen=True):
    """What crosses the link breaks a rule of `nfcbridge.lint`; `nfcbridge trace lint --explain RULE` tells all of it.

    `severity` is error or warning. `count`: how often the rule was broken on this link; it is told at once, and while
    it goes on every 10 s.
    """

    rule: str
    name: str
    severity: str
    what: str
    mend: str
    count: int


class LinkFailed(EmulatorEvent, frozen=True):
    """The link's device failed. `reason` says what to do."""

    reason: str


class ApplicationFailed(EmulatorEvent, frozen=True):
    """The application raised, or answered what no message can say."""

    reason: str
