"""The answer to select (ATS): what a card takes and how long it may think. ISO/IEC 14443-4, protocol activation.

    TL              T0               TA(1)             TB(1)        TC(1)            T1 ... Tk
    length of all   0 C B A | FSCI   = DS8 4 2 | 0     FWI | SFGI   000000 CID NAD   historical octets
                    (present)            DR8 4 2

Each octet is written b8 (0x80) to b1 (0x01). TA(1): b8 is set where both directions must have the same bit rate, b7 to
b5 are 848, 424, 212 kbit/s from card to reader (DS), b3 to b1 the same from reader to card (DR).

All octets but TL may be missing; what a missing one means is in `Ats.parse`. Of our own accord we write
TA, TB and TC.
"""

from typing import Final, Self

from msgspec import Struct
from msgspec.structs import astuple

from nfcbridge.errors import BlockError, ConfigError

CARRIER: Final = 13.56e6
"""The carrier frequency fc in hertz; all times of ISO/IEC 14443 are counted in its periods."""

FRAME_SIZES: Final = (16, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096)
"""FSD and FSC in octets, by FSDI and FSCI; prologue and CRC are counted in."""

BASE_RATE: Final = 106
BIT_RATES: Final = (BASE_RATE, 212, 424, 848)
"""In kbit/s, by DSI and DRI."""

MAX_FWI: Final = 14
MAX_TL: Final = 254
"""An ATS and its CRC fit one frame of 256 octets."""
MAX_HISTORICAL: Final = MAX_TL - 5
"""What T0 to TC leave; ISO/IEC 7816-4 has use for 15."""

# What holds where the ATS is silent (ISO/IEC 14443-4): FSC 32, FWT 4.8 ms, no guard time, a CID is understood.
ABSENT_FSCI: Final = 2
ABSENT_FWI: Final = 4
# Reserved FSCI and FSDI are read as 256 octets, as by ST's RFAL and by Zephyr: a frame that is smaller than it might be
# costs a little air time, one that is larger is lost.
RESERVED_FSXI: Final = 8

_FSXI, _HAS_TA, _HAS_TB, _HAS_TC = 0x0F, 0x10, 0x20, 0x40
_SAME_RATE, _TA_RESERVED, _NAD, _CID = 0x80, 0x08, 0x01, 0x02


def frame_size(index: int) -> int:
    """The frame size in octets that an FSCI or FSDI (0 to 15) stands for."""
    return FRAME_SIZES[index] if index < len(FRAME_SIZES) else FRAME_SIZES[RESERVED_FSXI]


def waiting_time(index: int) -> float:
    """The time in seconds that an FWI or SFGI (0 to 14) stands for: 302 us, doubled `index` times."""
    return (1 << index) * 4096 / CARRIER


def _rates(bits: int) -> frozenset[int]:
    return frozenset({BASE_RATE, *(rate for i, rate in enumerate(BIT_RATES[1:]) if bits >> i & 1)})


def _bits(rates: frozenset[int]) -> int:
    return sum(1 << i for i, rate in enumerate(BIT_RATES[1:]) if rate in rates)


class Ats(Struct, frozen=True, kw_only=True, eq=False):
    """What a card announces of itself.

    Attributes:
        fsci: the index of the longest frame that the card takes, 0 to 12.
        ds: the bit rates from card to reader in kbit/s; 106 always is one.
        dr: the bit rates from reader to card.
        same_rate_only: both directions must have the same bit rate.
        fwi: the index of the longest time that the card thinks before it answers, 0 to 14.
        sfgi: the index of the time that the card needs after the ATS, 0 to 14; 0 stands for none.
        cid: blocks may carry a card identifier.
        nad: blocks may carry a node address.
        historical: what else the card tells of itself.
        octets: what this was read from, if it was: another ATS may say the same. It makes no difference to `==`.

    Raises:
        ConfigError: a value is out of its range.
    """

    fsci: int = 8
    ds: frozenset[int] = frozenset({BASE_RATE})
    dr: frozenset[int] = frozenset({BASE_RATE})
    # TA(1) 80 is what payment cards and phones send, so every reader has met it. It says "106 kbit/s only": whoever
    # opens a link that can switch bit rates adds them.
    same_rate_only: bool = True
    fwi: int = 8
    sfgi: int = 0
    cid: bool = True
    nad: bool = False
    historical: bytes = b""
    octets: bytes = b""

    def __post_init__(self) -> None:
        """Refuses what no octet could say."""
        if not 0 <= self.fsci < len(FRAME_SIZES):
            raise ConfigError(f"FSCI {self.fsci} is not within 0 to 12 (frames of 16 to 4096 octets)")
        if not 0 <= self.fwi <= MAX_FWI or not 0 <= self.sfgi <= MAX_FWI:
            raise ConfigError(f"FWI {self.fwi} or SFGI {self.sfgi} is not within 0 to 14")
        for rates in (self.ds, self.dr):
            if BASE_RATE not in rates or not rates <= {*BIT_RATES}:
                raise ConfigError(f"bit rates {sorted(rates)} are not 106 and some of 212, 424, 848 kbit/s")
        if len(self.historical) > MAX_HISTORICAL:
            raise ConfigError(f"{len(self.historical)} historical octets are too many, the limit is {MAX_HISTORICAL}")

    def __eq__(self, other: object) -> bool:
        """Whether both announce the same, in whatever octets."""
        return isinstance(other, Ats) and astuple(self)[:-1] == astuple(other)[:-1]

    def __hash__(self) -> int:
        """Goes with `==`."""
        return hash(astuple(self)[:-1])

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Reads an ATS of any legal length, without CRC.

        Reserved values are read as what they least promise: FWI 15 as 4, SFGI 15 as 0, FSCI 13 to 15 as 8, a TA(1)
        with b4 set as 106 kbit/s only. Missing octets: TA(1) 106 kbit/s only, TB(1) FWI 4 and SFGI 0, TC(1) CID but no
        NAD, and without T0 (TL 1) FSCI 2.

        Raises:
            BlockError: TL is not the number of octets, or T0 announces more than there is, or there are more than 249
                historical octets.
        """
        if not 0 < len(octets) <= MAX_TL or octets[0] != len(octets):
            raise BlockError(f"TL of the ATS {octets.hex()} is not its length")
        t0, at = (octets[1], 2) if len(octets) > 1 else (ABSENT_FSCI, 1)
        present = [bool(t0 & mask) for mask in (_HAS_TA, _HAS_TB, _HAS_TC)]
        if not 0 <= len(octets) - at - sum(present) <= MAX_HISTORICAL:
            raise BlockError(f"the ATS {octets.hex()} has too few octets, or too many")
        interface = []
        for here, absent in zip(present, (0x00, ABSENT_FWI << 4, _CID), strict=True):
            interface.append(octets[at] if here else absent)
            at += here
        ta, tb, tc = interface
        if ta & _TA_RESERVED:
            ta = 0
        fwi, sfgi = tb >> 4, tb & 0x0F
        return cls(
            fsci=fsci if (fsci := t0 & _FSXI) < len(FRAME_SIZES) else RESERVED_FSXI,
            ds=_rates(ta >> 4 & 7),
            dr=_rates(ta & 7),
            same_rate_only=bool(ta & _SAME_RATE),
            fwi=fwi if fwi <= MAX_FWI else ABSENT_FWI,
            sfgi=sfgi if sfgi <= MAX_FWI else 0,
            cid=bool(tc & _CID),
            nad=bool(tc & _NAD),
            historical=octets[at:],
            octets=bytes(octets),
        )

    def to_bytes(self) -> bytes:
        """The octets, TL first, without CRC: those that it was read from, else always with TA(1), TB(1) and TC(1)."""
        if self.octets and Ats.parse(self.octets) == self:  # a copy with other values announces these
            return self.octets
        ta = self.same_rate_only << 7 | _bits(self.ds) << 4 | _bits(self.dr)
        tc = self.cid << 1 | self.nad
        t0 = _HAS_TA | _HAS_TB | _HAS_TC | self.fsci
        return bytes((5 + len(self.historical), t0, ta, self.fwi << 4 | self.sfgi, tc)) + self.historical

    def offers(self, ds: int, dr: int) -> bool:
        """Whether PPS may choose these bit rates, in kbit/s: card to reader and reader to card."""
        return ds in self.ds and dr in self.dr and (ds == dr or not self.same_rate_only)

    @property
    def fsc(self) -> int:
        """The longest frame that the card takes, in octets with prologue and CRC: 16 to 4096."""
        return FRAME_SIZES[self.fsci]

    @property
    def fwt(self) -> float:
        """The longest time in seconds that the card thinks before it answers: 302 us to 4.95 s."""
        return waiting_time(self.fwi)

    @property
    def sfgt(self) -> float:
        """The time in seconds that the card needs after its ATS before it listens."""
        return waiting_time(self.sfgi) if self.sfgi else 0.0


OUR_HISTORICAL: Final = bytes.fromhex("80546E666362")
"""Compact TLV of ISO/IEC 7816-4: category 80, card issuer's data "nfcb". By it our own reader knows our card."""

DEFAULT: Final = Ats(historical=OUR_HISTORICAL)
"""Frames of 256 octets, FWT 77 ms, 106 kbit/s, CID."""
