"""How long frames take on the air: a model of ISO/IEC 14443 type A, as fast as reader and card are allowed to be.

    | start bit | octet, parity | ... | CRC, parity | CRC, parity |  delay  | start bit | ...
      1 bit       9 bits each

A bit lasts 128/fc at 106 kbit/s, so an octet 84.96 us, and a half, quarter or eighth of that at 212, 424, 848 kbit/s.
After a frame the other end waits: the card at least 1208/fc, counted from the reader's last parity bit, the reader at
least 1172/fc. These times do not shrink with the bit rate. What a card thinks is not counted, nor are lost frames.

Frames are counted in octets without CRC, as everywhere else, and times are seconds.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

CARRIER: Final = 13.56e6
BASE_RATE: Final = 106
BIT: Final = 128 / CARRIER
OCTET: Final = 9 * BIT
CRC_OCTETS: Final = 2
CARD_DELAY: Final = 1208 / CARRIER
READER_DELAY: Final = 1172 / CARRIER
SHORT_FRAME: Final = 8 * BIT
"""REQA and WUPA: a start bit and seven bits."""

MAX_SHORT_DATA: Final = 255
MAX_SHORT_NE: Final = 256


def frame_time(octets: int, rate: int = BASE_RATE) -> float:
    """The time of one frame of ISO/IEC 14443-4.

    Args:
        octets: its length without CRC.
        rate: 106, 212, 424 or 848 kbit/s.
    """
    return (BIT + (octets + CRC_OCTETS) * OCTET) / (rate // BASE_RATE)


def frames_time(frames: Iterable[tuple[bool, int]], rate: int = BASE_RATE) -> float:
    """The time of some frames, each with the delay before it.

    Args:
        frames: for each whether the reader sends it, and its octets without CRC.
        rate: 106, 212, 424 or 848 kbit/s, in both directions.
    """
    return sum(
        frame_time(octets, rate) + (READER_DELAY if from_reader else CARD_DELAY) for from_reader, octets in frames
    )


def selection_time(uid_octets: int) -> float:
    """The time from WUPA to the last SAK, at 106 kbit/s as it always is, for a UID of 4, 7 or 10 octets.

    The 5 ms for which the field must be on before are not counted.
    """
    levels = {4: 1, 7: 2, 10: 3}[uid_octets]
    answers = 2, *(5, 1 + CRC_OCTETS) * levels  # ATQA, then of each level UID with BCC, and SAK
    questions = (2, 7 + CRC_OCTETS) * levels  # of each level: anticollision, SELECT
    octets = sum(answers) + sum(questions)
    frames = len(answers) + len(questions)
    return SHORT_FRAME + frames * BIT + octets * OCTET + len(answers) * (CARD_DELAY + READER_DELAY)


SELECTION: Final = selection_time(4)
"""For a UID of four octets, as emulated tags have. RATS and ATS are frames like others and not in it."""


def command_frames(command: int, response: int, frame_size: int, fsc: int | None = None) -> Iterator[tuple[bool, int]]:
    """The blocks that carry a command and its response, chained where one frame does not hold them.

    Args:
        command: octets of the command APDU.
        response: octets of the response APDU, status word included.
        frame_size: FSC and FSD, in octets.
        fsc: FSC where it is another one than FSD.

    Yields:
        For each whether the reader sends it, and its octets without CRC.
    """
    for apdu, from_reader, size in ((command, True, fsc or frame_size), (response, False, frame_size)):
        room = size - CRC_OCTETS - 1
        rest = apdu
        while rest > room:
            yield from_reader, 1 + room
            yield not from_reader, 1  # R(ACK)
            rest -= room
        yield from_reader, 1 + rest


def command_time(
    command: int, response: int, frame_size: int, rate: int = BASE_RATE, *, fsc: int | None = None
) -> float:
    """The time of a command and its response; the arguments are those of `command_frames` and `frames_time`."""
    return frames_time(command_frames(command, response, frame_size, fsc), rate)


class Manner(Struct, frozen=True):
    """How a phone exchanges a request for an answer over a Type 4 Tag.

    Attributes:
        mle: the most octets that it reads with one command.
        mlc: the most octets that it writes with one command.
        frame_size: FSC and FSD, in octets.
        detections: how often it selects the application, selects and reads the CC, and selects the file.
        splits_nlen: NLEN is cleared, then written, and read by commands of its own.
    """

    mle: int
    mlc: int
    frame_size: int = 256
    detections: int = 0
    splits_nlen: bool = False


ALIGNED: Final = Manner(251, 248)
"""Every command and response fits one frame of 256 octets, and nothing is done twice."""
EXTENDED: Final = Manner(65_535, 65_535)
"""One command writes and one reads, in chained blocks."""
LIMIT: Final = Manner(65_535, 65_535, frame_size=4096)
"""The longest commands in the longest frames: less is not possible."""
CAREFUL: Final = Manner(255, 255, detections=2, splits_nlen=True)
"""A phone that does all that the NFC Forum's procedures ask for, before the write and before the read."""

_DETECTION: Final = ((13, 2), (7, 2), (5, 17), (7, 2))
"""Command and response octets: SELECT the application, SELECT the CC, READ 15 octets, SELECT the NDEF file."""


def message_octets(json: int) -> int:
    """The NDEF message that carries some octets of JSON as a Text record with a language code of two letters."""
    return json + (7 if json + 3 <= MAX_SHORT_DATA else 10)


def exchange_commands(request: int, answer: int, manner: Manner) -> Iterator[tuple[int, int]]:
    """The commands of an exchange.

    Args:
        request: octets of JSON.
        answer: octets of JSON.
        manner: how the phone goes about it.

    Yields:
        For each the octets of command APDU and response APDU.
    """
    for _ in range(manner.detections):
        yield from _DETECTION
    nlen = 0 if manner.splits_nlen else 2
    splits = [(7, 2)] * manner.splits_nlen
    yield from splits
    for data in _parts(message_octets(request) + nlen, manner.mlc):
        yield data + (5 if data <= MAX_SHORT_DATA else 7), 2
    yield from splits
    if manner.splits_nlen:
        yield 5, 4
    for data in _parts(message_octets(answer) + nlen, manner.mle):
        yield 5 if data <= MAX_SHORT_NE else 7, data + 2


def _parts(octets: int, most: int) -> Iterator[int]:
    while octets > 0:
        yield min(octets, most)
        octets -= most


def exchange_time(request: int, answer: int, manner: Manner = ALIGNED, rate: int = BASE_RATE) -> float:
    """The time of an exchange without activation; the arguments are those of `exchange_commands` and `frames_time`."""
    commands = exchange_commands(request, answer, manner)
    return sum(command_time(command, response, manner.frame_size, rate) for command, response in commands)
