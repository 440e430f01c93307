"""What writers make, and the blocks of pcapng taken apart by these tests' own code."""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nfcbridge.formats.writer import Writer
from nfcbridge.trace import Dir, Entry

SELECT = "00A4040007D276000085010100"


def frames(*lines: str) -> list[Entry]:
    """Entries of `> HEX` from the reader, `< HEX` from the card, `on` and `off`, a millisecond apart."""
    entries = []
    for number, line in enumerate(lines, 1):
        t = number / 1000
        if line in {"on", "off"}:
            entries.append(Entry(t, Dir.FIELD, on=line == "on", number=number))
        else:
            direction = Dir.READER if line[0] == ">" else Dir.CARD
            entries.append(Entry(t, direction, bytes.fromhex(line[1:]), number=number))
    return entries


def write(writer: Writer, entries: Iterable[Entry]) -> bytes:
    """All that a writer makes."""
    return writer.begin() + b"".join(map(writer.receive, entries)) + writer.close()


class Block(NamedTuple):
    kind: int
    body: bytes
    options: list[tuple[int, bytes]]


FIXED = {0x0A0D0D0A: 16, 1: 8}


def blocks_of(octets: bytes) -> Iterator[Block]:
    """The blocks of a pcapng file; all lengths and fillings must be right."""
    while octets:
        kind, length = struct.unpack_from("<II", octets)
        assert length % 4 == 0
        assert struct.unpack_from("<I", octets, length - 4) == (length,)
        body = octets[8 : length - 4]
        fixed = FIXED.get(kind)
        if fixed is None:
            captured, original = struct.unpack_from("<II", body, 12)
            assert captured == original
            fixed = 20 + captured + -captured % 4
            assert not any(body[20 + captured : fixed])
        yield Block(kind, body, list(options_of(body[fixed:])))
        octets = octets[length:]


def options_of(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while octets:
        code, length = struct.unpack_from("<HH", octets)
        if code == 0:
            assert octets == bytes(4)
            return
        yield code, octets[4 : 4 + length]
        octets = octets[4 + length + -length % 4 :]


def packets_of(octets: bytes) -> list[tuple[int, bytes, list[str]]]:
    """Microseconds, octets and comments of each packet."""
    found = []
    for block in blocks_of(octets):
        if block.kind == 6:
            _, high, low, captured, _ = struct.unpack_from("<IIIII", block.body)
            comments = [value.decode() for code, value in block.options if code == 1]
            found.append((high << 32 | low, block.body[20 : 20 + captured], comments))
    return found
