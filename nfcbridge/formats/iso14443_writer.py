"""pcapng of link type 264, ISO/IEC 14443: what Wireshark shows as blocks and, told so, as APDUs.

    tshark -r t.pcapng -d iso14443.subdissector,iso7816

    packet    00 | event u8 | length u16, high octet first | octets
    event     FE reader to card, FF card to reader, both with CRC; FD field off, FC field on, both of length 0

The CRC is computed: traces have none, and without it a reader's frame of one octet is taken for WUPA. A real REQA or
WUPA has seven bits on the air and no CRC, and gets none here.

A trace of APDUs has no blocks. Each command and response is put into one I-block, however long, with numbers as on the
air: 0 after an activation, the other one with every command.
"""

from typing import Final

from nfcbridge.formats import pcapng_writer as pcapng
from nfcbridge.formats.crc import crc_a
from nfcbridge.formats.notes import header_note, origin, to_microseconds
from nfcbridge.formats.writer import LeftOut, describe_source, program
from nfcbridge.links.anticollision import REQA, WUPA
from nfcbridge.trace.entries import Dir, Entry, Header

CARD_TO_READER: Final = 0xFF
READER_TO_CARD: Final = 0xFE
FIELD_OFF: Final = 0xFD
FIELD_ON: Final = 0xFC

MAX_OCTETS: Final = 0xFFFF
"""Octets of a packet behind its pseudo header, CRC included: their number has 16 bits."""

I_BLOCK: Final = 0x02
"""An I-block that is the last of its chain, without CID and NAD; b1 is its number."""

_HINT: Final = "To see APDUs: Analyze, Decode As, iso14443.subdissector, ISO/IEC 7816."
_WRAPPED: Final = "A trace of APDUs: each was put into one I-block, which nobody sent."


class Iso14443Writer:
    """Makes the file. It implements `Writer`.

    Args:
        header: the first line of the trace.
    """

    def __init__(self, header: Header) -> None:
        self.left_out = LeftOut()
        self._header = header
        self._origin = origin(header)
        self._wraps = header.level == "apdus"
        self._number = 1  # the first command has the other one

    def begin(self) -> bytes:
        """See `Writer.begin`."""
        words = " ".join((describe_source(self._header), *((_WRAPPED,) if self._wraps else ()), _HINT))
        note = header_note(self._header)
        comments = [words] if note is None else [words, note]
        return pcapng.section(comments, program()) + pcapng.interface(pcapng.LINK_ISO14443, self._header.link)

    def receive(self, entry: Entry) -> bytes:
        """See `Writer.receive`.

        Raises:
            TraceError: the entry has a time that no capture file holds.
        """
        event, octets = self._frame(entry)
        if len(octets) > MAX_OCTETS:
            self.left_out.add(entry.number, f"a packet holds {MAX_OCTETS} octets and not {len(octets)}: left out")
            return b""
        pseudo = bytes([0, event]) + len(octets).to_bytes(2, "big")
        return pcapng.packet(self._origin + to_microseconds(entry.t), pseudo + octets)

    def close(self) -> bytes:
        """See `Writer.close`."""
        return b""

    def _frame(self, entry: Entry) -> tuple[int, bytes]:
        """The event, and the octets with CRC."""
        if entry.dir is Dir.FIELD:
            self._number = 1
            return (FIELD_ON if entry.on else FIELD_OFF), b""
        from_reader = entry.dir is Dir.READER
        event = READER_TO_CARD if from_reader else CARD_TO_READER
        octets = entry.octets
        if self._wraps:
            self._number ^= from_reader
            octets = bytes([I_BLOCK | self._number]) + octets
        elif from_reader and octets in {REQA, WUPA}:
            return event, octets
        return event, octets + crc_a(octets)
