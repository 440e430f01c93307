"""The capability container (CC), the file E103 that says what the card can do, and the configuration it is built from.

    offset  octets  mapping version 2.0 (NFC Forum Type 4 Tag specification)
    0       2       CCLEN, octets of this file, 000F
    2       1       mapping version, b8..b5 major, b4..b1 minor: 20
    3       2       MLe, the most octets that one READ BINARY answers
    5       2       MLc, the most octets that one UPDATE BINARY takes
    7       2       T and L of the file control TLV, 04 06
    9       2       identifier of the NDEF file, E104
    11      2       its size, NLEN included
    13      1       read access, 00 = free
    14      1       write access, 00 = free, FF = never

What a mapping version changes (the TLV, the width of NLEN, the sizes) is a row of `FILE_CONTROLS`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec

from nfcbridge.errors import ConfigError, LocalProtocolError, RemoteProtocolError

CC_SIZE: Final = 15
NDEF_AID: Final = bytes.fromhex("D2760000850101")  # mapping versions 2.0 and 3.0
NDEF_AID_1: Final = bytes.fromhex("D2760000850100")  # mapping version 1.0; only readers use it
ACCESS_FREE: Final = 0x00
ACCESS_NEVER: Final = 0xFF

MIN_MLE: Final = 0x000F  # the CC in one READ
MIN_MLC: Final = 0x0001
MAX_ML: Final = 0xFFFF
MAX_ANDROID_FILE: Final = 0x7FFF  # rw_t4t.cc of AOSP calls a larger file of mapping 2.0 reserved: no NDEF tag then
LATEST_MAJOR: Final = 3  # the mapping 3.0 CC with a file control TLV 04 reads as one of 2.0

_HEAD: Final = struct.Struct(">HBHHBB")


class FileId(IntEnum):
    """The files of the NDEF application."""

    CC = 0xE103
    NDEF = 0xE104


FILE_ID_SIZE: Final = 2
_MAX_FILE_ID: Final = 0xFFFF


# Identifiers that no NDEF file may have (NFC Forum Type 4 Tag specification; the same list in AOSP's rw_t4t.cc).
RESERVED_FILE_IDS: Final = frozenset({0x0000, 0xE102, FileId.CC, 0x3F00, 0x3FFF, 0xFFFF})


class FileControl(msgspec.Struct, frozen=True):
    """What a file control TLV looks like, and the file it describes.

    Attributes:
        tag: T of the TLV.
        value: its value: file identifier, size, read access, write access.
        nlen_size: octets of NLEN, the length of the message, at the start of the file.
        min_size: octets of the smallest file.
        max_size: octets of the largest file.
    """

    tag: int
    value: struct.Struct
    nlen_size: int
    min_size: int
    max_size: int


NDEF_FILE_CONTROL: Final = FileControl(0x04, struct.Struct(">HHBB"), nlen_size=2, min_size=0x0005, max_size=0xFFFE)

FILE_CONTROLS: Final = {control.tag: control for control in (NDEF_FILE_CONTROL,)}


class CapabilityContainer(msgspec.Struct, frozen=True):
    """The CC up to and with its first file control TLV.

    Attributes:
        mle: octets that one READ BINARY answers at most, 15..0xFFFF.
        mlc: octets that one UPDATE BINARY takes at most, 1..0xFFFF.
        file_size: octets of the NDEF file with NLEN, 5..0xFFFE.
        file_id: identifier of the NDEF file.
        version: mapping version, 0x20 for 2.0.
        read_access: 00 free, other values not without a key that we lack.
        write_access: 00 free, FF never, others proprietary.
        control: the kind of file control TLV.

    Raises:
        LocalProtocolError: a value that the specification forbids.
    """

    mle: int
    mlc: int
    file_size: int
    file_id: int = FileId.NDEF
    version: int = 0x20
    read_access: int = ACCESS_FREE
    write_access: int = ACCESS_FREE
    control: FileControl = NDEF_FILE_CONTROL

    def __post_init__(self) -> None:
        """Refuse what AOSP and the specification refuse: a reader would misread such a card."""
        control = self.control
        if not MIN_MLE <= self.mle <= MAX_ML:
            raise LocalProtocolError(f"MLe {self.mle} is outside {MIN_MLE}..{MAX_ML}")
        if not MIN_MLC <= self.mlc <= MAX_ML:
            raise LocalProtocolError(f"MLc {self.mlc} is outside {MIN_MLC}..{MAX_ML}")
        if not control.min_size <= self.file_size <= control.max_size:
            raise LocalProtocolError(
                f"the file size {self.file_size} is outside {control.min_size}..{control.max_size}"
            )
        if self.file_id in RESERVED_FILE_IDS or not 0 <= self.file_id <= _MAX_FILE_ID:
            raise LocalProtocolError(f"the file identifier {self.file_id:04X} is reserved")
        if not 1 <= self.version >> 4 <= LATEST_MAJOR:
            raise LocalProtocolError(f"the mapping version {self.version >> 4}.{self.version & 0x0F} is unknown")
        if not (0 <= self.read_access <= ACCESS_NEVER and 0 <= self.write_access <= ACCESS_NEVER):
            raise LocalProtocolError("an access condition is one octet")

    @property
    def writable(self) -> bool:
        """Whether anybody may write the NDEF file."""
        return self.write_access == ACCESS_FREE

    @classmethod
    def parse(cls, octets: bytes) -> "CapabilityContainer":
        """Read a CC of mapping version 1.0, 2.0, or 3.0 with a small file.

        Args:
            octets: the first 15 octets of the file or more; what follows the first TLV is not looked at, so a longer
                CC need not be read to its end.

        Raises:
            RemoteProtocolError: the octets are no such CC.
        """
        if len(octets) < CC_SIZE:
            raise RemoteProtocolError(f"a capability container has {CC_SIZE} octets or more, this one {len(octets)}")
        cclen, version, mle, mlc, tag, length = _HEAD.unpack_from(octets)
        if cclen < CC_SIZE:
            raise RemoteProtocolError(f"the capability container says its length is {cclen}, less than {CC_SIZE}")
        control = FILE_CONTROLS.get(tag)
        if control is None or length != control.value.size:
            raise RemoteProtocolError(f"the capability container begins with the TLV {tag:02X} {length:02X}, not 04 06")
        file_id, file_size, read_access, write_access = control.value.unpack_from(octets, _HEAD.size)
        try:
            return cls(mle, mlc, file_size, file_id, version, read_access, write_access, control)
        except LocalProtocolError as error:
            raise RemoteProtocolError(f"the capability container is wrong: {error}") from error

    def to_bytes(self) -> bytes:
        """The octets of the file."""
        control = self.control
        value = control.value.pack(self.file_id, self.file_size, self.read_access, self.write_access)
        size = _HEAD.size + len(value)
        return _HEAD.pack(size, self.version, self.mle, self.mlc, control.tag, len(value)) + value


@dataclass(frozen=True, slots=True)
class CardConfig:
    """What our card says it can do.

    The defaults suit phones: with frames of 256 octets each APDU is one block.

    Attributes:
        mle: octets that one READ BINARY answers at most, 15..0xFFFF. Above 256 Android uses extended APDUs, and nfcpy
            cannot read the card.
        mlc: octets that one UPDATE BINARY should have at most, 1..0xFFFF.
        file_size: octets of the NDEF file, NLEN included, 5..0x7FFF.
        writable: False for a card that refuses every UPDATE with 6982.

    Raises:
        ConfigError: a value outside its limits; the message says which and whose limit it is.
    """

    mle: int = 251
    mlc: int = 248
    file_size: int = MAX_ANDROID_FILE
    writable: bool = True

    def __post_init__(self) -> None:
        """Check every limit."""
        smallest, largest = NDEF_FILE_CONTROL.min_size, NDEF_FILE_CONTROL.max_size
        for name, value, low, high in (
            ("MLe", self.mle, MIN_MLE, MAX_ML),
            ("MLc", self.mlc, MIN_MLC, MAX_ML),
            ("the NDEF file size", self.file_size, smallest, largest),
        ):
            if not low <= value <= high:
                raise ConfigError(
                    f"{name} {value} is outside {low}..{high}, the limits of the NFC Forum Type 4 Tag specification"
                    " for mapping version 2.0"
                )
        if self.file_size > MAX_ANDROID_FILE:
            raise ConfigError(
                f"the NDEF file size {self.file_size} is larger than {MAX_ANDROID_FILE}, the limit of Android:"
                " it takes no larger file of mapping version 2.0 for an NDEF tag"
            )

    @property
    def capacity(self) -> int:
        """Octets of the longest message."""
        return self.file_size - NDEF_FILE_CONTROL.nlen_size

    def to_cc(self) -> CapabilityContainer:
        """The capability container that announces this configuration."""
        write_access = ACCESS_FREE if self.writable else ACCESS_NEVER
        return CapabilityContainer(self.mle, self.mlc, self.file_size, write_access=write_access)
