"""GSMTAP in pcapng: a command and its response in one UDP packet, which Wireshark shows without being told how.

    IPv4, 20 octets | UDP to port 4729, 8 octets | GSMTAP, 16 octets | command | response
    GSMTAP            02 version | 04 words of the header | 04 SIM | 00 ... 00

Packets go from 127.0.0.1 to itself, where such tools send them. Comments (`notes`) keep what has no place here: where
the response begins, when it came, and what the field did before the command.
"""

import struct
from typing import Final

from nfcbridge.formats import pcapng_writer as pcapng
from nfcbridge.formats.notes import (
    FieldNote,
    PairNote,
    field_note,
    header_note,
    origin,
    pair_note,
    to_microseconds,
)
from nfcbridge.formats.writer import LeftOut, describe_source, program
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.entries import Entry, Header
from nfcbridge.trace.seen import ApduSeen, FieldSeen, Seen

PORT: Final = 4729
HEADER: Final = bytes([2, 4, 4]) + bytes(13)

MAX_APDUS: Final = 0xFFFF - 20 - 8 - len(HEADER)
"""Octets of command and response together: the length of an IP packet has 16 bits."""

MIN_COMMAND: Final = 4
"""Octets of the shortest command, CLA INS P1 P2. Wireshark calls packets with less malformed."""

MAX_FIELD_NOTES: Final = 16
"""Field events that are told with one command. A reader that polls makes any number of them; the last ones count."""

_MAX_WORD: Final = 0xFFFF
_LOOPBACK: Final = bytes([127, 0, 0, 1])
_IP: Final = struct.Struct(">BBHHHBBH4s4s")
_UDP: Final = struct.Struct(">HHHH")


def _checksum(header: bytes) -> int:
    """Of an IP header whose own checksum is 0 (RFC 1071): what makes the sum of all its words 0 modulo FFFF."""
    words: tuple[int, ...] = struct.unpack(f">{len(header) // 2}H", header)
    return _MAX_WORD - sum(words) % _MAX_WORD


def packet_of(command: bytes, response: bytes) -> bytes:
    """The IP packet with a command and its response, together at most `MAX_APDUS` octets."""
    payload = HEADER + command + response
    length = _IP.size + _UDP.size + len(payload)

    def ip(checksum: int) -> bytes:
        return _IP.pack(0x45, 0, length, 0, 0x4000, 64, 17, checksum, _LOOPBACK, _LOOPBACK)

    udp = _UDP.pack(PORT, PORT, _UDP.size + len(payload), 0)  # 0: no checksum, which IPv4 allows
    return ip(_checksum(ip(0))) + udp + payload


class GsmtapWriter:
    """Makes the file. It implements `Writer`.

    Args:
        header: the first line of the trace.
    """

    def __init__(self, header: Header) -> None:
        self.left_out = LeftOut()
        self._header = header
        self._origin = origin(header)
        self._decoder = Decoder(header.level, header=header)
        self._fields: list[FieldSeen] = []

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        note = header_note(self._header)
        words = describe_source(self._header) + " Each packet is a command and its response."
        comments = [words] if note is None else [words, note]
        return pcapng.section(comments, program()) + pcapng.interface(pcapng.LINK_RAW_IP, self._header.link)

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`.

        Raises:
            TraceError: the entry has a time that no capture file holds.
        """
        return b"".join(self._write(each) for each in self._decoder.receive(entry))

    def close(self) -> bytes:
        """See `Writer.close`."""
        return b"".join(self._write(each) for each in self._decoder.close())

    def _write(self, seen: Seen) -> bytes:
        if isinstance(seen, FieldSeen):
            self._fields = [*self._fields[1 - MAX_FIELD_NOTES :], seen]
        elif isinstance(seen, ApduSeen) and self._has_place(seen):
            notes = [field_note(FieldNote(field.on, seen.t - field.t)) for field in self._fields]
            self._fields.clear()
            notes.append(pair_note(PairNote(len(seen.command), seen.t_end - seen.t)))
            at = self._origin + to_microseconds(seen.t)
            return pcapng.packet(at, packet_of(seen.command, seen.response or b""), notes)
        return b""

    def _has_place(self, seen: ApduSeen) -> bool:
        if seen.response is None:
            self.left_out.add(seen.first, "no response came, and a packet has a command and its response: left out")
        elif len(seen.command) < MIN_COMMAND:
            self.left_out.add(seen.first, f"a command has at least {MIN_COMMAND} octets, this one less: left out")
        elif len(seen.command) + len(seen.response) > MAX_APDUS:
            self.left_out.add(seen.first, f"command and response have more than {MAX_APDUS} octets: left out")
        else:
            return True
        return False
