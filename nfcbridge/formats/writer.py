"""What every exporter is: entries in, octets of a file out. None opens, reads or prints anything."""

from importlib.metadata import version
from typing import Final, Protocol

from nfcbridge.trace.entries import Entry, Header

MAX_LEFT_OUT: Final = 20
"""Sentences that are kept about what was left out; the rest is counted."""


def program() -> str:
    """The name that is written into files."""
    return f"nfcbridge {version('nfcbridge')}"


def describe_source(header: Header) -> str:
    """Where a trace comes from, in one line for people."""
    source = header.source or "an unknown program"
    link = f" at {header.link}" if header.link else ""
    return f"Recorded by {source}{link}, exported by {program()}."


class LeftOut:
    """What a format had no place for, in sentences that name the line.

    Attributes:
        sentences: the first ones.
        count: of all.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.count = 0

    def add(self, entry: int, reason: str) -> None:
        """Note the entry of this number."""
        self.count += 1
        if len(self.sentences) < MAX_LEFT_OUT:
            self.sentences.append(f"line {entry + 1}: {reason}")


class Writer(Protocol):
    """Makes a file, or a part of one, of a trace.

    Attributes:
        left_out: what the format has no place for.
    """

    left_out: LeftOut

    def begin(self) -> bytes:
        """What stands before everything."""
        ...

    def receive(self, entry: Entry) -> bytes:
        """What comes of the next entry; nothing, if it waits for another."""
        ...

    def close(self) -> bytes:
        """What is left at the end."""
        ...
