"""What was found."""

import enum

from msgspec import Struct


class Verdict(enum.Enum):
    """How it is. Only WRONG means that something which is there cannot work."""

    OK = "ok"
    NOTE = "note"  # works, and there is something to know
    MISSING = "missing"  # not there, and needed only for some links
    WRONG = "wrong"


class Area(enum.Enum):
    """What was looked at."""

    PROGRAM = "program"
    LINK = "link"
    LIBRARY = "library"
    KERNEL = "kernel module"
    USB = "USB reader"
    SERIAL = "serial port"
    PCSC = "PC/SC"
    TIME = "time"


class Finding(Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        area: which kind of thing.
        what: its name.
        verdict: how it is.
        words: what was found, in a sentence.
        remedy: what to do, empty if nothing is to be done.
        link: of a reader that works, the name that opens it.
    """

    area: Area
    what: str
    verdict: Verdict
    words: str
    remedy: str = ""
    link: str = ""
