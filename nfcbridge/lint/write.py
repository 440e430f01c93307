"""One write of a message as a listener follows it: what was written of it, and what its NLEN says.

Octets count as `nfcbridge.type4.ndef_file` counts them: what an earlier write left in the file never counts.
"""

from typing import Final

from nfcbridge.trace.seen import ApduSeen

NLEN_SIZE: Final = 2
"""Octets of NLEN of mapping version 2.0. What is written to files with a longer one is not judged."""

MAX_FILE: Final = 0x1_0001
"""Octets of a file that NLEN FFFF fills."""


class Write:
    """A write that has begun.

    Args:
        apdu: its first UPDATE.

    Attributes:
        start, last: its first UPDATE, and the last so far.
        length: the UPDATE that set NLEN to something else than zero; None before.
        nlen: what it set; 0 before.
        cleared: NLEN was set to zero.
        alone: `length` brought nothing of the message with it.
        early: an UPDATE of the message came after `length`.
        uncleared: one came while NLEN was not zero.
    """

    def __init__(self, apdu: ApduSeen) -> None:
        self.start = self.last = apdu
        self.length: ApduSeen | None = None
        self.nlen = 0
        self.cleared = False
        self.alone = False
        self.early = False
        self.uncleared = False
        self._octets: list[int | None] = [None, None]
        self._written = bytearray()  # 1 for each octet of the file that was written; that of NLEN is not counted

    @property
    def written(self) -> int:
        """Octets of the message that were written."""
        return self._written.count(1)

    @property
    def missing(self) -> int:
        """Octets below NLEN that were not written."""
        return self.nlen - self._written.count(1, NLEN_SIZE, NLEN_SIZE + self.nlen)

    @property
    def whole(self) -> bool:
        """The message is there."""
        return self.nlen > 0 and not self.missing

    def starts_over(self, offset: int, data: bytes) -> bool:
        """Whether an UPDATE would begin all of it anew: NLEN 0, or NLEN with a part of the message."""
        return (
            bool(self.written) and offset == 0 and len(data) >= NLEN_SIZE and (len(data) > NLEN_SIZE or not any(data))
        )

    def set_length(self, offset: int, octets: bytes, apdu: ApduSeen) -> None:
        """Take octets of NLEN; it counts when it is whole."""
        for place, octet in enumerate(octets, offset):
            self._octets[place] = octet
        high, low = self._octets
        if high is None or low is None:
            return
        self._octets = [None, None]
        self.nlen = high << 8 | low
        self.cleared = self.cleared or not self.nlen
        self.length = apdu if self.nlen else None

    def add(self, offset: int, count: int) -> None:
        """Take octets of the message.

        Args:
            offset: in the file, 2 or more; with `count` at most MAX_FILE.
            count: how many.
        """
        end = offset + count
        if len(self._written) < end:
            self._written.extend(bytes(end - len(self._written)))
        self._written[offset:end] = b"\1" * count
