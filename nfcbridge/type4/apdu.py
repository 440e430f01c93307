"""Command and response APDUs (ISO/IEC 7816-4): octets to values and back.

The four cases of a command, short and extended:

    1    CLA INS P1 P2
    2S   CLA INS P1 P2 Le                     Le 1 octet, 00 = 256
    3S   CLA INS P1 P2 Lc data                Lc 1 octet, 01..FF
    4S   CLA INS P1 P2 Lc data Le
    2E   CLA INS P1 P2 00 Le Le               Le 2 octets, 0000 = 65,536
    3E   CLA INS P1 P2 00 Lc Lc data          Lc 2 octets, 0001..FFFF
    4E   CLA INS P1 P2 00 Lc Lc data Le Le

The octet after the header tells the form: alone it is a short Le, not zero it is a short Lc, zero with two more octets
it opens the extended form. Any other length is refused with 6700.

    response: data SW1 SW2
"""

from enum import IntEnum
from typing import Final, Self

import msgspec

from nfcbridge.errors import CommandError, LocalProtocolError, RemoteProtocolError

MAX_SHORT_NC: Final = 0xFF
MAX_SHORT_NE: Final = 0x100  # Le 00
MAX_NC: Final = 0xFFFF
MAX_NE: Final = 0x1_0000  # Le 0000
HEADER_SIZE: Final = 4  # CLA INS P1 P2
SW_SIZE: Final = 2

_SHORT: Final = HEADER_SIZE + 1  # where the data of a short command begin
_EXTENDED: Final = HEADER_SIZE + 3  # and those of an extended one
_MAX_OCTET: Final = 0xFF
_MAX_SW: Final = 0xFFFF


class Ins(IntEnum):
    """The instructions of a Type 4 Tag of mapping version 2.0."""

    SELECT = 0xA4
    READ_BINARY = 0xB0
    UPDATE_BINARY = 0xD6


class SW(IntEnum):
    """The status words of a Type 4 Tag, each with what it says to people."""

    words: str

    def __new__(cls, value: int, words: str) -> Self:
        """Make a member that is the number and knows the words."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member

    OK = 0x9000, "done"
    NOT_STORED = 0x6581, "the octets could not be stored"
    WRONG_LENGTH = 0x6700, "wrong length"
    ACCESS_DENIED = 0x6982, "access to the file is denied"
    NOT_NOW = 0x6985, "not possible in the present state, such as a write while a request is outstanding"
    NOTHING_SELECTED = 0x6986, "no file is selected"
    NOT_FOUND = 0x6A82, "file or application not found"
    NO_SPACE = 0x6A84, "past the end of the file"
    WRONG_P1P2 = 0x6A86, "unknown P1 or P2"
    WRONG_OFFSET = 0x6B00, "the offset is at or past the end of the file"
    UNKNOWN_INS = 0x6D00, "unknown instruction"
    UNKNOWN_CLA = 0x6E00, "unknown class"


def describe_sw(sw: int) -> str:
    """The status word in hexadecimal digits and, where it is one of ours, in words."""
    known = {member.value: member.words for member in SW}
    return f"{sw:04X}, {known[sw]}" if sw in known else f"{sw:04X}"


class CommandAPDU(msgspec.Struct, frozen=True, gc=False):
    """A command.

    Attributes:
        cla: class, 0..255.
        ins: instruction, 0..255.
        p1: first parameter, 0..255.
        p2: second parameter, 0..255.
        data: Nc octets, 0..255, extended 0..65,535.
        ne: octets expected at most, 1..256, extended 1..65,536; None when the command has no Le (never 0).
        extended: Lc and Le in the extended form. A command with neither has no such form.

    Raises:
        LocalProtocolError: a value outside its range.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    ne: int | None = None
    extended: bool = False

    def __post_init__(self) -> None:
        """Refuse what no octets can carry."""
        if not 0 <= self.cla | self.ins | self.p1 | self.p2 <= _MAX_OCTET:
            raise LocalProtocolError("CLA, INS, P1 and P2 are one octet each, 0..255")
        ne = self.ne
        max_nc, max_ne = (MAX_NC, MAX_NE) if self.extended else (MAX_SHORT_NC, MAX_SHORT_NE)
        if len(self.data) > max_nc:
            raise LocalProtocolError(f"{len(self.data)} octets of command data are more than Lc can say, {max_nc}")
        if ne is None:
            if self.extended and not self.data:
                raise LocalProtocolError("a command without data and Le has no extended form")
        elif not 1 <= ne <= max_ne:
            raise LocalProtocolError(f"Ne {ne} is outside 1..{max_ne}")

    @property
    def p1p2(self) -> int:
        """P1 and P2 as one number, the offset of READ and UPDATE BINARY."""
        return self.p1 << 8 | self.p2

    @classmethod
    def parse(cls, octets: bytes) -> "CommandAPDU":
        """Read a command.

        Raises:
            CommandError: the octets are none of the seven forms (6700).
        """
        size = len(octets)
        if size <= HEADER_SIZE:
            if size == HEADER_SIZE:
                return cls(*octets)
            raise _wrong_length(octets)
        cla, ins, p1, p2, lc = octets[:_SHORT]
        if size == _SHORT:  # 2S
            return cls(cla, ins, p1, p2, b"", lc or MAX_SHORT_NE)
        if not lc:
            return cls._parse_extended(octets)
        end = _SHORT + lc
        if size == end:  # 3S
            return cls(cla, ins, p1, p2, octets[_SHORT:])
        if size == end + 1:  # 4S
            return cls(cla, ins, p1, p2, octets[_SHORT:end], octets[end] or MAX_SHORT_NE)
        raise _wrong_length(octets)

    @classmethod
    def _parse_extended(cls, octets: bytes) -> "CommandAPDU":
        cla, ins, p1, p2 = octets[:HEADER_SIZE]
        size = len(octets)
        length = int.from_bytes(octets[_SHORT:_EXTENDED], "big")
        if size == _EXTENDED:  # 2E
            return cls(cla, ins, p1, p2, b"", length or MAX_NE, extended=True)
        end = _EXTENDED + length
        if size == end:  # 3E; a length of 0 was 2E
            return cls(cla, ins, p1, p2, octets[_EXTENDED:], None, extended=True)
        if length and size == end + 2:  # 4E
            ne = int.from_bytes(octets[end:], "big")
            return cls(cla, ins, p1, p2, octets[_EXTENDED:end], ne or MAX_NE, extended=True)
        raise _wrong_length(octets)

    def to_bytes(self) -> bytes:
        """The octets of the command."""
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        width = 2 if self.extended else 1
        prefix = b"\0" if self.extended else b""  # opens the extended form, once, before the first length
        lc = len(self.data).to_bytes(width, "big") if self.data else b""
        # All zeros say the largest Ne, which has one bit more than the field.
        le = b"" if self.ne is None else (self.ne & (0x100**width - 1)).to_bytes(width, "big")
        return b"".join((header, prefix, lc, self.data, le))


class ResponseAPDU(msgspec.Struct, frozen=True, gc=False):
    """A response.

    Attributes:
        data: 0..65,536 octets.
        sw: status word, 0..0xFFFF; any value, also those that `SW` does not name.

    Raises:
        LocalProtocolError: a value outside its range.
    """

    data: bytes = b""
    sw: int = SW.OK

    def __post_init__(self) -> None:
        """Refuse what no octets can carry."""
        if len(self.data) > MAX_NE:
            raise LocalProtocolError(f"{len(self.data)} octets of response data are more than Le can ask for, {MAX_NE}")
        if not 0 <= self.sw <= _MAX_SW:
            raise LocalProtocolError(f"the status word {self.sw} is outside 0..0xFFFF")

    @classmethod
    def parse(cls, octets: bytes) -> "ResponseAPDU":
        """Read a response.

        Raises:
            RemoteProtocolError: shorter than a status word or longer than the longest response.
        """
        if not SW_SIZE <= len(octets) <= MAX_NE + SW_SIZE:
            raise RemoteProtocolError(f"{len(octets)} octets are no response: {SW_SIZE}..{MAX_NE + SW_SIZE} are")
        return cls(octets[:-SW_SIZE], int.from_bytes(octets[-SW_SIZE:], "big"))

    def to_bytes(self) -> bytes:
        """The octets of the response."""
        return self.data + self.sw.to_bytes(SW_SIZE, "big")


def _wrong_length(octets: bytes) -> CommandError:
    return CommandError(f"the lengths in the command do not fit its {len(octets)} octets", sw=SW.WRONG_LENGTH)
