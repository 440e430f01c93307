"""A capability container as it is, wrong values included, and what phones have against it.

`nfcbridge.type4.cc` draws the octets. What Android refuses is `rw_t4t_validate_cc_file` of AOSP's rw_t4t.cc (the one of
Android 15; older ones refuse proprietary read access too).
"""

import struct
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from nfcbridge.type4.cc import CC_SIZE, MAX_ANDROID_FILE, MIN_MLC, MIN_MLE, RESERVED_FILE_IDS, FileId

MAX_CC: Final = 64
"""Octets of a CC that are looked at: 15 or 17 of them say all, and what follows are files of others."""

NDEF_TAG: Final = 0x04
EXTENDED_TAG: Final = 0x06
"""T of the file control TLV of mapping version 3.0, for files that have a length of four octets."""

MAPPING_2: Final = 2
MAPPING_3: Final = 3
MIN_FILE: Final = 5
FREE: Final = 0x00
NEVER: Final = 0xFF
PROPRIETARY: Final = 0x80
"""The first value of read and write access that belongs to makers of tags."""

_HEAD: Final = struct.Struct(">HBHHBB")
_FILE: Final = struct.Struct(">HHBB")
_EXTENDED_FILE: Final = struct.Struct(">HIBB")


class Container(Struct, frozen=True):
    """What a CC says.

    Attributes:
        cclen: octets of it.
        version: mapping version, 0x20 for 2.0.
        mle, mlc: most octets of a READ and of an UPDATE.
        tag: T of the file control TLV.
        file_id: the NDEF file.
        file_size: its octets, NLEN included.
        read_access, write_access: 00 free.
    """

    cclen: int
    version: int
    mle: int
    mlc: int
    tag: int
    file_id: int
    file_size: int
    read_access: int
    write_access: int

    @property
    def major(self) -> int:
        """The first number of the mapping version."""
        return self.version >> 4

    @property
    def nlen_size(self) -> int:
        """Octets of NLEN."""
        return 4 if self.tag == EXTENDED_TAG else 2

    @property
    def capacity(self) -> int:
        """Octets of the longest message."""
        return max(self.file_size - self.nlen_size, 0)


def parse_container(octets: bytes) -> Container | None:
    """Read a CC; None if its octets are too few. What they say is not judged."""
    if len(octets) < CC_SIZE:
        return None
    cclen, version, mle, mlc, tag, _length = _HEAD.unpack_from(octets)
    layout = _FILE
    if tag == EXTENDED_TAG:
        layout = _EXTENDED_FILE
        if len(octets) < _HEAD.size + layout.size:
            return None
    return Container(cclen, version, mle, mlc, tag, *layout.unpack_from(octets, _HEAD.size))


def android_refusals(cc: Container) -> Iterator[str]:
    """What Android has against it, in words; a tag with any of it is no NDEF tag to Android's apps."""
    if cc.cclen < CC_SIZE:
        yield f"a CCLEN of {cc.cclen}, less than {CC_SIZE}"
    if not cc.major or cc.major > MAPPING_3:
        yield f"mapping version {cc.major}.{cc.version & 0x0F}"
    if cc.mle < MIN_MLE:
        yield f"MLe {cc.mle}, less than {MIN_MLE}"
    if cc.mlc < MIN_MLC:
        yield f"MLc {cc.mlc}"
    if cc.tag not in {NDEF_TAG, EXTENDED_TAG}:
        yield f"a TLV {cc.tag:02X} in the place of 04"
        return
    if cc.file_id in RESERVED_FILE_IDS:
        yield f"the reserved file identifier {cc.file_id:04X}"
    if cc.tag == NDEF_TAG and cc.major == MAPPING_2 and not MIN_FILE <= cc.file_size <= MAX_ANDROID_FILE:
        yield f"a file of {cc.file_size} octets, outside {MIN_FILE}..{MAX_ANDROID_FILE}"
    if FREE < cc.read_access < PROPRIETARY or cc.read_access == NEVER:
        yield f"read access {cc.read_access:02X}"
    if FREE < cc.write_access < PROPRIETARY:
        yield f"write access {cc.write_access:02X}"


def ios_refusals(cc: Container) -> Iterator[str]:
    """What an iPhone has against it, as far as it is known: it reads what the NFC Forum's mapping 2.0 and 3.0 say."""
    if cc.major not in {MAPPING_2, MAPPING_3}:
        yield f"mapping version {cc.major}.{cc.version & 0x0F}, which its application of 2.0 does not have"
    if cc.read_access != FREE:
        yield f"read access {cc.read_access:02X}"
    if cc.tag == NDEF_TAG and cc.file_id != FileId.NDEF and cc.file_id in RESERVED_FILE_IDS:
        yield f"the reserved file identifier {cc.file_id:04X}"
